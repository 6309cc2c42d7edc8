import assert from "node:assert/strict";
import { Key, pullback } from "../../core/mod.ts";
import * as ops from "../../ops/mod.ts";
import { familyTest, gpuTest } from "../_gpu.ts";
import type { Run } from "./_runs.ts";

/** Ops on tensors of which some have no elements, and the shape of what they give. */
const CASES: Readonly<Record<string, readonly [shape: number[], run: Run]>> = {
  "attention of no tokens": [[1, 2, 0, 4], (_, x) => [
    { qkv: x(1, 2, 0, 12), bias: x(1, 1, 0, 0) },
    ({ qkv, bias }) => ops.attention({ qkv, bias }, { heads: 1, axis: 2 }),
  ]],
  "attention of no sequences": [[1, 0, 3, 4], (_, x) => [
    { qkv: x(1, 0, 3, 12), bias: x(1, 1, 3, 3) },
    ({ qkv, bias }) => ops.attention({ qkv, bias }, { heads: 1, axis: 2 }),
  ]],
  "broadcast of nothing": [[0, 3], (_, x) => [{ x: x(1, 3) }, ({ x }) => ops.broadcastTo(x, [0, 3])]],
  "concat with nothing": [[2], (_, x) => [{ x: x(0), y: x(2) }, ({ x, y }) => ops.concat([x, y], 0)]],
  "dropout of nothing": [[0, 3], (_, x) => [
    { x: x(0, 3) },
    ({ x }) => ops.dropout(x, { rate: 0.5, key: Key.fromSeed(1) }),
  ]],
  "embedding of no positions": [[0, 3], (device, x) => [
    { table: x(5, 3) },
    ({ table }) => ops.embedding(table, device.empty([0], "i32")),
  ]],
  "gate of nothing": [[0, 3], (_, x) => [{ x: x(0, 3), gate: x(0, 3) }, (inputs) => ops.sigmoidGate(inputs as never)]],
  "linear of no rows": [[0, 5], (_, x) => [
    { x: x(0, 3), weight: x(5, 3), bias: x(5) },
    ({ x, weight, bias }) => ops.linear(x, { weight, bias }, { activation: "gelu" }),
  ]],
  "linear of no channels": [[4, 5], (_, x) => [
    { x: x(4, 0), weight: x(5, 0), bias: x(5) },
    ({ x, weight, bias }) => ops.linear(x, { weight, bias }, { activation: "relu" }),
  ]],
  "linear to no channels": [
    [4, 0],
    (_, x) => [{ x: x(4, 3), weight: x(0, 3) }, ({ x, weight }) => ops.linear(x, { weight })],
  ],
  "max along another axis than the empty one": [[0], (_, x) => [{ x: x(3, 0) }, ({ x }) => ops.max(x, { axes: [0] })]],
  "mean of nothing": [[3], (_, x) => [{ x: x(3, 0) }, ({ x }) => ops.mean(x, { axes: [1] })]],
  "outer product mean of no residues": [[1, 0, 0, 5], (_, x) => [
    { a: x(1, 2, 0, 4), b: x(1, 2, 0, 4), weight: x(5, 16), bias: x(5) },
    (inputs) => ops.outerProductMean(inputs as never),
  ]],
  "pad of nothing": [[2, 3], (_, x) => [{ x: x(0, 3) }, ({ x }) => ops.pad(x, [1, 0], [1, 0])]],
  "permute of nothing": [[3, 0], (_, x) => [{ x: x(0, 3) }, ({ x }) => ops.permute(x, [1, 0])]],
  "slice of nothing": [[3, 0], (_, x) => [{ x: x(3, 4) }, ({ x }) => ops.slice(x, [0, 2], [3, 2])]],
  "sum of nothing": [[3], (_, x) => [{ x: x(3, 0) }, ({ x }) => ops.sum(x, { axes: [1] })]],
  "where of nothing": [[0, 3], (_, x) => [{ x: x(0, 3), y: x(3) }, ({ x, y }) => ops.where(x, x, y)]],
};

familyTest("ops take tensors without elements, and give gradients of their inputs' shapes", async (device) => {
  for (const [name, [shape, op]] of Object.entries(CASES)) {
    using _ = device.scope(name);
    const [inputs, run] = op(device, (...shape) => device.zeros(shape));
    const { output, pull } = pullback(device, run, inputs);
    assert.deepEqual(output.shape, shape, name);
    const values = Array.from(await output.read());
    assert.ok(values.every(name.startsWith("mean") ? Number.isNaN : (x) => x === 0), `${name} gives ${values}`);
    for (const [input, grad] of Object.entries(pull([device.zeros(shape)]))) {
      if (!grad) continue;
      assert.deepEqual(grad.shape, inputs[input].shape, `${name}, gradient of ${input}`);
      assert.ok(Array.from(await grad.read()).every((x) => x === 0), `${name}, gradient of ${input}`);
    }
  }
});

gpuTest("ops that nothing makes no sense for say so", (device) => {
  const [none, row] = [device.zeros([0]), device.zeros([0, 3])];
  assert.throws(() => ops.max(none), /max needs at least one element/);
  assert.throws(() => ops.meanSquaredError(none, none), /not empty/);
  assert.throws(() => ops.crossEntropy(row, row), TypeError);
  const a = device.zeros([1, 0, 3, 4]);
  const weight = device.zeros([5, 16]);
  assert.throws(() => ops.outerProductMean({ a, b: a, weight }), /over no sequences: a is \[1,0,3,4\]/);
  assert.deepEqual(ops.outerProductMean({ a, b: a, weight }, { scale: 1 }).shape, [1, 3, 3, 5]);
});
