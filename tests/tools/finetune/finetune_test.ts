import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Device, entries, type Tensor, type Tree } from "../../../core/mod.ts";
import { type EpochRecord, trainedPart } from "../../../finetune/mod.ts";
import { CHECKPOINT_NAME, readCheckpoint } from "../../../tools/finetune/checkpoint.ts";
import { compareRuns, comparisonText } from "../../../tools/finetune/compare.ts";
import { exportFineTuned } from "../../../tools/finetune/export.ts";
import { FineTuned, jointPrediction } from "../../../tools/finetune/fine_tuned.ts";
import { finetune } from "../../../tools/finetune/finetune.ts";
import { FINETUNE_DEFAULTS, type FinetuneOptions } from "../../../tools/finetune/options.ts";
import { learnedTasks } from "../../../tools/finetune/label_tasks.ts";
import { chosenStrategy, fineTunedConfig, loadFineTuned } from "../../../tools/finetune/network.ts";
import { readPeftFolder, writePeft } from "../../../tools/finetune/peft_folder.ts";
import { readRun } from "../../../tools/finetune/run_files.ts";
import { makeSets, SETS } from "../../../tools/finetune/sets.ts";
import { readTrainingTargets } from "../../../tools/finetune/targets.ts";
import { openfoldWeights } from "../../../model/weights/openfold_weights.ts";
import { planModels } from "../../../tools/predict/models.ts";
import { compareWeights } from "../../../tools/weights/compare_weights.ts";
import { openWeights } from "../../../tools/weights/open_weights.ts";
import { main } from "../../../tools/cli/main.ts";
import { gpuTest } from "../../_gpu.ts";
import { SMALL_SIZES } from "../../model/alphafold/_network.ts";

const STRUCTURES = fileURLToPath(new URL("../../../examples/zinc_fingers", import.meta.url));
/** Real structures, with numbers in the place of affinities. */
const ROWS: [id: string, label: number][] = [
  ...[["1ard", 5.5], ["1bbo", 7.25], ["1paa", 4], ["1sp1", 6.5], ["1zfd", 5], ["1znf", 8]] as [string, number][],
];

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function table(folder: string, rows: readonly (readonly [string, number | string])[] = ROWS): Promise<string> {
  const path = join(folder, "table.csv");
  await Deno.writeTextFile(path, ["pdb_id,affinity", ...rows.map((row) => row.join(","))].join("\n") + "\n");
  return path;
}

function optionsOf(folder: string, data: string, own: Partial<FinetuneOptions> = {}): FinetuneOptions {
  return {
    ...FINETUNE_DEFAULTS,
    ...{ data, structures: [STRUCTURES], weights: "random:1", sizes: SMALL_SIZES, output: join(folder, "run") },
    ...{ strategy: "head_only", validation: 0.2, test: 0.2, lora: { rank: 2 } },
    fit: { ...FINETUNE_DEFAULTS.fit, epochs: 2, accumulate: 2, warmup: 0, emaDecay: 0.5 },
    ...own,
  };
}

/** What a command prints. */
async function printedBy(...args: string[]): Promise<string> {
  const { log } = console;
  const lines: string[] = [];
  console.log = (line: string) => lines.push(line);
  try {
    assert.equal(await main(args), 0);
  } finally {
    console.log = log;
  }
  return lines.join("\n");
}

/** The epoch with the smallest validation loss. */
const bestOf = (history: readonly EpochRecord[]) =>
  history.reduce((a, b) => (b.validationLoss! < a.validationLoss! ? b : a)).epoch;

const untimed = (history: readonly EpochRecord[]) => history.map((record) => ({ ...record, seconds: 0 }));

