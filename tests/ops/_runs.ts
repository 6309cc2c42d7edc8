import { type Device, Key, pullback, type Tensor } from "../../core/mod.ts";
import * as ops from "../../ops/mod.ts";

type Tensors = Record<string, Tensor>;

/** An op on some tensors: those that get a gradient, and the function of them. */
export type Run = (device: Device, x: (...shape: number[]) => Tensor) => [Tensors, (t: Tensors) => Tensor];

/** Every op, on small tensors. */
export const OPS: Readonly<Record<string, Run>> = {
  attention: (_, x) => [
    { qkv: x(2, 3, 7, 4 * 2 * 8), bias: x(2, 2, 7, 7), mask: x(2, 3, 7) },
    ({ qkv, bias, mask }) => ops.attention({ qkv, bias, mask }, { heads: 2, axis: 2, gated: true }),
  ],
  attentionToOthers: (_, x) => [
    { q: x(1, 3, 40, 16), k: x(1, 3, 35, 16), v: x(1, 3, 35, 16), gate: x(1, 3, 40, 16), bias: x(1, 2, 40, 35) },
    ({ q, k, v, gate, bias }) => ops.attention({ q, k, v, gate, bias }, { heads: 2, axis: 2 }),
  ],
  attentionToFew: (_, x) => [
    { q: x(1, 30, 1, 16), k: x(1, 30, 4, 16), v: x(1, 30, 4, 16) },
    ({ q, k, v }) => ops.attention({ q, k, v }, { heads: 2, axis: 2 }),
  ],
  broadcastTo: (_, x) => [{ x: x(1, 6) }, ({ x }) => ops.broadcastTo(x, [5, 6])],
  concat: (_, x) => [{ a: x(3, 6), b: x(3, 5) }, ({ a, b }) => ops.concat([a, b], 1)],
  crossEntropy: (_, x) => [
    { logits: x(6, 5), targets: x(6, 5), mask: x(6) },
    ({ logits, targets, mask }) => ops.crossEntropy(logits, targets, { mask }),
  ],
  dropout: (_, x) => [{ x: x(5, 7) }, ({ x }) => ops.dropout(x, { rate: 0.5, key: Key.fromSeed(1) })],
  dropoutShared: (_, x) => [
    { x: x(5, 7) },
    ({ x }) => ops.dropout(x, { rate: 0.5, key: Key.fromSeed(1), axes: [0] }),
  ],
  embedding: (device, x) => [
    { table: x(5, 8) },
    ({ table }) => ops.embedding(table, device.empty([300], "i32")),
  ],
  gatedTriangleProduct: (_, x) => [
    { packed: x(1, 5, 5, 16), mask: x(1, 5, 5) },
    ({ packed, mask }) => ops.gatedTriangleProduct({ packed, mask }, { direction: "incoming" }),
  ],
  huber: (_, x) => [{ a: x(3, 5), b: x(3, 5) }, ({ a, b }) => ops.huber(a, b)],
  layerNorm: (_, x) => [
    { x: x(6, 12), gamma: x(12), beta: x(12) },
    ({ x, gamma, beta }) => ops.layerNorm(x, { gamma, beta }),
  ],
  linear: (_, x) => [
    { x: x(6, 12), weight: x(8, 12), bias: x(8), gate: x(6, 8), residual: x(6, 8) },
    ({ x, weight, bias, gate, residual }) => ops.linear(x, { weight, bias }, { gate, residual }),
  ],
  linearGelu: (_, x) => [
    { x: x(6, 11), weight: x(7, 11), bias: x(7) },
    ({ x, weight, bias }) => ops.linear(x, { weight, bias }, { activation: "gelu" }),
  ],
  matmul: (_, x) => [{ a: x(3, 5, 8), b: x(3, 8, 12) }, ({ a, b }) => ops.matmul(a, b)],
  max: (_, x) => [{ x: x(6, 5) }, ({ x }) => ops.max(x, { axes: [1] })],
  mean: (_, x) => [{ x: x(6, 5) }, ({ x }) => ops.mean(x)],
  meanSquaredError: (_, x) => [{ a: x(3, 5), b: x(3, 5) }, ({ a, b }) => ops.meanSquaredError(a, b)],
  min: (_, x) => [{ x: x(6, 5) }, ({ x }) => ops.min(x, { axes: [0] })],
  oneHot: (device, x) => [
    { x: x(6, 5) },
    ({ x }) => ops.multiply(x, ops.oneHot(device.empty([6], "i32"), 5)),
  ],
  outerProductMean: (_, x) => [
    { a: x(1, 3, 6, 4), b: x(1, 3, 5, 4), weight: x(8, 16), bias: x(8) },
    ({ a, b, weight, bias }) => ops.outerProductMean({ a, b, weight, bias }),
  ],
  pad: (_, x) => [{ x: x(3, 5) }, ({ x }) => ops.pad(x, [1, 0], [0, 2])],
  permute: (_, x) => [{ x: x(3, 5, 7) }, ({ x }) => ops.permute(x, [2, 0, 1])],
  sigmoidGate: (_, x) => [
    { x: x(3, 8), gate: x(3, 8), residual: x(3, 8) },
    ({ x, gate, residual }) => ops.sigmoidGate({ x, gate, residual }),
  ],
  slice: (_, x) => [{ x: x(3, 5) }, ({ x }) => ops.slice(x, [0, 1], [2, 4])],
  softmax: (_, x) => [{ x: x(6, 5) }, ({ x }) => ops.softmax(x)],
  softmaxExpectation: (device, x) => [{ x: x(6, 5) }, ({ x }) => ops.softmaxExpectation(x, device.empty([5]))],
  sparseCrossEntropy: (device, x) => [
    { x: x(6, 5) },
    ({ x }) => ops.sparseCrossEntropy(x, device.empty([6], "i32")),
  ],
  sum: (_, x) => [{ x: x(6, 5) }, ({ x }) => ops.sum(x, { axes: [0] })],
  triangleProduct: (_, x) => [
    { a: x(1, 5, 5, 4), b: x(1, 5, 5, 4) },
    ({ a, b }) => ops.triangleProduct({ a, b }, { direction: "outgoing" }),
  ],
  where: (_, x) => [{ mask: x(6, 5), x: x(6, 5), y: x(5) }, ({ mask, x, y }) => ops.where(mask, x, y)],
};

/** Runs an op there and back. */
export function runOp(device: Device, op: Run): void {
  using _ = device.scope("run");
  const [inputs, run] = op(device, (...shape) => device.empty(shape));
  const { output, pullLeaves } = pullback(device, run, inputs);
  pullLeaves([device.empty(output.shape)]);
}
