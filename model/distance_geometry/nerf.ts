import { countPairs, type Points } from "../protein/metrics/points.ts";

/**
 * Places points from internal coordinates (natural extension of the reference frame): d so that |d - c| is the length,
 * the directions b→c and c→d make the turn angle, and a-b-c-d has the dihedral.
 *
 * d = c + length · (cos τ · û + sin τ cos χ · (n̂ × û) + sin τ sin χ · n̂) with û along c - b and n̂ along
 * (b - a) × (c - b). Note that the turn angle τ is π minus the bond angle b-c-d.
 *
 * Source: Parsons et al. (2005), J. Comput. Chem. 26, 1063-1068.
 *
 * @example
 * ```ts
 * import { dihedral, nerf } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 * const a = new Float64Array([1, 0, 0]), b = new Float64Array([0, 0, 0]), c = new Float64Array([0, 0, 1.5]);
 * const d = nerf(a, b, c, [1.33], [1.1], [-2.5]);
 * assert(Math.abs(dihedral(a, b, c, d)[0] + 2.5) < 1e-12);
 * ```
 * @param a `[m, 3]`, in Å.
 * @param b `[m, 3]`, in Å.
 * @param c `[m, 3]`, in Å.
 * @param length `[m]`, |d - c| in Å.
 * @param turnAngle `[m]`, π minus the bond angle, in radians.
 * @param dihedralAngle `[m]`, in radians.
 * @returns `[m, 3]`, in Å; NaN where a, b and c lie on a line.
 * @throws {TypeError} If the sizes differ.
 * @throws {RangeError} If there are no points.
 */
export function nerf(
  a: Points,
  b: Points,
  c: Points,
  length: ArrayLike<number>,
  turnAngle: ArrayLike<number>,
  dihedralAngle: ArrayLike<number>,
): Float64Array {
  const m = countPairs(a, b, "a", "b");
  countPairs(a, c, "a", "c");
  for (const [name, list] of Object.entries({ length, turnAngle, dihedralAngle })) {
    if (list.length !== m) throw new TypeError(`Cannot place ${m} points: ${name} has ${list.length} entries`);
  }
  const out = new Float64Array(3 * m);
  for (let k = 0; k < m; k++) {
    const i = 3 * k;
    const u = unit(c[i] - b[i], c[i + 1] - b[i + 1], c[i + 2] - b[i + 2]);
    const n = unit(...cross([b[i] - a[i], b[i + 1] - a[i + 1], b[i + 2] - a[i + 2]], u));
    const w = cross(n, u);
    const along = length[k] * Math.cos(turnAngle[k]);
    const across = length[k] * Math.sin(turnAngle[k]);
    for (let x = 0; x < 3; x++) {
      out[i + x] = c[i + x] + along * u[x] +
        across * (Math.cos(dihedralAngle[k]) * w[x] + Math.sin(dihedralAngle[k]) * n[x]);
    }
  }
  return out;
}

type Vector = [number, number, number];

function unit(x: number, y: number, z: number): Vector {
  const length = Math.sqrt(x * x + y * y + z * z);
  return [x / length, y / length, z / length];
}

function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}
