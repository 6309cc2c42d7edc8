import assert from "node:assert/strict";
import { join } from "node:path";
import { parseStructure } from "../../../tools/data/read_structure.ts";
import { predictTargets } from "../../../tools/predict/collect.ts";
import { linkedResidueIndex } from "../../../tools/predict/complex_inputs.ts";
import { interfaceScores } from "../../../tools/predict/interfaces.ts";
import { planModels } from "../../../tools/predict/models.ts";
import { asGiven, givenOrder } from "../../../tools/predict/permute_prediction.ts";
import { predictedStructure, type Prediction, scoreOf } from "../../../tools/predict/prediction.ts";
import { predictAll, type PredictAllOptions } from "../../../tools/predict/run.ts";
import { collectTargets } from "../../../tools/prep/collect_targets.ts";
import { encodeFeatureFile, parseFeatureFile } from "../../../tools/prep/feature_file.ts";
import { prepareTarget } from "../../../tools/prep/prepare_target.ts";
import { gpuTest } from "../../_gpu.ts";
import { SMALL } from "./_small.ts";
import { inFolder } from "../train/_toy.ts";

/** A complex of chains K, A, K with alignments that name species. */
async function writeComplex(folder: string): Promise<string> {
  const fasta = join(folder, "cx.fasta");
  await Deno.writeTextFile(fasta, ">cx\nKLMKLMW:ACDEFGHI:KLMKLMW\n");
  const rows = (name: string, ...texts: string[]) =>
    texts.map((text, k) =>
      `>${k ? `tr|${name}0000${k}|${name}0000${k}_${k % 2 ? "HUMAN" : "MOUSE"}` : "q"}\n${text}\n`
    );
  for (const [chain, texts] of Object.entries({ A: ["KLMKLMW", "KLMKIMW", "KLNKLMW"], B: ["ACDEFGHI", "ACDEFGHL"] })) {
    await Deno.mkdir(join(folder, `cx_${chain}`));
    await Deno.writeTextFile(join(folder, `cx_${chain}`, "uniref90_hits.a3m"), rows(`P${chain}`, ...texts).join(""));
    await Deno.writeTextFile(join(folder, `cx_${chain}`, "uniprot_hits.a3m"), rows(`Q${chain}`, ...texts).join(""));
  }
  return fasta;
}

const options = (out: string, more: Partial<PredictAllOptions> = {}): PredictAllOptions => ({
  ...{ out, seeds: [1], rankBy: "multimer", format: "both", overwrite: false, prepare: {}, saveRepresentations: true },
  ...{ version: "0.0.0", maxRecycles: 1, tell: {}, ...more },
});

gpuTest(
  "a complex is prepared, predicted and written with its chains as they were given",
  (device) =>
    inFolder(async (folder) => {
      const fasta = await writeComplex(folder), out = join(folder, "out");
      const { targets } = await predictTargets([fasta, join(folder, "cx_A"), join(folder, "cx_B")]);
      assert.deepEqual(targets.map(({ id }) => id), ["cx"]);
      const models = await planModels("random:3", ["model_1_multimer_v3", "model_1_multimer_v2"], SMALL, {
        complexes: true,
      });
      const [result] = await predictAll(device, targets, models, options(out));
      assert.equal(result.status, "done", result.reason);
      assert.ok(result.best!.iptm! > 0 && result.best!.iptm! < 1);
      const cif = await Deno.readTextFile(join(out, "cx/ranked_0.cif"));
      const { chains } = await parseStructure(new TextEncoder().encode(cif), "ranked_0.cif");
      assert.deepEqual(chains.map(({ id, sequence }) => [id, sequence]), [
        ["A", "KLMKLMW"],
        ["B", "ACDEFGHI"],
        ["C", "KLMKLMW"],
      ]);
      assert.deepEqual(chains.map(({ residueNumbers }) => residueNumbers[0]), [1, 1, 1]);
      assert.match(cif, /ipTM/);
      const scores = JSON.parse(await Deno.readTextFile(join(out, "cx/interfaces_model_1_multimer_v3_pred_0.json")));
      assert.deepEqual(scores.interfaces.map(({ chains }: { chains: string[] }) => chains.join("")), [
        "AB",
        "AC",
        "BC",
      ]);
      const ranks = JSON.parse(await Deno.readTextFile(join(out, "cx/ranking_debug.json")));
      const own = ranks["iptm+ptm"].model_1_multimer_v3_pred_0;
      assert.ok(Math.abs(own - (0.8 * scores.iptm + 0.2 * scores.ptm)) < 1e-4);

      await assert.rejects(
        () => planModels("random:3", ["model_1_multimer_v3"], SMALL),
        /model_1_multimer_v3 is a network for complexes, which denofold predict alone runs/,
      );

      // Weights for single chains refuse it, but for a linker.
      const monomers = await planModels("random:3", ["model_1_ptm"], SMALL);
      const [refused] = await predictAll(device, targets, monomers, options(join(folder, "mono")));
      assert.match(
        refused.reason!,
        /model_1_ptm is for single chains, the target is a complex: take weights of a multimer/,
      );
      const linked = options(join(folder, "linked"), { linker: 200, rankBy: "ptm" });
      assert.equal((await predictAll(device, targets, monomers, linked))[0].status, "done");
    }),
);

