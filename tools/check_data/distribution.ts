/** How numbers are spread, and which stand out. */
import { meanOf, quantile, sampleDeviation } from "../../core/statistics.ts";

/** Order statistics and moments of numbers. */
export interface Distribution {
  /** How many there are. */
  readonly count: number;
  /** Smallest. */
  readonly least: number;
  /** First quartile, between neighbours by proportion. */
  readonly quartile1: number;
  /** Median. */
  readonly median: number;
  /** Third quartile. */
  readonly quartile3: number;
  /** Largest. */
  readonly most: number;
  /** Mean. */
  readonly mean: number;
  /** Standard deviation of the sample; 0 for one number. */
  readonly sd: number;
  /** Numbers in ten bins of equal width from the smallest to the largest. */
  readonly histogram: readonly number[];
}

const BINS = 10;

/** Modified z-scores beyond this stand out. */
const OUTLIER_SCORE = 3.5;

/** Standard deviations of a normal distribution in one median absolute deviation, inverted. */
const MAD_OF_SD = 0.6745;

/** Describes numbers; `undefined` if there is none. */
export function describe(values: readonly number[]): Distribution | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const [least, most] = [sorted[0], sorted[sorted.length - 1]];
  const histogram = new Array<number>(BINS).fill(0);
  for (const x of values) histogram[Math.min(BINS - 1, Math.floor((x - least) / (most - least || 1) * BINS))]++;
  return {
    count: values.length,
    least,
    quartile1: quantile(sorted, 0.25),
    median: quantile(sorted, 0.5),
    quartile3: quantile(sorted, 0.75),
    most,
    mean: meanOf(values),
    sd: values.length > 1 ? sampleDeviation(values) : 0,
    histogram,
  };
}

/**
 * Indices of numbers that stand out: modified z-score 0.6745 · |x - median| / MAD above 3.5.
 *
 * Source: Iglewicz and Hoaglin (1993), "How to Detect and Handle Outliers".
 */
export function outliers(values: readonly number[]): number[] {
  if (values.length === 0) return [];
  const median = quantile(values.toSorted((a, b) => a - b), 0.5);
  const deviations = values.map((x) => Math.abs(x - median));
  const mad = quantile(deviations.toSorted((a, b) => a - b), 0.5);
  if (mad === 0) return [];
  return deviations.flatMap((deviation, k) => MAD_OF_SD * deviation / mad > OUTLIER_SCORE ? [k] : []);
}