gpuTest(
  "a table and real structures: training, files, the checkpoint read back predicts the same",
  (device) =>
    inFolder(async (folder) => {
      const options = optionsOf(folder, await table(folder));
      const { end, history, metrics, files } = await finetune(device, options, {}, { recipe: "epochs: 2\n" });
      assert.equal(end, "done");
      assert.equal(history.length, 2);
      assert.deepEqual(Object.keys(metrics), ["train", "validation", "test"]);
      const names = files.map((path) => path.slice(options.output.length + 1)).sort();
      assert.deepEqual(names, [
        ...["config.json", "history.csv", "history.jsonl", "metrics.json", "parameters.csv", "predictions.csv"],
        ...["recipe.yaml", "report.html"],
      ]);
      const run = await readRun(options.output);
      assert.deepEqual(run.config.parameters.groups.map(({ name, parameters }) => [name, parameters]), [[
        "head",
        2817,
      ]]);
      assert.deepEqual(run.moved.map(({ name }) => name).sort(), [
        "heads.affinity.linear_1",
        "heads.affinity.linear_2",
      ]);
      assert(run.moved.every(({ relative }) => relative > 0 && relative < 1));
      assert(run.rows.every(({ uncertainty, length }) => uncertainty! > 0 && length > 20));
      const { intervals: _, ...validation } = run.metrics.validation;
      const { intervals: __, ...expected } = metrics.validation;
      assert.deepEqual(validation, JSON.parse(JSON.stringify(expected)));
      assert.equal(run.metrics.train.baselines.mean.r2, 0);
      const compared = compareRuns([run, run]);
      assert.deepEqual([compared.comparable, compared.runs[1].best], [true, bestOf(history)]);
      assert.match(comparisonText(compared), /^run +strategy.*\nrun +head_only +2,817 +2 +\d[^]*\nvalidation\n/);
      assert.equal([...Deno.readDirSync(join(options.output, "events"))].length, 1);
      const printed = await printedBy("finetune", "compare", options.output, "--no-report", "--json");
      assert.deepEqual(JSON.parse(printed), JSON.parse(JSON.stringify(compareRuns([run]))));
      const lines = (await Deno.readTextFile(join(options.output, "history.jsonl"))).trim().split("\n");
      assert.deepEqual(
        lines.map((line) => JSON.parse(line).val_loss),
        history.map(({ validationLoss }) => validationLoss),
      );

      const rows = (await Deno.readTextFile(join(options.output, "predictions.csv"))).trim().split("\n").slice(1);
      const cells = rows.map((row) => row.split(","));
      assert.deepEqual(cells.map(([id]) => id).sort(), ROWS.map(([id]) => id).sort());
      const { rmse } = metrics.train;
      const train = cells.filter(([, set]) => set === "train").map(([, , label, p]) =>
        (Number(p) - Number(label)) ** 2
      );
      assert(Math.abs(rmse - Math.sqrt(train.reduce((a, x) => a + x, 0) / train.length)) < 1e-6);

      using tuned = await FineTuned.load(device, options.output);
      const targets = await readTrainingTargets(options);
      for (const [id, , , prediction] of cells) {
        const target = targets.find((target) => target.id === id)!;
        const found = await tuned.predict(await target.load(), { draws: 4 });
        assert(Math.abs(found.average - Number(prediction)) < 1e-5, `${id}: ${found.average} and ${prediction}`);
        assert(found.prediction !== found.average && found.uncertainty! > 0);
        const { min, max } = tuned.facts.data.labels;
        assert.equal(found.inRange, found.average >= min && found.average <= max);
      }
      await assert.rejects(() => FineTuned.load(device, options.output, { weights: "random:2" }), {
        name: "InputError",
        message: /was trained from model_1_ptm with RANDOM, seed 1.*these are model_1_ptm with RANDOM, seed 2.*--force/,
      });
      using forced = await FineTuned.load(device, options.output, { weights: "random:2", force: true });
      assert.equal(forced.epoch, tuned.epoch);
      await assert.rejects(() => finetune(device, options), /has a run in it: --resume goes on with it/);
    }),
);

Deno.test("several runs predict their means, and how far they spread is the uncertainty", () => {
  const run = (prediction: number, average: number, inRange = true) => ({
    prediction,
    average,
    uncertainty: 9,
    inRange,
  });
  assert.deepEqual(jointPrediction([run(1, 2)]), run(1, 2));
  assert.deepEqual(jointPrediction([run(1, 3), run(2, 5), run(6, 7, false)]), {
    ...{ prediction: 3, average: 5, uncertainty: 2, inRange: false },
  });
});

gpuTest(
  "lora stopped within an epoch and gone on with: the same bits as without, and adapters alone are saved",
  (device) =>
    inFolder(async (folder) => {
      const data = await table(folder, ROWS.slice(0, 5));
      const own = { strategy: "lora", test: 0, saveEvery: 1, maskedMsaWeight: 0.1 } as const;
      const { fit } = optionsOf(folder, data);
      const whole = optionsOf(folder, data, { ...own, output: join(folder, "whole"), fit: { ...fit, amp: "f16" } });
      const { history } = await finetune(device, whole);
      const options = optionsOf(folder, data, { ...own, fit: { ...fit, amp: "f16" } });
      let steps = 0;
      const first = await finetune(device, options, { step: () => void steps++, stop: () => steps === 1 });
      assert.equal(first.end, "stopped");
      assert.equal((await readCheckpoint(options.output, "last")).facts.progress.batches, 2);
      const second = await finetune(device, options, {}, { resume: true });
      assert.deepEqual(untimed(second.history), untimed(history));
      const numbersOf = async (output: string) => {
        const { checkpoint: { params }, trainer } = await readCheckpoint(output, "last");
        return { params: [...params], trainer };
      };
      assert.deepEqual(await numbersOf(options.output), await numbersOf(whole.output));
      const { params } = (await readCheckpoint(options.output, "best")).checkpoint;
      assert([...params.keys()].every((name) => /^heads\.affinity\.|^model\.evoformer\..*\.adapter\./.test(name)));
      assert(params.has("model.evoformer.blocks.1.msa_att_row.mha.linear_q.adapter.down"));

      await checkExports(device, folder, options);
      await table(folder, [...ROWS.slice(0, 4), ["1zfd", 5.01]]);
      await assert.rejects(() => finetune(device, options, {}, { resume: true }), /labels or sets are not those/);
      const file = join(options.output, "last", CHECKPOINT_NAME);
      const bytes = await Deno.readFile(file);
      bytes[bytes.length - 5] ^= 1;
      await Deno.writeFile(file, bytes);
      await assert.rejects(() => readCheckpoint(options.output, "last"), { name: "InputError" });
    }),
);

