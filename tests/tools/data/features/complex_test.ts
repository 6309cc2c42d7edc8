import assert from "node:assert/strict";
import { placeChains } from "../../../../tools/data/features/complex/chain_places.ts";
import { type ChainInputs, makeComplexFeatures } from "../../../../tools/data/features/complex/complex_features.ts";
import {
  complexRowOrder,
  jaxDraws,
  makeComplexInputs,
} from "../../../../tools/data/features/complex/complex_inputs.ts";
import { pairRowsBySpecies } from "../../../../tools/data/features/complex/pair_rows.ts";
import { softClusters } from "../../../../tools/data/features/complex/soft_clusters.ts";
import { GAP_TOKEN, hhblitsToken, makeMsaFeatures } from "../../../../tools/data/features/msa.ts";
import { makeAlignment } from "../../../../tools/data/alignment.ts";
import { JaxKey } from "../../../../tools/data/jax_random.ts";
import { findCases, formatReport, runCase } from "../../../../tools/oracle/runner.ts";
import { gpuTest } from "../../../_gpu.ts";
import { golden } from "../../../_needs.ts";

const folder = golden("multimer/data");

gpuTest(
  "chains are paired, joined and cropped, rows drawn and hits read as the published pipeline does it",
  async (device) => {
    const paths = await findCases(folder.path);
    assert.equal(paths.length, 12);
    for (const path of paths) {
      const report = await runCase(device, path);
      assert.equal(report.status, "passed", formatReport(report, 0));
    }
  },
  folder,
);

/** A chain whose rows are named after species. */
function chain(sequence: string, rows: readonly (readonly [species: string, row: string])[]): ChainInputs {
  const names = ["query", ...rows.map(([species], k) => (species ? `tr|A0A00${k}|A0A00${k}_${species}` : `row${k}`))];
  const msa = makeMsaFeatures([makeAlignment("test", names, [sequence, ...rows.map(([, row]) => row)])]);
  return { sequence, msa, pairable: msa };
}

const A = chain("ACDE", [["HUMAN", "ACDF"], ["MOUSE", "GCDE"], ["YEAST", "AC-E"], ["HUMAN", "GGGE"]]);
const B = chain("KLM", [["YEAST", "KLN"], ["HUMAN", "KIM"]]);
const C = chain("WWWWW", [["HUMAN", "WWWWY"], ["MOUSE", "WYWWW"]]);

Deno.test("copies of a sequence stand together, whatever their order", () => {
  assert.deepEqual(placeChains(["AA", "C", "AA", "D", "C"]), [
    { input: 0, asym: 1, entity: 1, sym: 1 },
    { input: 2, asym: 2, entity: 1, sym: 2 },
    { input: 1, asym: 3, entity: 2, sym: 1 },
    { input: 4, asym: 4, entity: 2, sym: 2 },
    { input: 3, asym: 5, entity: 3, sym: 1 },
  ]);
});

Deno.test("rows are paired where two chains have a species, or where all have it; the likest first, many-rowed species not", () => {
  const chains = [A, B, C].map(({ pairable }) => pairable!);
  assert.deepEqual(pairRowsBySpecies(chains), [[0, 0, 0], [1, 2, 1], [3, 1, -1], [2, -1, 2]]);
  assert.deepEqual(pairRowsBySpecies(chains, { mode: "complete" }), [[0, 0, 0], [1, 2, 1]]);
  assert.deepEqual(pairRowsBySpecies(chains, { maxRowsOfSpecies: 1 }), [[0, 0, 0], [3, 1, -1], [2, -1, 2]]);
});

