import assert from "node:assert/strict";
import { Key } from "../../../core/mod.ts";
import { RELATIVE_POSITION_CLASSES } from "../../../tools/fold/features.ts";
import { fingerprint, type Sample, stackSamples } from "../../../tools/train/batches.ts";
import {
  cutEnds,
  exampleBatches,
  type ExampleBatchOptions,
  takeRows,
  wholeSample,
} from "../../../tools/train/structure_batches.ts";
import { syntheticBatches } from "../../../tools/train/synthetic_batches.ts";
import { DEFAULT_MODEL } from "../../../tools/train/settings.ts";
import type { Family, FamilyMember } from "../../../tools/data/family.ts";
import { familyExamples } from "../../../tools/train/examples.ts";
import { toyFamily } from "./_toy.ts";

type Options = Omit<ExampleBatchOptions, "examples" | "description"> & {
  family: Family;
  members: readonly FamilyMember[];
};

function familyBatches({ family, members, ...options }: Options) {
  return exampleBatches({ ...options, examples: familyExamples([family], members), description: "fingers" });
}

function sample(numRes: number, token: number, known = true): Sample {
  return {
    numSeqs: 2,
    numRes,
    tokens: new Int32Array(2 * numRes).fill(token),
    distances: Float32Array.from({ length: numRes * numRes }, (_, k) => token + k / 100),
    mask: Float32Array.from({ length: numRes * numRes }, (_, k) => known || k > 0 ? 1 : 0),
  };
}

Deno.test("stackSamples() pads shorter chains and masks the padding", () => {
  const batch = stackSamples([sample(3, 4), sample(2, 7)]);
  assert.deepEqual([batch.size, batch.numSeqs, batch.numRes, batch.pairChannels], [2, 2, 3, RELATIVE_POSITION_CLASSES]);
  assert.deepEqual([...batch.msaTokens], [4, 4, 4, 4, 4, 4, 7, 7, 20, 7, 7, 20]);
  assert.deepEqual([...batch.msaMask!], [1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 0]);
  const square = [1, 1, 0, 1, 1, 0, 0, 0, 0];
  assert.deepEqual([...batch.pairMask!], [...new Array(9).fill(1), ...square]);
  assert.deepEqual([...batch.lossMask!], [...new Array(9).fill(1), ...square]);
  const rounded = [...batch.distances.subarray(9)].map((x) => Math.round(100 * x) / 100);
  assert.deepEqual(rounded, [7, 7.01, 0, 7.02, 7.03, 0, 0, 0, 0]);
  assert.equal(batch.pairFeatures[32], 1); // residues 0 and 0: class 32
  assert.equal(batch.pairFeatures[(9 + 2) * RELATIVE_POSITION_CLASSES + 34], 1); // second sample, residues 0 and 2
});

Deno.test("stackSamples() makes masks only where they are needed", () => {
  const whole = stackSamples([sample(3, 1), sample(3, 2)]);
  assert.deepEqual([whole.msaMask, whole.pairMask, whole.lossMask], [undefined, undefined, undefined]);
  const missing = stackSamples([sample(3, 1), sample(3, 2, false)]);
  assert.deepEqual([missing.msaMask, missing.pairMask], [undefined, undefined]);
  assert.equal(missing.lossMask![9], 0);
  assert.throws(() => stackSamples([]), TypeError);
});

Deno.test("exampleBatches() is a function of seed and step, and an epoch has every member once", async () => {
  const family = await toyFamily();
  const open = (seed: number) =>
    familyBatches({ family, members: family.members, batchSize: 1, numSeqs: 16, key: Key.fromSeed(seed) });
  const [one, same, other] = [await open(1), await open(1), await open(2)];
  assert.deepEqual(same.batch(7), one.batch(7)); // asked for without the steps before
  const lengths = (source: typeof one, from: number) => [0, 1, 2].map((i) => source.batch(from + i).numRes);
  for (const epoch of [0, 3, 30]) assert.deepEqual(lengths(one, epoch).sort(), [25, 29, 30]);
  const orders = new Set([0, 3, 6, 9, 12].map((epoch) => lengths(one, epoch).join()));
  assert.ok(orders.size > 1, "the order does not change from epoch to epoch");
  assert.notDeepEqual([0, 3, 6, 9].map((at) => lengths(other, at)), [0, 3, 6, 9].map((at) => lengths(one, at)));
  assert.equal(one.batch(0).numSeqs, 15);
  assert.equal(one.saveOrder(), undefined);
});

