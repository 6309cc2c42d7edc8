import assert from "node:assert/strict";
import { Device, type KernelFamily, type KernelRun, Key, Profiler, pullback, type Tensor } from "../../core/mod.ts";
import * as ops from "../../ops/mod.ts";
import { ELEMENTWISE } from "../../ops/elementwise.wgsl.ts";
import { operationsOf } from "../../ops/_operations.ts";
import { FAMILIES, testDevice } from "../_gpu.ts";

const { traits } = await testDevice();

/** A device for plans with the kernels of a family, which lets a kernel see so many bytes. */
function dryDevice(kernelFamily: KernelFamily = traits.kernelFamily, maxBindingBytes = traits.maxBindingBytes): Device {
  return Device.dry({ ...traits, kernelFamily, maxBindingBytes, subgroupSize: 8 });
}

type Run = (device: Device, x: (...shape: number[]) => Tensor) => [Record<string, Tensor>, (t: Tensors) => Tensor];
type Tensors = Record<string, Tensor>;

/** Every op on some tensors. */
const OPS: Record<string, Run> = {
  attention: (_, x) => [
    { qkv: x(2, 3, 7, 4 * 2 * 8), bias: x(2, 2, 7, 7), mask: x(2, 3, 7) },
    ({ qkv, bias, mask }) => ops.attention({ qkv, bias, mask }, { heads: 2, axis: 2, gated: true }),
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
  sum: (_, x) => [{ x: x(6, 5) }, ({ x }) => ops.sum(x, { axes: [0] })],
  triangleProduct: (_, x) => [
    { a: x(1, 5, 5, 4), b: x(1, 5, 5, 4) },
    ({ a, b }) => ops.triangleProduct({ a, b }, { direction: "outgoing" }),
  ],
  where: (_, x) => [{ mask: x(6, 5), x: x(6, 5), y: x(5) }, ({ mask, x, y }) => ops.where(mask, x, y)],
};

/** Kernels of an op's way there and back. */
async function kernelsOf(device: Device, op: Run): Promise<readonly KernelRun[]> {
  using _ = device.scope("test");
  const [inputs, run] = op(device, (...shape) => device.empty(shape));
  const profiler = Profiler.start(device);
  const { output, pullLeaves } = pullback(device, run, inputs);
  pullLeaves([device.empty(output.shape)]);
  return (await profiler.stop()).kernels;
}

Deno.test("a formula's operations are counted, those of the functions it calls too", () => {
  const cases: [string, number, string?][] = [
    ["x", 0],
    ["x + y", 1],
    ["-x", 1],
    ["x * V(-0.5)", 1],
    ["x - V(1.5e-3)", 1],
    ["d / y - V(2.0) * x", 3],
    ["max(x, V(0.0)) + exp(-x)", 4],
    ["select(x, V(0.0), x < V(0.0))", 0],
    ["f(x) + f(y)", 7, "\nfn f(x: V) -> V {\n  let a = x * x;\n  return sqrt(a) + V(1.0);\n}"],
  ];
  for (const [formula, expected, declarations] of cases) {
    assert.equal(operationsOf(formula, declarations), expected, formula);
  }
  const { forward, declarations } = ELEMENTWISE.sigmoid; // 1 / (1 + exp(-x))
  assert.equal(operationsOf(forward, declarations), 4);
});

Deno.test("every kernel of every op tells its operations and bytes, forward and back, in every family", async () => {
  for (const family of FAMILIES) {
    for (const [name, op] of Object.entries(OPS)) {
      for (const run of await kernelsOf(dryDevice(family), op)) {
        const told = `${family} ${name}: ${JSON.stringify(run)}`;
        assert.ok(run.flops !== null && run.flops >= 0 && Number.isFinite(run.flops), told);
        assert.ok(run.bytesRead >= 0 && run.bytesWritten > 0, told);
      }
    }
  }
});

Deno.test("costs of some kernels, worked out by hand", async () => {
  const costs = async (name: string, kernel: string) => {
    const runs = (await kernelsOf(dryDevice("plain"), OPS[name])).filter((run) => run.kernel === kernel);
    return runs.map(({ flops, bytesRead, bytesWritten }) => [flops, bytesRead / 4, bytesWritten / 4]);
  };
  const [m, k, n] = [5, 8, 12];
  assert.deepEqual(await costs("matmul", "matmul"), [
    [3 * 2 * m * k * n, 3 * (m * k + k * n), 3 * m * n],
    [3 * 2 * m * k * n, 3 * (m * n + k * n), 3 * m * k],
    [3 * 2 * m * k * n, 3 * (m * n + m * k), 3 * k * n],
  ]);
  assert.deepEqual(await costs("layerNorm", "layerNorm"), [[11 * 72, 72 + 24, 72 + 6 * 4]]);
  assert.deepEqual(await costs("softmax", "softmax"), [[7 * 30, 30, 30]]);
  assert.deepEqual((await costs("sum", "sum"))[0], [30, 30, 5]);
  assert.deepEqual((await costs("slice", "copy"))[0], [0, 6, 6]);
  assert.deepEqual(await costs("embedding", "embedding"), [[0, 300 + 300 * 8, 300 * 8]]);
  assert.deepEqual(await costs("sigmoidGate", "sigmoidGate"), [[6 * 24, 72, 24]]);
  const [l, heads, channels, rows] = [7, 2, 8, 2 * 3];
  const product = 2 * rows * heads * l * l * channels;
  const qkv = rows * l * 4 * heads * channels, bias = 2 * heads * l * l, mask = rows * l;
  const padded = bias / l * 8, stats = 2 * rows * l * heads;
  assert.deepEqual(await costs("attention", "attention"), [
    [2 * product, qkv + padded + mask, qkv / 4 + stats],
  ]);
});

Deno.test("an op that goes through windows makes the same operations", async () => {
  const large: Run = (_, x) => [
    { x: x(1000, 64), gamma: x(64), weight: x(64, 64) },
    ({ x, gamma, weight }) => ops.softmax(ops.linear(ops.layerNorm(x, { gamma }), { weight })),
  ];
  const flops = async (bytes: number) => {
    const kernels = await kernelsOf(dryDevice("plain", bytes), large);
    return { count: kernels.length, flops: kernels.reduce((sum, run) => sum + run.flops!, 0) };
  };
  const whole = await flops(2 ** 27), parts = await flops(2 ** 17);
  assert.ok(parts.count > whole.count, `${parts.count} and ${whole.count} kernels`);
  assert.ok(Math.abs(parts.flops / whole.flops - 1) < 0.02, `${parts.flops} and ${whole.flops} operations`);
});
