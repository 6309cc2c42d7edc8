/** How well predicted numbers agree with measured ones. */
import { Key } from "../core/mod.ts";
import { meanOf, quantile } from "../core/statistics.ts";

/** Numbers that say how predictions and labels agree; NaN where one is not defined. */
export interface RegressionMetrics {
  /** Pairs of a prediction and a label. */
  readonly n: number;
  /** Linear correlation. */
  readonly pearson: number;
  /** Correlation of ranks; equal numbers share the mean of their ranks. */
  readonly spearman: number;
  /** Root of the mean square error, in the unit of the label. */
  readonly rmse: number;
  /** Mean absolute error, in the unit of the label. */
  readonly mae: number;
  /** 1 - squared errors / squares around the labels' mean. */
  readonly r2: number;
}

/** Name of a metric. */
export type RegressionMetric = Exclude<keyof RegressionMetrics, "n">;

/** The metrics in the order of reports. */
export const REGRESSION_METRICS: readonly RegressionMetric[] = ["pearson", "spearman", "rmse", "mae", "r2"];

/**
 * All metrics at once.
 *
 * @example
 * ```ts
 * import { regressionMetrics } from "@denofold/denofold/finetune";
 * import assert from "node:assert/strict";
 *
 * const { pearson, spearman, rmse, mae, r2 } = regressionMetrics([1, 2, 3], [2, 4, 6]);
 * assert.deepEqual([pearson, spearman, mae], [1, 1, 2]);
 * assert(Math.abs(rmse - Math.sqrt(14 / 3)) < 1e-12 && r2 === -0.75);
 * ```
 *
 * @throws {TypeError} If there are not as many predictions as labels, or one is no finite number.
 */
export function regressionMetrics(predictions: ArrayLike<number>, labels: ArrayLike<number>): RegressionMetrics {
  const p = Float64Array.from(predictions), t = Float64Array.from(labels);
  if (p.length !== t.length) throw new TypeError(`There are ${p.length} predictions for ${t.length} labels`);
  const wild = p.findIndex((x, i) => !Number.isFinite(x) || !Number.isFinite(t[i]));
  if (wild >= 0) throw new TypeError(`The pair ${wild} is ${p[wild]} for ${t[wild]}: metrics are of finite numbers`);
  const n = p.length;
  if (n === 0) return { n, pearson: NaN, spearman: NaN, rmse: NaN, mae: NaN, r2: NaN };
  const mean = meanOf(t);
  let squares = 0, errors = 0, around = 0;
  for (let i = 0; i < n; i++) {
    squares += (p[i] - t[i]) ** 2;
    errors += Math.abs(p[i] - t[i]);
    around += (t[i] - mean) ** 2;
  }
  const differ = t.some((x) => x !== t[0]);
  return {
    n,
    pearson: pearson(p, t),
    spearman: spearman(p, t),
    rmse: Math.sqrt(squares / n),
    mae: errors / n,
    r2: differ ? 1 - squares / around : NaN,
  };
}

/** Linear correlation, -1 … 1; NaN of fewer than two pairs, or where one side is constant. */
export function pearson(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const n = x.length, mx = meanOf(x), my = meanOf(y);
  let xy = 0, xx = 0, yy = 0, flatX = true, flatY = true;
  for (let i = 0; i < n; i++) {
    flatX &&= x[i] === x[0];
    flatY &&= y[i] === y[0];
    xy += (x[i] - mx) * (y[i] - my);
    xx += (x[i] - mx) ** 2;
    yy += (y[i] - my) ** 2;
  }
  if (n < 2 || flatX || flatY) return NaN;
  return Math.max(-1, Math.min(1, xy / Math.sqrt(xx * yy)));
}

/**
 * Correlation of ranks, -1 … 1; NaN where {@linkcode pearson} of the ranks is.
 *
 * Source: Spearman (1904), with mean ranks of ties.
 */
export function spearman(x: ArrayLike<number>, y: ArrayLike<number>): number {
  return pearson(ranks(x), ranks(y));
}

