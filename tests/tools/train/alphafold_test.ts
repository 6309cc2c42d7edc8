import assert from "node:assert/strict";
import { type Device, entries, Key, type Tensor } from "../../../core/mod.ts";
import { Command } from "commander";
import { decodeCheckpoint, encodeParameters } from "../../../finetune/mod.ts";
import { planModels } from "../../../tools/predict/models.ts";
import { shippedModel } from "../../../tools/predict/shipped_model.ts";
import { readTrained } from "../../../tools/predict/trained_model.ts";
import { applyRecipe } from "../../../tools/cli/_recipe.ts";
import { ownFlags, TRAIN_RECIPE } from "../../../tools/cli/_train_flags.ts";
import { register } from "../../../tools/cli/train.ts";
import { InputError, UsageError } from "../../../tools/errors.ts";
import { CHECKPOINT_NAMES } from "../../../tools/networks/mod.ts";
import { familyMean } from "../../../tools/train/alphafold/family_mean.ts";
import { nearestRelative } from "../../../tools/train/alphafold/nearest_relative.ts";
import { deviceTruth } from "../../../tools/train/alphafold/loss_truth.ts";
import { alphafoldNetwork } from "../../../tools/train/alphafold/network.ts";
import {
  alphafoldConfigOf,
  alphafoldDefaults,
  alphafoldLossOf,
  type AlphaFoldOwn,
  alphafoldOwn,
} from "../../../tools/train/alphafold/options.ts";
import { makeSample, sampleSizes } from "../../../tools/train/alphafold/samples.ts";
import {
  clusterSizes,
  drawWeighted,
  filterExamples,
  largestShare,
  samplingWeights,
} from "../../../tools/train/alphafold/sampling.ts";
import { openAlphaFold } from "../../../tools/train/alphafold/source.ts";
import { CHECKPOINT_FILE, readRun } from "../../../tools/train/checkpoint_file.ts";
import type { RunData } from "../../../tools/train/data.ts";
import { withRecompute } from "../../../tools/train/forecast.ts";
import { historyCsv } from "../../../tools/train/history.ts";
import { checkFlags, resolveSettings, type TrainFlags } from "../../../tools/train/options.ts";
import { recipeOf } from "../../../tools/train/recipe.ts";
import { TrainingSession } from "../../../tools/train/session.ts";
import type { EvoformerSettings, TrainSettings } from "../../../tools/train/settings.ts";
import { packModel } from "../../../tools/weights/pack.ts";
import { assertClose, gpuTest } from "../../_gpu.ts";
import { examplesOf, fingerFiles, smallSettings } from "./_alphafold.ts";
import { inFolder } from "./_toy.ts";

const FILES = await fingerFiles();

async function open(device: Device, settings: TrainSettings<EvoformerSettings>, folder?: string, files = FILES) {
  const learning = await openAlphaFold(settings, { examples: examplesOf(files), description: "3 fingers" });
  return new TrainingSession(device, settings, learning, folder ? await readRun(folder, CHECKPOINT_NAMES) : undefined);
}

Deno.test("a sample is a contiguous part of a chain, the same one in all iterations; the same key draws the same", () => {
  const settings = smallSettings(), own = alphafoldOwn(settings.own);
  const config = alphafoldConfigOf(settings.model, own);
  const [file] = FILES;
  const padded = sampleSizes(
    FILES.map((file) => ({ residues: file.sequence.length, rows: file.features.num_alignments[0] })),
    12,
    config,
  );
  assert.deepEqual(padded, { residues: 12, clusters: 3, extra: 4, templates: 0 });
  const options = { config, own, padded, recycles: 2, clamped: true };
  const starts = new Set<number>(), key = Key.fromSeed(3);
  for (let i = 0; i < 120; i++) {
    const { start, iterations } = makeSample("1znf", file, options, key.at(i));
    starts.add(start);
    assert.equal(iterations.length, 3);
    for (const inputs of iterations) {
      assert.deepEqual([...inputs.aatype], [...file.features.aatype.slice(start, start + 12)]);
      assert.deepEqual([...inputs.residue_index], Array.from({ length: 12 }, (_, k) => start + k));
      assert.deepEqual([inputs.true_msa.length, inputs.extra_msa.length], [3 * 12, 4 * 12]);
      assert.deepEqual([...inputs.true_msa.slice(0, 12)], [...inputs.aatype], "the target's row comes first");
    }
    assert.notDeepEqual(iterations[0].msa_feat, iterations[1].msa_feat, "rows and hidden letters are drawn anew");
  }
  assert.equal(starts.size, file.sequence.length - 12 + 1, "every crop is drawn");
  const long = { ...options, padded: { ...padded, residues: 64 } };
  assert.equal(makeSample("1znf", file, long, Key.fromSeed(5)).padded.residues, 32, "25 residues are filled up to 32");
  const drawn = () => makeSample("1znf", file, options, Key.fromSeed(5)).iterations;
  assert.deepEqual(drawn(), drawn());
  const unhidden = { ...options, own: { ...own, without: "masked-msa" } };
  assert(makeSample("1znf", file, unhidden, Key.fromSeed(5)).iterations[0].bert_mask.every((x) => x === 0));
});

