/** A plan as text for the terminal. */
import { align, mebibytes, settingsText } from "../profile/table.ts";
import { gibibytes, type Plan } from "./plan.ts";

/** What is printed besides the plan. */
export interface PlanTextOptions {
  /** Rows of each table. */
  readonly top: number;
  /** The same model run otherwise, by a few words for it; null: it has too many kernels to be planned. */
  readonly ways: readonly { readonly name: string; readonly plan: Plan | null }[];
  /** The most residues that fit where the plan does not; null: none do. */
  readonly mostResidues?: number | null;
}

/** The plan, its memory by scope, its kernels, and other ways to run the model. */
export function planText(plan: Plan, { top, ways, mostResidues }: PlanTextOptions): string {
  const { memory, step, limits } = plan;
  const memoryOf = limits.memoryBytes === null ? "not known (--memory)" : gibibytes(limits.memoryBytes);
  return [
    `${plan.workload} on ${plan.adapter}, planned without running`,
    settingsText(plan.settings),
    "",
    plan.fits ? "It fits." : "It does not fit:",
    ...plan.problems.map((problem) => `  ${problem}`),
    ...mostResidues === undefined
      ? []
      : [mostResidues === null ? "  No number of residues fits." : `  What would fit: ${mostResidues} residues.`],
    `Peak GPU memory: ${size(memory.peakAllocatedBytes)} (tensors ${size(memory.peakBytes)}, the largest ${
      size(memory.largestTensorBytes)
    })`,
    `Limits: a buffer ${size(limits.bufferBytes)}, of which a kernel sees ${
      size(limits.bindingBytes)
    }; memory ${memoryOf}`,
    `A step: ${count(step.flops)}FLOP, ${count(step.bytes)}B read and written, ${count(step.copiedBytes)}B copied, ` +
    `${step.kernels} kernels of ${step.pipelines} pipelines`,
    ...timeLines(plan),
    "",
    ...memoryLines(plan, top),
    "",
    ...kernelLines(plan, top),
    ...ways.length > 0 ? ["", ...wayLines(ways)] : [],
  ].join("\n");
}

function timeLines({ time, roofs }: Plan): string[] {
  if (time.roofMs === null || !roofs) return ["Time: not known, as this adapter's roofs cannot be measured"];
  const least = `Time: no less than ${duration(time.roofMs)} a step, every kernel at the measured roofs ` +
    `(${roofs.gflops} GFLOP/s, ${roofs.gbs} GB/s)`;
  return time.likelyMs === null ? [`${least}; --like PROFILE tells what is likely`] : [
    least,
    `      about ${duration(time.likelyMs)} a step at the shares of the roofs that kernels had in the profile`,
  ];
}

function memoryLines({ memory }: Plan, top: number): string[] {
  const rows = memory.atPeak.slice(0, top);
  return [
    ...align([
      ["tensors at the peak, by scope", "MiB", "share", "tensors"],
      ...rows.map(({ place, bytes, count }) => [
        ...[place || "outside of scopes", (bytes / 2 ** 20).toFixed(2)],
        ...[`${(100 * bytes / memory.peakBytes).toFixed(1)} %`, `${count}`],
      ]),
    ]),
    ...more(memory.atPeak.length - rows.length),
  ];
}

function kernelLines({ kernels }: Plan, top: number): string[] {
  const rows = kernels.slice(0, top);
  return [
    ...align([
      ["kernels of a step", "count", "FLOP", "bytes", "FLOP/B", "ms at the roofs"],
      ...rows.map(({ kernel, count: runs, flops, bytes, roofMs }) => [
        ...[kernel, `${runs}`, flops === null ? "–" : count(flops).trim(), count(bytes).trim()],
        ...[flops === null ? "–" : (flops / bytes).toFixed(2), roofMs === null ? "–" : roofMs.toFixed(3)],
      ]),
    ]),
    ...more(kernels.length - rows.length),
  ];
}

function wayLines(ways: PlanTextOptions["ways"]): string[] {
  return align([
    ["the same otherwise", "peak", "tensors", "FLOP", "fits"],
    ...ways.map(({ name, plan }) => {
      if (!plan) return [`${name} (too many kernels to plan)`, "–", "–", "–", "–"];
      const { memory, step, fits } = plan;
      return [
        ...[name, size(memory.peakAllocatedBytes), size(memory.peakBytes), count(step.flops).trim()],
        fits ? "yes" : "no",
      ];
    }),
  ]);
}

function more(rows: number): string[] {
  return rows > 0 ? [`… and ${rows} more rows (--top)`] : [];
}

function size(bytes: number): string {
  return bytes < 2 ** 30 ? mebibytes(bytes) : gibibytes(bytes);
}

const PREFIXES = ["", "k", "M", "G", "T", "P", "E"];

/** A number with a prefix of thousands, and a space before its unit. */
function count(value: number): string {
  const power = Math.min(PREFIXES.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3));
  return `${(value / 1000 ** power).toPrecision(4)} ${PREFIXES[power]}`;
}

function duration(ms: number): string {
  if (ms < 1000) return `${ms.toPrecision(3)} ms`;
  if (ms < 120_000) return `${(ms / 1000).toPrecision(3)} s`;
  if (ms < 7.2e6) return `${(ms / 60_000).toFixed(1)} min`;
  return ms < 172.8e6 ? `${(ms / 3.6e6).toFixed(1)} h` : `${(ms / 86.4e6).toFixed(1)} days`;
}