/** Merged weights of a run in each format, and of its adapters as PEFT keeps them, are the same; those train on. */
async function checkExports(device: Device, folder: string, options: FinetuneOptions): Promise<void> {
  const adapters = join(folder, "adapters"), from = (name: string) => join(folder, name);
  await exportFineTuned(device, options.output, adapters);
  await exportFineTuned(device, options.output, from("merged.safetensors"));
  const base = { weights: options.weights, sizes: options.sizes };
  await exportFineTuned(device, adapters, from("folder.pt"), base);
  await exportFineTuned(device, adapters, from("folder.npz"), { ...base, templateHeads: 2 });
  const opened = await Promise.all(
    ["merged.safetensors", "folder.pt", "folder.npz"].map((name) => openWeights(from(name))),
  );
  const [merged, pt, npz] = opened.map(({ file }) => openfoldWeights(file));
  for (const other of [pt, npz]) {
    const found = await compareWeights(merged, other);
    assert.deepEqual(found.filter(({ equal }) => !equal).map(({ name }) => name), []);
  }
  const [model] = await planModels(options.weights, ["model_1_ptm"], options.sizes);
  using plain = await model.open();
  const changed: string[] = [];
  for (const [name, entry] of merged.entries) {
    const [{ data: now }, { data: before }] = [await entry.read(), await plain.entries.get(name)!.read()];
    if (now.some((x, i) => x !== before[i])) changed.push(name);
  }
  const { arrays } = await readPeftFolder(adapters);
  // The last block's pair stack is read by nothing behind it: its adapters stay as they were.
  const moved = [...arrays.keys()].filter((name) => !name.startsWith("evoformer.blocks.1.pair_stack."));
  assert.deepEqual(changed.sort(), moved.map((name) => `${name}.weight`).sort());
  for (const one of opened) one[Symbol.dispose]();

  const values = await readPeftFolder(adapters), lora = values.config;
  using _ = device.scope("adapters");
  const { strategy } = chosenStrategy({ ...options, lora }, model.config, 3);
  const params = await loadFineTuned(
    device,
    model,
    strategy,
    fineTunedConfig(model.config, strategy, options, learnedTasks(options)),
    7,
  );
  writePeft(device, params, values, adapters);
  using tuned = await FineTuned.load(device, options.output);
  const written = entries<Tensor>(trainedPart(params, strategy)[0] as Tree<Tensor>);
  await tuned.withParams(async (average) => {
    const expected = new Map(entries<Tensor>(average));
    for (const [path, tensor] of written) assert.deepEqual(await tensor.read(), await expected.get(path)!.read(), path);
  });

  const own = { ...options, lora, output: join(folder, "dry"), fit: { ...options.fit, amp: false as const } };
  const { dry } = await finetune(device, own, {}, { dryRun: true, adapters: { source: adapters, values } });
  const { peakBytes, seconds, batchSeconds, longest, firstBatch, loss } = dry!;
  assert(peakBytes > 1e6 && seconds > batchSeconds && loss > 0, JSON.stringify(dry));
  assert.equal(firstBatch.length, 1);
  assert(longest >= firstBatch[0].residues);
  assert(!await Deno.stat(own.output).then(() => true, () => false), "a dry run writes nothing");
}

