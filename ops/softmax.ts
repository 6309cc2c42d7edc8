import {
  defineOp,
  type Device,
  elementGrid,
  inWindows,
  resolveAxis,
  type Shape,
  sizeOf,
  type Tensor,
} from "../core/mod.ts";
import { rowStructure } from "./_rows.ts";
import { softmaxGradientKernel, softmaxKernel, type SoftmaxStructure } from "./softmax.wgsl.ts";

/** Options of {@linkcode softmax}. */
export interface SoftmaxOptions {
  /** Axis that sums to 1, from the front (0 …) or the back (-1 …). @default -1 */
  readonly axis?: number;
}

/** How the lines of a tensor along an axis are read. */
function linesOf(device: Device, shape: Shape, axis: number) {
  const length = shape[axis];
  const stride = sizeOf(shape.slice(axis + 1));
  const lines = sizeOf(shape) / length;
  const across = stride > 1;
  const vector = stride % 4 === 0;
  const s: SoftmaxStructure = across
    ? { vector, rowLanes: 1, unrolled: 1, across: vector }
    : { ...rowStructure(device, length), across: false };
  const wide = across && vector ? 4 : 1;
  const columns = !across && s.vector ? length / 4 : length;
  return {
    s,
    /** Lines that lie among each other: as many are gone through together. */
    blocks: lines / stride,
    dispatch: (blocks: number) => ({
      uniforms: { lines: blocks * stride / wide, columns, stride: stride / wide },
      grid: elementGrid(blocks * stride / wide * s.rowLanes, 64),
    }),
  };
}

const op = defineOp<{ x: Tensor }, never, { out: Tensor }, { axis: number }>({
  name: "softmax",
  needs: [],
  forward({ x }, { axis }, { device }) {
    const { s, blocks, dispatch } = linesOf(device, x.shape, axis);
    const out = device.empty(x.shape);
    inWindows(device, blocks, { reads: { x }, writes: { out } }, (bindings, count) => {
      device.run(softmaxKernel(s), { bindings, ...dispatch(count), flops: 7 * bindings.x.size });
    });
    return { out, saved: { out } };
  },
  vjp({ device, saved: { out }, attributes: { axis } }, dOut) {
    const { s, blocks, dispatch } = linesOf(device, out.shape, axis);
    const dx = device.empty(out.shape);
    inWindows(device, blocks, { reads: { y: out, d_out: dOut }, writes: { dx } }, (bindings, count) => {
      device.run(softmaxGradientKernel(s), { bindings, ...dispatch(count), flops: 4 * bindings.y.size });
    });
    return { x: dx };
  },
});

/**
 * Positive numbers that sum to 1 along an axis: exp(x - max) / Σ exp(x - max).
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { softmax } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using x = device.tensor([7, 7], [2]);
 * using out = softmax(x);
 * assert.deepEqual([...await out.read()], [0.5, 0.5]);
 * device.close();
 * ```
 *
 * @param x Any shape of at least one axis.
 * @returns The shape of `x`, owned by the current scope.
 * @throws {RangeError} If `x` has no such axis.
 */
export function softmax(x: Tensor, options: SoftmaxOptions = {}): Tensor {
  return op({ x }, { axis: resolveAxis(options.axis ?? -1, x.shape) });
}