/** Ranks from 1; equal numbers get the mean of the ranks that they take up together. */
export function ranks(numbers: ArrayLike<number>): Float64Array {
  const order = Array.from({ length: numbers.length }, (_, i) => i).sort((a, b) => numbers[a] - numbers[b]);
  const found = new Float64Array(numbers.length);
  for (let first = 0; first < order.length;) {
    let end = first + 1;
    while (end < order.length && numbers[order[end]] === numbers[order[first]]) end++;
    for (let k = first; k < end; k++) found[order[k]] = (first + 1 + end) / 2;
    first = end;
  }
  return found;
}

/** How intervals are made. */
export interface BootstrapOptions {
  /** Whole number from which pairs are drawn. @default 0 */
  readonly seed?: number;
  /** How often. @default 2000 */
  readonly resamples?: number;
  /** How much of the resamples an interval holds. @default 0.95 */
  readonly confidence?: number;
  /**
   * What each pair belongs to: pairs of one group are drawn together, as residues of one protein, which are alike, must be.
   * @default each pair is drawn on its own
   */
  readonly groups?: ArrayLike<string | number>;
}

/** Intervals of metrics: lower and upper end. */
export type MetricIntervals = Readonly<Record<RegressionMetric, readonly [low: number, high: number]>>;

/**
 * Intervals of the metrics from resampling pairs with replacement: the percentiles of what the resamples give. A metric
 * that a resample does not define is left out of it; an interval that fewer than half of them define is NaN. Where there
 * are groups, groups are resampled.
 *
 * Source: Efron (1979), "Bootstrap methods: another look at the jackknife".
 *
 * @returns The same for the same seed, anywhere.
 * @throws {RangeError} If there are no resamples, or the confidence is outside (0, 1).
 */
export function bootstrapIntervals(
  predictions: ArrayLike<number>,
  labels: ArrayLike<number>,
  { seed = 0, resamples = 2000, confidence = 0.95, groups }: BootstrapOptions = {},
): MetricIntervals {
  if (!(Number.isInteger(resamples) && resamples > 0)) {
    throw new RangeError(`The number of resamples is a whole number above 0, got ${resamples}`);
  }
  if (!(confidence > 0 && confidence < 1)) {
    throw new RangeError(`The confidence of an interval is between 0 and 1, got ${confidence}`);
  }
  if (groups && groups.length !== predictions.length) {
    throw new TypeError(`There are ${groups.length} groups of ${predictions.length} pairs`);
  }
  regressionMetrics(predictions, labels); // refuses what cannot be measured
  const key = Key.fromSeed(seed);
  const found = REGRESSION_METRICS.map((): number[] => []);
  const pairs = Array.from({ length: predictions.length }, (_, i) => i);
  const drawn = groups ? [...Map.groupBy(pairs, (i) => groups[i]).values()] : pairs.map((i) => [i]);
  const n = drawn.length, most = n * drawn.reduce((a, { length }) => Math.max(a, length), 0);
  const p = new Float64Array(most), t = new Float64Array(most);
  for (let r = 0; r < resamples && n > 0; r++) {
    let count = 0;
    for (const x of key.at(r).uniform(n)) {
      for (const i of drawn[Math.floor(x * n)]) {
        p[count] = predictions[i];
        t[count++] = labels[i];
      }
    }
    const metrics = regressionMetrics(p.subarray(0, count), t.subarray(0, count));
    REGRESSION_METRICS.forEach((name, k) => {
      if (!Number.isNaN(metrics[name])) found[k].push(metrics[name]);
    });
  }
  const tail = (1 - confidence) / 2;
  return Object.fromEntries(REGRESSION_METRICS.map((name, k): [string, readonly [low: number, high: number]] => {
    const numbers = found[k].sort((a, b) => a - b);
    const known = 2 * numbers.length >= resamples;
    return [name, known ? [quantile(numbers, tail), quantile(numbers, 1 - tail)] : [NaN, NaN]];
  })) as MetricIntervals;
}

/** Fraction of classes that were predicted right; NaN of none. */
export function accuracy(predicted: ArrayLike<number>, labels: ArrayLike<number>): number {
  if (predicted.length !== labels.length) {
    throw new TypeError(`There are ${predicted.length} predictions for ${labels.length} labels`);
  }
  let right = 0;
  for (let i = 0; i < labels.length; i++) if (predicted[i] === labels[i]) right++;
  return right / labels.length;
}
