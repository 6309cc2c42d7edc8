import assert from "node:assert/strict";
import { Key } from "../../../../core/mod.ts";
import { parseA3m } from "../../../../tools/data/a3m.ts";
import { makeSequenceFeatures } from "../../../../tools/data/features/chain.ts";
import { nearestNeighborClusters, summarizeClusters } from "../../../../tools/data/features/clusters.ts";
import { makeMaskedMsa, maskedMsaProbabilities } from "../../../../tools/data/features/masked_msa.ts";
import {
  correctMsaRestypes,
  makeHhblitsProfile,
  makeMsaFeatures,
  residueToken,
  speciesIdentifier,
} from "../../../../tools/data/features/msa.ts";
import { makeDeletionFeatures, makeMsaFeat, makeTargetFeat } from "../../../../tools/data/features/msa_feat.ts";
import {
  makeNetworkInputs,
  makeRecyclingInputs,
  sampleMsaRows,
} from "../../../../tools/data/features/network_inputs.ts";
import { windowFeatures } from "../../../../tools/data/features/window.ts";
import { parseStockholm } from "../../../../tools/data/stockholm.ts";

/** Tokens below a number, different for each seed. */
function randomTokens(size: number, classes: number, seed: number): Int32Array {
  return Int32Array.from(Key.fromSeed(seed).uniform(size), (x) => Math.floor(x * classes));
}

const A3M = parseA3m(">q\nACDWY\n>tr|A0A1F2|A0A1F2_9BACT/3-8 words\nAbbC-Wf-\n>x\nBZUJO\n", "a.a3m");
const STO = parseStockholm("# STOCKHOLM 1.0\nq  AC-DWY\ny  ACK-W-\nz  -CDDWY\n//\n", "b.sto");

Deno.test("makeMsaFeatures() joins alignments, drops repeated rows, and reads B, Z, U, J and O", () => {
  const features = makeMsaFeatures([A3M, STO]);
  // In HHblits' order A is 0, C 1, D 2, E 3, W 18, Y 19, X 20 and the gap 21. Row y is AC-W-, as is the row before x.
  assert.deepEqual(
    features.msa,
    Int32Array.from([[0, 1, 2, 18, 19], [0, 1, 21, 18, 21], [2, 3, 1, 20, 20], [
      ...[21, 1, 2, 18, 19],
    ]].flat()),
  );
  const deletions = [0, 0, 0, 0, 0, 0, 2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0];
  assert.deepEqual(features.deletion_matrix_int, Int32Array.from(deletions));
  assert.deepEqual(features.num_alignments, Int32Array.of(4, 4, 4, 4, 4));
  assert.deepEqual(features.msa_species_identifiers, ["", "9BACT", "", ""]);
  assert.throws(() => makeMsaFeatures([]), /There is no alignment/);
  assert.throws(
    () => makeMsaFeatures([A3M, parseA3m(">q\nAC\n", "c.a3m")]),
    /^InputError: c\.a3m is of a query of 2 residues, expected 5 as in a\.a3m$/,
  );
});

Deno.test("speciesIdentifier() reads UniProt's names alone", () => {
  assert.equal(speciesIdentifier("sp|P12345|ABC_HUMAN"), "HUMAN");
  assert.equal(speciesIdentifier("tr|A0A1F2V377_1|A0A1F2V377_9BACT_7/1-5"), "9BACT");
  for (
    const name of ["", "query", "tr|A0A|A0A_9BACT", "UniRef90_A0A1F2V377/4-68", "tr|A0A1F2V377|A0A1F2V377_TOOLONG"]
  ) {
    assert.equal(speciesIdentifier(name), "", name);
  }
});

Deno.test("tokens come from HHblits' order to that of residue types, and profiles count them", () => {
  assert.deepEqual(
    correctMsaRestypes(Array.from({ length: 22 }, (_, i) => i)),
    Int32Array.from("ACDEFGHIKLMNPQRSTVWYX-", residueToken),
  );
  assert.deepEqual(Array.from("ARNDCQEGHILKMFPSTWYVX-BZUJO", residueToken), [
    ...Array.from({ length: 22 }, (_, i) => i),
    ...[3, 6, 4, 20, 20],
  ]);
  const profile = makeHhblitsProfile([0, 21, 0, 5, 3, 5], 2);
  const expected = new Float32Array(44);
  [expected[0], expected[3], expected[22 + 21], expected[22 + 5]] = [2 / 3, 1 / 3, 1 / 3, 2 / 3];
  assert.deepEqual(profile, expected);
  assert.throws(() => correctMsaRestypes([22]), /msa\[0\] is 22: expected 0 to 21/);
  assert.throws(() => makeHhblitsProfile([1, 2, 3], 2), /expected whole rows of 2 columns/);
  assert.throws(() => makeHhblitsProfile([], 2), TypeError);
});

