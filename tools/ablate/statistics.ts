/** Differences to a baseline over seeds, with intervals. */
import { meanOf, sampleDeviation } from "../../core/statistics.ts";

/** A mean over seeds, and the half width of its interval of 95 %. */
export interface SeedMean {
  /** Mean. */
  readonly mean: number;
  /** Half of the interval's width, of Student's t; null where there is one seed. */
  readonly margin: number | null;
}

/** Quantiles 0.975 of Student's t for 1, 2, … degrees of freedom; the last of the normal distribution. */
const T975 = [
  ...[12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.306, 2.2622, 2.2281],
  ...[2.201, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.093, 2.086],
  ...[2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423],
];
const NORMAL = 1.96;

/** Mean of values, one a seed, with the interval of 95 % that Student's t gives. */
export function seedMean(values: readonly number[]): SeedMean {
  const n = values.length;
  const mean = meanOf(values);
  if (n < 2) return { mean, margin: null };
  return { mean, margin: (T975[n - 2] ?? NORMAL) * sampleDeviation(values) / Math.sqrt(n) };
}

/**
 * Mean of the differences to a baseline, seed by seed.
 *
 * @throws {TypeError} If they are not as many.
 */
export function differences(values: readonly number[], baseline: readonly number[]): SeedMean {
  if (values.length !== baseline.length) {
    throw new TypeError(`${values.length} seeds cannot be compared with ${baseline.length} of the baseline`);
  }
  return seedMean(values.map((value, i) => value - baseline[i]));
}
