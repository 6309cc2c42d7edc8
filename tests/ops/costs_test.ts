import assert from "node:assert/strict";
import { Device, type KernelFamily, type KernelRun, Profiler } from "../../core/mod.ts";
import * as ops from "../../ops/mod.ts";
import { ELEMENTWISE } from "../../ops/elementwise.wgsl.ts";
import { operationsOf } from "../../ops/_operations.ts";
import { FAMILIES, testDevice } from "../_gpu.ts";
import { OPS, type Run, runOp } from "./_runs.ts";

const { traits } = await testDevice();

/** A device for plans with the kernels of a family, which lets a kernel see so many bytes. */
function dryDevice(family: KernelFamily = traits.kernelFamilies[0], maxBindingBytes = traits.maxBindingBytes): Device {
  return Device.dry({ ...traits, kernelFamilies: [family], maxBindingBytes, subgroupSize: 8 });
}

/** Kernels of an op's way there and back. */
async function kernelsOf(device: Device, op: Run): Promise<readonly KernelRun[]> {
  const profiler = Profiler.start(device);
  runOp(device, op);
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
