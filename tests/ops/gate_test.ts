import assert from "node:assert/strict";
import { pullback, type Tensor } from "../../core/mod.ts";
import { sigmoidGate } from "../../ops/gate.ts";
import { assertClose, checkOp, gpuTest, type Reference, reference } from "../_gpu.ts";

function referenceOf({ x, gate, residual }: { x: Reference; gate: Reference; residual?: Reference }): Reference {
  return reference(
    x.shape,
    x.data.map((v, i) => v / (1 + Math.exp(-gate.data[i])) + (residual?.data[i] ?? 0)),
  );
}

for (const shape of [[1], [3, 7], [2, 5, 12], []]) {
  gpuTest(`sigmoidGate() matches float64 for [${shape}]`, async (device) => {
    await checkOp(device, {
      inputs: { x: shape, gate: shape },
      gpu: (inputs) => sigmoidGate(inputs),
      reference: referenceOf,
    });
    await checkOp(device, {
      inputs: { x: shape, gate: shape, residual: shape },
      gpu: (inputs) => sigmoidGate(inputs),
      reference: referenceOf,
    });
  });
}

gpuTest("sigmoidGate() computes only the gradients asked for", async (device) => {
  const x = device.tensor([1, 2, 3], [3]), gate = device.tensor([-1, 0, 1], [3]);
  const cotangent = device.tensor([1, -2, 3], [3]);
  const dx = pullback<{ x: Tensor }, Tensor>(device, (p) => sigmoidGate({ ...p, gate }), { x }).pull([cotangent]).x;
  const open = [-1, 0, 1].map((g) => 1 / (1 + Math.exp(-g)));
  assertClose(await dx!.read(), open.map((s, i) => s * [1, -2, 3][i]));
  const dGate = pullback<{ gate: Tensor }, Tensor>(device, (p) =>
    sigmoidGate({ ...p, x }), { gate }).pull([cotangent]).gate;
  assertClose(await dGate!.read(), open.map((s, i) => s * (1 - s) * (i + 1) * [1, -2, 3][i]));
  const dResidual = pullback<{ residual: Tensor }, Tensor>(
    device,
    (p) => sigmoidGate({ ...p, x, gate }),
    { residual: device.zeros([3]) },
  ).pull([cotangent]).residual;
  assert.deepEqual([...await dResidual!.read()], [1, -2, 3]);
});

gpuTest("sigmoidGate() saturates without NaN over 300,007 elements", async (device) => {
  const n = 300_007;
  const gates = Float32Array.from({ length: n }, (_, i) => (i % 2001) - 1000);
  const x = device.tensor(new Float32Array(n).fill(2), [n]), gate = device.tensor(gates, [n]);
  assertClose(await sigmoidGate({ x, gate }).read(), Array.from(gates, (g) => 2 / (1 + Math.exp(-g))));
});

gpuTest("sigmoidGate() names the shapes that do not fit", (device) => {
  const x = device.zeros([2, 3]), other = device.zeros([3, 2]);
  assert.throws(() => sigmoidGate({ x, gate: other }), /gate is \[3,2\]/);
  assert.throws(() => sigmoidGate({ x, gate: x, residual: other }), /residual is \[3,2\]/);
});
