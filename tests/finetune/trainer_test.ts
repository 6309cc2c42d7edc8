import assert from "node:assert/strict";
import type { Device, Tensor } from "../../core/mod.ts";
import { Trainer, type TrainerOptions } from "../../finetune/mod.ts";
import { linear, meanSquaredError } from "../../ops/mod.ts";
import { gpuTest, randomArray } from "../_gpu.ts";

type Params = { weight: Tensor; bias: Tensor };
type Batch = { x: Tensor; y: Tensor };

function start(device: Device): Params {
  return { weight: device.tensor(randomArray(15, 1), [3, 5]), bias: device.tensor(randomArray(3, 2), [3]) };
}

function batch(device: Device, step: number): Batch {
  return { x: device.tensor(randomArray(35, 10 + step), [7, 5]), y: device.tensor(randomArray(21, 30 + step), [7, 3]) };
}

function trainerOf(device: Device, params: Params, more: Partial<TrainerOptions<Params, Batch>> = {}) {
  return new Trainer<Params, Batch>(device, {
    params,
    loss: ({ weight, bias }, { x, y }) => meanSquaredError(linear(x, { weight, bias }), y),
    optimizer: { learningRate: 0.01 },
    schedule: { kind: "cosine", warmup: 2, total: 8 },
    emaDecay: 0.9,
    ...more,
  });
}

gpuTest("Trainer restored from its state makes the same steps to the bit", async (device) => {
  const params = start(device);
  using one = trainerOf(device, params);
  for (let step = 0; step < 3; step++) await one.step(batch(device, step));
  const state = await one.state();
  const copy = {
    weight: device.tensor(await params.weight.read(), [3, 5]),
    bias: device.tensor(await params.bias.read(), [3]),
  };
  using other = trainerOf(device, copy);
  other.restore(structuredClone(state));
  assert.equal(other.steps, 3);
  for (let step = 3; step < 6; step++) {
    const [a, b] = [await one.step(batch(device, step)), await other.step(batch(device, step))];
    assert.equal(a.step, step);
    assert.deepEqual([b.step, b.loss, b.gradNorm, b.learningRate], [a.step, a.loss, a.gradNorm, a.learningRate]);
  }
  assert.deepEqual(await copy.weight.read(), await params.weight.read());
  assert.deepEqual(await copy.bias.read(), await params.bias.read());
  assert.deepEqual(await other.state(), await one.state());
});

gpuTest("Trainer lowers the loss of one batch and reports rates of the schedule", async (device) => {
  const params = start(device);
  using trainer = trainerOf(device, params, {
    schedule: { kind: "linear", warmup: 4, total: 40 },
    emaDecay: undefined,
  });
  const one = batch(device, 0);
  const losses: number[] = [];
  const rates: number[] = [];
  for (let step = 0; step < 40; step++) {
    const report = await trainer.step(one);
    losses.push(report.loss);
    rates.push(report.learningRate);
    assert.ok(report.totalMs >= report.forwardMs && report.savedBytes > 0 && report.gradNorm > 0);
  }
  assert.ok(losses[39] < 0.8 * losses[0], `${losses[0]} became ${losses[39]}`);
  assert.deepEqual(rates.slice(0, 4), [0.0025, 0.005, 0.0075, 0.01]);
  assert.ok(Math.abs(rates[39] - 0.01 / 36) < 1e-12);
});

gpuTest("Trainer refuses a loss that is not finite, and a state without the average it keeps", async (device) => {
  const params = start(device);
  using trainer = trainerOf(device, params);
  const { ema: _, ...without } = await trainer.state();
  assert.throws(() => trainer.restore(without), /no moving average/);
  const broken = { x: device.tensor(new Float32Array(35).fill(NaN), [7, 5]), y: batch(device, 0).y };
  await assert.rejects(trainer.step(broken), /^RangeError: The loss of step 0 is NaN: training diverged/);
});