gpuTest("what a sample is filled up with changes neither its loss nor a term of it", async (device) => {
  const settings = smallSettings({}, { violationWeight: 1, resolvedWeight: 0.01 });
  const own = alphafoldOwn(settings.own), config = alphafoldConfigOf(settings.model, own);
  const network = alphafoldNetwork(settings.model, settings.own);
  const params = network.init(device, 1);
  for (const [i, [, tensor]] of entries<Tensor>(params).entries()) { // fresh ones give all residues the same
    device.write(tensor, Key.fromSeed(i).normal(tensor.size).map((x) => 0.2 * x));
  }
  const supervised = { ...FILES[0].supervised!, resolution: Float32Array.of(2) };
  const file = { ...FILES[0], supervised };
  const padded = { residues: 12, clusters: 3, extra: 4, templates: 0 };
  const options = { config, own, padded, recycles: 1, clamped: true, fixed: true };
  const sample = makeSample("1znf", file, options, Key.fromSeed(1));
  const run = async (residues: number, clusters: number, extra: number) => {
    const terms: Record<string, Tensor> = {};
    const filled = { ...sample, padded: { ...padded, residues, clusters, extra } };
    const loss = network.lossOf(device, [filled], (found) => Object.assign(terms, found))(params);
    const numbers = [await loss.item()];
    for (const term of Object.values(terms)) numbers.push(await term.item());
    return numbers;
  };
  const tight = await run(12, 3, 4);
  assert.equal(tight.length, 9);
  assert(tight.every((x) => Number.isFinite(x) && x > 0), `${tight}`);
  // Numbers of √N and the mean over residues do not know of the padding either.
  assertClose(await run(17, 5, 7), tight.map((x, i) => (i === 0 ? x * Math.sqrt(17 / 12) : x)), { rtol: 2e-4 });
});

Deno.test("filters tell what they leave out; chains are drawn by cluster and length", async () => {
  const examples = examplesOf(FILES);
  const [first, second, third] = examples;
  const poly = { ...second, sequence: "A".repeat(9) + "G" };
  const coarse = { ...third, target: { ...third.target!, resolutionAngstrom: 9.5 } };
  const { kept, dropped } = filterExamples([first, poly, coarse], { maxResolution: 9, maxSingleShare: 0.8 });
  assert.deepEqual(kept.map(({ id }) => id), ["1znf"]);
  assert.deepEqual(dropped.map(({ reason }) => reason), [
    "1paa.safetensors: 90 % of the residues are one amino acid, more than --max-single-share 0.8",
    "1sp1.safetensors: a resolution of 9.5 Å, worse than --max-resolution 9",
  ]);
  assert.equal(largestShare("AAGA"), 0.75);
  const sizes = await clusterSizes(["MKTAYIAKQRQISFVKSHFSRQ", "MKTAYIAKQRQISFVKSHFSRW", "GSDWNEPLTVCH"], 0.4);
  assert.deepEqual(sizes, [2, 2, 1]);
  const weights = samplingWeights([100, 300, 900], sizes, { leastLength: 256, mostLength: 512 });
  assert.deepEqual(weights, [0.25, 300 / 512 / 2, 1]);
  const counts = [0, 0, 0], key = Key.fromSeed(1), draws = 4000;
  for (let i = 0; i < draws; i++) counts[drawWeighted(weights, key.at(i))]++;
  const total = weights.reduce((sum, weight) => sum + weight);
  counts.forEach((count, i) => assert(Math.abs(count / draws - weights[i] / total) < 0.03, `${counts}`));
  const nothing = openAlphaFold(smallSettings({}, { maxSingleShare: 0.01 }), { examples });
  await assert.rejects(nothing, /^InputError: No target is left to train on: 1znf\.safetensors: \d+ % of the residues/);
  const sums = openAlphaFold(smallSettings({}, { maskUniform: 0.9 }), { examples });
  await assert.rejects(
    sums,
    /--mask-uniform 0\.9, --mask-profile 0\.1 and --mask-same 0\.1 sum to 1\.1, expected no more/,
  );
});

