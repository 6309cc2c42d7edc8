/** Every op computes, and keeps for it, only the gradients that are asked for; to the same bits as all of them. */
import assert from "node:assert/strict";
import { type Device, pullback, type Shape, sizeOf, type Tensor } from "../../core/mod.ts";
import * as ops from "../../ops/mod.ts";
import { outerFirst } from "../../ops/_opm_outer_first.ts";
import { type OpmWanted, planOf } from "../../ops/_opm_plan.ts";
import { weightFirst } from "../../ops/_opm_weight_first.ts";
import { gpuTest, randomArray } from "../_gpu.ts";

type Inputs = Readonly<Record<string, Tensor>>;

interface Case {
  readonly inputs: Readonly<Record<string, Shape>>;
  readonly gpu: (inputs: Inputs) => Tensor;
  /** Inputs that are held where only the gradient of this one is wanted. */
  readonly held: Readonly<Record<string, readonly string[]>>;
}

const CASES: Readonly<Record<string, Case>> = {
  linear: {
    inputs: { x: [5, 3, 7], weight: [9, 7], bias: [9] },
    gpu: ({ x, weight, bias }) => ops.linear(x, { weight, bias }),
    held: { x: ["weight"], weight: ["x"], bias: [] },
  },
  "linear with gate and residual": {
    inputs: { x: [5, 7], weight: [9, 7], bias: [9], gate: [5, 9], residual: [5, 9] },
    gpu: ({ x, weight, bias, gate, residual }) => ops.linear(x, { weight, bias }, { gate, residual }),
    held: { x: ["weight", "gate"], weight: ["x", "gate"], bias: ["gate"], gate: ["gate"], residual: [] },
  },
  matmul: {
    inputs: { a: [3, 5, 7], b: [3, 7, 9] },
    gpu: ({ a, b }) => ops.matmul(a, b),
    held: { a: ["b"], b: ["a"] },
  },
  multiply: {
    inputs: { x: [5, 7], y: [7] },
    gpu: ({ x, y }) => ops.multiply(x, y),
    held: { x: ["y"], y: ["x"] },
  },
  add: { inputs: { x: [5, 7], y: [7] }, gpu: ({ x, y }) => ops.add(x, y), held: { x: [], y: [] } },
  divide: {
    inputs: { x: [5, 7], y: [7] },
    gpu: ({ x, y }) => ops.divide(x, y),
    held: { x: ["y"], y: ["x", "y"] },
  },
  where: {
    inputs: { mask: [5, 7], x: [5, 7], y: [7] },
    gpu: ({ mask, x, y }) => ops.where(mask, x, y),
    held: { x: ["mask"], y: ["mask"], mask: [] },
  },
  layerNorm: {
    inputs: { x: [5, 7], gamma: [7], beta: [7] },
    gpu: ({ x, gamma, beta }) => ops.layerNorm(x, { gamma, beta }),
    held: { x: ["x", "gamma"], gamma: ["x"], beta: [] },
  },
  sigmoidGate: {
    inputs: { x: [5, 7], gate: [5, 7], residual: [5, 7] },
    gpu: ({ x, gate, residual }) => ops.sigmoidGate({ x, gate, residual }),
    held: { x: ["gate"], gate: ["x", "gate"], residual: [] },
  },
  attention: {
    inputs: { qkv: [2, 3, 5, 32], bias: [2, 2, 5, 5], mask: [2, 3, 5] },
    gpu: (inputs) => ops.attention(inputs as ops.AttentionInputs, { heads: 2, axis: 2, gated: true }),
    held: { qkv: ["qkv", "bias", "mask"], bias: ["qkv", "bias", "mask"], mask: [] },
  },
  triangleProduct: {
    inputs: { a: [2, 5, 5, 3], b: [2, 5, 5, 3] },
    gpu: ({ a, b }) => ops.triangleProduct({ a, b }, { direction: "outgoing" }),
    held: { a: ["b"], b: ["a"] },
  },
  gatedTriangleProduct: {
    inputs: { packed: [1, 5, 5, 12], mask: [1, 5, 5] },
    gpu: ({ packed, mask }) => ops.gatedTriangleProduct({ packed, mask }, { direction: "incoming" }),
    held: { packed: ["packed", "mask"], mask: [] },
  },
  outerProductMean: {
    inputs: { a: [1, 3, 5, 4], b: [1, 3, 7, 8], weight: [12, 32], bias: [12], residual: [1, 5, 7, 12] },
    gpu: (inputs) => ops.outerProductMean(inputs as ops.OuterProductMeanInputs),
    held: { a: ["b", "weight"], b: ["a", "weight"], weight: ["a", "b"], bias: [], residual: [] },
  },
  meanSquaredError: {
    inputs: { prediction: [5, 7], target: [5, 7], mask: [5, 7] },
    gpu: ({ prediction, target, mask }) => ops.meanSquaredError(prediction, target, { mask }),
    held: { prediction: ["prediction", "target", "mask"], target: ["prediction", "target", "mask"], mask: [] },
  },
  crossEntropy: {
    inputs: { logits: [5, 7], targets: [5, 7], mask: [5] },
    gpu: ({ logits, targets, mask }) => ops.crossEntropy(logits, targets, { mask }),
    held: { logits: ["logits", "targets", "mask"], targets: [], mask: [] },
  },
  concat: {
    inputs: { x: [5, 3], y: [5, 4] },
    gpu: ({ x, y }) => ops.concat([x, y], 1),
    held: { x: [], y: [] },
  },
};

