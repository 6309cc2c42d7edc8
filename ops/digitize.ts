import { elementGrid, inWindows, type Tensor } from "../core/mod.ts";
import { LONG_ROW } from "./_rows.ts";
import { digitizeKernel } from "./digitize.wgsl.ts";

/**
 * The bin of every number: how many of the boundaries lie strictly below it. It has no gradient; NaN is in bin 0.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { digitize } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const x = device.tensor([-1, 2, 2.5, 9], [4]);
 * assert.deepEqual([...await digitize(x, [2, 4]).read()], [0, 0, 1, 2]);
 * ```
 *
 * @param x Any shape, f32.
 * @param boundaries Ascending; at least one.
 * @returns The shape of `x`, i32, between 0 and the number of boundaries.
 * @throws {TypeError} If `x` is not f32.
 * @throws {RangeError} If there is no boundary, there are more than 16,384, or they do not ascend.
 */
export function digitize(x: Tensor, boundaries: ArrayLike<number>): Tensor {
  if (x.dtype !== "f32") throw new TypeError(`digitize takes an f32 tensor, got ${x.dtype} [${x.shape}]`);
  const edges = Float32Array.from(boundaries);
  if (!edges.length || edges.some((edge, k) => !(k === 0 ? edge === edge : edge > edges[k - 1]))) {
    throw new RangeError(`digitize needs ascending boundaries, at least one, got [${edges.join(", ")}]`);
  }
  if (edges.length > LONG_ROW) {
    throw new RangeError(`digitize takes at most ${LONG_ROW} boundaries, got ${edges.length}`);
  }
  const { device } = x;
  using scope = device.scope("digitize");
  const out = device.empty(x.shape, "i32");
  const table = device.tensor(edges, [edges.length]);
  inWindows(device, x.size, { reads: { x }, writes: { bins: out } }, (windows, n) => {
    device.run(digitizeKernel, {
      bindings: { ...windows, boundaries: table },
      uniforms: { n, count: edges.length },
      grid: elementGrid(n, 64),
      flops: edges.length * n,
    });
  });
  return scope.keep(out);
}
