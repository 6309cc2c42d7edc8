import assert from "node:assert/strict";
import { ExponentialMovingAverage } from "../../finetune/mod.ts";
import { assertClose, gpuTest, randomArray } from "../_gpu.ts";
import fixture from "./fixtures/ema.json" with { type: "json" };

for (const { decay, start, target, n, value } of fixture.constant_target) {
  gpuTest(`the moving average with decay ${decay} goes to a constant as 10 - 9 d^n`, async (device) => {
    const params = { a: device.tensor([start], [1]) };
    using ema = new ExponentialMovingAverage(device, params, decay);
    device.write(params.a, [target]);
    let steps = 0;
    for (const [i, count] of n.entries()) {
      for (; steps < count; steps++) ema.update(params);
      assertClose([(await ema.state())[0]], [value[i]], { rtol: 2e-5, atol: 0 }, `after ${count} steps`);
    }
  });
}

gpuTest("the moving average follows a sequence", async (device) => {
  const { decay, initial, values, shadow } = fixture.sequence;
  const params = { a: device.tensor([initial], [1]) };
  using ema = new ExponentialMovingAverage(device, params, decay);
  for (const [i, value] of values.entries()) {
    device.write(params.a, [value]);
    ema.update(params);
    assertClose([(await ema.state())[0]], [shadow[i]], { rtol: 1e-5, atol: 1e-7 }, `step ${i}`);
  }
});

gpuTest("apply() puts the average in place of the parameters and the same bits back", async (device) => {
  const [first, second] = [randomArray(7, 1), randomArray(7, 2)];
  const [other, changed] = [randomArray(258, 3), randomArray(258, 4)];
  const params = { a: device.tensor(first, [7]), deep: [{ b: device.tensor(other, [2, 129]) }] };
  using ema = new ExponentialMovingAverage(device, params, 0.75);
  device.write(params.a, second);
  device.write(params.deep[0].b, changed);
  ema.update(params);
  const mixed = (from: Float32Array, to: Float32Array) => from.map((x, i) => 0.75 * x + 0.25 * to[i]);
  {
    using _applied = ema.apply(params);
    assertClose(await params.a.read(), mixed(first, second));
    assertClose(await params.deep[0].b.read(), mixed(other, changed));
  }
  assert.deepEqual(await params.a.read(), second);
  assert.deepEqual(await params.deep[0].b.read(), changed);
});

gpuTest("a moving average goes on from its state to the same bits", async (device) => {
  const params = { a: device.tensor(randomArray(5, 1), [5]) };
  using one = new ExponentialMovingAverage(device, params, 0.9);
  using other = new ExponentialMovingAverage(device, params, 0.9);
  device.write(params.a, randomArray(5, 2));
  one.update(params);
  other.restore(await one.state());
  device.write(params.a, randomArray(5, 3));
  one.update(params);
  other.update(params);
  assert.deepEqual(await other.state(), await one.state());
  assert.throws(() => new ExponentialMovingAverage(device, params, 1.5), RangeError);
  assert.throws(() => other.restore(new Float32Array(3)), TypeError);
});