function makeInputs(device: Device, shapes: Readonly<Record<string, Shape>>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape], i) => [
      name,
      device.tensor(randomArray(sizeOf(shape), i + 1).map((x) => (name === "mask" ? Number(x > -0.5) : x + 2)), shape),
    ]),
  );
}

for (const [name, { inputs: shapes, gpu, held }] of Object.entries(CASES)) {
  gpuTest(`${name} computes and keeps what the wanted gradients need`, async (device) => {
    const inputs = makeInputs(device, shapes);
    /** Gradients of some inputs, the inputs that were held for them, and the kernels that ran on the way back. */
    const gradientsOf = async (wanted: readonly string[]) => {
      const count = Object.fromEntries(
        Object.entries(inputs).map(([key, { storage }]) => [key, storage.holders]),
      );
      const back = pullback(
        device,
        (some: Inputs) => gpu({ ...inputs, ...some }),
        Object.fromEntries(wanted.map((key) => [key, inputs[key]])),
      );
      const heldInputs = Object.keys(inputs).filter((key) => inputs[key].storage.holders > count[key]);
      const d = device.tensor(randomArray(back.output.size, 99), back.output.shape);
      const before = device.dispatches;
      const grads = back.pullLeaves([d]);
      const kernels = device.dispatches - before;
      return { heldInputs, kernels, numbers: await Promise.all(grads.map((grad) => grad?.read())) };
    };
    const names = Object.keys(inputs);
    const all = await gradientsOf(names);
    for (const [i, key] of names.entries()) {
      const one = await gradientsOf([key]);
      assert.deepEqual(one.numbers[0], all.numbers[i], `the gradient of ${key} alone`);
      assert.deepEqual(one.heldInputs.sort(), [...held[key]].sort(), `held for the gradient of ${key}`);
      assert.ok(one.kernels <= all.kernels, `${one.kernels} kernels for ${key}, ${all.kernels} for all`);
      if (held[key].length === 0) assert.ok(one.kernels <= 2, `${one.kernels} kernels for ${key}`);
    }
  });
}

gpuTest("both orders of the outer product mean compute only the gradients that are wanted", async (device) => {
  const { a, b, weight } = makeInputs(device, { a: [2, 3, 5, 4], b: [2, 3, 7, 8], weight: [12, 32] });
  const plan = planOf(a.shape, b.shape, weight.shape);
  const dOut = device.tensor(randomArray(2 * 5 * 7 * 12, 9), [2, 5, 7, 12]);
  const all = { a: true, b: true, weight: true };
  for (const order of [weightFirst, outerFirst]) {
    const kernelsOf = (wanted: OpmWanted, inputs: Record<string, Tensor>) => {
      const before = device.dispatches;
      return { grads: order.backward(device, plan, { ...inputs, scale: 0.5 }, dOut, wanted), before };
    };
    const { grads: expected, before } = kernelsOf(all, { a, b, weight });
    const most = device.dispatches - before;
    const operands: Record<keyof OpmWanted, Record<string, Tensor>> = {
      a: { b, weight },
      b: { a, weight },
      weight: { a, b },
    };
    for (const key of ["a", "b", "weight"] as const) {
      const { grads, before } = kernelsOf({ a: false, b: false, weight: false, [key]: true }, operands[key]);
      assert.ok(device.dispatches - before < most, `${device.dispatches - before} kernels for ${key} of ${most}`);
      assert.deepEqual(Object.keys(grads).filter((name) => grads[name as keyof OpmWanted]), [key]);
      assert.deepEqual(await grads[key]!.read(), await expected[key]!.read(), key);
    }
  }
});
