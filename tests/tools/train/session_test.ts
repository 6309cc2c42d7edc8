import assert from "node:assert/strict";
import { Device, DeviceLostError, Key, type Tensor, type Tree } from "../../../core/mod.ts";
import {
  distanceLoss,
  initTinyOpenFold,
  tinyOpenFold,
  tinyOpenFoldConfig,
  type TinyOpenFoldParams,
} from "../../../model/tiny_openfold/mod.ts";
import { multiply } from "../../../ops/mod.ts";
import { InputError } from "../../../tools/errors.ts";
import { type Batch, stackSamples } from "../../../tools/train/batches.ts";
import { CHECKPOINT_NAMES } from "../../../tools/networks/mod.ts";
import { CHECKPOINT_FILE, readRun } from "../../../tools/train/checkpoint_file.ts";
import { openTiny } from "../../../tools/train/data.ts";
import { runSteps } from "../../../tools/train/loop.ts";
import { predictDistances } from "../../../tools/fold/predict.ts";
import { TrainingSession } from "../../../tools/train/session.ts";
import { type EvoformerSettings, modelConfig, type TrainSettings } from "../../../tools/train/settings.ts";
import { wholeSample } from "../../../tools/train/structure_batches.ts";
import { upload } from "../../../tools/train/tiny_openfold.ts";
import { matmulTiles } from "../../../ops/matmul_tiles.ts";
import { setTuning, type Tuning, tuningOf } from "../../../ops/mod.ts";
import { ensureAdapter } from "../../../tools/platform/driver.ts";
import { assertClose, gpuTest } from "../../_gpu.ts";
import { GO_ON, inFolder, quietView, toyData, toyFamily, toySettings } from "./_toy.ts";

type TinySession = TrainingSession<TinyOpenFoldParams, Batch>;

async function open(device: Device, settings: TrainSettings<EvoformerSettings>, folder?: string): Promise<TinySession> {
  const learning = await openTiny(settings, settings.data.kind === "structures" ? await toyData() : undefined);
  return new TrainingSession(device, settings, learning, folder ? await readRun(folder, CHECKPOINT_NAMES) : undefined);
}

const numbersOf = <P extends Tree<Tensor>, B>(session: TrainingSession<P, B>) =>
  session.history.map(({ step, loss, gradNorm }) => [step, loss, gradNorm]);

const SYNTHETIC: TrainSettings<EvoformerSettings> = {
  ...toySettings({ numSteps: 4 }),
  model: { ...toySettings().model, seqLen: 5 },
  data: { kind: "synthetic" },
};
for (
  const [name, settings] of [
    ["structures, schedule, average, clipping and cut ends", {
      ...toySettings({ schedule: "cosine", lrWarmupSteps: 2, ema: 0.9, maxNorm: 1, cropEnds: 3 }),
    }],
    ["noise", SYNTHETIC],
  ] as const
) {
  gpuTest(
    `a run of ${name}, gone on from a checkpoint, gives the same losses to the bit`,
    (device) =>
      inFolder(async (folder) => {
        using whole = await open(device, settings);
        using first = await open(device, settings);
        while (whole.step < settings.training.numSteps) await whole.advance();
        while (first.step < 3) await first.advance();
        await Deno.writeFile(`${folder}/${CHECKPOINT_FILE}`, await first.encode());
        using second = await open(device, settings, folder);
        assert.equal(second.step, 3);
        while (second.step < settings.training.numSteps) await second.advance();
        assert.equal(whole.history.length, settings.training.numSteps);
        assert.deepEqual(numbersOf(second), numbersOf(whole));
        const input = { tokens: new Int32Array(6).fill(3), nRes: 3 };
        const predicted = (session: TinySession) =>
          session.withParams((params) => predictDistances(device, params, modelConfig(settings.model), input));
        assert.deepEqual(await predicted(second), await predicted(whole));
      }),
  );
}

