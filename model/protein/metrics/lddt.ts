import { assertFinitePoints, countPairs, type Points, selectedIndices } from "./points.ts";

/** Options of `lddt`. */
export interface LddtOptions {
  /**
   * `[n]`; points whose entry is 0 are neither scored nor neighbours.
   * @default all points count
   */
  mask?: ArrayLike<number>;
  /**
   * Pairs closer than this in the reference are compared, in Å.
   * @default 15
   */
  cutoff?: number;
  /**
   * Differences of distance that count as kept, in Å; a difference must be below the threshold.
   * @default [0.5, 1, 2, 4]
   */
  thresholds?: readonly number[];
  /**
   * Added under the root of a squared distance and to both sides of the quotient.
   * @default 1e-10
   */
  eps?: number;
  /**
   * `[n]`; points with the same entry belong to one residue, and pairs within a residue are not compared.
   * @default each point is a residue of its own
   */
  residue?: ArrayLike<number>;
}

/** What `lddt` returns. */
export interface LddtResult {
  /** All compared pairs together, between 0 and 1. */
  overall: number;
  /** `[n]`: the same for the pairs of each point; 1 where a point has none, masked-out points included. */
  perPoint: Float64Array;
  /** `[n]`: how many neighbours each point was compared with. */
  neighbours: Int32Array;
}

/**
 * Local distance difference test: how well the distances to neighbours are kept, without superposition.
 *
 * For each pair with reference distance below the cutoff, the share of the thresholds that the difference of the two
 * distances stays under; averaged over the pairs as (eps + Σ share) / (eps + number). With C-alpha positions it is
 * lDDT-Cα; with all atoms and `residue` it is lDDT without the checks of stereochemistry.
 *
 * Source: Mariani et al. (2013), Bioinformatics 29, 2722-2728; AlphaFold Suppl. Alg. 27 and section 1.9.6; eps and
 * masks as in OpenFold `loss.py`, `lddt`.
 *
 * @example
 * ```ts
 * import { lddt } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 * const reference = new Float64Array([0, 0, 0, 4, 0, 0, 100, 0, 0]);
 * const model = new Float64Array([0, 0, 0, 0, 5.5, 0, 7, 7, 7]);
 * const { perPoint } = lddt(model, reference); // 4 Å became 5.5 Å: kept at 2 and 4 Å; the third point has no neighbour
 * assert.deepEqual([...perPoint].map((x) => Math.round(1000 * x) / 1000), [0.5, 0.5, 1]);
 * ```
 * @param model `[n, 3]`, in Å.
 * @param reference `[n, 3]`, in Å.
 * @throws {TypeError} If the sizes differ.
 * @throws {RangeError} If no point is left, a coordinate that counts is not finite, or there are no thresholds.
 */
export function lddt(model: Points, reference: Points, options: LddtOptions = {}): LddtResult {
  const { mask, cutoff = 15, thresholds = [0.5, 1, 2, 4], eps = 1e-10, residue } = options;
  const n = countPairs(model, reference, "model", "reference");
  const indices = selectedIndices(n, { mask });
  assertFinitePoints(model, indices, "model");
  assertFinitePoints(reference, indices, "reference");
  if (thresholds.length === 0) throw new RangeError("Cannot compute lddt: there are no thresholds");
  if (residue && residue.length !== n) {
    throw new TypeError(`Cannot group ${n} points by a residue list of ${residue.length} entries`);
  }
  const kept = new Float64Array(n);
  const neighbours = new Int32Array(n);
  for (let p = 0; p < indices.length; p++) {
    const i = indices[p];
    for (let q = p + 1; q < indices.length; q++) {
      const j = indices[q];
      if (residue && residue[i] === residue[j]) continue;
      const expected = softDistance(reference, i, j, eps);
      if (!(expected < cutoff)) continue;
      const difference = Math.abs(expected - softDistance(model, i, j, eps));
      let below = 0;
      for (const threshold of thresholds) if (difference < threshold) below++;
      const share = below / thresholds.length;
      kept[i] += share;
      kept[j] += share;
      neighbours[i]++;
      neighbours[j]++;
    }
  }
  let keptSum = 0;
  let pairSum = 0;
  const perPoint = kept.map((sum, i) => {
    keptSum += sum;
    pairSum += neighbours[i];
    return (eps + sum) / (eps + neighbours[i]);
  });
  return { overall: (eps + keptSum) / (eps + pairSum), perPoint, neighbours };
}

function softDistance(points: Points, i: number, j: number, eps: number): number {
  const x = points[3 * i] - points[3 * j];
  const y = points[3 * i + 1] - points[3 * j + 1];
  const z = points[3 * i + 2] - points[3 * j + 2];
  return Math.sqrt(eps + x * x + y * y + z * z);
}