gpuTest(
  "a run stopped after any step and gone on gives the same weights and average, to the bit",
  (device) =>
    inFolder(async (folder) => {
      const settings = smallSettings();
      const path = `${folder}/${CHECKPOINT_FILE}`;
      const bitsOf = async (session: Awaited<ReturnType<typeof open>>) => {
        const { params, trainer } = await (async () => {
          await Deno.writeFile(path, await session.encode());
          const { checkpoint, trainer } = await readRun(folder, CHECKPOINT_NAMES);
          return { params: checkpoint.params, trainer };
        })();
        return { params, trainer, losses: session.history.map(({ loss, gradNorm, terms }) => [loss, gradNorm, terms]) };
      };
      using whole = await open(device, settings);
      const saved: Uint8Array[] = [];
      while (whole.step < settings.training.numSteps) {
        await whole.advance();
        saved.push(await whole.encode());
      }
      const rates = whole.history.map(({ learningRate }) => Math.fround(learningRate * 1e6));
      assert.deepEqual(rates, [500, 1000, 950, 950].map(Math.fround), "warm-up, then the drop");
      const expected = await bitsOf(whole);
      for (const bytes of saved.slice(0, -1)) {
        await Deno.writeFile(path, bytes);
        using gone = await open(device, settings, folder);
        assert.equal(gone.remark, undefined);
        while (gone.step < settings.training.numSteps) await gone.advance();
        assert.deepEqual(await bitsOf(gone), expected);
      }
      const [header] = historyCsv(whole.history).split("\n");
      assert.match(header, /,term_fape,term_supervised_chi,term_distogram,term_masked_msa,/);
    }),
);

gpuTest(
  "a loss of NaN names target and term, is skipped and counted, and ends the run at the limit",
  async (device) => {
    const { chi_angles_sin_cos, ...supervised } = FILES[1].supervised!;
    const spoilt = {
      ...FILES[1],
      supervised: { ...supervised, chi_angles_sin_cos: chi_angles_sin_cos.map(() => NaN) },
    };
    const settings = smallSettings({ batchSize: 1 }, { maxSkipped: 2, recycles: 0 });
    using session = await open(device, settings, undefined, [spoilt]);
    const record = await session.advance();
    assert.equal(record?.skippedSteps, 1);
    assert.equal(record?.trouble, "supervisedChi of 1paa is NaN");
    await assert.rejects(session.advance(), (error) => {
      assert(error instanceof InputError);
      assert.match(
        error.message,
        /^2 steps in a row were skipped: the loss of step 1 is NaN, .*smaller learning rate\. SupervisedChi of 1paa is NaN$/,
      );
      return true;
    });
  },
);

gpuTest(
  "structures without a resolution teach confidence where one is assumed, and a warning says where none does",
  async (device) => {
    const learning = (own: Partial<AlphaFoldOwn>) =>
      openAlphaFold(smallSettings({ batchSize: 1 }, { recycles: 0, ...own }), { examples: examplesOf(FILES) });
    const terms = async (own: Partial<AlphaFoldOwn>) => {
      using session = new TrainingSession(
        device,
        smallSettings({ batchSize: 1 }, { recycles: 0, ...own }),
        await learning(own),
      );
      return (await session.advance())!.terms!;
    };
    const [without, assumed] = [await terms({}), await terms({ assumedResolution: 2 })];
    assert.deepEqual([without.plddt, without.tm], [0, 0]);
    assert(assumed.plddt > 1 && assumed.tm > 1 && assumed.fape === without.fape, JSON.stringify(assumed));
    assert.match(
      (await learning({})).warnings![0],
      /neither pLDDT nor aligned errors are learnt \(--assumed-resolution\)/,
    );
    assert.deepEqual((await learning({ assumedResolution: 2 })).warnings, []);
  },
);

