import assert from "node:assert/strict";
import { join } from "node:path";
import { sizeOf } from "../../../core/mod.ts";
import { type AlphaFoldChoices, alphafoldConfig } from "../../../model/alphafold/mod.ts";
import { heldAs, loadWeights } from "../../../model/weights/load_weights.ts";
import { type NamedArray, parseSafetensors, toFloat32 } from "../../../model/weights/safetensors.ts";
import type { WeightEntry } from "../../../model/weights/weight_file.ts";
import { parseStructure } from "../../../tools/data/read_structure.ts";
import { InputError } from "../../../tools/errors.ts";
import { attentionFile, checkAttentionSize, type PredictionAttention } from "../../../tools/predict/attention_file.ts";
import { predictTargets } from "../../../tools/predict/collect.ts";
import { fitMemory, memoryNeed } from "../../../tools/predict/fit_memory.ts";
import { planModels } from "../../../tools/predict/models.ts";
import { loadNetwork, predictTarget } from "../../../tools/predict/network.ts";
import { predictAll, type PredictAllOptions, REPORT_DATA } from "../../../tools/predict/run.ts";
import { reportOf } from "../../../tools/predict/run_report.ts";
import { summaryCsv } from "../../../tools/predict/summary.ts";
import { namedShapes } from "../../../tools/weights/presets.ts";
import { prepareTarget } from "../../../tools/prep/prepare_target.ts";
import { assertClose, gpuTest } from "../../_gpu.ts";
import { SMALL } from "./_small.ts";

const models = () => planModels("random:3", ["model_1_ptm", "model_3"], SMALL);

const FINGERS = "examples/zinc_fingers/zinc_fingers.a3m";