gpuTest(
  "a run goes on with the kernels it was computed with, whatever the device prefers",
  (shared) =>
    inFolder(async (folder) => {
      const { gpu, traits } = shared;
      const settings = toySettings({ numSteps: 4 });
      const lines: (string | undefined)[] = [];
      const fresh = () => new Device(gpu, traits);
      const stepsOf = async (session: TinySession, steps = settings.training.numSteps) => {
        while (session.step < steps) await session.advance();
        return numbersOf(session);
      };
      const first = fresh(), built = tuningOf(first);
      const tile = matmulTiles(traits).find(({ family }) => family !== traits.kernelFamilies[0])!;
      const other: Tuning = { ...built, matmul: { large: tile, small: tile, long: tile }, attention: tile.family };
      setTuning(first, other);
      using whole = await open(first, settings);
      using begun = await open(first, settings);
      await stepsOf(begun, 2);
      await Deno.writeFile(`${folder}/${CHECKPOINT_FILE}`, await begun.encode());
      const next = fresh();
      using gone = await open(next, settings, folder);
      lines.push(gone.remark);
      assert.deepEqual(tuningOf(next), other);
      const numbers = await stepsOf(whole);
      assert.deepEqual(await stepsOf(gone), numbers);
      using preferred = await open(fresh(), settings);
      assert.notDeepEqual(await stepsOf(preferred), numbers); // so the kernels do decide the last bits
      // An adapter of another name, and one that does not have these kernels: the run goes on, and says what that means.
      using renamed = await open(new Device(gpu, { ...traits, description: "another adapter" }), settings, folder);
      using without = await open(
        new Device(gpu, { ...traits, kernelFamilies: [traits.kernelFamilies[0]] }),
        settings,
        folder,
      );
      await stepsOf(without);
      lines.push(renamed.remark, without.remark);
      assert.equal(lines[0], undefined);
      assert.match(
        lines[1]!,
        /^The run was computed on .*, and goes on on another adapter \(.*\): .* agree to rounding\.$/,
      );
      assert.match(
        lines[2]!,
        /^The run was computed on .* with kernels that .* does not have: .* agree to rounding\.$/,
      );
    }),
);

gpuTest("noise has five steps with updates before the first recorded one", async (device) => {
  using session = await open(device, SYNTHETIC);
  for (let step = 0; step < 5; step++) {
    assert.ok(session.warmingUp);
    assert.equal(await session.advance(), undefined);
  }
  assert.equal((await session.advance())?.step, 0);
});

