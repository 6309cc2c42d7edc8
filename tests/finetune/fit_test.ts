import assert from "node:assert/strict";
import { type Device, entries, Key, type Tensor } from "../../core/mod.ts";
import {
  type EpochRecord,
  evaluateSet,
  FineTuner,
  fineTuningLoss,
  FIT_DEFAULTS,
  type FitSettings,
  type FitState,
  type FitStep,
  initTaskHeads,
  labelHeadConfig,
  type LabelledSet,
  learningRateFactor,
  strategyOf,
} from "../../finetune/mod.ts";
import { alphafoldConfig, type AlphaFoldParams } from "../../model/mod.ts";
import { assertClose, gpuTest, randomArray } from "../_gpu.ts";

const C = 6;
const CONFIG = {
  network: alphafoldConfig("model_1_ptm", { cS: C }),
  tasks: { affinity: { head: labelHeadConfig(C, { hidden: 8, dropout: 0.1 }) } },
  headInput: "evoformer" as const,
};
const SETTINGS: FitSettings = { ...FIT_DEFAULTS, epochs: 3, accumulate: 3, warmup: 2, emaDecay: 0.9 };

/** Proteins whose representations are known; the label is the sum of the mean of two channels. */
function knownSet(device: Device, size: number, seed = 0): LabelledSet {
  return {
    size,
    load(index) {
      const n = 3 + index % 4;
      const numbers = randomArray(n * C, 1000 * seed + index + 1);
      let label = 0;
      for (let i = 0; i < n; i++) label += (numbers[i * C] + 2 * numbers[i * C + 1]) / n;
      return { input: { s: device.tensor(numbers, [1, n, C]) }, labels: { affinity: [label] } };
    },
  };
}

function tunerOf(
  device: Device,
  settings: Partial<FitSettings> = {},
  own: { train?: LabelledSet; rate?: number } = {},
) {
  return new FineTuner(device, {
    params: { model: {} as AlphaFoldParams, heads: initTaskHeads(device, CONFIG.tasks, Key.fromSeed(1)) },
    strategy: strategyOf("head_only", 48, { learningRate: own.rate ?? 0.01 }),
    config: CONFIG,
    settings: { ...SETTINGS, ...settings },
    train: own.train ?? knownSet(device, 10),
    validation: knownSet(device, 4, 1),
  });
}

const numbersOf = (tuner: FineTuner) =>
  Promise.all(entries<Tensor>(tuner.trained as never).map(async ([, t]) => [...await t.read() as Float32Array]));

/** Runs to the end and writes down what was told. */
async function follow(tuner: FineTuner) {
  const steps: FitStep[] = [], epochs: EpochRecord[] = [], best: number[] = [];
  const end = await tuner.run({
    step: (step) => void steps.push(step),
    epoch(record, isBest) {
      epochs.push(record);
      if (isBest) best.push(record.epoch);
    },
  });
  return { steps, epochs, best, end };
}