Deno.test("hidden residues come from a key or a choice, as often as the options say", () => {
  const [rows, columns] = [400, 53];
  const msa = randomTokens(rows * columns, 22, 3);
  const profile = makeHhblitsProfile(msa, columns);
  const options = { replaceFraction: 0.3, uniformProb: 0.25, profileProb: 0, sameProb: 0.25 };
  const masked = makeMaskedMsa(msa, profile, Key.fromSeed(5), options);
  assert.deepEqual(masked, makeMaskedMsa(msa, profile, Key.fromSeed(5), options));
  assert.deepEqual(masked.true_msa, msa);
  let [hidden, asMask, same] = [0, 0, 0];
  masked.msa.forEach((token, i) => {
    if (masked.bert_mask[i] === 0) return assert.equal(token, msa[i]);
    hidden++;
    if (token === 22) asMask++;
    if (token === msa[i]) same++;
  });
  assert(Math.abs(hidden / msa.length - 0.3) < 0.01);
  assert(Math.abs(asMask / hidden - 0.5) < 0.02);
  assert(Math.abs(same / hidden - (0.25 + 0.25 / 22)) < 0.02); // 20 of 22 tokens, each with 0.25 / 20
  const none = makeMaskedMsa(msa, profile, Key.fromSeed(5), { replaceFraction: 0 });
  assert(none.bert_mask.every((x) => x === 0));
  const given = makeMaskedMsa([1, 2, 3], [], { mask: [1, 0, 1], tokens: [22, 9, 3] });
  assert.deepEqual([...given.msa, ...given.true_msa, ...given.bert_mask], [22, 2, 3, 1, 2, 3, 1, 0, 1]);
  const probabilities = maskedMsaProbabilities(msa.slice(0, 2 * columns), profile);
  for (let i = 0; i < 2 * columns; i++) {
    const place = probabilities.slice(23 * i, 23 * i + 23);
    assert(Math.abs(place.reduce((sum, p) => sum + p) - 1) < 1e-6);
    assert(Math.abs(place[22] - 0.7) < 1e-6);
  }
  assert.throws(() => maskedMsaProbabilities(msa, profile, { sameProb: 0.9 }), RangeError);
});

for (const [centers, extra, columns, weight] of [[7, 19, 33, 0], [5, 11, 64, 0.5], [1, 3, 1, 0], [9, 40, 70, 2]]) {
  Deno.test(`clusters of ${extra} rows around ${centers} of ${columns} columns, gaps counting ${weight}, equal plain counts`, () => {
    // Few kinds of tokens make equal scores.
    const tokens = (rows: number, seed: number) =>
      randomTokens(rows * columns, 5, seed).map((token) => [3, 20, 21, 22, 7][token]);
    const mask = (rows: number, seed: number) => randomTokens(rows * columns, 6, seed).map((x) => Math.min(x, 1));
    const a = { msa: tokens(centers, 1), mask: mask(centers, 2), deletions: randomTokens(centers * columns, 9, 3) };
    const b = { msa: tokens(extra, 4), mask: mask(extra, 5), deletions: randomTokens(extra * columns, 9, 6) };
    const assignment = nearestNeighborClusters(a, b, columns, weight);
    const counts = new Float64Array(centers * columns).map((_, i) => 1e-6 + a.mask[i]);
    const deletions = Float64Array.from(a.deletions);
    const profile = new Float64Array(centers * columns * 23);
    a.msa.forEach((token, i) => profile[23 * i + token] = 1);
    for (let r = 0; r < extra; r++) {
      const scores = Array.from({ length: centers }, (_, c) => {
        let score = 0;
        for (let k = 0; k < columns; k++) {
          const [i, j] = [c * columns + k, r * columns + k];
          if (a.msa[i] !== b.msa[j]) continue;
          score += a.mask[i] * b.mask[j] * (a.msa[i] < 21 ? 1 : a.msa[i] === 21 ? weight : 0);
        }
        return score;
      });
      const nearest = scores.indexOf(Math.max(...scores));
      assert.equal(assignment[r], nearest);
      for (let k = 0; k < columns; k++) {
        const [i, j] = [nearest * columns + k, r * columns + k];
        counts[i] += b.mask[j];
        deletions[i] += b.mask[j] * b.deletions[j];
        profile[23 * i + b.msa[j]] += b.mask[j];
      }
    }
    const summary = summarizeClusters(a, b, assignment, columns);
    assert.deepEqual(summary.cluster_deletion_mean, Float32Array.from(deletions, (sum, i) => sum / counts[i]));
    assert.deepEqual(
      summary.cluster_profile,
      Float32Array.from(profile, (sum, k) => sum / counts[Math.floor(k / 23)]),
    );
  });
}