Deno.test("a complex has paired rows, then each sequence's own in its columns, copies side by side", () => {
  const { features, places, pairedRows } = makeComplexFeatures([B, A, B]);
  const letters = "ACDEFGHIKLMNPQRSTVWYX-";
  const rows = Array.from(
    { length: features.msa_row_entity.length },
    (_, r) => Array.from(features.msa.subarray(r * 10, (r + 1) * 10), (token) => letters[token]).join(""),
  );
  assert.deepEqual(places.map(({ input }) => input), [0, 2, 1]);
  assert.deepEqual(rows, [
    "KLMKLMACDE",
    "KLNKLNAC-E",
    "KIMKIMACDF",
    "------GCDE",
    "------GGGE",
  ]);
  assert.equal(pairedRows, 3);
  assert.deepEqual([...features.msa_row_entity], [0, 0, 0, 2, 2]);
  assert.deepEqual([...features.cluster_bias_mask], [1, 0, 0, 0, 0]);
  assert.deepEqual([...features.residue_index], [0, 1, 2, 0, 1, 2, 0, 1, 2, 3]);
  assert.deepEqual([...features.asym_id], [1, 1, 1, 2, 2, 2, 3, 3, 3, 3]);
  assert.deepEqual([...features.sym_id], [1, 1, 1, 2, 2, 2, 1, 1, 1, 1]);
  assert.equal(features.template_aatype.length, 4 * 10);
  assert.deepEqual([...makeComplexFeatures([B, A], { pairing: "none" }).features.cluster_bias_mask], [
    1,
    0,
    0,
    1,
    0,
    0,
    0,
    0,
  ]);
});

Deno.test("rows that were paired before are paired one by one, equal ones too, and must be as many", () => {
  const rows = (...texts: string[]) => ({
    msa: Int32Array.from(texts.join(""), hhblitsToken),
    deletion_matrix_int: new Int32Array(texts.join("").length),
    msa_species_identifiers: texts.map(() => ""),
  });
  const a = { ...A, pairable: rows("ACDE", "ACDE", "GCDE") }, b = { ...B, pairable: rows("KLM", "KLN", "---") };
  const { features, pairedRows } = makeComplexFeatures([a, b], { pairing: "rows" });
  assert.equal(pairedRows, 3);
  assert.deepEqual([...features.msa.subarray(18, 21)], [GAP_TOKEN, GAP_TOKEN, GAP_TOKEN]);
  assert.throws(
    () => makeComplexFeatures([a, { ...B, pairable: rows("KLM") }], { pairing: "rows" }),
    /one by one where chains have 3, 1: expected as many each/,
  );
});

Deno.test("softClusters() shares a row out among equals, and weighs it by the places that count", () => {
  // Two equal centres, and a row that shares two residues with both.
  const centers = { msa: [1, 2, 3, 1, 2, 3], deletions: [0, 0, 0, 0, 0, 0] };
  const extra = { msa: [1, 2, 21], deletions: [0, 4, 0] };
  const { cluster_profile, cluster_deletion_mean } = softClusters(centers, extra, 3);
  const weight = 3 / 2, count = 1 + weight;
  assert.ok(Math.abs(cluster_profile[23 + 2] - 1) < 1e-6);
  assert.ok(Math.abs(cluster_profile[2 * 23 + 3] - 1 / count) < 1e-6);
  assert.ok(Math.abs(cluster_profile[2 * 23 + 21] - weight / count) < 1e-6);
  assert.ok(Math.abs(cluster_deletion_mean[1] - 4 * weight / count) < 1e-6);
});

Deno.test("draws are JAX's, a key for each place; queries come first, rows that fill up last", () => {
  const key = JaxKey.fromSeed(3), draws = jaxDraws(key);
  assert.equal(draws.row(5), key.foldIn(1).foldIn(5).uniform(1)[0]);
  assert.equal(draws.hidden(2, 7), key.foldIn(2).foldIn(1).foldIn(2).foldIn(7).uniform(1)[0]);
  assert.equal(draws.token(2, 7, 22), key.foldIn(2).foldIn(2).foldIn(2).foldIn(7).foldIn(22).uniform(1)[0]);
  const order = complexRowOrder([0, 0, 0, 1, 0], draws, [1, 0, 1, 1, 1]);
  assert.equal(order[0], 3);
  assert.equal(order[4], 1);
  const { features } = makeComplexFeatures([B, A]);
  const inputs = makeComplexInputs(features, draws, {
    maxMsaClusters: 3,
    maxExtraMsa: 1,
    maskedMsa: { replaceFraction: 1 },
  });
  assert.deepEqual([inputs.msa_feat.length, inputs.target_feat.length, inputs.extra_msa.length], [
    3 * 7 * 49,
    7 * 21,
    7,
  ]);
  inputs.row_order.subarray(0, 3).forEach((row, k) => {
    const asked = [...inputs.bert_mask.subarray(k * 7, k * 7 + 7)];
    const entity = features.msa_row_entity[row];
    assert.deepEqual(asked, Array.from(features.entity_id, (own) => Number(entity === 0 || entity === own)));
  });
});