gpuTest("watched targets are measured with the average: loss, lDDT, FAPE, TM", async (device) => {
  const settings = smallSettings({ batchSize: 1 }, { recycles: 0 });
  const [first, second] = examplesOf(FILES);
  const learning = await openAlphaFold(settings, { examples: [first], watched: [second] });
  using session = new TrainingSession(device, settings, learning);
  await session.advance();
  await session.measureHeldOut(learning.watched!);
  const { heldOutLoss, heldOutMeasures = {} } = session.history[0];
  assert(heldOutLoss! > 0);
  for (const name of ["lddt", "fape", "tmScore", "plddt"]) {
    assert(heldOutMeasures[name] > 0 && heldOutMeasures[name] < 10, name);
  }
  assert.deepEqual(learning.planned!.map(([{ iterations }]) => iterations.length), [1, 1]);
});

Deno.test("stage and size decide the defaults of all else, and flags go over them", () => {
  const published = alphafoldDefaults();
  assert.deepEqual([published.model.seqLen, published.model.numSeqs, published.own.nExtra], [256, 128, 1024]);
  const fine = resolveSettings<EvoformerSettings>(
    { model: "alphafold", features: "d", own: { stage: "finetuning" } },
    {},
  );
  assert.deepEqual([fine.model.seqLen, fine.model.numSeqs, fine.own!.nExtra], [384, 512, 5120]);
  assert.deepEqual([fine.own!.violationWeight, fine.own!.resolvedWeight, fine.training.learningRate], [1, 0.01, 5e-4]);
  assert.equal(alphafoldDefaults({ size: "model_3" }).own.templates, 0);
  const own = { size: "reduced", without: "ipa,auxiliary", violationWeight: 0.5 };
  const { model, own: all, ...rest } = resolveSettings<EvoformerSettings>({
    model: "alphafold",
    features: "d",
    numBlocks: 3,
    own,
  }, {});
  const config = alphafoldConfigOf(model, all as AlphaFoldOwn);
  assert.deepEqual([config.evoformer.nBlock, config.recycling.maxRecycles, config.heads.tm], [3, 3, true]);
  assert.equal(config.ablations.pointAttention, false);
  const loss = alphafoldLossOf(config, all as AlphaFoldOwn);
  assert.deepEqual([loss.fape.weight, loss.distogram.weight, loss.violation.weight, loss.tm.weight], [1, 0, 0.5, 0]);
  const recipe = recipeOf({ model, own: all, ...rest });
  assert.equal(recipe.model, "alphafold");
  assert.deepEqual([recipe["num-blocks"], recipe["violation-weight"], recipe.without], [3, 0.5, "ipa,auxiliary"]);
  const reduced = resolveSettings<EvoformerSettings>(
    { model: "alphafold", features: "d", own: { size: "reduced" } },
    {},
  );
  const { parameters } = alphafoldNetwork(reduced.model, reduced.own);
  assert(parameters <= 1_500_000, `${parameters} parameters`);
  assert(reduced.model.numBlocks <= 8 && reduced.own!.recycles === 3);
});

Deno.test("flags of AlphaFold's training apply to it alone, and what a run was started with stays", () => {
  assert.throws(() => checkFlags({ synthetic: true, own: { recycles: 1 } }), (error) => {
    assert(error instanceof UsageError);
    assert.equal(error.message, "--recycles does not apply to --model tiny");
    return true;
  });
  assert.throws(
    () => checkFlags({ model: "alphafold", synthetic: true }),
    /--synthetic does not apply to --model alphafold/,
  );
  checkFlags({ model: "alphafold", features: "d", holdOut: ["1znf"] });
  assert.throws(() => checkFlags({ features: "d", holdOut: ["1znf"] }), /--features and --hold-out exclude each other/);
  const saved = smallSettings();
  assert.deepEqual(resolveSettings({ resume: "run" }, { saved }).own, saved.own);
  assert.throws(
    () => resolveSettings({ resume: "run", own: { recycles: 3 } }, { saved }),
    /^InputError: Cannot resume from run with --recycles 3: the run was started with --recycles 1$/,
  );
  assert.throws(() => resolveSettings({ model: "alphafold", msaDim: 0 }, {}), InputError);
});

