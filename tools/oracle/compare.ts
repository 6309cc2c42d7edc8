import type { Tolerance } from "./tolerance.ts";

/** How one tensor compares with the golden one. */
export interface Comparison {
  /** Its golden name, such as `grad_in/pair`. */
  readonly tensor: string;
  /** Largest error as a fraction of its tolerance: at most 1 is good; Infinity for NaN and missing numbers. */
  readonly worst: number;
  /** Where the largest error is. */
  readonly detail: string;
}

/** What {@linkcode compare} looks at besides the numbers. */
export interface CompareOptions {
  /** 0 where a golden number has no meaning, one entry a number. */
  readonly valid?: ArrayLike<number>;
  /** Least absolute tolerance, for a tensor that is small beside others of its kind. @default 0 */
  readonly floor?: number;
}

/** Compares numbers with golden ones, all of them; NaN is never close, a missing number neither. */
export function compare(
  tensor: string,
  actual: ArrayLike<number> | undefined,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
  { valid, floor = 0 }: CompareOptions = {},
): Comparison {
  const count = Math.min(expected.length, tolerance.first ?? Infinity);
  if (!actual) return { tensor, worst: Infinity, detail: "there is no such tensor among ours" };
  if (actual.length !== expected.length && !(tolerance.first && actual.length >= count)) {
    return { tensor, worst: Infinity, detail: `ours has ${actual.length} numbers, expected ${expected.length}` };
  }
  let largest = 0;
  for (let i = 0; i < count; i++) if (Math.abs(expected[i]) > largest) largest = Math.abs(expected[i]); // not NaN
  const atol = Math.max(tolerance.atol, tolerance.atolOfMax * largest, floor);
  const fractions = new Float64Array(count);
  let widest = 0, worst = 0, at = 0;
  for (let i = 0; i < count; i++) {
    if (valid && !(valid[i] !== 0)) continue;
    const error = Math.abs(actual[i] - expected[i]);
    fractions[i] = fractionOf(error, atol + tolerance.rtol * Math.abs(expected[i]));
    widest = Math.max(widest, Number.isNaN(error) ? Infinity : error);
    if (fractions[i] > worst) [worst, at] = [fractions[i], i];
  }
  const detail = count ? `element ${at} is ${actual[at]}, expected ${expected[at]}` : "empty";
  if (tolerance.share === undefined) return { tensor, worst, detail };
  fractions.sort();
  const allowed = Math.floor(count * (1 - tolerance.share) + 1e-9);
  const within = count ? fractions[count - 1 - allowed] : 0;
  return { tensor, worst: Math.max(within, fractionOf(widest, tolerance.elsewhere ?? 0)), detail };
}

/** The worse one of two or more comparisons of the same tensor. */
export function worse(...comparisons: readonly Comparison[]): Comparison {
  return comparisons.reduce((a, b) => (b.worst > a.worst ? b : a));
}

function fractionOf(error: number, bound: number): number {
  if (error === 0) return 0;
  const fraction = error / bound;
  return Number.isNaN(fraction) ? Infinity : fraction;
}
