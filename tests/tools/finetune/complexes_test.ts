import assert from "node:assert/strict";
import { join } from "node:path";
import { chosenStrategy, networkSample, trainedNames } from "../../../tools/finetune/network.ts";
import { FineTuned } from "../../../tools/finetune/fine_tuned.ts";
import { finetune } from "../../../tools/finetune/finetune.ts";
import { FINETUNE_DEFAULTS, type FinetuneOptions } from "../../../tools/finetune/options.ts";
import { readTrainingTargets } from "../../../tools/finetune/targets.ts";
import { planModels } from "../../../tools/predict/models.ts";
import { encodeFeatureFile } from "../../../tools/prep/feature_file.ts";
import { namedShapes } from "../../../tools/weights/presets.ts";
import { gpuTest } from "../../_gpu.ts";
import { SMALL } from "../predict/_small.ts";
import { complexFile } from "../train/_complexes.ts";

gpuTest("strategies of fine-tuning work on networks for complexes; a label is one of all chains", async (device) => {
  const folder = await Deno.makeTempDir();
  try {
    const files = [
      await complexFile("c1", "GASGASG", "ASGGA"),
      await complexFile("c2", "GWSGASG", "ASGGA"),
      await complexFile("c3", "GASGASK", "AWGGA"),
    ];
    await Deno.mkdir(join(folder, "features"));
    for (const file of files) {
      await Deno.writeFile(join(folder, "features", `${file.id}.safetensors`), encodeFeatureFile(file));
    }
    const data = join(folder, "table.csv");
    await Deno.writeTextFile(
      data,
      "id,sequence,affinity\nc1,GASGASG:ASGGA:GASGASG,5\nc2,,6\nc3,,8\nc1,GASGASG:ASGGA:GASGASG,5.5\n",
    );
    const options: FinetuneOptions = {
      ...FINETUNE_DEFAULTS,
      ...{ data, features: join(folder, "features"), structures: [], msas: [], validation: 0.3, test: 0 },
      ...{ weights: "random:1", preset: "model_1_multimer_v3", sizes: SMALL, output: join(folder, "run") },
      ...{ strategy: "lora", lora: { rank: 2 }, recycles: 0, maxMsa: 8, maxExtraMsa: 4 },
      fit: { ...FINETUNE_DEFAULTS.fit, epochs: 1, accumulate: 1, warmup: 0 },
    };
    const targets = await readTrainingTargets(options);
    assert.deepEqual(targets.map(({ id, rows }) => [id, rows.map(({ label }) => label)]), [["c1", [5, 5.5]], ["c2", [
      6,
    ]], ["c3", [8]]]);
    const output = join(folder, "lora");
    const { end, history } = await finetune(device, { ...options, output });
    assert.equal(end, "done");
    assert.ok(Number.isFinite(history[0].trainLoss));
    {
      using _ = device.scope("back");
      using back = await FineTuned.load(device, output);
      assert.ok(Number.isFinite((await back.predict(files[0], { draws: 0 })).prediction));
    }
    const [multimer] = await planModels("random:1", ["model_1_multimer_v3"], SMALL, { complexes: true });
    const counts = (["head_only", "partial", "full"] as const).map((name) => {
      const { strategy } = chosenStrategy({ ...options, strategy: name, unfreezeBlocks: 1 }, multimer.config, 3);
      const isTrained = trainedNames(multimer.config, strategy);
      return [...namedShapes(multimer.config).keys()].filter(isTrained).length;
    });
    assert.ok(counts[0] === 0 && counts[1] > 0 && counts[2] === namedShapes(multimer.config).size, `${counts}`);

    // Weights for single chains, and structures of equal chains, are refused.
    const [single] = await planModels("random:1", ["model_1_ptm"], SMALL);
    using _ = device.scope("refused");
    assert.throws(
      () => networkSample(device, files[0], single.config, options, 1),
      /model_1_ptm is for single chains, c1 is a complex/,
    );
    assert.throws(
      () => networkSample(device, files[0], multimer.config, { ...options, tasks: ["structure"] }, 1),
      /c1 has equal chains, whose structure is learnt by denofold train alone/,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
