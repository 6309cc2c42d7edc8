/** What each fusion brings: a workload with all fusions, without each, with each alone, and with none. */
import { type Device, Profiler } from "../../core/mod.ts";
import { ALL_FUSIONS, type Fusion, setFusions } from "../../ops/mod.ts";
import { align, mebibytes } from "./table.ts";
import { WORKLOADS } from "../networks/mod.ts";
import type { WorkloadValues } from "./workloads/workload.ts";

/** Some of the fusions, under a name. */
export interface Ablation {
  /** `all`, `no-…` (without one), `only-…` (one alone) or `none`. */
  readonly name: string;
  /** What is fused. */
  readonly fusions: readonly Fusion[];
}

/** A row: a workload with some fusions. */
export interface AblationRow extends Ablation {
  /** Time of the kernels of the fastest step, as other programs can only slow it down; in milliseconds. */
  readonly kernelMs: number;
  /** How many times faster than with nothing fused. */
  readonly speedup: number;
  /** Kernels of a step. */
  readonly kernels: number;
  /** The most bytes of tensors at once, parameters included. */
  readonly peakBytes: number;
}

/** What {@linkcode ablate} measures. */
export interface AblationRequest {
  /** Name of the workload. */
  readonly workload: string;
  /** Its flags. */
  readonly values: WorkloadValues;
  /** Steps of each row; rows take turns, so that a busy moment of the machine falls on all. */
  readonly steps: number;
  /** Steps of each row before, which compile kernels. */
  readonly warmup: number;
  /** Told after every step of a row how many were made. */
  readonly onStep?: (done: number) => void;
}

/** The rows of an ablation, in the order of the table. */
export const ABLATIONS: readonly Ablation[] = [
  { name: "all", fusions: ALL_FUSIONS },
  ...ALL_FUSIONS.map((left) => ({ name: `no-${left}`, fusions: ALL_FUSIONS.filter((fusion) => fusion !== left) })),
  ...ALL_FUSIONS.map((one) => ({ name: `only-${one}`, fusions: [one] })),
  { name: "none", fusions: [] },
];

/** Runs a workload with the fusions of each row. The device fuses everything afterwards. */
export async function ablate(device: Device, request: AblationRequest): Promise<AblationRow[]> {
  const { workload: name, values, steps, warmup, onStep } = request;
  using workload = WORKLOADS[name].open(device, values);
  const measured = ABLATIONS.map((ablation) => ({ ...ablation, ms: [] as number[], kernels: 0, peakBytes: 0 }));
  let done = 0;
  try {
    for (let step = -warmup; step < steps; step++) {
      for (const row of measured) {
        setFusions(device, row.fusions);
        device.resetPeakMemory();
        const profiler = Profiler.start(device);
        try {
          await workload.step();
        } catch (error) {
          profiler.cancel();
          throw error;
        }
        const { kernels } = await profiler.stop();
        onStep?.(++done);
        if (step < 0) continue;
        row.ms.push(kernels.reduce((sum, { ms }) => sum + ms, 0));
        row.kernels = kernels.length;
        row.peakBytes = device.memory.peakBytes;
      }
    }
  } finally {
    setFusions(device, ALL_FUSIONS);
  }
  const apart = Math.min(...measured.at(-1)!.ms);
  return measured.map(({ ms, ...row }) => {
    const kernelMs = Math.min(...ms);
    return { ...row, kernelMs, speedup: apart / kernelMs };
  });
}

/** The rows as a table for the terminal. */
export function ablationText(rows: readonly AblationRow[]): string {
  const cells = rows.map(({ name, kernelMs, speedup, kernels, peakBytes }) => [
    name,
    kernelMs.toFixed(1),
    `${speedup.toFixed(2)} ×`,
    `${kernels}`,
    mebibytes(peakBytes),
  ]);
  return align([["fusion", "kernels ms", "speed-up", "kernels", "memory"], ...cells]).join("\n");
}