gpuTest("a run cannot go on with other sizes, or with other data", (device) =>
  inFolder(async (folder) => {
    const settings = toySettings();
    {
      using session = await open(device, settings);
      await session.advance();
      await Deno.writeFile(`${folder}/${CHECKPOINT_FILE}`, await session.encode());
    }
    const larger = { ...settings, model: { ...settings.model, pairDim: 16 } };
    await assert.rejects(open(device, larger, folder), (error) => {
      assert.ok(error instanceof InputError);
      assert.match(
        error.message,
        /^Cannot resume: .* the parameter pair_embedding\.weight is \[8,65\], this model needs \[16,65\]$/,
      );
      return true;
    });
    await assert.rejects(open(device, { ...SYNTHETIC, model: settings.model }, folder), (error) => {
      assert.ok(error instanceof InputError);
      assert.match(
        error.message,
        /it was trained on other data \(3 structures, .*\) than those given \(1000 samples of noise; /,
      );
      return true;
    });
  }));

gpuTest("chains of different lengths in one batch give what each gives alone", async (device) => {
  const family = await toyFamily();
  const config = tinyOpenFoldConfig({ msaDim: 8, pairDim: 8, nBlocks: 2 });
  const params = initTinyOpenFold(device, config, Key.fromSeed(1));
  const samples = family.members.map((member) => wholeSample(family, member));
  const run = async (batch: Batch) => {
    const { inputs, target, lossMask } = upload(device, batch);
    const { distances } = tinyOpenFold(params, inputs, config);
    const loss: Tensor = distanceLoss(distances, target, lossMask);
    return { distances: await distances.read(), loss: await loss.item() };
  };
  const together = await run(stackSamples(samples));
  const n = Math.max(...samples.map(({ numRes }) => numRes));
  let sum = 0, count = 0;
  for (const [b, sample] of samples.entries()) {
    const alone = await run(stackSamples([sample]));
    const cut = Float32Array.from(
      { length: sample.numRes ** 2 },
      (_, k) => together.distances[b * n * n + Math.floor(k / sample.numRes) * n + k % sample.numRes],
    );
    assertClose(cut, alone.distances, { rtol: 1e-5 }, family.members[b].id);
    sum += alone.loss * sample.numRes ** 2;
    count += sample.numRes ** 2;
  }
  assertClose([together.loss], [sum / count], { rtol: 1e-5 });
});

gpuTest(
  "losses that are not finite end the run, and name the step and the checkpoint that is whole",
  async (device) => {
    using session = await open(device, toySettings({ learningRate: 1e30, numSteps: 20 }));
    const view = quietView();
    const options = { out: "runs/x", checkpointEvery: 2, view, stop: GO_ON, save: () => Promise.resolve() };
    await assert.rejects(runSteps(session, options), (error) => {
      assert.ok(error instanceof InputError);
      assert.match(
        error.message,
        /^10 steps in a row were skipped: the loss of step \d+ is (NaN|Infinity), the norm of its gradients \w+\. Training diverged: try a smaller learning rate\. /,
      );
      assert.match(error.message, /No checkpoint was written before\.$/, "none of what a step has spoilt");
      return true;
    });
  },
);

gpuTest(
  "a run goes on after a step that was skipped, and is resumed to the same bits",
  (device) =>
    inFolder(async (folder) => {
      const settings = toySettings({ numSteps: 5 });
      /** A run whose second step has a loss of NaN. */
      const spoilt = async (saved?: string) => {
        const learning = await openTiny(settings, await toyData());
        let step = saved ? 2 : 0;
        const lossOf: typeof learning.network.lossOf = (device, batch) => {
          const loss = learning.network.lossOf(device, batch);
          const factor = device.tensor([++step === 2 ? NaN : 1], []);
          return (params) => multiply(loss(params), factor);
        };
        const network = { ...learning.network, lossOf };
        return new TrainingSession(
          device,
          settings,
          { ...learning, network },
          saved ? await readRun(saved, CHECKPOINT_NAMES) : undefined,
        );
      };
      using one = await spoilt();
      while (one.step < 2) await one.advance();
      await Deno.writeFile(`${folder}/${CHECKPOINT_FILE}`, await one.encode());
      using other = await spoilt(folder);
      assert.deepEqual(other.history, one.history);
      for (const run of [one, other]) while (run.step < 5) await run.advance();
      assert.deepEqual(one.history.map(({ skippedSteps }) => skippedSteps), [0, 1, 1, 1, 1]);
      assert.deepEqual(one.history.map(({ loss }) => Number.isFinite(loss)), [true, false, true, true, true]);
      assert.deepEqual(numbersOf(other), numbersOf(one));
    }),
);

gpuTest("runSteps() saves every few steps and at the end, and when it is asked to stop", async (device) => {
  const saves: number[] = [];
  using session = await open(device, toySettings({ numSteps: 5 }));
  const options = {
    out: "x",
    checkpointEvery: 2,
    view: quietView(),
    save: () => Promise.resolve(void saves.push(session.step)),
  };
  let polls = 0;
  const stop = { poll: () => Promise.resolve(++polls === 4) };
  assert.equal(await runSteps(session, { ...options, stop }), "asked to stop");
  assert.deepEqual(saves, [2, 3]);
  assert.equal(await runSteps(session, { ...options, stop: GO_ON, savedStep: 3 }), "all steps");
  assert.deepEqual(saves, [2, 3, 4, 5]);
  assert.equal(await runSteps(session, { ...options, stop: GO_ON, savedStep: 5 }), "all steps");
  assert.deepEqual(saves, [2, 3, 4, 5]);
  assert.deepEqual(options.view.steps, [1, 2, 3, 4, 5]);
});

gpuTest("runSteps() passes on that nothing can be saved, and says which checkpoint is whole", async (device) => {
  using session = await open(device, toySettings({ numSteps: 5 }));
  const save = () =>
    session.step < 3 ? Promise.resolve() : Promise.reject(new InputError("Cannot write x: the disk is full"));
  const options = { out: "x", checkpointEvery: 2, view: quietView(), stop: GO_ON, save };
  await assert.rejects(runSteps(session, options), (error) => {
    assert.ok(error instanceof InputError);
    assert.equal(
      error.message,
      "Cannot write x: the disk is full. The checkpoint of step 2 in x is whole; go on from it with: denofold train --resume x",
    );
    return true;
  });
});

Deno.test({
  name: "a device lost in the middle ends the run with the way to go on",
  sanitizeResources: false,
  sanitizeOps: false,
  async fn() {
    const device = await Device.open((await ensureAdapter()).adapter);
    const session = await open(device, toySettings({ numSteps: 9 }));
    const view = { ...quietView(), step: (done: number) => void (done === 5 && device.gpu.destroy()) };
    const options = { out: "x", checkpointEvery: 2, view, stop: GO_ON, save: () => Promise.resolve() };
    await assert.rejects(runSteps(session, options), (error) => {
      assert.ok(error instanceof DeviceLostError, String(error));
      assert.match(
        error.message,
        /^The GPU device was lost.*The checkpoint of step 4 in x is whole; go on from it with: denofold train --resume x$/,
      );
      return true;
    });
    session[Symbol.dispose]();
  },
});
