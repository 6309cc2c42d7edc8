/** Largest difference of residue numbers that is told apart. */
export const MAX_RELATIVE_POSITION = 32;

/** Classes of relative positions: -32 … 32. */
export const RELATIVE_POSITION_CLASSES: number = 2 * MAX_RELATIVE_POSITION + 1;

/**
 * Pair features of a chain: for residues i and j one 1 among 65 numbers, at class clip(j - i, -32, 32) + 32.
 *
 * The small model knows nothing else about a pair. Source: Jumper et al. (2021), Suppl. Alg. 4 "relpos", with j - i
 * where that has i - j.
 *
 * @param n Residues, N_res.
 * @returns `[N_res, N_res, 65]`, row i, column j.
 * @throws {RangeError} If n is not a positive integer.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { relativePositionFeatures } from "@denofold/denofold/tools";
 * const features = relativePositionFeatures(2);
 * assert.equal(features[0 * 130 + 1 * 65 + 33], 1); // j - i = 1
 * assert.equal(features.reduce((sum, x) => sum + x), 4);
 * ```
 */
export function relativePositionFeatures(n: number): Float32Array<ArrayBuffer> {
  if (!(Number.isInteger(n) && n > 0)) {
    throw new RangeError(`Cannot make features of ${n} residues: expected at least 1`);
  }
  const features = new Float32Array(n * n * RELATIVE_POSITION_CLASSES);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const clipped = Math.min(MAX_RELATIVE_POSITION, Math.max(-MAX_RELATIVE_POSITION, j - i));
      features[(i * n + j) * RELATIVE_POSITION_CLASSES + clipped + MAX_RELATIVE_POSITION] = 1;
    }
  }
  return features;
}
