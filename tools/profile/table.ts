/** A profile as text for the terminal. */
import { InputError } from "../errors.ts";
import { choiceText } from "../platform/kernel_text.ts";
import { counted, kebabCase } from "../words.ts";
import type { Grouping, KernelRow, ProfileData } from "./profile_data.ts";

/** By what rows can be sorted, largest first. */
export const SORT_KEYS = {
  time: (row: KernelRow) => row.totalMs,
  count: (row: KernelRow) => row.count,
  flops: (row: KernelRow) => row.flops ?? -1,
  bytes: (row: KernelRow) => row.bytesRead + row.bytesWritten,
} as const;

/** A key of {@linkcode SORT_KEYS}. */
export type SortKey = keyof typeof SORT_KEYS;

/**
 * Rows, largest first.
 *
 * @throws {InputError} If there is no such key.
 */
export function sorted(rows: readonly KernelRow[], key: string): KernelRow[] {
  if (!Object.hasOwn(SORT_KEYS, key)) {
    throw new InputError(`Cannot sort a profile by "${key}": expected one of ${Object.keys(SORT_KEYS).join(", ")}`);
  }
  const of = SORT_KEYS[key as SortKey];
  return rows.toSorted((a, b) => of(b) - of(a));
}

/** How {@linkcode profileText} shows a profile. */
export interface TableOptions {
  /** What is put together in a row. */
  readonly by: Grouping;
  /** Order of the rows. */
  readonly sortBy: string;
  /** Rows shown. */
  readonly top: number;
}

/** The summary, and the tables of what was looked at. */
export function profileText(data: ProfileData, options: TableOptions): string {
  const { kernels, memory } = data.parts;
  return [
    ...summaryLines(data),
    ...kernels ? ["", ...kernelLines(data, options)] : [],
    ...memory ? ["", ...memoryLines(data)] : [],
    ...kernels ? compilationLines(data) : [],
  ].join("\n");
}

function kernelLines(data: ProfileData, { by, sortBy, top }: TableOptions): string[] {
  const rows = sorted(data.rows[by], sortBy);
  const lines = kernelTable(rows.slice(0, top), by, data);
  if (rows.length > top) lines.push(`… and ${rows.length - top} more rows (--top)`);
  return lines;
}

function compilationLines({ compilations: { count, totalMs, slowest }, verifications }: ProfileData): string[] {
  if (count === 0) return [];
  const first = slowest.slice(0, 3).map(({ kernel, ms }) => `${kernel} ${milliseconds(ms)}`);
  const more = count > first.length ? ", …" : "";
  const verified = verifications?.count
    ? `; verified, and compiled by the driver: ${verifications.count} in ${milliseconds(verifications.totalMs)}`
    : "";
  return ["", `Pipelines made: ${count} in ${milliseconds(totalMs)} (${first.join(", ")}${more})${verified}`];
}

function summaryLines(data: ProfileData): string[] {
  const { host, stepMs, clock, parts } = data;
  const steps = Math.max(1, stepMs.length);
  const settings = settingsText(data.settings);
  const lines = [
    `${data.workload} on ${data.adapter}`,
    settings,
    `${counted(stepMs.length, "step")} after ${data.warmup} to warm up: ${
      milliseconds(median(stepMs))
    } a step (median), ` +
    `${clock === "none" ? "" : `kernels ${milliseconds(data.gpuMs / steps)}, `}encoding ${
      milliseconds(host.encodeMs / steps)
    }, ` +
    `submitting ${milliseconds(host.submitMs / steps)}, waiting ${milliseconds(host.waitMs / steps)}`,
  ];
  for (const [name, { relativeRms, max, rms }] of Object.entries(data.storageError ?? {})) {
    lines.push(
      `Error of f16 against f32, random weights: ${name || "the output"} differs by ${
        relativeRms.toExponential(1)
      } of its size (root ` +
        `mean square), at most by ${max.toExponential(1)} where the root mean square is ${rms.toPrecision(2)}`,
    );
  }
  if (data.kernels && parts.kernels) lines.push(`Kernels: ${choiceText(data.kernels)}`);
  if (data.roofs && parts.kernels) {
    lines.push(`Measured roofs: ${data.roofs.gflops} GFLOP/s (f32), ${data.roofs.gbs} GB/s`);
  }
  if (clock === "wall") {
    lines.push(
      "This adapter has no timestamps: each kernel was submitted alone and timed by the CPU's clock, submission included.",
    );
  } else if (clock === "none" && parts.kernels) {
    lines.push(
      "This adapter has no timestamps, and there is no other way to time kernels here: their times are missing.",
    );
  }
  return lines;
}

