import { countPairs, type Points, type PointSelection, selectionWeights } from "./points.ts";

/**
 * Root-mean-square deviation of two sets of points as they lie, without superposing them.
 *
 * sqrt(Σ w_i |a_i - b_i|² / Σ w_i). For the least value over all rigid motions take the `rmsd` that `kabsch` returns.
 *
 * @example
 * ```ts
 * import { rmsd } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 * assert.equal(rmsd(new Float64Array([0, 0, 0]), new Float64Array([2, 3, 6])), 7);
 * ```
 * @param a `[n, 3]`, in Å.
 * @param b `[n, 3]`, in Å.
 * @param selection Mask and weights, each `[n]`.
 * @returns In Å.
 * @throws {TypeError} If the sizes differ.
 * @throws {RangeError} If no point is left or a weight is negative.
 */
export function rmsd(a: Points, b: Points, selection: PointSelection = {}): number {
  const n = countPairs(a, b, "a", "b");
  const weights = selectionWeights(n, selection);
  let sum = 0;
  let total = 0;
  for (let i = 0; i < n; i++) {
    const w = weights[i];
    if (w === 0) continue;
    const x = a[3 * i] - b[3 * i];
    const y = a[3 * i + 1] - b[3 * i + 1];
    const z = a[3 * i + 2] - b[3 * i + 2];
    sum += w * (x * x + y * y + z * z);
    total += w;
  }
  return Math.sqrt(sum / total);
}

/**
 * Root of the squared deviation averaged over coordinates instead of points: `rmsd` divided by sqrt(3).
 *
 * Some code prints this figure under the name RMSD; it is here to compare with such numbers.
 * Source: lucidrains/alphafold2 0.0.19, `utils.py`, `RMSD`.
 *
 * @param a `[n, 3]`, in Å.
 * @param b `[n, 3]`, in Å.
 * @param selection Mask and weights, each `[n]`.
 * @returns In Å.
 * @throws {TypeError} If the sizes differ.
 * @throws {RangeError} If no point is left or a weight is negative.
 */
export function rmsdPerCoordinate(a: Points, b: Points, selection: PointSelection = {}): number {
  return rmsd(a, b, selection) / Math.sqrt(3);
}
