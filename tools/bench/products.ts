/** How much of what the adapter can do a block's kernels reach. */
import { type Device, Profiler } from "../../core/mod.ts";
import type { Roofs } from "../profile/profile_data.ts";
import { round } from "./record.ts";

/** A kernel's part of a step, all its runs together. */
export interface KernelShare {
  readonly kernel: string;
  readonly count: number;
  /** Time of all runs, of each the shortest seen. */
  readonly ms: number;
  /** Part of the time of all kernels. */
  readonly time_share: number;
  /** Operations over time, in 10⁹ a second; null where the kernel does not tell them. */
  readonly gflops: number | null;
  /** Of the measured multiply-add rate. */
  readonly fma_share: number | null;
  /** Bytes of tensors read and written over time, of the measured rate of copies. */
  readonly bandwidth_share: number;
}

/** What the kernels of a step reach. */
export interface StepShares {
  readonly kernels: readonly KernelShare[];
  /** Operations of all matrix products over their time, of the measured multiply-add rate. */
  readonly productShare: number;
}

const STEPS = 4;

/** Kernels that are matrix products and nothing else; attention has its softmax between two. */
const PRODUCTS = /^(matmul|triangleProduct)/;

/**
 * Profiles a step a few times; of every dispatch the shortest time counts, so that other programs disturb little.
 *
 * @returns null where kernels cannot be timed.
 */
export async function stepShares(
  device: Device,
  roofs: Roofs,
  step: () => unknown,
): Promise<StepShares | null> {
  const profiler = Profiler.start(device);
  for (let i = 0; i < STEPS; i++) {
    using scope = device.scope("step");
    void scope;
    step();
    await device.finish();
  }
  const { clock, kernels: runs } = await profiler.stop();
  if (clock !== "timestamps") return null;
  const perStep = runs.length / STEPS;
  const steps = Array.from({ length: STEPS }, (_, k) => runs.slice(k * perStep, (k + 1) * perStep));
  if (steps.some((other) => other.some(({ kernel }, i) => kernel !== steps[0][i].kernel))) {
    throw new Error("The steps of a block did not run the same kernels");
  }
  const best = steps[0].map((run, i) => ({ ...run, ms: Math.min(...steps.map((other) => other[i].ms)) }));
  const total = best.reduce((sum, { ms }) => sum + ms, 0);
  const kernels = [...Map.groupBy(best, ({ kernel }) => kernel)].map(([kernel, group]): KernelShare => {
    const sum = (of: (run: typeof group[number]) => number) => group.reduce((sum, run) => sum + of(run), 0);
    const ms = sum((run) => run.ms);
    const gflops = group.every(({ flops }) => flops !== null) ? sum(({ flops }) => flops!) / ms / 1e6 : null;
    return {
      kernel,
      count: group.length,
      ms: round(ms),
      time_share: round(ms / total),
      gflops: gflops === null ? null : round(gflops),
      fma_share: gflops === null ? null : round(gflops / roofs.gflops),
      bandwidth_share: round(sum((run) => run.bytesRead + run.bytesWritten) / ms / 1e6 / roofs.gbs),
    };
  }).toSorted((a, b) => b.ms - a.ms);
  const products = best.filter(({ kernel, flops }) => PRODUCTS.test(kernel) && flops !== null);
  const flops = products.reduce((sum, { flops }) => sum + flops!, 0);
  const ms = products.reduce((sum, { ms }) => sum + ms, 0);
  return { kernels, productShare: round(flops / ms / 1e6 / roofs.gflops) };
}
