import type { DistanceMap } from "./report_data.ts";

/**
 * Turns a flat distance matrix into the rows of a {@link DistanceMap}, rounded to 0.01 Å; what is not finite becomes `null`.
 *
 * @param distances Distances in Å, `[n, n]`, row after row.
 * @param n Number of residues.
 * @throws {RangeError} If there are not n · n distances.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { distanceRows } from "@denofold/denofold/tools";
 * assert.deepEqual(distanceRows(new Float32Array([0, 3.801, NaN, 0]), 2), [[0, 3.8], [null, 0]]);
 * ```
 */
export function distanceRows(distances: ArrayLike<number>, n: number): DistanceMap {
  if (distances.length !== n * n) {
    throw new RangeError(
      `Cannot make a distance map of ${n} residues from ${distances.length} values: expected ${n * n}`,
    );
  }
  return Array.from({ length: n }, (_, i) =>
    Array.from({ length: n }, (_, j) => {
      const value = distances[i * n + j];
      return Number.isFinite(value) ? Math.round(value * 100) / 100 : null;
    }));
}
