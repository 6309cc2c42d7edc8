import {
  assertFinitePoints,
  countPairs,
  type Points,
  type PointSelection,
  selectedIndices,
  selectionWeights,
} from "./points.ts";
import { rmsd } from "./rmsd.ts";
import { symmetricEigen } from "./symmetric_eigen.ts";

/** A rigid motion x' = R x + t. */
export interface RigidMotion {
  /** `[3, 3]` by rows, a proper rotation: determinant +1. */
  rotation: Float64Array;
  /** `[3]`, in Å. */
  translation: Float64Array;
}

/** What `kabsch` returns. */
export interface Superposition extends RigidMotion {
  /** `[n, 3]`: all points of the mobile set, moved; masked-out ones too. */
  points: Float64Array;
  /** Root-mean-square deviation of the moved points from the target, in Å, with the same mask and weights. */
  rmsd: number;
}

/**
 * Rigid motion that lays one set of points on another with the least (weighted) sum of squared distances.
 *
 * The rotation is the unit quaternion that is the eigenvector of the largest eigenvalue of Horn's 4 × 4 matrix, so it
 * is always proper: a mirror image is never turned into its counterpart. Where many rotations are equally good (one
 * point, two points, points on a line), the one with the smallest angle is taken.
 *
 * Source: Kabsch (1976), Acta Cryst. A32, 922-923; Horn (1987), J. Opt. Soc. Am. A 4, 629-642.
 *
 * @example
 * ```ts
 * import { kabsch } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 * const target = new Float64Array([0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]);
 * const turned = new Float64Array([5, 0, 0, 5, 1, 0, 3, 0, 0, 5, 0, 3]); // by 90° about z, then along x
 * assert(kabsch(turned, target).rmsd < 1e-12);
 * ```
 * @param mobile `[n, 3]`, in Å.
 * @param target `[n, 3]`, in Å.
 * @param selection Mask and weights, each `[n]`.
 * @throws {TypeError} If the sizes differ.
 * @throws {RangeError} If no point is left, a weight is negative, or a coordinate that counts is not finite.
 */
export function kabsch(mobile: Points, target: Points, selection: PointSelection = {}): Superposition {
  const n = countPairs(mobile, target, "mobile", "target");
  const weights = selectionWeights(n, selection);
  const indices = selectedIndices(n, { weights });
  assertFinitePoints(mobile, indices, "mobile");
  assertFinitePoints(target, indices, "target");
  const motion = fitSubset(mobile, target, indices, indices.length, weights);
  const points = applyMotion(motion, mobile);
  return { ...motion, points, rmsd: rmsd(points, target, { weights }) };
}

/**
 * Moves points: x' = R x + t.
 * @param points `[n, 3]`.
 * @returns `[n, 3]`, new.
 */
export function applyMotion({ rotation: r, translation: t }: RigidMotion, points: Points): Float64Array {
  const out = new Float64Array(points.length);
  for (let i = 0; i < points.length; i += 3) {
    const x = points[i];
    const y = points[i + 1];
    const z = points[i + 2];
    out[i] = r[0] * x + r[1] * y + r[2] * z + t[0];
    out[i + 1] = r[3] * x + r[4] * y + r[5] * z + t[1];
    out[i + 2] = r[6] * x + r[7] * y + r[8] * z + t[2];
  }
  return out;
}

/**
 * The motion for the first `count` of `indices`: `kabsch` without checks, for searches that fit many subsets.
 * @param weights `[n]`, 1 for all if left out.
 */
export function fitSubset(
  mobile: Points,
  target: Points,
  indices: Int32Array,
  count: number,
  weights?: Float64Array,
): RigidMotion {
  let total = 0;
  const a = [0, 0, 0]; // centre of mobile
  const b = [0, 0, 0]; // centre of target
  for (let k = 0; k < count; k++) {
    const i = 3 * indices[k];
    const w = weights ? weights[indices[k]] : 1;
    total += w;
    for (let c = 0; c < 3; c++) {
      a[c] += w * mobile[i + c];
      b[c] += w * target[i + c];
    }
  }
  for (let c = 0; c < 3; c++) {
    a[c] /= total;
    b[c] /= total;
  }
  const s = new Float64Array(9); // s[c][d] = Σ w (mobile - a)_c (target - b)_d / Σ w
  for (let k = 0; k < count; k++) {
    const i = 3 * indices[k];
    const w = (weights ? weights[indices[k]] : 1) / total;
    const tx = target[i] - b[0];
    const ty = target[i + 1] - b[1];
    const tz = target[i + 2] - b[2];
    for (let c = 0; c < 3; c++) {
      const m = w * (mobile[i + c] - a[c]);
      s[3 * c] += m * tx;
      s[3 * c + 1] += m * ty;
      s[3 * c + 2] += m * tz;
    }
  }
  const rotation = rotationFromCovariance(s);
  const translation = new Float64Array(3);
  for (let c = 0; c < 3; c++) {
    translation[c] = b[c] - rotation[3 * c] * a[0] - rotation[3 * c + 1] * a[1] - rotation[3 * c + 2] * a[2];
  }
  return { rotation, translation };
}

/** Rotation R with the largest trace of R · S, S = Σ mobile ⊗ target, both centred. */
function rotationFromCovariance(s: Float64Array): Float64Array {
  const [xx, xy, xz, yx, yy, yz, zx, zy, zz] = s;
  // deno-fmt-ignore
  const horn = Float64Array.of(
    xx + yy + zz, yz - zy,      zx - xz,       xy - yx,
    yz - zy,      xx - yy - zz, xy + yx,       zx + xz,
    zx - xz,      xy + yx,      -xx + yy - zz, yz + zy,
    xy - yx,      zx + xz,      yz + zy,       -xx - yy + zz,
  );
  const { values, vectors } = symmetricEigen(horn, 4);
  // Among equal largest eigenvalues take the vector nearest to (1, 0, 0, 0), which is the smallest angle.
  const slack = 1e-13 * Math.max(Math.abs(values[0]), Math.abs(values[3]));
  const q = new Float64Array(4);
  for (let k = 0; k < 4 && values[0] - values[k] <= slack; k++) {
    for (let c = 0; c < 4; c++) q[c] += vectors[4 * k] * vectors[4 * k + c];
  }
  let length = Math.hypot(q[0], q[1], q[2], q[3]);
  if (length < 1e-6) {
    q.set(vectors.subarray(0, 4));
    length = Math.hypot(q[0], q[1], q[2], q[3]);
  }
  const [w, x, y, z] = q.map((value) => value / length);
  // deno-fmt-ignore
  return Float64Array.of(
    w * w + x * x - y * y - z * z, 2 * (x * y - w * z),           2 * (x * z + w * y),
    2 * (x * y + w * z),           w * w - x * x + y * y - z * z, 2 * (y * z - w * x),
    2 * (x * z - w * y),           2 * (y * z + w * x),           w * w - x * x - y * y + z * z,
  );
}