async function temporary(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const options = (out: string, more: Partial<PredictAllOptions> = {}): PredictAllOptions => ({
  out,
  seeds: [1],
  rankBy: "plddt",
  format: "both",
  overwrite: false,
  prepare: {},
  saveRepresentations: true,
  version: "0.0.0",
  maxRecycles: 1,
  tell: {},
  ...more,
});

gpuTest(
  "predictAll() writes each target's files, keeps what is done, and a failure costs no other target",
  (device) =>
    temporary(async (folder) => {
      const fasta = join(folder, "two.fasta"), out = join(folder, "out");
      await Deno.writeTextFile(fasta, ">good\nMKTAYIAKQRGDW\n>bad\nMKT1YIA\n");
      const { targets } = await predictTargets([fasta]);
      const events: string[] = [];
      const tell: PredictAllOptions["tell"] = {
        block: (iteration, block) => events.push(`block ${iteration}.${block}`),
        recycle: (index) => events.push(`recycle ${index}`),
      };
      const results = await predictAll(device, targets, await models(), options(out, { tell }));
      assert.deepEqual(results.map(({ id, status }) => [id, status]).sort(), [["bad", "failed"], ["good", "done"]]);
      assert.match(results.find(({ id }) => id === "bad")!.reason!, /two\.fasta/);
      const once = ["block 0.0", "recycle 0", "block 1.0", "recycle 1"];
      assert.deepEqual(events, [...once, ...once]); // two networks
      const names = [...Deno.readDirSync(join(out, "good"))].map(({ name }) => name);
      for (
        const name of [
          "ranked_1.cif",
          "good.done.txt",
          "pae_model_1_ptm_pred_0.json",
          "confidence_model_3_pred_0.json",
          REPORT_DATA,
          "log.txt",
          "representations_model_3_seed_1.safetensors",
        ]
      ) {
        assert(names.includes(name), `${name} is missing`);
      }
      assert(!names.includes("pae_model_3_pred_0.json")); // that network predicts none
      const cif = await Deno.readTextFile(join(out, "good/ranked_0.cif"));
      assert.match(cif, /RANDOM, seed 3/);
      const { chains: [chain] } = await parseStructure(new TextEncoder().encode(cif), "ranked_0.cif");
      assert.equal(chain.sequence, "MKTAYIAKQRGDW");
      assert.equal(chain.atomMask.reduce((sum, there) => sum + there, 0), 109); // heavy atoms of these residues, without OXT

      // The same inputs give the same bytes.
      const again = join(folder, "again");
      await predictAll(device, targets, await models(), options(again));
      for (const name of names.filter((name) => !/^timings|^report_data/.test(name))) {
        assert.deepEqual(
          await Deno.readFile(join(again, "good", name)),
          await Deno.readFile(join(out, "good", name)),
          name,
        );
      }

      // Done targets are kept; one whose marker is missing is predicted again.
      const kept = await predictAll(device, targets, await models(), options(out));
      assert.equal(kept.find(({ id }) => id === "good")!.status, "kept");
      await Deno.remove(join(out, "good/good.done.txt"));
      const redone = await predictAll(device, targets, await models(), options(out));
      assert.equal(redone.find(({ id }) => id === "good")!.status, "done");

      const facts = { models: await models(), adapter: "x", seconds: 1, version: "0" };
      const report = reportOf(kept, { ...facts, held: new Map() });
      assert.match(report.notice!, /RANDOM/);
      assert.deepEqual(report.failed.map(({ id }) => id), ["bad"]);
      assert.equal(report.targets[0].predictions[0].files[0].href.startsWith("good/"), true);
      assert.match(
        summaryCsv(kept),
        /^id,status,residues,best,mean_plddt,ptm,lddt,tm_score,ca_rmsd,all_atom_rmsd,seconds,reason\n/,
      );
    }),
);

gpuTest(
  "padding changes nothing, recycling feeds the next iteration, templates and a given structure count",
  async (device) => {
    const [model] = await models();
    using opened = await model.open();
    using _ = device.scope("weights");
    const network = await loadNetwork(device, model.config, opened.entries);
    const target = await prepareTarget({ id: "1znf", alignments: [{ path: FINGERS, row: "1znf" }] });
    const run = async (prepared: typeof target, more = {}) =>
      await predictTarget(device, network, prepared.features, prepared.sequence, { seed: 1, maxRecycles: 1, ...more });
    const plain = await run(target);
    assert.equal(plain.plddt.length, 25);
    assert.equal(plain.pae!.length, 625);
    assert.equal(plain.recycles.length, 2);
    assert.equal(plain.trajectory.length, 2);
    assert(plain.recycles[1].distanceChange! > 0);
    assert(plain.ptm! > 0 && plain.ptm! < 1);
    const bare = await run(target, { padding: false, maxMsaClusters: 9 }); // 25 residues, 5 + 10 rows
    const filled = await run(target, { maxMsaClusters: 9 }); // 48 residues, 8 + 12 rows
    assertClose(bare.plddt, filled.plddt, { rtol: 1e-4, atol: 1e-3 }, "pLDDT without padding");
    assertClose(bare.pae!, filled.pae!, { rtol: 1e-4, atol: 1e-3 }, "PAE without padding");
    assertClose([bare.ptm!], [filled.ptm!], { rtol: 1e-4 }, "pTM without padding");
    assertClose(bare.distances, filled.distances, { rtol: 1e-4, atol: 1e-3 }, "distances without padding");
    const first = await run(target, { maxRecycles: 0 });
    assert.notDeepEqual(first.atomPositions, plain.atomPositions);
    assert.deepEqual(first.plddt, plain.recycles[0].plddt);
    const other = await run(target, { seed: 2 });
    assert.notDeepEqual(other.plddt, plain.plddt);
    const templated = await prepareTarget({ id: "1znf", alignments: [{ path: FINGERS, row: "1znf" }] }, {
      ownTemplates: ["examples/zinc_fingers/1zaa1.cif"],
    });
    assert.deepEqual(templated.features.template_domain_names.length, 1);
    assert.notDeepEqual((await run(templated)).plddt, plain.plddt);
    // Attention is recorded in the last iteration, and does not change what is predicted.
    for (const tolerance of [0, 1e13]) {
      const kept: PredictionAttention[] = [];
      const watched = await run(templated, {
        maxMsaClusters: 9,
        tolerance,
        onAttention: (told: PredictionAttention) => kept.push(told),
      });
      assert.equal(kept.length, 1);
      const { tensors } = parseSafetensors(attentionFile(kept[0], 25), "attention");
      assert.deepEqual(Array.from(tensors, ([name, { shape }]) => [name, ...shape]), [
        ["blocks.0.msa_row_attention", 2, 25, 25],
        ["blocks.0.msa_column_attention", 2, 6, 6], // 5 rows and one of a template
        ["blocks.0.triangle_attention_starting", 2, 25, 25],
        ["blocks.0.triangle_attention_ending", 2, 25, 25],
        ["msa", 5, 25],
      ]);
      for (const [name, { shape, data }] of tensors) {
        if (name === "msa") continue;
        for (let at = 0; at < data.length; at += shape[2]) {
          const sum = (data as Float32Array).subarray(at, at + shape[2]).reduce((a, b) => a + b, 0);
          assert(Math.abs(sum - 1) < 1e-4, `${name}: ${sum}`);
        }
      }
      const blind = await run(templated, { maxMsaClusters: 9, tolerance, padding: false });
      assert.deepEqual(watched.plddt, blind.plddt);
    }
    assert.throws(
      () => checkAttentionSize(alphafoldConfig("model_1").evoformer, 700, 508),
      /takes 1\.8 GiB, more than/,
    );
    // An early end: any change is smaller than a kilometre.
    const early = await run(target, { maxRecycles: 5, tolerance: 1e13 });
    assert.equal(early.recycles.length, 2);
  },
);

gpuTest(
  "where a structure was given, the prediction is measured by it, and the structure is laid on the prediction",
  (device) =>
    temporary(async (folder) => {
      const { targets } = await predictTargets(["examples/zinc_fingers/1znf.cif"]);
      const [, model] = await models();
      const run = options(folder, { maxRecycles: 0, format: "alphafold", saveRepresentations: false });
      const [{ best, data }] = await predictAll(device, targets, [model], run);
      const { lddt, caRmsd, allAtomRmsd } = best!.experiment!;
      assert(lddt > 0 && lddt < 1 && caRmsd > 1 && allAtomRmsd > 1);
      const alphasOf = async (cif: string) => {
        const { chains: [{ atomPositions }] } = await parseStructure(new TextEncoder().encode(cif), "x.cif");
        return Array.from({ length: 75 }, (_, at) => atomPositions[3 * (Math.floor(at / 3) * 37 + 1) + at % 3]);
      };
      const [{ cif, experiment, name }] = data!.predictions;
      const [own, laid] = [await alphasOf(cif), await alphasOf(experiment!.cif)];
      const squares = own.reduce((sum, x, i) => sum + (x - laid[i]) ** 2, 0);
      assert(Math.abs(Math.sqrt(squares / 25) - caRmsd) < 2e-3, "superposed by the C-alphas");
      const written = JSON.parse(await Deno.readTextFile(join(folder, "1znf/experiment.json")));
      assert.deepEqual([written[name].lddt, written[name].residueLddt.length], [lddt, 25]);
      assert.match(
        summaryCsv([{ ...(await predictAll(device, targets, [model], run))[0] }]),
        new RegExp(`,${lddt.toFixed(3)},`),
      );
    }),
);

gpuTest(
  "memory is planned before a target begins: parts get smaller until it fits, or it is refused with numbers",
  async (device) => {
    const [model] = await models();
    const sizes = { residues: 64, clusters: 32, extra: 32, templates: 1 };
    const need = memoryNeed(device.traits, model.config, sizes, Infinity);
    assert(need.peakBytes > need.weightBytes && need.weightBytes > 0);
    assert.throws(
      () => fitMemory(device, model.config, sizes, 1000),
      (error: Error) =>
        error instanceof InputError &&
        /64 residues with 32 \+ 32 rows need .* GiB .*, there are 0\.0 GiB: take fewer rows/.test(error.message),
    );
    const before = device.partBytes;
    assert(fitMemory(device, model.config, sizes, undefined).peakBytes > 0);
    device.partBytes = before;
  },
);

Deno.test("planModels() tells which preset weights fit, and what they lack", () =>
  temporary(async (folder) => {
    await assert.rejects(planModels(join(folder, "none.pt"), undefined), /no such file or folder/);
    await assert.rejects(planModels(folder, undefined), /has no weights named after a preset/);
    await assert.rejects(planModels(folder, ["model_2"]), /has no weights for model_2: expected params_model_2\.npz/);
    await Deno.writeTextFile(join(folder, "model_1.pt"), "no weights at all");
    await assert.rejects(planModels(join(folder, "model_1.pt"), undefined), /begins with "no weigh"/);
  }));

Deno.test("two targets of one name are refused before anything runs", () =>
  temporary(async (folder) => {
    await Deno.writeTextFile(join(folder, "a.fasta"), ">AB\nMKT\n>ab\nMKTA\n");
    await assert.rejects(
      predictTargets([join(folder, "a.fasta")]).then(({ targets }) => {
        if (targets.some(({ problem }) => problem)) throw new InputError(targets.map(({ problem }) => problem).join());
      }),
      /two targets of the name|not unique/,
    );
  }));

gpuTest("weights held in 16 bits predict what their rounded numbers predict, in half the memory", async (device) => {
  const wide: AlphaFoldChoices = {
    ...SMALL,
    ...{ cM: 64, cZ: 32, cExtra: 32 },
    evoformer: { ...SMALL.evoformer, cHiddenMsaAtt: 6, cHiddenOpm: 32 }, // heads that are not whole vec4s
  };
  const [model] = await planModels("random:3", ["model_1_ptm"], wide);
  const target = await prepareTarget({ id: "1znf", alignments: [{ path: FINGERS, row: "1znf" }] });
  const shapes = namedShapes(model.config);
  for (const dtype of ["f16", "bf16"] as const) {
    using _ = device.scope("weights");
    using opened = await model.open();
    const exact = await loadNetwork(device, model.config, opened.entries);
    const network = await loadNetwork(device, model.config, opened.entries, { dtype });
    const rounding = dtype === "f16" ? 2 ** -11 : 2 ** -8;
    const { bytes, error } = network.held;
    assert.equal(exact.held.error, null);
    assert(bytes < 0.7 * exact.held.bytes, `${bytes} of ${exact.held.bytes}`);
    assert(error!.rms > rounding / 8 && error!.rms < rounding && error!.largest < rounding);
    const sizes = { residues: 64, clusters: 32, extra: 32, templates: 1 };
    const planned = memoryNeed(device.traits, model.config, sizes, Infinity, dtype).weightBytes;
    assert(Math.abs(planned - bytes) < 256 * shapes.size, "the plan counts other weights");
    const read = new Map<string, WeightEntry>();
    for (const [name, tensor] of await loadWeights(device, opened.entries, shapes, { dtype })) {
      const data = Float32Array.from(await tensor.read());
      read.set(name, {
        ...opened.entries.get(name)!,
        read: () => Promise.resolve({ dtype: "F32", shape: tensor.shape, data }),
      });
      const numbers = toFloat32(await opened.entries.get(name)!.read());
      if (tensor.dtype === "f32") assert.deepEqual(data, numbers, name);
      else assertClose(data, numbers, { rtol: rounding, atol: 2 ** -25 }, name);
    }
    const rounded = await loadNetwork(device, model.config, read);
    const run = (loaded: typeof network) =>
      predictTarget(device, loaded, target.features, target.sequence, { seed: 1, maxRecycles: 1 });
    const [held, same] = [await run(network), await run(rounded)];
    assertClose(held.plddt, same.plddt, { rtol: 1e-4, atol: 1e-3 }, `${dtype}, pLDDT`);
    assertClose(held.distances, same.distances, { rtol: 1e-4, atol: 1e-3 }, `${dtype}, distances`);
  }
});

Deno.test("of the full-size network 97 % are held in 16 bits", () => {
  const [half, all] = [true, false].map((onlyHalf) =>
    [...namedShapes(alphafoldConfig("model_1_ptm"))].reduce(
      (sum, [name, shape]) => sum + (onlyHalf && heldAs(name, shape, "f16") === "f32" ? 0 : sizeOf(shape)),
      0,
    )
  );
  assert.equal(all, 93_237_338);
  assert(half / all > 0.965, `${half / all}`);
});

gpuTest(
  "numbers that a file's entry read for the device are given back at once, those that others hold are not",
  async (device) => {
    const shapes = new Map([["blocks.0.x.weight", [2, 4]]]);
    for (const fresh of [true, undefined]) {
      for (const dtype of ["f32", "f16"] as const) {
        for (const data of [Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8)]) {
          const array: NamedArray = { dtype: data instanceof Float32Array ? "F32" : "F64", shape: [2, 4], data };
          const [name] = shapes.keys();
          const entry: WeightEntry = {
            name,
            dtype: array.dtype,
            shape: [2, 4],
            fresh,
            read: () => Promise.resolve(array),
          };
          using _ = device.scope("weights");
          const tensors = await loadWeights(device, new Map([[name, entry]]), shapes, { dtype });
          assert.deepEqual(Array.from(await tensors.get(name)!.read()), [1, 2, 3, 4, 5, 6, 7, 8]);
          assert.equal(data.length, fresh ? 0 : 8);
        }
      }
    }
  },
);

gpuTest("a weight that 16 bits cannot hold is refused by name", async (device) => {
  const name = "evoformer.blocks.0.x.weight";
  const data = new Float32Array(8).fill(1);
  data[3] = 70_000;
  const entry: WeightEntry = {
    name,
    dtype: "F32",
    shape: [2, 4],
    read: () => Promise.resolve({ dtype: "F32", shape: [2, 4], data }),
  };
  const load = (dtype: "f32" | "f16" | "bf16") =>
    loadWeights(device, new Map([[name, entry]]), new Map([[name, [2, 4]]]), { dtype });
  assert.equal((await load("f32")).get(name)!.dtype, "f32");
  for (const dtype of ["f16", "bf16"] as const) {
    await assert.rejects(load(dtype), /Cannot hold evoformer\.blocks\.0\.x\.weight in 16 bits: .* above 65504/);
  }
});
