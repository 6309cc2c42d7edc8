import assert from "node:assert/strict";
import { Key } from "../../../core/mod.ts";
import { complexFeatures } from "../../../tools/predict/complex_inputs.ts";
import { pairedTruth } from "../../../tools/train/alphafold/complex_samples.ts";
import { deviceTruth } from "../../../tools/train/alphafold/loss_truth.ts";
import { alphafoldNetwork } from "../../../tools/train/alphafold/network.ts";
import { alphafoldConfigOf, alphafoldDefaults, alphafoldOwn } from "../../../tools/train/alphafold/options.ts";
import { makeSample } from "../../../tools/train/alphafold/samples.ts";
import { openAlphaFold } from "../../../tools/train/alphafold/source.ts";
import { TrainingSession } from "../../../tools/train/session.ts";
import { gpuTest } from "../../_gpu.ts";
import { examplesOf, smallSettings } from "./_alphafold.ts";
import { complexFile } from "./_complexes.ts";

const FILE = await complexFile("cx", "GASGASG", "ASGGA");

/** Settings of a small network for complexes. */
function settings() {
  const usual = smallSettings({ batchSize: 1 });
  return {
    ...usual,
    own: {
      ...alphafoldDefaults({ size: "reduced_multimer" }).own,
      ...usual.own,
      size: "reduced_multimer",
      recycles: 0,
      structureBlocks: 1,
    },
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