Deno.test("recipes: an unknown key and a value of the wrong type are told with file and line", () =>
  inFolder(async (folder) => {
    const path = `${folder}/recipe.yaml`;
    const applied = async (text: string) => {
      const program = new Command();
      register(program);
      const [command] = program.commands;
      await Deno.writeTextFile(path, text);
      await applyRecipe(command, path, TRAIN_RECIPE);
      return command.opts();
    };
    const opts = await applied("model: alphafold\nviolation_weight: 0.5\nhold-out: [a, b]\nwithout: ipa\n");
    assert.deepEqual([opts.model, opts.violationWeight, opts.holdOut], ["alphafold", 0.5, ["a", "b"]]);
    for (
      const [text, message] of [
        ["recyclings: 3\n", /recipe\.yaml line 1: there is no key recyclings; near: recycles/],
        [
          "seed: 1\nrecycles: many\n",
          /recipe\.yaml line 2: recycles is "many", expected a whole number of at least 0$/,
        ],
        ["without: [ipa, nothing]\n", /without is \["ipa","nothing"\], expected parts out of templates, ipa/],
        ["stage: last\n", /stage is "last", expected one of initial, finetuning$/],
        ["out: run\n", /out is no part of a recipe, give --out$/],
      ] as const
    ) await assert.rejects(applied(text), message);
  }));

gpuTest(
  "a run's average is what predicts, whichever file it is read from, and what a later stage starts from",
  (device) =>
    inFolder(async (folder) => {
      const settings = smallSettings({ batchSize: 1 }, { recycles: 0 });
      using session = await open(device, settings);
      for (let step = 0; step < 2; step++) await session.advance();
      const model = `${folder}/model.safetensors`, checkpoint = `${folder}/${CHECKPOINT_FILE}`;
      await Deno.writeFile(checkpoint, await session.encode());
      const average = (await readTrained(folder))!;
      assert.equal(average.path, checkpoint);
      await Deno.writeFile(model, await session.encodeModel());
      const trained = (await readTrained(folder))!;
      assert.deepEqual([trained.path, trained.config], [model, session.network.config]);
      assert.deepEqual(average.params, trained.params);
      const [planned] = await planModels(folder, undefined);
      assert.match(planned.weights, /^model\.safetensors of denofold train, SHA-256 \w{64}$/);
      const read = await planned.open();
      const [name, expected] = [...trained.params][0];
      const part = await read.entries.get(name)!.read({ from: 1, to: 3 });
      const width = expected.shape[1];
      assert.deepEqual([...part.data as Float32Array], [...expected.data as Float32Array].slice(width, 3 * width));

      const about = { name: "toy", notice: "It knows three fingers", about: "Nothing else." };
      const packed = await packModel(folder, about);
      await Deno.mkdir(`${folder}/small`);
      for (const [name, data] of packed.files) {
        if (typeof data === "string") await Deno.writeTextFile(`${folder}/small/${name}`, data);
        else await Deno.writeFile(`${folder}/small/${name}`, data);
      }
      assert(packed.bytes < 3 * packed.parameters && packed.roundingError > 0 && packed.roundingError < 1e-3);
      const halves = (await readTrained(`${folder}/small`))!;
      assert.deepEqual([halves.config, halves.packed], [trained.config, {
        name: "toy",
        notice: "It knows three fingers",
      }]);
      for (const [name, { data }] of halves.params) {
        assert.deepEqual(
          data,
          Float32Array.from(Float16Array.from(trained.params.get(name)!.data as Float32Array)),
          name,
        );
      }
      assert.deepEqual([await shippedModel(folder), await shippedModel("tests")], [`${folder}/small`, undefined]);
      const [{ preset, config, weights, notice }] = await planModels(`${folder}/small`, undefined);
      assert.deepEqual([preset, config], ["toy", { ...trained.config, name: "toy" }]);
      assert.match(weights, /^toy, SHA-256 \w{64}: It knows three fingers$/);
      assert.equal(notice, "It knows three fingers");
      const card = String(packed.files.get("MODEL_CARD.md"));
      for (const text of ["# toy", "Nothing else.", weights.slice(13, 77), "3 fingers", '"batch-size": 1', "| 0-0 |"]) {
        assert(card.includes(text), text);
      }
      await assert.rejects(packModel(`${folder}/small`, about), /^InputError: .* does not say how it was trained/);
      await Deno.writeFile(`${folder}/tiny.safetensors`, encodeParameters(new Map(), { model: "tiny", config: {} }));
      const other = /^InputError: .*tiny\.safetensors is a checkpoint of "tiny", expected one of "alphafold"$/;
      await assert.rejects(planModels(`${folder}/tiny.safetensors`, undefined), other);
      await assert.rejects(packModel(`${folder}/tiny.safetensors`, about), other);
      await assert.rejects(packModel("examples", about), /^InputError: examples is no run of denofold train/);

      const next = await open(device, smallSettings({}, { stage: "finetuning", init: folder }));
      const started = decodeCheckpoint(await next.encode(), "start");
      next[Symbol.dispose]();
      assert.deepEqual(
        [...started.params.values()].map(({ data }) => data),
        [...trained.params.values()].map(({ data }) => data),
      );
      const wider = open(device, smallSettings({}, { singleDim: 16, init: folder }));
      await assert.rejects(
        wider,
        /^InputError: Cannot start from .*: its parameters are of another configuration: .*\[16,8\]/,
      );
      await assert.rejects(
        open(device, smallSettings({}, { init: `${folder}/none` })),
        /there is no such file or folder/,
      );
    }),
);

