import assert from "node:assert/strict";
import { Device, DeviceLostError, OutOfMemoryError, type Tensor } from "../../core/mod.ts";
import { decodeCheckpoint, encodeCheckpoint, Trainer, type TrainerOptions } from "../../finetune/mod.ts";
import { add, linear, meanSquaredError, multiply, multiplyScalar, reshape, sqrt, sum } from "../../ops/mod.ts";
import { ensureAdapter } from "../../tools/platform/driver.ts";
import { assertClose, gpuTest, randomArray, testDevice } from "../_gpu.ts";
import { faultyGpu } from "../core/_faulty_gpu.ts";

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

gpuTest("maxNormEach clips the gradient of each batch by itself, then weighs them", async (device) => {
  const batches = [batch(device, 0), batch(device, 1)];
  const gradients = async (more: Partial<TrainerOptions<Params, Batch>>, used: readonly Batch[]) => {
    using trainer = trainerOf(device, start(device), more);
    for (const one of used) await trainer.accumulate(one, 1 / used.length);
    const found = [...trainer.gradientsByPath().values()];
    const numbers: number[] = [];
    for (const gradient of found) numbers.push(...await gradient.read());
    return numbers;
  };
  const norm = (x: readonly number[]) => Math.hypot(...x);
  const [a, b] = [await gradients({}, [batches[0]]), await gradients({}, [batches[1]])];
  const most = (norm(a) + norm(b)) / 2; // clips one of the two
  const clip = (x: readonly number[]) => x.map((value) => value * Math.min(1, most / norm(x)) / 2);
  const [first, second] = [clip(a), clip(b)];
  const found = await gradients({ maxNormEach: most }, batches);
  assertClose(found, first.map((value, i) => value + second[i]), { rtol: 1e-5, atol: 1e-7 });
  const both = a.map((value, i) => (value + b[i]) / 2);
  assert(found.some((value, i) => Math.abs(value - both[i]) > 1e-3), "neither was clipped");
});

gpuTest("Trainer refuses a state without the average it keeps", async (device) => {
  const params = start(device);
  using trainer = trainerOf(device, params);
  const { ema: _, ...without } = await trainer.state();
  assert.throws(() => trainer.restore(without), /no moving average/);
});

/** A batch on which the loss is finite and the gradient is not: √x is 0 at 0, its slope infinite. */
const spoilt = (device: Device): Spoilable => ({ ...batch(device, 0), spoil: device.zeros([1]) });
type Spoilable = Batch & { spoil?: Tensor };

function spoilableTrainer(device: Device, params: Params, more: Partial<TrainerOptions<Params, Spoilable>> = {}) {
  return new Trainer<Params, Spoilable>(device, {
    params,
    loss: ({ weight, bias }, { x, y, spoil }) => {
      const loss = meanSquaredError(linear(x, { weight, bias }), y);
      if (!spoil) return loss;
      return add(loss, reshape(sum(sqrt(multiply(spoil, weight))), []));
    },
    optimizer: { learningRate: 0.01, maxNorm: 1 },
    emaDecay: 0.9,
    ...more,
  });
}

gpuTest(
  "a step with a finite loss and a gradient of NaN changes nothing, to the bit, and is counted",
  async (device) => {
    const params = start(device), control = start(device);
    using trainer = spoilableTrainer(device, params);
    using other = spoilableTrainer(device, control);
    for (let step = 0; step < 3; step++) {
      await trainer.step(batch(device, step));
      await other.step(batch(device, step));
    }
    const bits = async () => {
      const { optimizer, ema } = await trainer.state();
      return [await params.weight.read(), await params.bias.read(), optimizer.m, optimizer.v, ema!].map(bitsOf);
    };
    const before = await bits();
    const report = await trainer.step(spoilt(device));
    assert.ok(Number.isFinite(report.loss) && !Number.isFinite(report.gradNorm), `${report.loss}, ${report.gradNorm}`);
    assert.deepEqual([report.step, report.skipped, report.skippedSteps, trainer.steps], [3, true, 1, 4]);
    assert.deepEqual(await bits(), before);
    // The next step is the one that would have come without it: the corrections of the moments did not move on.
    const next = await trainer.step(batch(device, 3)), expected = await other.step(batch(device, 3));
    assert.deepEqual([next.loss, next.gradNorm, next.skipped, next.skippedSteps], [
      expected.loss,
      expected.gradNorm,
      false,
      1,
    ]);
    assert.deepEqual(bitsOf(await params.weight.read()), bitsOf(await control.weight.read()));
    assert.deepEqual(bitsOf((await trainer.state()).ema!), bitsOf((await other.state()).ema!));
  },
);

