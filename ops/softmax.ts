import { defineOp, type Device, elementGrid, resolveAxis, type Shape, sizeOf, type Tensor } from "../core/mod.ts";
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
  if (stride === 1) {
    const s: SoftmaxStructure = { ...rowStructure(device, length), across: false };
    const uniforms = { lines, columns: s.vector ? length / 4 : length, stride };
    return { s, uniforms, grid: elementGrid(lines * s.rowLanes, 64) };
  }
  const vector = stride % 4 === 0;
  const s: SoftmaxStructure = { vector, rowLanes: 1, unrolled: 1, across: vector };
  const wide = vector ? 4 : 1;
  const uniforms = { lines: lines / wide, columns: length, stride: stride / wide };
  return { s, uniforms, grid: elementGrid(uniforms.lines, 64) };
}

const op = defineOp<{ x: Tensor }, never, { out: Tensor }, { axis: number }>({
  name: "softmax",
  needs: [],
  forward({ x }, { axis }, { device }) {
    const { s, uniforms, grid } = linesOf(device, x.shape, axis);
    const out = device.empty(x.shape);
    device.run(softmaxKernel(s), { bindings: { x, out }, uniforms, grid });
    return { out, saved: { out } };
  },
  vjp({ device, saved: { out }, attributes: { axis } }, dOut) {
    const { s, uniforms, grid } = linesOf(device, out.shape, axis);
    const dx = device.empty(out.shape);
    device.run(softmaxGradientKernel(s), { bindings: { y: out, d_out: dOut, dx }, uniforms, grid });
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
