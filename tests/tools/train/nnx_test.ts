import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { entries, type Tensor } from "../../../core/mod.ts";
import { flaxName, type NnxEvoformerParams, transposed } from "../../../model/nnx_evoformer/mod.ts";
import { type NamedArray, parseSafetensors, toFloat32 } from "../../../model/weights/safetensors.ts";
import { InputError } from "../../../tools/errors.ts";
import { CHECKPOINT_NAMES } from "../../../tools/networks/mod.ts";
import { readTrainedModel } from "../../../tools/fold/predict.ts";
import type { BatchSource } from "../../../tools/train/batches.ts";
import { readRun } from "../../../tools/train/checkpoint_file.ts";
import { type NnxBatch, nnxBatches, nnxNetwork, openNnx } from "../../../tools/train/nnx_evoformer.ts";
import { resolveSettings, type TrainFlags } from "../../../tools/train/options.ts";
import { TrainingSession } from "../../../tools/train/session.ts";
import { type EvoformerSettings, NNX_MODEL } from "../../../tools/train/settings.ts";
import { train, type TrainRequest } from "../../../tools/train/train.ts";
import { assertClose, gpuTest } from "../../_gpu.ts";
import { GO_ON, inFolder, quietView } from "./_toy.ts";

/** Batches, losses and the first numbers of each kernel of three steps of the notebook's loop in Flax. */
const GOLDEN = fileURLToPath(new URL("../../fixtures/flax/nnx_train_adam3.safetensors", import.meta.url));

const SMALL: TrainFlags = { model: "nnx", msaDim: 6, pairDim: 5, numSeqs: 3, seqLen: 4 };

async function golden(): Promise<ReadonlyMap<string, NamedArray>> {
  return parseSafetensors(await Deno.readFile(GOLDEN), GOLDEN).tensors;
}

gpuTest("fresh parameters are those of Flax for the same seed", async (device) => {
  const arrays = await golden();
  const params = nnxNetwork({ ...NNX_MODEL, msaDim: 12, pairDim: 10 }).init(device, 0);
  let compared = 0;
  for (const [path, tensor] of entries<Tensor>(params)) {
    const data = await tensor.read();
    if (tensor.shape.length === 2) {
      const kernel = transposed(data, tensor.shape);
      const expected = toFloat32(arrays.get(`start/${flaxName(path, tensor.shape)}`)!);
      assertClose(kernel.subarray(0, 8), expected, { rtol: 1e-6, atol: 1e-7 }, path);
      compared++;
    } else assert.ok(data.every((x) => x === (path.endsWith("weight") ? 1 : 0)), path);
  }
  assert.equal(compared, [...arrays.keys()].filter((name) => name.startsWith("start/")).length);
});

gpuTest("the losses of the notebook's steps are those of Flax", async (device) => {
  const arrays = await golden();
  const losses = toFloat32(arrays.get("out/losses")!);
  const settings = resolveSettings<EvoformerSettings>(
    { model: "nnx", msaDim: 12, pairDim: 10, numSeqs: 4, seqLen: 7 },
    {},
  );
  const batch = (step: number): NnxBatch => {
    const [msa, pairs] = ["msa", "pairs"].map((name) => arrays.get(`in/step${step}_${name}`)!);
    return { msa: toFloat32(msa), msaShape: msa.shape, pairs: toFloat32(pairs), pairsShape: pairs.shape };
  };
  const source: BatchSource<NnxBatch> = { ...nnxBatches({ ...settings, ...settings.training }), batch };
  using session = new TrainingSession(device, settings, { ...openNnx(settings), source });
  for (const loss of losses) assertClose([(await session.advance())!.loss], [loss], { rtol: 1e-5, atol: 0 });
  assert.equal(session.step, 3);
});

