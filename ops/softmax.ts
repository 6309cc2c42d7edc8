import {
  defineOp,
  type Device,
  elementGrid,
  inWindows,
  type KernelUse,
  resolveAxis,
  type Shape,
  sizeOf,
  type Tensor,
} from "../core/mod.ts";
import { EXPONENTIAL, SPECIAL_VALUES } from "./_functions.wgsl.ts";
import { defineMap } from "./_map.ts";
import { reduceMiddle } from "./_reduce.ts";
import { LONG_ROW, rowStructure } from "./_rows.ts";
import { reshape } from "./reshape.ts";
import { softmaxGradientKernel, softmaxKernel, type SoftmaxStructure } from "./softmax.wgsl.ts";

/** Options of {@linkcode softmax}. */
export interface SoftmaxOptions {
  /** Axis that sums to 1, from the front (0 …) or the back (-1 …). @default -1 */
  readonly axis?: number;
}

/** How the lines of a tensor along an axis are read. */
function linesOf(device: Device, shape: Shape, axis: number, kernelOf: (s: SoftmaxStructure) => KernelUse) {
  const length = shape[axis];
  const stride = sizeOf(shape.slice(axis + 1));
  const lines = sizeOf(shape) / length;
  const across = stride > 1;
  const vector = stride % 4 === 0;
  const s: SoftmaxStructure = across
    ? { vector, rowLanes: 1, unrolled: 1, across: vector }
    : { ...rowStructure(device, length, (s) => kernelOf({ ...s, across: false })), across: false };
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

const exponentials = defineMap({
  name: "softmax.exponentials",
  args: ["x", "top"],
  expression: "exponential(x - top)",
  declarations: SPECIAL_VALUES + EXPONENTIAL,
});
const quotient = defineMap({ name: "softmax.quotient", args: ["x", "sum"], expression: "x / sum" });
const product = defineMap({ name: "softmax.product", args: ["y", "d"], expression: "y * d" });
const gradient = defineMap({ name: "softmax.gradient", args: ["y", "d", "dot"], expression: "y * (d - dot)" });

/** Sizes before, along and after the axis. */
function middleOf(shape: Shape, axis: number): [number, number, number] {
  return [sizeOf(shape.slice(0, axis)), shape[axis], sizeOf(shape.slice(axis + 1))];
}

/** Lines too long for one invocation, by reductions. */
function longSoftmax(x: Tensor, axis: number): Tensor {
  const { device } = x;
  const middle = middleOf(x.shape, axis);
  const lines = device.view(x, middle);
  const shares = exponentials({ x: lines, top: reduceMiddle("max", lines, middle) });
  return device.view(quotient({ x: shares, sum: reduceMiddle("sum", shares, middle) }), x.shape);
}

function longGradient(out: Tensor, dOut: Tensor, axis: number): Tensor {
  const { device } = out;
  const middle = middleOf(out.shape, axis);
  const [y, d] = [out, dOut].map((tensor) => device.view(tensor, middle));
  const dot = reduceMiddle("sum", product({ y, d }), middle);
  return device.view(gradient({ y, d, dot }), out.shape);
}

const op = defineOp<{ x: Tensor }, never, { out: Tensor }, { axis: number }>({
  name: "softmax",
  needs: [],
  forward({ x }, { axis }, { device }) {
    if (x.shape[axis] > LONG_ROW) {
      const out = longSoftmax(x, axis);
      return { out, saved: { out } };
    }
    const { s, blocks, dispatch } = linesOf(device, x.shape, axis, (s) => [softmaxKernel(s), { x }]);
    const out = device.empty(x.shape);
    inWindows(device, blocks, { reads: { x }, writes: { out } }, (bindings, count) => {
      device.run(softmaxKernel(s), { bindings, ...dispatch(count), flops: 7 * bindings.x.size });
    });
    return { out, saved: { out } };
  },
  vjp({ device, saved: { out }, attributes: { axis } }, dOut) {
    if (out.shape[axis] > LONG_ROW) return { x: longGradient(out, dOut, axis) };
    const { s, blocks, dispatch } = linesOf(device, out.shape, axis, (s) => [softmaxGradientKernel(s)]);
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
  const axis = resolveAxis(options.axis ?? -1, x.shape);
  return x.size === 0 ? reshape(x, x.shape) : op({ x }, { axis });
}