Deno.test("exampleBatches() keeps the target's row and draws others", async () => {
  const family = await toyFamily();
  const [first] = family.members;
  const source = await familyBatches({
    ...{ family, members: [first], batchSize: 1, numSeqs: 3, key: Key.fromSeed(5) },
  });
  const whole = wholeSample(family, first);
  const n = whole.numRes;
  const rowsOf = (tokens: Int32Array) =>
    Array.from({ length: tokens.length / n }, (_, row) => tokens.subarray(row * n, (row + 1) * n).join());
  const known = rowsOf(whole.tokens);
  const seen = new Set<string>();
  for (let step = 0; step < 40; step++) {
    const rows = rowsOf(source.batch(step).msaTokens);
    assert.equal(rows.length, 3);
    assert.equal(rows[0], known[0]);
    assert.notEqual(rows[1], rows[2]);
    for (const row of rows.slice(1)) seen.add(row);
  }
  assert.deepEqual([...seen].sort(), known.slice(1).sort());
  assert.deepEqual(rowsOf(takeRows(whole, [0, 5]).tokens), [known[0], known[5]]);
});

Deno.test("cutEnds() takes residues off tokens, distances and mask alike", () => {
  const n = 5;
  const whole: Sample = {
    ...{ numSeqs: 2, numRes: n, tokens: Int32Array.from({ length: 10 }, (_, k) => k) },
    distances: Float32Array.from({ length: 25 }, (_, k) => k),
    mask: Float32Array.from({ length: 25 }, (_, k) => k % 2),
  };
  const cut = cutEnds(whole, 1, 2);
  assert.equal(cut.numRes, 2);
  assert.deepEqual([...cut.tokens], [1, 2, 6, 7]);
  assert.deepEqual([...cut.distances], [6, 7, 11, 12]);
  assert.deepEqual([...cut.mask], [0, 1, 1, 0]);
  assert.equal(cutEnds(whole, 0, 0), whole);
});

Deno.test("exampleBatches() cuts ends at random, all lengths that are allowed", async () => {
  const family = await toyFamily();
  const source = await familyBatches({
    ...{ family, members: family.members.slice(0, 1), batchSize: 1, numSeqs: 3, cropEnds: 2, key: Key.fromSeed(8) },
  });
  const lengths = Array.from({ length: 80 }, (_, step) => source.batch(step).numRes);
  assert.deepEqual([...new Set(lengths)].sort(), [21, 22, 23, 24, 25]);
  assert.deepEqual(source.batch(11), source.batch(11));
});

Deno.test("the structure of a member that is held out changes nothing", async () => {
  const family = await toyFamily();
  const held = family.members[2];
  const moved = { ...held, chain: { ...held.chain, atomPositions: held.chain.atomPositions.map((x) => 2 * x + 1) } };
  const changed = { ...family, members: [family.members[0], family.members[1], moved] };
  const open = (f: typeof family) =>
    familyBatches({
      ...{ family: f, members: f.members.slice(0, 2), batchSize: 4, numSeqs: 9, key: Key.fromSeed(3) },
    });
  const [one, other] = [await open(family), await open(changed)];
  for (let step = 0; step < 5; step++) assert.deepEqual(other.batch(step), one.batch(step));
  assert.equal(other.fingerprint, one.fingerprint);
});

Deno.test("fingerprint() tells data sets apart", async () => {
  const parts = [["ab", "c"], ["a", "bc"], ["ab", "c", new Float32Array([0])], ["ab", "c", new Float32Array([-0])]];
  const found = await Promise.all(parts.map(fingerprint));
  assert.equal(new Set(found).size, parts.length);
  for (const text of found) assert.match(text, /^[0-9a-f]{16}$/);
});

Deno.test("syntheticBatches() goes on from a saved order", async () => {
  const options = { model: { ...DEFAULT_MODEL, numSeqs: 2, seqLen: 3 }, batchSize: 2, seed: 42 };
  const [one, other] = [await syntheticBatches(options), await syntheticBatches(options)];
  for (let step = 0; step < 3; step++) one.batch(step);
  assert.throws(() => one.batch(7), RangeError);
  other.restoreOrder(3, one.saveOrder());
  assert.deepEqual(other.batch(3), one.batch(3));
  assert.equal(one.warmupSteps, 5);
  assert.throws(() => other.restoreOrder(3, undefined), RangeError);
});
