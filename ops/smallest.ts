import { elementGrid, inWindows, sizeOf, type Tensor } from "../core/mod.ts";
import { LONG_ROW } from "./_rows.ts";
import { smallestKernel } from "./smallest.wgsl.ts";

/** Where numbers stand that {@linkcode smallest} has found, i32 `[…, rows, k]`, the smallest first. */
export interface Smallest {
  /** Their places in all of `x`. */
  readonly places: Tensor;
  /** Their columns, counted on from block to block: column + block · n, where a block is a matrix of the last two axes. */
  readonly items: Tensor;
}

/**
 * Where the smallest numbers of every row stand: those of a matrix of distances are neighbours. Of equal ones the first
 * comes first; NaN is larger than all numbers. It has no gradient.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { smallest } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const distances = device.tensor([0, 3, 1, 3, 0, 2, 1, 2, 0], [3, 3]);
 * const { items } = smallest(distances, 2);
 * assert.deepEqual([...await items.read()], [0, 2, 1, 2, 2, 0]);
 * ```
 *
 * @param x f32 `[…, rows, n]`.
 * @param k How many of each row, between 1 and n.
 * @returns Owned by the current scope.
 * @throws {TypeError} If `x` is not f32 or has fewer than two axes.
 * @throws {RangeError} If `k` is not a whole number between 1 and n, or n is above 16,384.
 */
export function smallest(x: Tensor, k: number): Smallest {
  if (x.dtype !== "f32" || x.shape.length < 2) {
    throw new TypeError(`smallest takes an f32 tensor [..., rows, n], got ${x.dtype} [${x.shape}]`);
  }
  const [perBlock, n] = x.shape.slice(-2);
  if (!Number.isInteger(k) || k < 1 || k > n) {
    throw new RangeError(`smallest needs a whole number between 1 and ${n} for x [${x.shape}], got ${k}`);
  }
  if (n > LONG_ROW) throw new RangeError(`smallest takes rows of at most ${LONG_ROW} numbers, x is [${x.shape}]`);
  const { device } = x;
  using scope = device.scope("smallest");
  const shape = [...x.shape.slice(0, -1), k];
  const places = device.empty(shape, "i32"), items = device.empty(shape, "i32");
  inWindows(device, sizeOf(shape) / k, { reads: { x }, writes: { places, items } }, (bindings, rows, first) => {
    device.run(smallestKernel, {
      bindings,
      uniforms: { count: rows * n, n, k, first, perBlock },
      grid: elementGrid(rows * n, 64),
      flops: 2 * rows * n * n,
    });
  });
  return scope.keep({ places, items });
}