gpuTest("what is true of a crop is that of its residues, and padding does not count", async (device) => {
  const settings = smallSettings(), own = alphafoldOwn(settings.own);
  const config = alphafoldConfigOf(settings.model, own);
  const [file] = FILES, length = file.sequence.length, supervised = file.supervised!;
  const padded = { residues: 12, clusters: 3, extra: 4, templates: 0 };
  const options = { config, own, padded, recycles: 0, clamped: true };
  const { start, iterations: [inputs] } = Array.from(
    { length: 20 },
    (_, i) => makeSample("1znf", file, options, Key.fromSeed(i)),
  ).find(({ start }) => start > 3)!;
  const filled = { ...padded, residues: 15, clusters: 4 };
  const truth = deviceTruth(device, supervised, inputs, { start, length, clamped: false }, filled);
  const expected = <T extends Float32Array | Int32Array>(whole: T, width: number) => [
    ...whole.slice(start * width, (start + 12) * width),
    ...new Array<number>(3 * width).fill(0),
  ];
  const read = async (tensor: Tensor) => [...await tensor.read()];
  assert.deepEqual(await read(truth.allAtomPositions), expected(supervised.all_atom_positions, 37 * 3));
  assert.deepEqual(await read(truth.atoms.exists), expected(supervised.atom14_gt_exists, 14));
  assert.deepEqual(await read(truth.backbone.mask), expected(supervised.backbone_rigid_mask, 1));
  assert.deepEqual(await read(truth.chiMask), expected(supervised.chi_mask, 4));
  assert.deepEqual(await read(truth.residueIndex), expected(supervised.residue_index, 1));
  assert.deepEqual([await truth.seqLength.item(), await truth.useClampedFape!.item()], [length, 0]);
  assert.deepEqual((await read(truth.trueMsa)).slice(0, 12), [...inputs.true_msa.slice(0, 12)]);
  assert((await read(truth.bertMask)).slice(3 * 15).every((x) => x === 0));
});

Deno.test("a batch has one number of recyclings, equally likely each, and one way of clamping", async () => {
  const settings = smallSettings({ batchSize: 2 }, { recycles: 2, unclamped: 0.25 });
  const { source } = await openAlphaFold(settings, { examples: examplesOf(FILES) });
  const steps = 150, iterations = [0, 0, 0];
  let unclamped = 0;
  for (let step = 0; step < steps; step++) {
    const [one, other] = source.batch(step);
    assert.deepEqual([one.iterations.length, one.clamped], [other.iterations.length, other.clamped]);
    iterations[one.iterations.length - 1]++;
    unclamped += Number(!one.clamped);
  }
  for (const count of iterations) assert(Math.abs(count / steps - 1 / 3) < 0.1, `${iterations}`);
  assert(Math.abs(unclamped / steps - 0.25) < 0.1, `${unclamped}`);
  const without = await openAlphaFold(smallSettings({}, { without: "recycling" }), { examples: examplesOf(FILES) });
  assert(
    Array.from({ length: 9 }, (_, step) => without.source.batch(step)).flat().every((x) => x.iterations.length === 1),
  );
});

