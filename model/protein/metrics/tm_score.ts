import type { RigidMotion } from "./kabsch.ts";
import { countPairs, type Points, type PointSelection, selectedIndices, selectionWeights } from "./points.ts";
import { searchSuperpositions } from "./superposition_search.ts";

/** Options of `tmScore`. */
export interface TmScoreOptions {
  /**
   * `[n]`; pairs whose entry is 0 are left out of superposition and score.
   * @default all pairs count
   */
  mask?: ArrayLike<number>;
  /**
   * Length of the reference chain that the score is normalised by.
   * @default the number of pairs that count
   */
  length?: number;
  /**
   * Distance scale d0, in Å.
   * @default tmD0(length)
   */
  d0?: number;
}

/** What `tmScore` returns. */
export interface TmScoreResult {
  /** Between 0 and 1. */
  score: number;
  /** The distance scale that was used, in Å. */
  d0: number;
  /** The motion of the model that gives the score. */
  motion: RigidMotion;
}

/**
 * TM-score of a model against a reference whose residues correspond one to one: the largest value found over
 * superpositions of Σ 1 / (1 + (d_i / d0)²) / L.
 *
 * Equal to what the program `TMscore` prints, to its four decimals, in all 236 recorded comparisons.
 * Source: Zhang & Skolnick (2004), Proteins 57, 702-710.
 *
 * @example
 * ```ts
 * import { tmScore } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 * const helix = Float64Array.from({ length: 90 }, (_, k) => {
 *   const i = Math.floor(k / 3);
 *   return [2.3 * Math.cos(1.745 * i), 2.3 * Math.sin(1.745 * i), 1.5 * i][k % 3];
 * });
 * assert(Math.abs(tmScore(helix, helix).score - 1) < 1e-9);
 * assert(tmScore(helix.map((x) => -x), helix).score < 0.9); // the mirror image is another structure
 * ```
 * @param model `[n, 3]`, C-alpha positions in Å.
 * @param reference `[n, 3]`, in Å.
 * @throws {TypeError} If the sizes differ.
 * @throws {RangeError} If no pair is left, or if length or d0 is not above 0.
 */
export function tmScore(model: Points, reference: Points, options: TmScoreOptions = {}): TmScoreResult {
  const n = countPairs(model, reference, "model", "reference");
  const indices = selectedIndices(n, { mask: options.mask });
  const length = options.length ?? indices.length;
  const d0 = options.d0 ?? tmD0(length);
  if (!(length > 0)) throw new RangeError(`Cannot normalise the TM-score by length ${length}: it must be above 0`);
  if (!(d0 > 0)) throw new RangeError(`Cannot compute the TM-score with d0 = ${d0} Å: it must be above 0`);
  let best: TmScoreResult | undefined;
  searchSuperpositions(model, reference, indices, Math.min(8, Math.max(4.5, d0)), (distances, motion) => {
    const score = scoreSum(distances, d0) / length;
    if (!best || score > best.score) best = { score, d0, motion };
  });
  if (!best) throw new RangeError("Cannot compute the TM-score: there are no pairs");
  return best;
}

/**
 * The sum of the TM-score for points as they lie, without superposing: mean of 1 / (1 + (d_i / d0)²).
 *
 * With `d0 = tmD0Unbounded(n)` this is the figure that lucidrains/alphafold2 0.0.19 calls TM-score; only the square of
 * d0 counts.
 *
 * @param a `[n, 3]`, in Å.
 * @param b `[n, 3]`, in Å.
 * @param d0 In Å.
 * @param selection Mask and weights, each `[n]`: a weighted mean.
 * @throws {TypeError} If the sizes differ.
 * @throws {RangeError} If no point is left or a weight is negative.
 */
export function tmScoreAsPlaced(a: Points, b: Points, d0: number, selection: PointSelection = {}): number {
  const n = countPairs(a, b, "a", "b");
  const weights = selectionWeights(n, selection);
  let sum = 0;
  let total = 0;
  for (let i = 0; i < n; i++) {
    if (weights[i] === 0) continue;
    const x = a[3 * i] - b[3 * i];
    const y = a[3 * i + 1] - b[3 * i + 1];
    const z = a[3 * i + 2] - b[3 * i + 2];
    sum += weights[i] / (1 + (x * x + y * y + z * z) / (d0 * d0));
    total += weights[i];
  }
  return sum / total;
}

/**
 * Distance scale of the TM-score, in Å: 1.24 · cbrt(L - 15) - 1.8, but at least 0.5, which holds for L ≤ 21.
 *
 * Source: Zhang & Skolnick (2004), equation 5; the lower bound is that of their program.
 *
 * @param length Residues of the reference.
 */
export function tmD0(length: number): number {
  return Math.max(0.5, tmD0Unbounded(length));
}

/**
 * The formula of `tmD0` without the lower bound: negative below 19 residues, where the cube root of a negative number
 * is taken as it is.
 * @param length Residues of the reference.
 */
export function tmD0Unbounded(length: number): number {
  return 1.24 * Math.cbrt(length - 15) - 1.8;
}

function scoreSum(distances: Float64Array, d0: number): number {
  let sum = 0;
  for (let k = 0; k < distances.length; k++) sum += 1 / (1 + (distances[k] / d0) ** 2);
  return sum;
}