Deno.test("chains of one sequence share files, a complex goes into a feature file and back", () =>
  inFolder(async (folder) => {
    const fasta = await writeComplex(folder);
    const { targets: [target] } = await collectTargets([folder], { complexes: true });
    assert.deepEqual(target.chains!.map(({ id, alignments }) => [id, alignments!.length]), [
      ["cx_A", 2],
      ["cx_B", 2],
      ["cx_C", 2],
    ]);
    const prepared = await prepareTarget(target);
    assert.equal(prepared.sequence, "KLMKLMWKLMKLMWACDEFGHI"); // copies stand together
    assert.deepEqual(prepared.chains, [
      { name: "cx_A", residues: 7, input: 0 },
      { name: "cx_C", residues: 7, input: 2 },
      { name: "cx_B", residues: 8, input: 1 },
    ]);
    // The queries, the human rows of all, and the mouse's of both copies.
    assert.deepEqual([...prepared.features.msa_row_entity!], [0, 0, 0]);
    const back = parseFeatureFile(encodeFeatureFile(prepared), "cx.safetensors");
    assert.deepEqual(back.chains, prepared.chains);
    for (const name of ["msa", "asym_id", "entity_id", "sym_id", "msa_row_entity", "cluster_bias_mask"] as const) {
      assert.deepEqual(back.features[name], prepared.features[name], name);
    }
    const apart = await collectTargets([fasta]);
    assert.deepEqual(apart.targets.map(({ id }) => id), ["cx_A", "cx_B", "cx_C"]);
    assert.deepEqual(
      [...linkedResidueIndex(prepared.features as Parameters<typeof linkedResidueIndex>[0], 100)].filter((_, i) =>
        i % 7 === 0
      ),
      [0, 107, 214, 221],
    );
  }));

Deno.test("rows without species are not paired, and that is said; equal names of chains are refused", () =>
  inFolder(async (folder) => {
    const two = { id: "cx", chains: [{ id: "cx_A", sequence: "ACDEF" }, { id: "cx_B", sequence: "KLM" }] };
    const { warnings, features } = await prepareTarget(two);
    assert.ok(
      warnings.some((text) => /Rows are not paired: no row of cx_A, cx_B names its species/.test(text)),
      warnings[0],
    );
    assert.deepEqual([...features.msa_row_entity!], [1, 2]);
    const fasta = join(folder, "two.fasta");
    await Deno.writeTextFile(fasta, ">heavy\nACDEF\n>Heavy\nKLM\n");
    const { targets: [target] } = await collectTargets([fasta], { asOne: true });
    assert.equal(target.id, "two");
    assert.match(target.problem!, /two\.fasta line 3: the chain "Heavy" was there before, in .*line 1/);
    await Deno.writeTextFile(fasta, ">heavy\nACDEF\n>light\nKLM\n");
    const { targets: [good] } = await collectTargets([fasta], { asOne: true });
    assert.deepEqual(good.chains!.map(({ id }) => id), ["heavy", "light"]);
  }));

/** Three residues in two chains, 1 and 2 Å apart along x. */
function tiny(): Prediction {
  const n = 3, atomPositions = new Float32Array(n * 37 * 3), atomMask = new Float32Array(n * 37);
  for (let i = 0; i < n; i++) {
    atomMask[i * 37 + 1] = 1;
    atomPositions[(i * 37 + 1) * 3] = [0, 1, 3][i];
  }
  return {
    ...{ preset: "model_1_multimer_v3", seed: 0, sequence: "GAG", atomPositions, atomMask },
    plddt: Float32Array.of(90, 80, 70),
    pae: Float32Array.from({ length: n * n }, (_, k) => k),
    ...{ maxPae: 31.75, ptm: 0.5, iptm: 0.9 },
    tmTerms: Float32Array.of(1, 0.2, 0.3, 0.4, 1, 0.6, 0.7, 0.8, 1),
    distances: new Float32Array(n * n),
    recycles: [],
    trajectory: [],
    chains: [{ name: "x", start: 0, residues: 1 }, { name: "y", start: 1, residues: 2 }],
    seconds: { features: 0, network: 0 },
  };
}

Deno.test("interfaces are scored by contacts, errors and confidence", () => {
  const [score] = interfaceScores(tiny(), ["A", "B"]);
  assert.deepEqual([score.chains, score.contacts, score.residues, score.clashes], [["A", "B"], 2, 3, 1]);
  assert.equal(score.plddt, 80);
  assert.equal(score.meanPae, (1 + 2 + 3 + 6) / 4);
  assert.ok(Math.abs(score.iptm! - 0.7) < 1e-6); // the best of 0.25, 0.4 and 0.7
  const x = 80 * Math.log10(2), weights = [1, 3, 2, 6].reduce((sum, e) => sum + 1 / (1 + (e / 10) ** 2), 0) / 4;
  assert.ok(Math.abs(score.pdockq - (0.724 / (1 + Math.exp(-0.052 * (x - 152.611))) + 0.018)) < 1e-9);
  assert.ok(Math.abs(score.pdockq2! - (1.31 / (1 + Math.exp(-0.075 * (80 * weights - 84.733))) + 0.005)) < 1e-9);
  assert.equal(scoreOf(tiny(), "multimer"), 0.8 * 0.9 + 0.2 * 0.5);
});

Deno.test("residues of a prediction are put in the order of the chains as given", () => {
  const chains = [{ name: "a", residues: 2, input: 1 }, { name: "b", residues: 1, input: 0 }];
  assert.deepEqual([...givenOrder(chains)], [2, 0, 1]);
  const given = asGiven(tiny(), chains);
  assert.deepEqual([...given.plddt], [70, 90, 80]);
  assert.deepEqual([...given.pae!], [8, 6, 7, 2, 0, 1, 5, 3, 4]);
  assert.deepEqual(given.chains, [{ name: "b", start: 0, residues: 1 }, { name: "a", start: 1, residues: 2 }]);
  const naming = { chainId: "Z", residueNumbers: Int32Array.of(1, 1, 2), insertionCodes: ["", "", ""] };
  const structure = predictedStructure("t", given, naming);
  assert.deepEqual(structure.chains.map(({ id, sequence }) => [id, sequence]), [["A", "G"], ["B", "GA"]]);
});
