import { largestEigen } from "../protein/metrics/symmetric_eigen.ts";

/**
 * Classical scaling: the three leading axes of the doubly centred matrix of squared distances.
 *
 * G = -½ J D² J with J = I - 11ᵀ/n; X = eigenvectors of the three largest eigenvalues, times their roots (0 for
 * negative ones). Exact if the distances are those of points in space, up to a rigid motion and a mirror image.
 *
 * Source: Torgerson (1952), Psychometrika 17, 401-419.
 *
 * @example
 * ```ts
 * import { classicalMds, pairwiseDistances } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 * const distances = pairwiseDistances(new Float64Array([0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]));
 * const again = pairwiseDistances(classicalMds(distances, 4));
 * assert(distances.every((d, k) => Math.abs(d - again[k]) < 1e-9));
 * ```
 * @param distances `[n, n]`, symmetric, 0 on the diagonal, in Å.
 * @param n Points.
 * @returns `[n, 3]`, centred at the origin, in Å.
 * @throws {TypeError} If the size is not n · n.
 */
export function classicalMds(distances: ArrayLike<number>, n: number): Float64Array {
  if (distances.length !== n * n) {
    throw new TypeError(`Cannot scale ${n} points: distances has ${distances.length} entries, expected ${n * n}`);
  }
  const gram = Float64Array.from(distances, (d) => -0.5 * d * d);
  const means = new Float64Array(n);
  let mean = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) means[i] += (gram[i * n + j] + gram[j * n + i]) / (2 * n);
    mean += means[i] / n;
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) gram[i * n + j] += mean - means[i] - means[j];
  }
  const { values, vectors } = largestEigen(gram, n, 3);
  const out = new Float64Array(3 * n);
  for (let axis = 0; axis < values.length; axis++) {
    const scale = Math.sqrt(Math.max(0, values[axis]));
    for (let i = 0; i < n; i++) out[3 * i + axis] = scale * vectors[axis * n + i];
  }
  return out;
}

/**
 * Fills unknown distances with the shortest way through known ones (Floyd-Warshall), an upper bound of the true ones.
 * @param distances `[n, n]`, symmetric, in Å.
 * @param known `[n, n]`: a pair is known where this is above 0.
 * @returns `[n, n]`; pairs that no way joins get the largest distance found.
 */
export function completeDistances(distances: Float64Array, known: Float64Array, n: number): Float64Array {
  const out = distances.map((d, k) => (known[k] > 0 ? d : Infinity));
  for (let i = 0; i < n; i++) out[i * n + i] = 0;
  for (let via = 0; via < n; via++) {
    for (let i = 0; i < n; i++) {
      const first = out[i * n + via];
      if (first === Infinity) continue;
      for (let j = 0; j < n; j++) {
        const way = first + out[via * n + j];
        if (!(known[i * n + j] > 0) && way < out[i * n + j]) out[i * n + j] = way;
      }
    }
  }
  let largest = 0;
  for (const d of out) if (d < Infinity && d > largest) largest = d;
  return out.map((d) => (d < Infinity ? d : largest));
}
