/** Small runs of a kernel whose outcome is known: by them a device tells which kernels are right on its adapter. */
import type { Grid } from "./grid.ts";

/**
 * A small run of a kernel whose outcome is known. Sizes are odd, and of more than one tile, so that an edge that is
 * wrong shows. What lies around the numbers that a kernel is given to read is NaN; what lies around those that it writes
 * must stay as it was.
 */
export interface Probe {
  /**
   * What bindings hold before the run, by name: all that are read, and those written ones that are added to. Rounded to
   * the type of the binding before `after` sees it.
   */
  readonly before: Readonly<Record<string, ArrayLike<number>>>;
  /** Numbers by the names of the kernel's uniforms. */
  readonly uniforms?: Readonly<Record<string, number>>;
  /** Workgroups along x, y, z. */
  readonly grid: Grid;
  /**
   * What the written bindings hold after it, computed in float64 as plainly as can be, by name; NaN where any number
   * will do, as in the padding of a row.
   */
  after(before: Readonly<Record<string, Float64Array>>): Readonly<Record<string, ArrayLike<number>>>;
  /**
   * Largest error of a right kernel, as a share of the largest number of the binding. Kernels that are wrong are wrong by
   * far more.
   *
   * @default 1e-4, or 2e-3 for 16-bit floats
   */
  readonly tolerance?: number;
}

/** What a probe showed. */
export interface ProbeOutcome {
  /** Whether all numbers were right. */
  readonly right: boolean;
  /** Largest error, as a share of the largest number of its binding. */
  readonly largestError: number;
  /** What was wrong, in a few words; empty if nothing was. */
  readonly reason: string;
}

/** Reproducible numbers in [-1, 1), different for each seed; what a probe is fed with. */
export function noise(count: number, seed: number): Float32Array<ArrayBuffer> {
  const numbers = new Float32Array(count);
  let state = Math.imul(seed + 1, 0x9e3779b1);
  for (let i = 0; i < count; i++) {
    state = Math.imul(state ^ (state >>> 15), 0x85ebca77) + 0x165667b1;
    const mixed = Math.imul(state ^ (state >>> 13), 0xc2b2ae3d) >>> 8;
    numbers[i] = (mixed & 0xffffff) * 2 ** -23 - 1;
  }
  return numbers;
}

/** Numbers with others before and behind them, where a kernel is told to begin further on. */
export function between(before: number, numbers: ArrayLike<number>, behind: number, fill = NaN): Float64Array {
  const all = new Float64Array(before + numbers.length + behind).fill(fill);
  all.set(numbers, before);
  return all;
}

/** Compares what a binding holds with what it should hold. */
export function compare(
  name: string,
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): ProbeOutcome {
  let scale = 0;
  for (let i = 0; i < expected.length; i++) {
    const size = Math.abs(expected[i]);
    if (size > scale && size < Infinity) scale = size;
  }
  scale ||= 1;
  let largest = 0, first = -1;
  for (let i = 0; i < expected.length; i++) {
    if (Number.isNaN(expected[i])) continue;
    const error = got[i] === expected[i] ? 0 : Math.abs(got[i] - expected[i]) / scale;
    if (!(error <= tolerance) && first < 0) first = i;
    if (!(error <= largest)) largest = Number.isNaN(error) ? Infinity : error;
  }
  if (first < 0) return { right: true, largestError: largest, reason: "" };
  return {
    right: false,
    largestError: largest,
    reason: `${name}[${first}] is ${short(got[first])}, expected ${short(expected[first])}; largest error ${
      largest === Infinity ? "not finite" : largest.toPrecision(2)
    } of the largest number`,
  };
}

/** A number with as many digits as a reader can compare. */
function short(x: number): string {
  return Number.isFinite(x) ? `${Number(x.toPrecision(6))}` : `${x}`;
}
