import { assertFinitePoints, countPairs, type Points, selectedIndices } from "./points.ts";

/** N, C-alpha and C of every residue, `[N_res, 3]` each, in Å. */
export interface BackboneAtoms {
  /** N. */
  readonly n: Points;
  /** C-alpha. */
  readonly ca: Points;
  /** C. */
  readonly c: Points;
}

/** Options of `backboneFape`. */
export interface BackboneFapeOptions {
  /** `[N_res]`; residues whose entry is 0 do not count. @default all do */
  mask?: ArrayLike<number>;
  /** Distances count as no more than this, in Å. @default 10 */
  clamp?: number;
}

/**
 * Frame-aligned point error of the backbone in Å: how far each C-alpha is from where it should be as seen from each residue,
 * on average over all pairs, clamped. No superposition; mirror images differ.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 28 "computeFAPE" with the frames of Alg. 21, in float64 and without its 10 Å scale.
 *
 * @example
 * ```ts
 * import { backboneFape } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 *
 * const true_ = { n: [-1, 1, 0, 2, 1, 0], ca: [0, 0, 0, 3, 0, 0], c: [1, 0, 0, 4, 0, 0] };
 * const atoms = (a: typeof true_) => ({ n: new Float64Array(a.n), ca: new Float64Array(a.ca), c: new Float64Array(a.c) });
 * const moved = { n: [-1, 1, 0, 2, 1, 2], ca: [0, 0, 0, 3, 0, 2], c: [1, 0, 0, 4, 0, 2] };
 * assert.equal(backboneFape(atoms(moved), atoms(true_)), 1); // each residue sees the other, but not itself, 2 Å off
 * ```
 * @param model Of the prediction.
 * @param reference Of the truth.
 * @throws {TypeError} If the sizes differ.
 * @throws {RangeError} If no residue is left, or a coordinate that counts is not finite.
 */
export function backboneFape(
  model: BackboneAtoms,
  reference: BackboneAtoms,
  { mask, clamp = 10 }: BackboneFapeOptions = {},
): number {
  const n = countPairs(model.ca, reference.ca, "model", "reference");
  const indices = selectedIndices(n, { mask });
  for (const name of ["n", "ca", "c"] as const) {
    countPairs(model[name], reference[name], `model.${name}`, `reference.${name}`);
    assertFinitePoints(model[name], indices, `model.${name}`);
    assertFinitePoints(reference[name], indices, `reference.${name}`);
  }
  let sum = 0;
  for (const i of indices) {
    const [own, expected] = [axesAt(model, i), axesAt(reference, i)];
    for (const j of indices) {
      const a = seenFrom(own, model.ca, i, j), b = seenFrom(expected, reference.ca, i, j);
      sum += Math.min(clamp, Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]));
    }
  }
  return sum / indices.length ** 2;
}

type Vector = readonly [number, number, number];

/** Axes of a residue's frame: towards C, towards N across that, and across both. Source: Alg. 21 "rigidFrom3Points". */
function axesAt({ n, ca, c }: BackboneAtoms, i: number): readonly [Vector, Vector, Vector] {
  const first = unit(difference(c, ca, i, i));
  const toN = difference(n, ca, i, i);
  const along = dot(first, toN);
  const second = unit([toN[0] - along * first[0], toN[1] - along * first[1], toN[2] - along * first[2]]);
  return [first, second, [
    first[1] * second[2] - first[2] * second[1],
    first[2] * second[0] - first[0] * second[2],
    first[0] * second[1] - first[1] * second[0],
  ]];
}

/** Where a point is in a residue's frame. */
function seenFrom(axes: readonly [Vector, Vector, Vector], ca: Points, i: number, j: number): Vector {
  const apart = difference(ca, ca, j, i);
  return [dot(axes[0], apart), dot(axes[1], apart), dot(axes[2], apart)];
}

function difference(a: Points, b: Points, i: number, j: number): Vector {
  return [a[3 * i] - b[3 * j], a[3 * i + 1] - b[3 * j + 1], a[3 * i + 2] - b[3 * j + 2]];
}

function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function unit(a: Vector): Vector {
  const length = Math.sqrt(dot(a, a) + 1e-20);
  return [a[0] / length, a[1] / length, a[2] / length];
}