/** Sizes and choices of a run in one line. */
export function settingsText(settings: Readonly<Record<string, unknown>>): string {
  return Object.entries(settings).map(([name, value]) => `${kebabCase(name)} ${value}`).join(", ");
}

function kernelTable(rows: readonly KernelRow[], by: Grouping, { clock }: ProfileData): string[] {
  const time = (ms: number) => clock === "none" ? "–" : ms.toFixed(3);
  const ms = clock === "wall" ? "ms (CPU's clock)" : "ms";
  const what = by === "kernel" ? "kernel" : by === "module" ? "module: kernel" : "place: kernel";
  const table = [
    [
      what,
      "count",
      `total ${ms}`,
      `min ${ms}`,
      `median ${ms}`,
      "share",
      "GFLOP",
      "MB",
      "GFLOP/s",
      "GB/s",
      "FLOP/B",
      "of roof",
    ],
    ...rows.map((row) => [
      by === "kernel" ? row.kernel : `${row.phase ? `${row.phase} ` : ""}${row.place}: ${row.kernel}`,
      `${row.count}`,
      ...[time(row.totalMs), time(row.minMs), time(row.medianMs)],
      clock === "none" ? "–" : percent(row.share),
      ...[number(row.flops === null ? null : row.flops / 1e9), number((row.bytesRead + row.bytesWritten) / 1e6)],
      ...[number(row.gflops), number(row.gbs), number(row.intensity)],
      row.roofShare === null ? "–" : percent(row.roofShare),
    ]),
  ];
  return [...align(table), ...rows.some(({ roofShare }) => (roofShare ?? 0) > 1) ? [ABOVE_ROOF] : []];
}

/** Why a kernel can be faster than the roof. */
export const ABOVE_ROOF =
  "Above 100 % of the roof: the roof is that of memory, and what such a kernel reads still lies in a " +
  "cache, or is the same for many invocations.";

function memoryLines({ memory }: ProfileData): string[] {
  const shown = memory.atPeak.slice(0, 8);
  return [
    `GPU memory: ${mebibytes(memory.peakBytes)} in tensors at the peak, ${
      mebibytes(memory.peakAllocatedBytes)
    } with pooled buffers. At the peak:`,
    ...align([
      ["where made", "MiB", "tensors"],
      ...shown.map(({ place, bytes, count }) => [
        place || "before the profile began",
        (bytes / 2 ** 20).toFixed(2),
        count ? `${count}` : "",
      ]),
    ]),
  ];
}

/** Columns of equal width: the first one starts at the left, numbers end at the right. */
export function align(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[i])).join("  ").trimEnd()
  );
}

/** Milliseconds with their unit. */
export function milliseconds(ms: number): string {
  return `${ms < 10 ? ms.toFixed(2) : ms.toFixed(1)} ms`;
}

/** Bytes as MiB. */
export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** The value in the middle; 0 of none. */
export function median(values: readonly number[]): number {
  const rising = values.toSorted((a, b) => a - b);
  const half = rising.length >> 1;
  return rising.length === 0 ? 0 : rising.length % 2 ? rising[half] : (rising[half - 1] + rising[half]) / 2;
}

function number(value: number | null): string {
  return value === null ? "–" : value >= 100 ? value.toFixed(0) : value.toFixed(2);
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`;
}
