import assert from "node:assert/strict";
import { Key } from "../../../core/random.ts";
import { clusterByIdentity } from "../../../tools/split/clusters.ts";
import { alignmentIdentity } from "../../../tools/split/identity.ts";
import { families, randomSequence } from "./_families.ts";

/** Clusters by aligning every pair. */
function everyPair(sequences: readonly string[], threshold: number): number[] {
  const clusterOf = sequences.map((_, i) => i);
  for (let i = 0; i < sequences.length; i++) {
    for (let j = 0; j < i; j++) {
      if (alignmentIdentity(sequences[i], sequences[j]) < threshold) continue;
      const [low, high] = [clusterOf[i], clusterOf[j]].sort((a, b) => a - b);
      clusterOf.forEach((cluster, k) => cluster === high && (clusterOf[k] = low));
    }
  }
  const numbers = [...new Set(clusterOf)];
  return clusterOf.map((cluster) => numbers.indexOf(cluster));
}

for (const threshold of [0.3, 0.45, 0.9, 1]) {
  Deno.test(`clusterByIdentity() at ${threshold} is single linkage of all pairs`, () => {
    const sequences = families(5, { count: 7, size: 6, length: 61, kept: 0.5 });
    sequences.push(sequences[3], sequences[8].toLowerCase(), sequences[12].slice(5, 40));
    const { clusterOf, members, search } = clusterByIdentity(sequences, threshold);
    assert.equal(search, "all pairs");
    assert.deepEqual([...clusterOf], everyPair(sequences, threshold));
    members.forEach((rows, cluster) => rows.forEach((row) => assert.equal(clusterOf[row], cluster)));
    assert.equal(members.flat().length, sequences.length);
  });
}

Deno.test("clusterByIdentity() of many sequences finds the families through shared words", () => {
  const [count, size] = [40, 10];
  const sequences = families(9, { count, size, length: 250, kept: 0.4 });
  const { members, search, alignedPairs } = clusterByIdentity(sequences, 0.3);
  assert.equal(search, "pairs that share words");
  assert.deepEqual(
    members,
    Array.from({ length: count }, (_, f) => Array.from({ length: size }, (_, k) => f * size + k)),
  );
  assert.ok(alignedPairs < 3000, `${alignedPairs} of ${400 * 399 / 2} pairs were aligned`);
});

Deno.test("clusterByIdentity() joins through others, and refuses what it cannot compare", () => {
  const keys = Key.fromSeed(2).split(3);
  const [a, c] = [randomSequence(keys[0], 40), randomSequence(keys[1], 40)];
  assert.deepEqual([...clusterByIdentity([a, c], 0.9).clusterOf], [0, 1]);
  assert.deepEqual([...clusterByIdentity([a, c, a + c], 0.9).clusterOf], [0, 0, 0]);
  assert.throws(() => clusterByIdentity(["MK", "--"], 0.5), /sequence 2: it has no letters/);
  for (const threshold of [0, -1, 1.1, NaN]) assert.throws(() => clusterByIdentity(["MK"], threshold), RangeError);
});
