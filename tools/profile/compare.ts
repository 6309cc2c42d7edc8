/** What got faster and slower from one profile to another. */
import { InputError } from "../errors.ts";
import { kebabCase } from "../words.ts";
import { readFileBytes } from "../files.ts";
import type { KernelRow, ProfileData } from "./profile_data.ts";
import { align, median } from "./table.ts";

/** A kernel in a module, before and after; times of one step. */
export interface Change {
  /** Place and kernel. */
  readonly name: string;
  /** Milliseconds a step before; null if it did not run. */
  readonly beforeMs: number | null;
  /** Milliseconds a step after; null if it did not run. */
  readonly afterMs: number | null;
  /** After less before. */
  readonly differenceMs: number;
}

/** Two profiles side by side. */
export interface Comparison {
  /** Sentences on why the two may not be comparable. */
  readonly warnings: readonly string[];
  /** Sums of a step: median time of a step, kernels, CPU's part, memory. */
  readonly totals: readonly {
    readonly name: string;
    readonly unit: string;
    readonly before: number;
    readonly after: number;
  }[];
  /** Kernels by module, greatest change first. */
  readonly changes: readonly Change[];
}

/**
 * Reads a `profile.json`.
 *
 * @throws {InputError} If it cannot be read or is something else.
 */
export async function readProfile(path: string): Promise<ProfileData> {
  const text = new TextDecoder().decode(await readFileBytes(path));
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw new InputError(`Cannot read ${path}: it is not JSON (${error instanceof Error ? error.message : error})`);
  }
  if (!isProfile(data)) {
    throw new InputError(
      `Cannot read ${path}: expected a profile.json of denofold profile ("format": "denofold profile 1")`,
    );
  }
  return data;
}

function isProfile(data: unknown): data is ProfileData {
  return typeof data === "object" && data !== null && "format" in data && data.format === "denofold profile 1" &&
    "rows" in data && "stepMs" in data && "memory" in data;
}

/** Compares two profiles, each by the time of one step. */
export function compare(before: ProfileData, after: ProfileData): Comparison {
  const warnings: string[] = [];
  for (const key of ["workload", "adapter", "clock"] as const) {
    if (before[key] !== after[key]) warnings.push(`They differ in ${key}: ${before[key]}, ${after[key]}.`);
  }
  // Other workloads have other settings.
  const settings = before.workload === after.workload ? { ...before.settings, ...after.settings } : {};
  for (const key of Object.keys(settings)) {
    const [a, b] = [before.settings[key], after.settings[key]];
    if (a !== b) warnings.push(`They differ in ${kebabCase(key)}: ${a ?? "not given"}, ${b ?? "not given"}.`);
  }
  const [was, is] = [timesOf(before), timesOf(after)];
  const changes = [...new Set([...was.keys(), ...is.keys()])].map((name): Change => {
    const beforeMs = was.get(name) ?? null, afterMs = is.get(name) ?? null;
    return { name, beforeMs, afterMs, differenceMs: (afterMs ?? 0) - (beforeMs ?? 0) };
  });
  const total = (name: string, unit: string, of: (data: ProfileData) => number) => ({
    ...{ name, unit, before: of(before), after: of(after) },
  });
  const aStep = (of: (data: ProfileData) => number) => (data: ProfileData) => of(data) / stepsOf(data);
  return {
    warnings,
    totals: [
      total("step (median)", "ms", ({ stepMs }) => median(stepMs)),
      total("kernels", "ms", aStep(({ gpuMs }) => gpuMs)),
      total("encoding", "ms", aStep(({ host }) => host.encodeMs)),
      total("submitting", "ms", aStep(({ host }) => host.submitMs)),
      total("waiting", "ms", aStep(({ host }) => host.waitMs)),
      total("tensors at the peak", "MiB", ({ memory }) => memory.peakBytes / 2 ** 20),
    ],
    changes: changes.toSorted((a, b) => Math.abs(b.differenceMs) - Math.abs(a.differenceMs)),
  };
}

function stepsOf({ stepMs }: ProfileData): number {
  return Math.max(1, stepMs.length);
}

function timesOf(data: ProfileData): Map<string, number> {
  const name = ({ phase, place, kernel }: KernelRow) => `${phase ? `${phase} ` : ""}${place}: ${kernel}`;
  return new Map(data.rows.module.map((row) => [name(row), row.totalMs / stepsOf(data)]));
}

/** The comparison as text. */
export function comparisonText({ warnings, totals, changes }: Comparison, top: number): string {
  const ratio = (before: number | null, after: number | null) =>
    before === null ? "new" : after === null ? "gone" : before > 0 ? `× ${(after / before).toFixed(2)}` : "–";
  const ms = (value: number | null) => value === null ? "–" : value.toFixed(3);
  const signed = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
  const side = (title: string, rows: readonly Change[]) =>
    rows.length === 0 ? [] : [
      "",
      ...align([
        [title, "before ms", "after ms", "change ms", "ratio"],
        ...rows.slice(0, top).map((row) => [
          ...[row.name, ms(row.beforeMs), ms(row.afterMs), signed(row.differenceMs)],
          ratio(row.beforeMs, row.afterMs),
        ]),
      ]),
    ];
  return [
    ...warnings,
    ...align([
      ["a step", "before", "after", "ratio"],
      ...totals.map(({ name, unit, before, after }) => [
        ...[name, `${before.toFixed(2)} ${unit}`, `${after.toFixed(2)} ${unit}`, ratio(before, after)],
      ]),
    ]),
    ...side("faster", changes.filter(({ differenceMs }) => differenceMs < 0)),
    ...side("slower", changes.filter(({ differenceMs }) => differenceMs > 0)),
  ].join("\n");
}
