/** Classes of all pairs of things, for {@linkcode pairEmbedding}: 0 for none, then 1, 2, … They have no gradient. */
import { type Device, elementGrid, inWindows, type Kernel, sameShape, type Tensor } from "../core/mod.ts";
import { distanceClassesKernel, offsetClassesKernel } from "./pair_classes.wgsl.ts";

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
export function distanceClasses(points: Tensor, { bounds, end = Infinity, marks }: DistanceClassOptions): Tensor {
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
  using scope = device.scope("distanceClasses");
  const squares = device.tensor(all.map((bound) => Math.min(bound ** 2, LARGEST)), [all.length]);
  const inputs = { points, bounds: squares, ...(marks && { marks }) };
  const kernel = distanceClassesKernel({ marked: !!marks });
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