gpuTest(
  "steps that cannot be made end the run after a limit, in a row; a state goes on with the count",
  async (device) => {
    const params = start(device);
    using trainer = spoilableTrainer(device, params, { maxSkipped: 3 });
    const bad = spoilt(device), nan = { ...batch(device, 0), x: device.tensor(new Float32Array(35).fill(NaN), [7, 5]) };
    await trainer.step(bad);
    await trainer.step(nan);
    assert.equal((await trainer.step(batch(device, 1))).skippedSteps, 2);
    await trainer.step(bad);
    await trainer.step(bad);
    const state = await trainer.state();
    assert.deepEqual([state.step, state.skippedInARow, state.optimizer.step], [5, 2, 1]);
    const weight = await params.weight.read();
    await assert.rejects(trainer.step(nan), {
      name: "RangeError",
      message: "3 steps in a row were skipped: the loss of step 5 is NaN, the norm of its gradients NaN. " +
        "Training diverged: try a smaller learning rate",
    });
    assert.deepEqual(await params.weight.read(), weight);
    assert.equal(trainer.skippedSteps, 5);
    using resumed = spoilableTrainer(device, params, { maxSkipped: 3 });
    const { trainer: saved } = decodeCheckpoint(await encodeCheckpoint(params, {}, state), "x");
    assert.deepEqual(saved, state);
    resumed.restore(saved!);
    assert.equal(resumed.skippedSteps, 4);
    await assert.rejects(resumed.step(bad), /^RangeError: 3 steps in a row were skipped/);
    using fresh = spoilableTrainer(device, params, { maxSkipped: 1 });
    await assert.rejects(fresh.step(bad), /1 steps in a row were skipped: the loss of step 0 is [\d.]+, the norm/);
  },
);

Deno.test({
  name: "a device lost in a step is a DeviceLostError, and the trainer counts no step",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    using device = await Device.open((await ensureAdapter()).adapter);
    using trainer = trainerOf(device, start(device));
    await trainer.step(batch(device, 0));
    device.gpu.destroy();
    await assert.rejects(trainer.step(batch(device, 1)), DeviceLostError);
    await assert.rejects(trainer.step(batch(device, 1)), DeviceLostError);
    assert.equal(trainer.steps, 1);
    assert.equal(trainer.skippedSteps, 0);
  },
});

Deno.test({
  name: "a step that runs out of memory changes nothing, and is made again with a smaller batch",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const { gpu, faults } = faultyGpu(await (await ensureAdapter()).adapter.requestDevice());
    const bare = { kernelFamilies: ["plain"], loadPaths: ["buffers"], subgroupSize: 0, timestamps: false } as const;
    using device = new Device(gpu, { ...(await testDevice()).traits, ...bare });
    const params = start(device);
    const large = (rows: number): Batch => ({ x: device.zeros([rows, 5]), y: device.zeros([rows, 3]) });
    using trainer = trainerOf(device, params);
    using all = device.scope("all");
    await trainer.step(large(7));
    const weight = bitsOf(await params.weight.read()), { optimizer } = await trainer.state();
    faults.memoryBytes = 2 ** 22;
    await assert.rejects(
      async () => {
        using _ = device.scope("try");
        await trainer.step(large(2 ** 17));
      },
      OutOfMemoryError,
    );
    assert.deepEqual(bitsOf(await params.weight.read()), weight);
    assert.deepEqual((await trainer.state()).optimizer, optimizer);
    assert.equal((await trainer.step(large(2 ** 10))).step, 1);
    assert.ok(all.name);
  },
});

function bitsOf(numbers: ArrayLike<number>): number[] {
  return [...new Uint32Array(Float32Array.from(numbers).buffer)];
}

gpuTest("a step of several batches is that of their weighted sum; their losses are told one by one", async (device) => {
  const params = start(device), control = start(device);
  const options = { optimizer: { learningRate: 0.01, maxNorm: 0.1 } };
  using trainer = trainerOf(device, params, options);
  const batches = [0, 1, 2].map((step) => batch(device, step));
  const each: number[] = [];
  for (const one of batches) {
    each.push(await meanSquaredError(linear(one.x, params), one.y).item());
    await trainer.accumulate(one, 1 / 3);
  }
  assert.ok(trainer.gradients && trainer.gradients.size >= 18);
  await assert.rejects(trainer.state(), /gradients wait/);
  const report = await trainer.apply();
  assert.equal(trainer.gradients, null);
  assert.deepEqual(report.losses, each);
  assertClose([report.loss], [(each[0] + each[1] + each[2]) / 3]);
  using whole = new Trainer<Params, Batch[]>(device, {
    ...{ params: control, ...options, schedule: { kind: "cosine", warmup: 2, total: 8 }, emaDecay: 0.9 },
    loss: (p, batches) =>
      batches.map(({ x, y }) => multiplyScalar(meanSquaredError(linear(x, p), y), 1 / 3)).reduce(add),
  });
  const expected = await whole.step(batches);
  assertClose([report.loss, report.gradNorm], [expected.loss, expected.gradNorm], { rtol: 1e-5 });
  assertClose(await params.weight.read(), await control.weight.read(), { rtol: 1e-5, atol: 1e-6 });
  await assert.rejects(trainer.apply(), /no gradients to make a step of/);
});

gpuTest("a bad batch among others skips the whole step, and its loss says which it was", async (device) => {
  const params = start(device);
  using trainer = trainerOf(device, params);
  const before = bitsOf(await params.weight.read());
  await trainer.accumulate(batch(device, 0), 0.5);
  await trainer.accumulate({ ...batch(device, 1), x: device.tensor(new Float32Array(35).fill(NaN), [7, 5]) }, 0.5);
  const { skipped, losses } = await trainer.apply();
  assert.equal(skipped, true);
  assert.deepEqual(losses.map(Number.isFinite), [true, false]);
  assert.deepEqual(bitsOf(await params.weight.read()), before);
});