gpuTest("the first loss at the notebook's own sizes is that of Flax", async (device) => {
  const settings = resolveSettings<EvoformerSettings>({ model: "nnx" }, {});
  const { network, source } = openNnx(settings);
  const params: NnxEvoformerParams = network.init(device, settings.training.seed);
  const loss = await network.lossOf(device, source.batch(0))(params).item();
  assertClose([loss], [3.6658706665039062], { rtol: 1e-6, atol: 0 });
});

Deno.test("nnxBatches() is a function of the step alone, and of the seed", () => {
  const { model } = resolveSettings<EvoformerSettings>(SMALL, {});
  const open = (seed: number) => nnxBatches({ model, batchSize: 2, seed });
  const [one, other] = [open(0), open(0)];
  const inOrder = [0, 1, 2, 3].map((step) => one.batch(step));
  assert.deepEqual(other.batch(3), inOrder[3]);
  assert.deepEqual(other.batch(1), inOrder[1]);
  assert.deepEqual(inOrder[0].msaShape, [2, 3, 4, 6]);
  assert.deepEqual(inOrder[0].pairsShape, [2, 4, 4, 5]);
  assert.equal(inOrder[0].msa.length, 144);
  assert.equal(new Set(inOrder.map(({ pairs }) => pairs[0])).size, 4);
  assert.notDeepEqual(open(1).batch(0), inOrder[0]);
  assert.notEqual(open(1).fingerprint, one.fingerprint);
});

gpuTest(
  "a run writes checkpoint, losses, speed and report, and goes on to the same bits",
  (device) =>
    inFolder(async (folder) => {
      const run = async (name: string, flags: TrainFlags, saved?: string) => {
        const out = join(folder, name);
        const found = saved === undefined ? undefined : await readRun(join(folder, saved), CHECKPOINT_NAMES);
        const settings = resolveSettings(flags, { saved: found?.settings });
        const request: TrainRequest = {
          settings,
          out,
          profileDir: out,
          checkpointEvery: 2,
          command: "x",
          saved: found,
        };
        const outcome = await train(request, { device, adapter: "test", view: quietView(), stop: GO_ON });
        assert.equal(outcome.finished, true);
        const rows = (await Deno.readTextFile(join(out, "loss_history.csv"))).trim().split("\n");
        return { out, losses: rows.map((row) => row.split(",").slice(0, 3).join()) };
      };
      const whole = await run("whole", { ...SMALL, numSteps: 5, ema: 0.9 });
      await run("half", { ...SMALL, numSteps: 3, ema: 0.9 });
      const rest = await run("rest", { resume: "half", numSteps: 5 }, "half");
      assert.equal(whole.losses.length, 6);
      assert.deepEqual(rest.losses, whole.losses);
      const names = [...Deno.readDirSync(whole.out)].map(({ name }) => name).sort();
      assert.deepEqual(names, [
        ...[
          "checkpoint.safetensors",
          "loss_history.csv",
          "model.safetensors",
          "performance_summary.json",
          "recipe.json",
          "report.html",
        ],
      ]);
      const summary = JSON.parse(await Deno.readTextFile(join(whole.out, "performance_summary.json")));
      assert.deepEqual([summary.config.c_m, summary.config.c_z, summary.config.head_dim], [6, 5, 32]);
      const html = await Deno.readTextFile(join(whole.out, "report.html"));
      assert.match(html, /<title>The Flax notebook's Evoformer block, 5 steps<\/title>/);
      assert.ok(html.includes('"label":"Mean square of both representations"'));
      await assert.rejects(readTrainedModel(join(whole.out, "model.safetensors")), (error) => {
        assert.ok(error instanceof InputError);
        assert.match(error.message, /its model is "nnx-evoformer", expected "tiny-openfold"/);
        return true;
      });
    }),
);

Deno.test("a seed that the notebook's generator does not take is an input error", () => {
  const settings = resolveSettings<EvoformerSettings>({ ...SMALL, seed: 2 ** 33 }, {});
  assert.throws(() => openNnx(settings), InputError);
});