gpuTest("epochs of windows: true lengths, orders, learning rates, history", async (device) => {
  using tuner = tunerOf(device);
  assert.equal(tuner.totalSteps, 3 * 4);
  const { steps, epochs, end, best } = await follow(tuner);
  assert.equal(end, "done");
  assert.deepEqual(steps.map(({ samples }) => samples.length), [3, 3, 3, 1, 3, 3, 3, 1, 3, 3, 3, 1]);
  const orders = [0, 1, 2].map((e) => steps.slice(4 * e, 4 * e + 4).flatMap(({ samples }) => samples.flat()));
  for (const order of orders) assert.deepEqual(order.toSorted((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.notDeepEqual(orders[0], orders[1]);
  const schedule = { kind: "cosine", warmup: 2, total: 12, min: 1e-6 } as const;
  assertClose(
    steps.map(({ learningRate }) => learningRate),
    steps.map((_, k) => 0.01 * learningRateFactor(k, schedule)),
  );
  // A window's loss is the mean of its own batches, however few.
  for (const { loss, losses } of steps) assertClose([loss], [losses.reduce((a, x) => a + x, 0) / losses.length]);
  assert.deepEqual(epochs, tuner.progress.history);
  epochs.forEach(({ epoch, trainLoss, steps: done, learningRates }, e) => {
    const losses = steps.slice(4 * e, 4 * e + 4).flatMap(({ losses }) => losses);
    assert.deepEqual([epoch, done, learningRates], [e + 1, 4 * (e + 1), steps[4 * e + 3].learningRates]);
    assertClose([trainLoss!], [losses.reduce((a, x) => a + x, 0) / losses.length]);
  });
  const smallest = epochs.toSorted((a, b) => a.validationLoss! - b.validationLoss!)[0];
  assert.equal(best.at(-1), smallest.epoch);
  assert.deepEqual(tuner.progress.best, { epoch: smallest.epoch, loss: smallest.validationLoss });
});

gpuTest("batches of several samples have one loss, and the last may be smaller", async (device) => {
  using tuner = tunerOf(device, { batchSize: 4, accumulate: 2, epochs: 1 });
  const { steps } = await follow(tuner);
  assert.deepEqual(steps.map(({ samples }) => samples.map(({ length }) => length)), [[4, 4], [2]]);
  assert.deepEqual(steps.map(({ losses }) => losses.length), [2, 1]);
});

gpuTest("validation runs on the average and puts the parameters back to the bit", async (device) => {
  using tuner = tunerOf(device);
  await follow(tuner);
  const before = await numbersOf(tuner);
  const set = knownSet(device, 4, 1);
  const average = await tuner.evaluate(set), live = await tuner.evaluate(set, true);
  assert.deepEqual(await numbersOf(tuner), before);
  assert.equal(average.loss, tuner.progress.history.at(-1)!.validationLoss);
  assert.notEqual(live.loss, average.loss);
  using plain = tunerOf(device, { emaDecay: 0 });
  await follow(plain);
  assert.equal(plain.progress.history.at(-1)!.validationLoss, live.loss);
});

gpuTest("stopped after any step and gone on from its state: the same bits as without", async (device) => {
  using whole = tunerOf(device);
  const { steps } = await follow(whole);
  const wanted = { losses: steps.map(({ losses }) => losses), end: await numbersOf(whole), state: await whole.state() };
  for (let stopAt = 1; stopAt <= steps.length; stopAt++) {
    const seen: (readonly number[])[] = [];
    using first = tunerOf(device);
    let saved: { numbers: number[][]; state: FitState } | undefined;
    const end = await first.run({
      async step({ losses }) {
        seen.push(losses);
        if (seen.length === stopAt) saved = { numbers: await numbersOf(first), state: await first.state() };
      },
      stop: () => seen.length >= stopAt,
    });
    assert.equal(end, stopAt === steps.length ? "done" : "stopped");
    assert.equal(seen.length, stopAt);
    const { numbers, state } = structuredClone(saved!);

    using second = tunerOf(device);
    entries<Tensor>(second.trained as never).forEach(([, tensor], i) => device.write(tensor, numbers[i]));
    second.restore(state);
    const { steps: rest } = await follow(second);
    assert.deepEqual([...seen, ...rest.map(({ losses }) => losses)], wanted.losses, `stopped after ${stopAt}`);
    assert.deepEqual(await numbersOf(second), wanted.end);
    const { trainer, progress } = await second.state();
    assert.deepEqual(trainer, wanted.state.trainer);
    const plain = (history: readonly EpochRecord[]) => history.map((record) => ({ ...record, seconds: 0 }));
    assert.deepEqual(plain(progress.history), plain(wanted.state.progress.history));
    assert.deepEqual(progress.best, wanted.state.progress.best);
  }
});

gpuTest("the seed decides", async (device) => {
  const run = async (seed: number) => {
    using tuner = tunerOf(device, { seed, epochs: 1 });
    return (await follow(tuner)).steps.map(({ losses }) => losses);
  };
  const one = await run(1);
  assert.deepEqual(await run(1), one);
  assert.notDeepEqual(await run(2), one);
});

gpuTest("patience counts epochs since the strictly smallest validation loss", async (device) => {
  // Labels of noise, learned fast: validation gets worse.
  const set = knownSet(device, 6);
  const train: LabelledSet = {
    size: 6,
    load: async (i) => ({ ...await set.load(i), labels: { affinity: [i % 2 ? 9 : -9] } }),
  };
  using tuner = tunerOf(device, { epochs: 40, patience: 3, emaDecay: 0, warmup: 0, schedule: "constant" }, {
    ...{ train, rate: 0.1 },
  });
  const { epochs, end } = await follow(tuner);
  assert.equal(end, "patience");
  const best = tuner.progress.best!.epoch;
  assert.equal(epochs.length, best + 3);
  assert(epochs.slice(best).every(({ validationLoss }) => validationLoss! >= tuner.progress.best!.loss));
});

gpuTest("a sample whose loss is NaN costs its step alone, and is told", async (device) => {
  const set = knownSet(device, 6);
  const train: LabelledSet = {
    size: 6,
    load: (i) =>
      i === 4
        ? { input: { s: device.tensor([NaN, 0, 0, 0, 0, 0], [1, 1, C]) }, labels: { affinity: [1] } }
        : set.load(i),
  };
  using tuner = tunerOf(device, { epochs: 1, accumulate: 2 }, { train });
  const { steps, epochs } = await follow(tuner);
  const bad = steps.filter(({ skipped }) => skipped);
  assert.equal(bad.length, 1);
  const at = bad[0].losses.findIndex(Number.isNaN);
  assert.deepEqual(bad[0].samples[at], [4]);
  assert(Number.isFinite(epochs[0].trainLoss) && epochs[0].skippedSteps === 1);
  assert((await numbersOf(tuner)).flat().every(Number.isFinite));
});

gpuTest("settings out of range and an empty training set are refused", (device) => {
  const refused = (settings: Partial<FitSettings>, message: RegExp) =>
    assert.throws(() => tunerOf(device, settings), { name: "RangeError", message });
  refused({ epochs: 0 }, /epochs is a whole number of at least 1, got 0/);
  refused({ accumulate: 1.5 }, /accumulate is a whole number/);
  refused({ emaDecay: 1 }, /emaDecay is at least 0 and below 1, got 1/);
  refused({ maxNorm: -1 }, /maxNorm is at least 0, got -1/);
  assert.throws(() => tunerOf(device, {}, { train: { size: 0, load: () => assert.fail() } }), /training set is empty/);
});

gpuTest(
  "bucketed batches hold proteins of like lengths, all of them once, others in each epoch, decided by the seed",
  (device) => {
    const lengths = randomArray(50, 3).map((x) => Math.round(20 + 10 * x));
    const train = { ...knownSet(device, 50), residues: (index: number) => lengths[index] };
    using tuner = tunerOf(device, { batchSize: 4, bucket: true }, { train });
    using again = tunerOf(device, { batchSize: 4, bucket: true }, { train });
    const [first, second] = [0, 1].map((epoch) => tuner.order(epoch));
    assert.deepEqual(again.order(0), first);
    assert.notDeepEqual(second, first);
    for (const order of [first, second]) {
      assert.deepEqual(order.flat().toSorted((a, b) => a - b), Array.from(lengths, (_, i) => i));
      const spread = order.map((batch) => batch.map((i) => lengths[i])).map((l) => Math.max(...l) - Math.min(...l));
      assert(spread.reduce((a, b) => a + b) / spread.length < 4);
      const means = order.map((batch) => lengths[batch[0]]);
      assert.notDeepEqual(means, means.toSorted((a, b) => a - b), "batches come by length");
    }
  },
);

gpuTest("stacked representations of other lengths have the loss that they have apart", async (device) => {
  const heads = initTaskHeads(device, CONFIG.tasks, Key.fromSeed(1));
  const set = knownSet(device, 3);
  const batch = await Promise.all([0, 1, 2].map((i) => set.load(i)));
  const loss = (stacked: boolean) =>
    fineTuningLoss({ model: {} as AlphaFoldParams, heads }, batch, CONFIG, { stacked }).item();
  assertClose([await loss(true)], [await loss(false)]);
});

gpuTest("a protein that was labelled several times runs once, and each label counts", async (device) => {
  const heads = initTaskHeads(device, CONFIG.tasks, Key.fromSeed(1)), params = { model: {} as AlphaFoldParams, heads };
  const [first, second] = await Promise.all([0, 1].map((i) => knownSet(device, 2).load(i)));
  const again = { ...first, labels: [{ affinity: [1] }, { affinity: [4] }, { affinity: [NaN] }] };
  const loss = (batch: Parameters<typeof fineTuningLoss>[1], stacked = false) =>
    fineTuningLoss(params, batch, CONFIG, { stacked }).item();
  const alone = await Promise.all([1, 4].map((label) => loss([{ ...first, labels: { affinity: [label] } }])));
  const other = await loss([second]);
  assertClose([await loss([again])], [(alone[0] + alone[1]) / 2]);
  for (const stacked of [false, true]) {
    assertClose([await loss([again, second], stacked)], [(alone[0] + alone[1] + other) / 3], { rtol: 1e-5 });
  }
  const { predictions, loss: whole } = await evaluateSet(device, params, CONFIG, {
    size: 2,
    load: (i) => [again, second][i],
  });
  assert.equal(predictions.affinity.length, 4);
  assert(predictions.affinity[0] === predictions.affinity[1] && predictions.affinity[1] !== predictions.affinity[3]);
  assertClose([whole], [(alone[0] + alone[1] + other) / 3], { rtol: 1e-5 });
});
