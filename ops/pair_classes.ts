/** Classes of all pairs of things, for {@linkcode pairEmbedding}: 0 for none, then 1, 2, … They have no gradient. */
import { type Device, elementGrid, inWindows, type Kernel, sameShape, type Tensor } from "../core/mod.ts";
import { chainOffsetClassesKernel, distanceClassesKernel, offsetClassesKernel } from "./pair_classes.wgsl.ts";

/** Bounds of classes of distance. */
export interface DistanceClassOptions {
  /** Lower bounds of the classes, ascending. */
  readonly bounds: ArrayLike<number>;
  /** Upper bound of the last class. @default none */
  readonly end?: number;
  /**
   * Marks of the points, 0 or 1, `[B, N]`. Pairs of marked points have classes of their own: with K bounds, K + 1 more than
   * they would have. @default none is marked
   */
  readonly marks?: Tensor;
  /** Groups of the points, i32 `[B, N]`; pairs across groups have class 0. @default all are of one */
  readonly groups?: Tensor;
}

/**
 * Classes of the distances of all pairs of points: k where the distance lies between bounds k - 1 and k, both excluded; 0
 * where it is below the first bound, beyond the end, or on a bound. Squares are compared.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { distanceClasses } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const points = device.tensor([0, 0, 0, 0, 3, 4], [1, 2, 3]);
 * assert.deepEqual([...await distanceClasses(points, { bounds: [2, 4, 6] }).read()], [0, 2, 2, 0]);
 * ```
 *
 * @param points `[B, N, 3]`.
 * @returns `[B, N, N]`, i32.
 * @throws {TypeError} If the points are of another shape.
 * @throws {RangeError} If there is no bound, or they do not ascend from 0 or more.
 */
export function distanceClasses(
  points: Tensor,
  { bounds, end = Infinity, marks, groups }: DistanceClassOptions,
): Tensor {
  const { device, shape: [batch, n], dtype } = points;
  if (points.shape.length !== 3 || points.shape[2] !== 3 || dtype !== "f32") {
    throw new TypeError(`distanceClasses needs f32 points [B, N, 3], got ${dtype} [${points.shape}]`);
  }
  const all = [...Array.from(bounds), end];
  if (all.length < 2 || all.some((bound, k) => !(bound >= 0 && (k === 0 || bound > all[k - 1])))) {
    throw new RangeError(`distanceClasses needs bounds that ascend from 0 or more, got [${all.join(", ")}]`);
  }
  if (marks && !(marks.dtype === "f32" && sameShape(marks.shape, [batch, n]))) {
    throw new TypeError(`distanceClasses needs f32 marks [${[batch, n]}], got ${marks.dtype} [${marks.shape}]`);
  }
  if (groups && !(groups.dtype === "i32" && sameShape(groups.shape, [batch, n]))) {
    throw new TypeError(`distanceClasses needs i32 groups [${[batch, n]}], got ${groups.dtype} [${groups.shape}]`);
  }
  using scope = device.scope("distanceClasses");
  const squares = device.tensor(all.map((bound) => Math.min(bound ** 2, LARGEST)), [all.length]);
  const inputs = { points, bounds: squares, ...(marks && { marks }), ...(groups && { groupOf: groups }) };
  const kernel = distanceClassesKernel({ marked: !!marks, ...(groups && { grouped: true }) });
  return scope.keep(classesOf(device, batch, n, kernel, inputs, { count: all.length - 1 }));
}

/** WGSL need not support infinities: the largest number stands for them. */
const LARGEST = 3.4028234663852886e38;

/**
 * Classes of the differences of all pairs of whole numbers: 1 + m + (a_i - a_j), the difference confined to -m … m.
 *
 * @param numbers `[B, N]`, i32.
 * @param most m, the largest difference told apart.
 * @returns `[B, N, N]`, i32, between 1 and 2 m + 1.
 * @throws {TypeError} If the numbers are of another shape or type.
 */
export function offsetClasses(numbers: Tensor, most: number): Tensor {
  const { device, shape: [batch, n], dtype } = numbers;
  if (numbers.shape.length !== 2 || dtype !== "i32") {
    throw new TypeError(`offsetClasses needs i32 numbers [B, N], got ${dtype} [${numbers.shape}]`);
  }
  return classesOf(device, batch, n, offsetClassesKernel, { numbers }, { most });
}

/** What residues of complexes are told apart by, each i32 `[B, N]`. */
export type ChainNumbers = {
  /** Number of the residue along its chain. */
  readonly residues: Tensor;
  /** Which chain it is of. */
  readonly chains: Tensor;
  /** Which sequence that chain has. */
  readonly entities: Tensor;
  /** Which of the chains with that sequence it is. */
  readonly copies: Tensor;
};

/** The largest offsets that are told apart. */
export interface ChainOffsets {
  /** R, along a chain. */
  readonly residues: number;
  /** C, among copies of a chain. */
  readonly copies: number;
}

/**
 * Classes of the offsets of all pairs of residues of a complex: 1 + r (2 C + 2) + c. Here r is the offset along the chain,
 * confined to -R … R, plus R, or 2 R + 1 for residues of different chains; c is that among the copies of one sequence,
 * confined to -C … C, plus C, or 2 C + 1 for different sequences.
 *
 * Source: Evans et al. (2021), "Protein complex prediction with AlphaFold-Multimer", Suppl. 7.1.
 *
 * @returns `[B, N, N]`, i32, between 1 and (2 R + 2) (2 C + 2).
 * @throws {TypeError} If the numbers are of another shape or type.
 */
export function chainOffsetClasses(numbers: ChainNumbers, most: ChainOffsets): Tensor {
  const { device, shape } = numbers.residues;
  for (const [name, tensor] of Object.entries(numbers)) {
    if (tensor.shape.length !== 2 || tensor.dtype !== "i32" || !sameShape(tensor.shape, shape)) {
      throw new TypeError(`chainOffsetClasses needs i32 ${name} [B, N], got ${tensor.dtype} [${tensor.shape}]`);
    }
  }
  const { residues, chains, entities, copies } = numbers;
  const inputs = { residues, chains, entities, copies };
  const uniforms = { mostResidues: most.residues, mostCopies: most.copies };
  return classesOf(device, shape[0], shape[1], chainOffsetClassesKernel, inputs, uniforms);
}

function classesOf(
  device: Device,
  batch: number,
  n: number,
  kernel: Kernel,
  inputs: Readonly<Record<string, Tensor>>,
  uniforms: Readonly<Record<string, number>>,
): Tensor {
  const classes = device.empty([batch, n, n], "i32");
  inWindows(device, batch * n, { writes: { classes } }, (windows, rows, first) => {
    device.run(kernel, {
      bindings: { ...inputs, ...windows },
      uniforms: { total: rows * n, n, first, ...uniforms },
      grid: elementGrid(rows * n, 64),
      flops: 0,
    });
  });
  return classes;
}
