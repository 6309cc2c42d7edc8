import assert from "node:assert/strict";
import { Key } from "../../../core/mod.ts";
import type { Chain } from "../../../tools/data/structure.ts";
import { formatMmcif } from "../../../tools/data/write_mmcif.ts";
import { complexFeatures } from "../../../tools/predict/complex_inputs.ts";
import { collectTargets } from "../../../tools/prep/collect_targets.ts";
import { encodeFeatureFile, type FeatureFile, parseFeatureFile } from "../../../tools/prep/feature_file.ts";
import { prepareTarget } from "../../../tools/prep/prepare_target.ts";
import { pairedTruth } from "../../../tools/train/alphafold/complex_samples.ts";
import { deviceTruth } from "../../../tools/train/alphafold/loss_truth.ts";
import { alphafoldNetwork } from "../../../tools/train/alphafold/network.ts";
import { alphafoldConfigOf, alphafoldDefaults, alphafoldOwn } from "../../../tools/train/alphafold/options.ts";
import { makeSample } from "../../../tools/train/alphafold/samples.ts";
import { openAlphaFold } from "../../../tools/train/alphafold/source.ts";
import { TrainingSession } from "../../../tools/train/session.ts";
import { gpuTest } from "../../_gpu.ts";
import { examplesOf, smallSettings } from "./_alphafold.ts";

/** A chain of residues along a bent line. */
function chain(id: string, sequence: string, offset: number): Chain {
  const n = sequence.length, atomPositions = new Float32Array(n * 37 * 3), atomMask = new Float32Array(n * 37);
  for (let i = 0; i < n; i++) {
    for (const [slot, dx, dy, dz] of [[0, 0, 0, 0], [1, 1.4, 0.3, 0], [2, 2, 1.6, 0.2], [4, 1.3, 2.6, 0.5]]) {
      atomMask[i * 37 + slot] = 1;
      atomPositions.set([3 * i + dx, offset + dy + i % 2, dz + 0.3 * i ** 2], (i * 37 + slot) * 3);
    }
  }
  return {
    ...{ id, labelId: id, sequence, atomPositions, atomMask, bFactors: new Float32Array(n * 37) },
    residueNumbers: Int32Array.from({ length: n }, (_, i) => 1 + i),
    insertionCodes: new Array<string>(n).fill(""),
  };
}

/** A complex of two copies of a chain and another one. */
async function complexFile(): Promise<FeatureFile> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/cx.cif`;
    const chains = [chain("A", "GASGASG", 0), chain("B", "ASGGA", 6), chain("C", "GASGASG", 12)];
    await Deno.writeTextFile(path, formatMmcif({ id: "cx", source: "cx", resolutionAngstrom: 2, chains }));
    const { targets: [target] } = await collectTargets([path], { assembly: "asymmetric" });
    return parseFeatureFile(encodeFeatureFile(await prepareTarget(target)), "cx.safetensors");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const FILE = await complexFile();

/** Settings of a small network for complexes. */
function settings() {
  const usual = smallSettings({ batchSize: 1 });
  return {
    ...usual,
    own: { ...alphafoldDefaults({ size: "reduced_multimer" }).own, ...usual.own, size: "reduced_multimer" },
  };
}

Deno.test("a sample of a complex is a crop across its chains, its residues numbered in each; its truth is of the same residues", () => {
  const { model, own: given } = settings(), own = alphafoldOwn(given), config = alphafoldConfigOf(model, own);
  assert.ok(config.multimer);
  const whole = complexFeatures(FILE.features);
  assert.deepEqual([...new Set(whole.asym_id)].length, 3);
  const padded = { residues: 10, clusters: 2, extra: 1, templates: 0 };
  const options = { config, own, padded, recycles: 1, clamped: true };
  let chains = 0;
  for (let k = 0; k < 8; k++) {
    const { rows, iterations } = makeSample("cx", FILE, options, Key.fromSeed(1).at(k));
    assert.equal(rows!.length, 10);
    for (const inputs of iterations) {
      assert.deepEqual([...inputs.residue_index], Array.from(rows!, (row) => whole.residue_index[row]));
      assert.deepEqual([...inputs.aatype], Array.from(rows!, (row) => whole.aatype[row]));
      assert.ok("asym_id" in inputs && inputs.target_feat.length === 10 * 21);
    }
    chains += new Set(Array.from(rows!, (row) => whole.asym_id[row])).size;
  }
  assert.ok(chains > 8, "crops are of several chains");
  const fixed = () => makeSample("cx", FILE, { ...options, fixed: true }, Key.fromSeed(2));
  assert.deepEqual(fixed().iterations, fixed().iterations);
});

gpuTest(
  "a network for complexes learns from them: equal chains beside those that they stand for, the losses of complexes",
  async (device) => {
    const given = settings(), { model } = given, own = alphafoldOwn(given.own), config = alphafoldConfigOf(model, own);
    const learning = await openAlphaFold(given, { examples: examplesOf([FILE]), watched: examplesOf([FILE]) });
    {
      using _ = device.scope("test");
      const params = alphafoldNetwork(model, given.own).init(device, 3);
      const options = {
        config,
        own,
        padded: { residues: 19, clusters: 2, extra: 1, templates: 0 },
        recycles: 0,
        clamped: true,
      };
      const sample = makeSample("cx", FILE, { ...options, fixed: true }, Key.fromSeed(4));
      const rows = sample.rows!, paired = await pairedTruth(device, params, { ...sample, rows }, config);
      const { entity_id, residue_index, asym_id } = complexFeatures(FILE.features);
      // A chain stands for one of its sequence, residue by residue, and no two for the same.
      assert.deepEqual(
        Array.from(paired, (row) => [entity_id[row], residue_index[row]]),
        Array.from(rows, (row) => [entity_id[row], residue_index[row]]),
      );
      assert.equal(new Set(Array.from(paired, (row) => asym_id[row])).size, 3);
      // The truth is that of the residues that are stood for.
      const swapped = Int32Array.from(rows, (row) => entity_id[row] > 1 ? row : (row + 7) % 14);
      const truth = deviceTruth(device, FILE.supervised!, sample.iterations[0], {
        start: 0,
        rows: swapped,
        length: 19,
        clamped: true,
      }, sample.padded);
      const positions = await truth.allAtomPositions.read(), known = FILE.supervised!.all_atom_positions;
      for (const [i, row] of swapped.entries()) {
        assert.deepEqual([...positions.slice(i * 111, i * 111 + 9)], [...known.slice(row * 111, row * 111 + 9)]);
      }
      assert.deepEqual([...await truth.asymId!.read()].slice(0, 19), [...asym_id]);
    }
    using session = new TrainingSession(device, given, learning);
    const first = (await session.advance())!;
    assert.ok(Number.isFinite(first.loss) && Number.isFinite(first.gradNorm) && first.gradNorm > 0);
    assert.ok(Number.isFinite(first.terms!.chainCenterOfMass), JSON.stringify(first.terms));
    await session.measureHeldOut(learning.watched!);
    const { heldOutLoss, heldOutMeasures } = session.history[0];
    assert.ok(Number.isFinite(heldOutLoss) && heldOutMeasures!.lddt >= 0 && heldOutMeasures!.tmScore > 0);
  },
);