Deno.test("the nearest relative's structure is measured as an answer; what it lacks counts as wrong", () => {
  const [target, ...others] = FILES;
  const found = nearestRelative(target, examplesOf(others))!;
  assert.equal(found.id, "1paa");
  assert(found.identity > 0.3 && found.identity < 0.7, `${found.identity}`);
  assert(found.measures.lddt > 0.3 && found.measures.lddt < 0.95, `${found.measures.lddt}`);
  const own = nearestRelative(target, examplesOf(FILES))!;
  assert.deepEqual([own.id, own.identity, Math.round(own.measures.lddt * 1e6) / 1e6], ["1znf", 1, 1]);
  const { all_atom_mask } = target.supervised!;
  const half = {
    ...target,
    supervised: { ...target.supervised!, all_atom_mask: all_atom_mask.map((x, at) => at < 37 * 12 ? x : 0) },
  };
  const { measures } = nearestRelative(target, examplesOf([half]))!;
  assert(measures.lddt < 0.6 && measures.tmScore < 0.6 && measures.caRmsd < 1e-3, JSON.stringify(measures));
  assert.equal(nearestRelative(target, []), undefined);
});

Deno.test("the mean of a family is that of the members in the target's alignment", () => {
  const [target, ...others] = FILES;
  const [first] = others;
  const alone = familyMean(target, examplesOf([first]))!;
  const copied = nearestRelative(target, examplesOf([first]))!.measures;
  assert.equal(alone.members, 1);
  for (const name of ["lddt", "tmScore", "caRmsd"] as const) {
    assert(
      Math.abs(alone.measures[name] - copied[name]) < 1e-4,
      `${name}: ${JSON.stringify([alone.measures, copied])}`,
    );
  }
  const mean = familyMean(target, examplesOf(others))!;
  assert.equal(mean.members, 2);
  assert(mean.measures.lddt > 0.3 && mean.measures.lddt < 0.95, `${mean.measures.lddt}`);
  const stranger = { ...first, sequence: [...first.sequence].reverse().join("") };
  assert.equal(familyMean(target, examplesOf([stranger])), undefined);
});

gpuTest("a plan decides what is computed again: as little as fits the memory", async (device) => {
  const settings = smallSettings({ batchSize: 1 }, { recycles: 0, recompute: "auto" });
  const [example] = examplesOf(FILES);
  const data: RunData = { families: [], heldOut: [], examples: [example], validation: [], bad: [], warnings: [] };
  const of = async (memory: number | undefined) => (await withRecompute(device, settings, data, memory)).own!.recompute;
  assert.equal(await of(2 ** 40), "nothing");
  assert.equal(await of(1), "nested");
  const decided = smallSettings({}, { recompute: "module" });
  assert.equal(await withRecompute(device, decided, data, 1), decided);
});

Deno.test("the recipe that a run of any network leaves gives the same settings again", () =>
  inFolder(async (folder) => {
    const path = `${folder}/recipe.json`;
    const runs: TrainFlags[] = [
      { synthetic: true, msaDim: 8, ema: 0.9, maxNorm: 1 },
      { model: "nnx", numSteps: 8 },
      { model: "trunk2021", features: "d", depth: 2, accumulate: 3 },
      {
        model: "alphafold",
        features: "d",
        numBlocks: 3,
        holdOut: ["a", "b"],
        own: { size: "reduced", without: "ipa" },
      },
    ];
    for (const flags of runs) {
      const settings = resolveSettings(flags, {});
      const program = new Command();
      register(program);
      const [command] = program.commands;
      await Deno.writeTextFile(path, JSON.stringify(recipeOf(settings)));
      await applyRecipe(command, path, TRAIN_RECIPE);
      const all = command.opts();
      assert.deepEqual(resolveSettings({ ...all, own: ownFlags(all) }, {}), settings);
    }
  }));
