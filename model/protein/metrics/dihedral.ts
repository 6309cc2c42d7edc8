import { countPairs, type Points } from "./points.ts";

/**
 * Dihedral angles of many quadruples of points: the angle of a-b-c-d seen along b→c, by the IUPAC sign.
 *
 * atan2(|u₂| u₁·(u₂ × u₃), (u₁ × u₂)·(u₂ × u₃)) with u₁ = b - a, u₂ = c - b, u₃ = d - c. Of a right-handed helix all
 * are positive for consecutive C-alpha atoms (about 50°) and negative for phi (about -60°). Three points on a line give
 * 0 or π.
 *
 * @example
 * ```ts
 * import { dihedral } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 * const p = (...xyz: number[]) => new Float64Array(xyz);
 * const [angle] = dihedral(p(1, 0, 0), p(0, 0, 0), p(0, 0, 1), p(0, 1, 1));
 * assert(Math.abs(angle - Math.PI / 2) < 1e-12);
 * ```
 * @param a `[m, 3]`.
 * @param b `[m, 3]`.
 * @param c `[m, 3]`.
 * @param d `[m, 3]`.
 * @returns `[m]`, in radians, in (-π, π].
 * @throws {TypeError} If the sizes differ.
 * @throws {RangeError} If there are no points.
 */
export function dihedral(a: Points, b: Points, c: Points, d: Points): Float64Array {
  const m = countPairs(a, b, "a", "b");
  countPairs(a, c, "a", "c");
  countPairs(a, d, "a", "d");
  return Float64Array.from({ length: m }, (_, k) => dihedralAt(a, 3 * k, b, 3 * k, c, 3 * k, d, 3 * k));
}

/** The dihedral angle of four points, each given by an array and the offset of its x; in radians. */
export function dihedralAt(
  a: Points,
  i: number,
  b: Points,
  j: number,
  c: Points,
  k: number,
  d: Points,
  l: number,
): number {
  const ux = b[j] - a[i], uy = b[j + 1] - a[i + 1], uz = b[j + 2] - a[i + 2];
  const vx = c[k] - b[j], vy = c[k + 1] - b[j + 1], vz = c[k + 2] - b[j + 2];
  const wx = d[l] - c[k], wy = d[l + 1] - c[k + 1], wz = d[l + 2] - c[k + 2];
  const nx = vy * wz - vz * wy, ny = vz * wx - vx * wz, nz = vx * wy - vy * wx; // v × w
  const mx = uy * vz - uz * vy, my = uz * vx - ux * vz, mz = ux * vy - uy * vx; // u × v
  const length = Math.sqrt(vx * vx + vy * vy + vz * vz);
  return Math.atan2(length * (ux * nx + uy * ny + uz * nz), mx * nx + my * ny + mz * nz);
}
