/** Options of `centerDistogram`. */
export interface CenterDistogramOptions {
  /**
   * Lower edges of the bins but the first, rising, evenly spaced, in Å.
   * @default 37 values from 2 to 20 in steps of 0.5
   */
  bins?: ArrayLike<number>;
  /**
   * Which distance stands for a distribution: its mean, or the centre of the bin where the cumulative sum reaches 0.5.
   * @default "mean"
   */
  center?: "mean" | "median";
  /**
   * What lowers the weight of a pair: standard deviation, variance, or nothing.
   * @default "std"
   */
  spread?: "std" | "variance" | "none";
  /**
   * Turns each distribution into probabilities by softmax first. Without it the numbers are used as they are, and
   * must be probabilities already if the distances are to mean anything.
   * @default false
   */
  softmax?: boolean;
}

/** What `centerDistogram` returns. */
export interface CenteredDistogram {
  /** `[n, n]`: distances in Å, 0 on the diagonal. */
  distances: Float64Array;
  /** `[n, n]`: 1 / (1 + spread), 0 for a pair that is beyond the last but one bin edge or has no real spread. */
  weights: Float64Array;
}

/**
 * Reads one distance and one weight a pair out of a distogram: the input of `mds`.
 *
 * The centre of a bin is half a step below its upper edge; the first is 1.5 Å and the last, which is open, 1.33 times
 * the last edge. The weights look at the diagonal too, after its distance was set to 0. The result is not made
 * symmetric.
 *
 * Source: lucidrains/alphafold2 0.0.19, `utils.py`, `center_distogram_torch`; `softmax` is an addition.
 *
 * @example
 * ```ts
 * import { centerDistogram } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 * const logits = new Float32Array(2 * 2 * 37);
 * for (const pair of [1, 2]) logits[37 * pair + 5] = 40; // certain: 4 to 4.5 Å
 * const { distances, weights } = centerDistogram(logits, 2, { softmax: true });
 * assert.deepEqual([...distances], [0, 4.25, 4.25, 0]);
 * assert(Math.abs(weights[1] - 1) < 1e-6);
 * ```
 * @param distogram `[n, n, bins]`: probabilities, or logits with `softmax`.
 * @param n Points.
 * @throws {TypeError} If the size of the distogram is not n · n · bins.
 * @throws {RangeError} If there are fewer than 3 bins.
 */
export function centerDistogram(
  distogram: Float32Array | Float64Array,
  n: number,
  options: CenterDistogramOptions = {},
): CenteredDistogram {
  const { center = "mean", spread = "std", softmax = false } = options;
  const bins = options.bins ?? DEFAULT_BINS;
  const centers = binCenters(bins);
  const count = centers.length;
  checkSize(distogram, n, count);
  const farthest = bins[count - 2];
  const distances = new Float64Array(n * n);
  const weights = new Float64Array(n * n);
  const p = new Float64Array(count);
  for (let pair = 0; pair < n * n; pair++) {
    p.set(distogram.subarray(pair * count, (pair + 1) * count));
    if (softmax) softmaxInPlace(p);
    const distance = center === "mean" ? mean(p, centers) : median(p, centers);
    const onDiagonal = pair % (n + 1) === 0;
    distances[pair] = onDiagonal ? 0 : distance;
    if (!(distance <= farthest)) continue;
    let dispersion = 0;
    if (spread !== "none") {
      for (let k = 0; k < count; k++) dispersion += p[k] * (centers[k] - distances[pair]) ** 2;
      if (spread === "std") dispersion = Math.sqrt(dispersion);
    }
    const weight = 1 / (1 + dispersion);
    weights[pair] = Number.isNaN(weight) ? 0 : weight;
  }
  return { distances, weights };
}

/**
 * Gradient of the distances of `centerDistogram` with `center: "mean"`; that of the median is zero everywhere.
 *
 * @param distogram `[n, n, bins]`: what the forward pass was given.
 * @param n Points.
 * @param dDistances `[n, n]`: gradient of the distances; the diagonal is ignored, as distances there are constant.
 * @param options Those of the forward pass.
 * @returns `[n, n, bins]`: gradient of the distogram.
 * @throws {TypeError} If a size does not fit.
 * @throws {RangeError} If there are fewer than 3 bins.
 */
export function centerDistogramVjp(
  distogram: Float32Array | Float64Array,
  n: number,
  dDistances: Float32Array | Float64Array,
  options: CenterDistogramOptions = {},
): Float64Array {
  const centers = binCenters(options.bins ?? DEFAULT_BINS);
  const count = centers.length;
  checkSize(distogram, n, count);
  if (dDistances.length !== n * n) {
    throw new TypeError(`Cannot use a gradient of ${dDistances.length} numbers for ${n} × ${n} distances`);
  }
  const out = new Float64Array(n * n * count);
  if (options.center === "median") return out;
  const p = new Float64Array(count);
  for (let pair = 0; pair < n * n; pair++) {
    if (pair % (n + 1) === 0) continue;
    let shift = 0;
    if (options.softmax) {
      p.set(distogram.subarray(pair * count, (pair + 1) * count));
      softmaxInPlace(p);
      shift = mean(p, centers);
    }
    for (let k = 0; k < count; k++) {
      out[pair * count + k] = dDistances[pair] * (options.softmax ? p[k] * (centers[k] - shift) : centers[k]);
    }
  }
  return out;
}

const DEFAULT_BINS = Float64Array.from({ length: 37 }, (_, k) => 2 + k / 2);

function binCenters(bins: ArrayLike<number>): Float64Array {
  if (bins.length < 3) throw new RangeError(`Cannot read a distogram of ${bins.length} bins: at least 3 are needed`);
  const half = (bins[2] - bins[1]) / 2;
  const centers = Float64Array.from(bins, (edge) => edge - half);
  centers[0] = 1.5;
  centers[centers.length - 1] = 1.33 * bins[bins.length - 1];
  return centers;
}

function checkSize(distogram: ArrayLike<number>, n: number, bins: number): void {
  if (distogram.length !== n * n * bins) {
    throw new TypeError(
      `Cannot read a distogram of ${distogram.length} numbers as [${n}, ${n}, ${bins}]: expected ${n * n * bins}`,
    );
  }
}

function softmaxInPlace(p: Float64Array): void {
  const top = p.reduce((most, x) => Math.max(most, x), -Infinity);
  let sum = 0;
  for (let k = 0; k < p.length; k++) sum += p[k] = Math.exp(p[k] - top);
  for (let k = 0; k < p.length; k++) p[k] /= sum;
}

function mean(p: Float64Array, centers: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < p.length; k++) sum += p[k] * centers[k];
  return sum;
}

function median(p: Float64Array, centers: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < p.length; k++) {
    sum += p[k];
    if (sum >= 0.5) return centers[k];
  }
  return centers[p.length - 1];
}