Deno.test("features of sequence and alignment lie where the network reads them", () => {
  const target = makeTargetFeat([20, 0], [0, 3]);
  assert.deepEqual(Array.from(target.keys()).filter((k) => target[k] !== 0), [21, 22, 23]);
  const summary = {
    cluster_profile: Float32Array.from({ length: 46 }, (_, k) => k / 64),
    cluster_deletion_mean: Float32Array.of(3, 0),
  };
  const feat = makeMsaFeat([22, 0], [0, 3], summary);
  assert.deepEqual([feat[22], feat[49], feat[23], feat[49 + 23], feat[24], feat[49 + 24], feat[48]], [
    ...[1, 1, 0, 1, 0, 0.5, 0.5],
  ]);
  assert.deepEqual(feat.slice(49 + 25, 49 + 48), summary.cluster_profile.slice(23));
  assert.deepEqual(makeDeletionFeatures([0, 3]).deletion_value, Float32Array.of(0, 0.5));
  assert.throws(() => makeMsaFeat([23, 0], [0, 3], summary), /msa\[0\] is 23: expected 0 to 22/);
});

Deno.test("makeNetworkInputs() gives the same features for the same key, and every row once", () => {
  const columns = 37;
  const msa = { msa: randomTokens(60 * columns, 22, 1), deletion_matrix_int: randomTokens(60 * columns, 3, 2) };
  const sequence = makeSequenceFeatures("A".repeat(columns));
  const options = { maxMsaClusters: 8, maxExtraMsa: 20 };
  const make = (seed: number) => makeNetworkInputs(sequence, msa, Key.fromSeed(seed), options);
  const inputs = make(1);
  assert.deepEqual(inputs, make(1));
  assert.notDeepEqual(inputs.true_msa, make(2).true_msa);
  assert.equal(inputs.msa_feat.length, 8 * columns * 49);
  assert.equal(inputs.extra_msa.length, 20 * columns);
  assert.deepEqual([inputs.msa_row_mask, inputs.extra_msa_row_mask], [8, 20].map((n) => new Float32Array(n).fill(1)));
  const filled = windowFeatures({ ...inputs }, { residues: columns, clusters: 8, extra: 20 }, {
    clusters: { start: 0, size: 10 },
  });
  assert.deepEqual(filled.msa_row_mask, Float32Array.of(1, 1, 1, 1, 1, 1, 1, 1, 0, 0), "filled rows are masked");
  assert.deepEqual(inputs.true_msa.slice(0, columns), correctMsaRestypes(msa.msa.slice(0, columns)));
  const all = makeNetworkInputs(sequence, msa, Key.fromSeed(3), { maxMsaClusters: 100, maskedMsa: false });
  assert.equal(all.true_msa.length, 60 * columns);
  assert.equal(all.extra_msa.length, 0);
  assert(all.bert_mask.every((x) => x === 0) && all.msa_feat.every(Number.isFinite));
  const { selected, others } = sampleMsaRows(9, 4, Key.fromSeed(1));
  assert.equal(selected[0], 0);
  assert.deepEqual([...selected, ...others].sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assert.throws(() => sampleMsaRows(0, 4, Key.fromSeed(1)), RangeError);
});

Deno.test("makeNetworkInputs() takes choices as given; makeRecyclingInputs() draws anew for each iteration", () => {
  const columns = 11, rows = 9;
  const msa = { msa: randomTokens(rows * columns, 22, 3), deletion_matrix_int: randomTokens(rows * columns, 3, 4) };
  const sequence = makeSequenceFeatures("A".repeat(columns));
  const types = correctMsaRestypes(msa.msa);
  const row = (r: number) => types.slice(r * columns, (r + 1) * columns);
  const hidden = { mask: new Float32Array(3 * columns), tokens: new Int32Array(3 * columns).fill(22) };
  hidden.mask[columns + 2] = 1;
  const choices = {
    rows: { selected: Int32Array.of(0, 7, 2), others: Int32Array.of(8, 1, 3) },
    masking: hidden,
    extra: [2, 0],
  };
  const given = makeNetworkInputs(sequence, msa, Key.fromSeed(1), { choices });
  assert.deepEqual(given, makeNetworkInputs(sequence, msa, Key.fromSeed(2), { choices }), "nothing is left to the key");
  assert.deepEqual(given.true_msa, Int32Array.from([0, 7, 2].flatMap((r) => [...row(r)])));
  assert.deepEqual(given.bert_mask, hidden.mask);
  assert.equal(given.msa_feat[(columns + 2) * 49 + 22], 1, "hidden by the mask's token");
  assert.deepEqual(given.extra_msa, Int32Array.from([3, 8].flatMap((r) => [...row(r)])));
  assert.throws(
    () => makeNetworkInputs(sequence, msa, Key.fromSeed(1), { choices: { extra: [99] } }),
    /choices\.extra\[0\] is 99: expected 0 to/,
  );
  const samples = (seed: number) => makeRecyclingInputs(sequence, msa, Key.fromSeed(seed), 3, { maxMsaClusters: 4 });
  assert.deepEqual(samples(5), samples(5));
  assert.equal(new Set(samples(5).map(({ true_msa }) => true_msa.join())).size, 3);
});
