import assert from "node:assert/strict";
import { join } from "node:path";
import { TrainProfile } from "../../../tools/profile/train_profile.ts";
import { train } from "../../../tools/train/train.ts";
import { DEFAULT_MODEL, DEFAULT_TRAINING, type TrainSettings } from "../../../tools/train/settings.ts";
import type { TrainView } from "../../../tools/train/view.ts";
import { gpuTest } from "../../_gpu.ts";

const QUIET: TrainView = { say() {}, begin() {}, step() {}, end() {} };

const SETTINGS: TrainSettings = {
  model: { ...DEFAULT_MODEL, msaDim: 16, pairDim: 16, numBlocks: 1, numSeqs: 2, seqLen: 5 },
  training: { ...DEFAULT_TRAINING, batchSize: 1, numSteps: 4 },
  data: { kind: "synthetic" },
};

gpuTest("some steps of a training run are profiled, and the losses stay the same to the bit", async (device) => {
  const folder = await Deno.makeTempDir();
  try {
    const run = async (out: string, view: TrainView) => {
      const request = { settings: SETTINGS, out, profileDir: out, checkpointEvery: 50, command: "" };
      const { steps } = await train(request, {
        device,
        adapter: "test",
        view,
        stop: { poll: () => Promise.resolve(false) },
      });
      assert.equal(steps, 4);
      const lines = (await Deno.readTextFile(join(out, "loss_history.csv"))).trim().split("\n");
      return lines.map((line) => line.split(",").slice(0, 3).join());
    };
    const plain = await run(join(folder, "plain"), QUIET);
    const out = join(folder, "profiled");
    const view = await TrainProfile.open(device, QUIET, { warmup: 6, steps: 2 }); // five are the recipe's own
    assert.deepEqual(await run(out, view), plain);
    const written = await view.finish({ settings: { batch: 1 }, folder: out, sortBy: "time" });
    assert.ok(written);
    assert.equal(written.data.stepMs.length, 2);
    const rows = written.data.rows.place;
    assert.ok(rows.length > 50 && rows.every(({ count }) => count % 2 === 0));
    const { profiler_config: config } = JSON.parse(await Deno.readTextFile(join(out, "performance_summary.json")));
    assert.deepEqual([config.warmup_steps, config.profile_steps, config.profile_dir], [6, 2, out]);

    const short = await TrainProfile.open(device, QUIET, { warmup: 8, steps: 5 });
    await run(join(folder, "short"), short);
    const one = await short.finish({ settings: {}, folder: join(folder, "short"), sortBy: "time" });
    assert.equal(one?.data.stepMs.length, 1, "the run ended before all were made");
    const none = await TrainProfile.open(device, QUIET, { warmup: 50, steps: 5 });
    await run(join(folder, "none"), none);
    assert.equal(await none.finish({ settings: {}, folder: join(folder, "none"), sortBy: "time" }), undefined);
    assert.equal(device.profiler, null);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