gpuTest(
  "what cannot be trained on is refused before the first step, with its row",
  (device) =>
    inFolder(async (folder) => {
      const refused = async (
        rows: readonly (readonly [string, number | string])[],
        message: RegExp,
        own: Partial<FinetuneOptions> = {},
      ) => {
        const options = optionsOf(folder, await table(folder, rows), own);
        await assert.rejects(() => finetune(device as Device, options), { name: "InputError", message });
      };
      await refused(
        [...ROWS, ["9xyz", 5]],
        /1 row .*check-data.*table\.csv line 8: .*zinc_fingers has no structure of 9xyz/,
      );
      await refused([...ROWS, ["2drp", "high"]], /line 8: column "affinity" has "high", expected a number/);
      await refused(ROWS.slice(0, 2), /The (validation|test) set is empty: 2 rows .*0 does without/);
      await refused(ROWS.map(([id]) => [id, 6]), /All \d training labels .* are 6: there is nothing to learn/);
      await refused(ROWS, /No linear map in evoformer.* fits the pattern linear_w; near:/, {
        ...{ strategy: "lora", lora: { targets: ["linear_w"] } },
      });
      await refused(ROWS, /rank 64 is larger than the linear map/, { strategy: "lora", lora: { rank: 64 } });
      await refused(ROWS, /partial trains 1 to 2 blocks/, { strategy: "partial", unfreezeBlocks: 4 });
      await refused(ROWS, /leave nothing to train on/, { validation: 0.5, test: 0.5 });
    }),
);

Deno.test("labels that are bounds are left out and told, or taken", () =>
  inFolder(async (folder) => {
    const data = join(folder, "table.csv");
    await Deno.writeTextFile(data, "pdb_id,affinity,relation\n1ard,5,\n1bbo,6,>\n");
    const told: string[] = [];
    const choices = optionsOf(folder, data);
    const dropped = await readTrainingTargets(choices, (message) => told.push(message));
    assert.deepEqual(dropped.map(({ id }) => id), ["1ard"]);
    assert.match(told.join(), /line 3: the label of 1bbo is > 6, left out/);
    const kept = await readTrainingTargets({ ...choices, bounds: "keep" });
    assert.deepEqual(kept.map(({ rows: [{ label }] }) => label), [5, 6]);
    await assert.rejects(() => readTrainingTargets({ ...choices, bounds: "censored" }), /know no bounds/);
  }));

Deno.test("finetune and predict-affinity want their flags: exit code 2", async () => {
  const { error } = console;
  const lines: string[] = [];
  console.error = (line: string) => lines.push(line);
  try {
    assert.equal(await main(["finetune", "--weights", "random:1"]), 2);
    assert.equal(await main(["finetune", "--data", "table.csv"]), 2);
    assert.equal(await main(["predict-affinity", "x.fasta"]), 2);
    assert.equal(await main(["finetune", "--resume", "no/such/run"]), 1);
  } finally {
    console.error = error;
  }
  assert.match(
    lines.join("\n"),
    /--data is missing.*\n.*--weights are missing.*\n.*--checkpoint is missing.*\n.*no\/such\/run has no checkpoint/,
  );
});

gpuTest(
  "rows of one name are one protein, read once and kept in one set, whose labels all count",
  (device) =>
    inFolder(async (folder) => {
      const rows = [...ROWS.slice(0, 4), ["1ard", 6.5], ["1bbo", 7.5]] as const;
      const options = optionsOf(folder, await table(folder, rows), { validation: 0.4, test: 0 });
      const targets = await readTrainingTargets(options);
      assert.deepEqual(targets.map(({ id, rows }) => [id, rows.map(({ label }) => label)]), [
        ...[["1ard", [5.5, 6.5]], ["1bbo", [7.25, 7.5]], ["1paa", [4]], ["1sp1", [6.5]]],
      ]);
      const { sets, report } = await makeSets(targets, options);
      assert.equal(report.rows, 6);
      const counts = SETS.map((name) => sets[name].reduce((sum, { rows }) => sum + rows.length, 0));
      assert.equal(counts[0] + counts[1], 6);
      assert.equal(new Set(SETS.flatMap((name) => sets[name].map(({ id }) => id))).size, 4);

      const { metrics } = await finetune(device, options);
      assert.deepEqual([metrics.train.n, metrics.validation.n], counts.slice(0, 2));
      assert.equal([...Deno.readDirSync(join(options.output, "representations"))].length, 4);
      const { rows: predicted } = await readRun(options.output);
      const ard = predicted.filter(({ id }) => id === "1ard");
      assert.deepEqual(ard.map(({ label }) => label), [5.5, 6.5]);
      assert.equal(ard[0].prediction, ard[1].prediction);

      const path = join(folder, "odd.csv");
      await Deno.writeTextFile(path, "id,affinity,chain\n1ard,1,A\n1ard,2,B\n1bbo,3,\n");
      await assert.rejects(() => readTrainingTargets({ ...options, data: path }), {
        message: /rows of "1ard" have different sequences or chains: .*odd\.csv line 2, .*odd\.csv line 3/,
      });
    }),
);
