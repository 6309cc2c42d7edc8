import assert from "node:assert/strict";
import { distanceTarget, pairFamily } from "../../../tools/data/family.ts";
import { makeAlignment } from "../../../tools/data/alignment.ts";
import { InputError } from "../../../tools/errors.ts";
import { ATOM_SLOTS } from "../../../model/protein/residues.ts";
import type { Chain } from "../../../tools/data/structure.ts";
import { familyBaselines, meanDistanceMap, nearestRelative } from "../../../tools/fold/baselines.ts";
import { fingers, member } from "./_fingers.ts";

/** Glycines on a line, `step` Å apart. */
function line(id: string, sequence: string, step: number) {
  const n = sequence.length;
  const atomPositions = new Float32Array(n * ATOM_SLOTS * 3);
  const atomMask = new Float32Array(n * ATOM_SLOTS);
  for (let i = 0; i < n; i++) {
    for (const slot of [1, 3]) { // C-alpha, C-beta
      atomPositions[(i * ATOM_SLOTS + slot) * 3] = step * i;
      atomMask[i * ATOM_SLOTS + slot] = 1;
    }
  }
  const chain: Chain = {
    ...{ id: "A", labelId: "A", sequence, atomPositions, atomMask },
    residueNumbers: Int32Array.from({ length: n }, (_, i) => i + 1),
    insertionCodes: new Array<string>(n).fill(""),
    bFactors: new Float32Array(n * ATOM_SLOTS),
  };
  return { structure: { id, source: `${id}.cif`, chains: [chain] }, chain };
}

const ALIGNMENT = makeAlignment("test", ["t", "a", "b"], ["ACDE-F", "AC-EGF", "A--TGF"]);
const FAMILY = pairFamily([line("t", "ACDEF", 100), line("a", "ACEGF", 3), line("b", "ATGF", 5)], ALIGNMENT);
const [TARGET, A, B] = FAMILY.members;

Deno.test("meanDistanceMap() averages aligned pairs, and fills others by separation", () => {
  const map = meanDistanceMap(FAMILY, TARGET, [A, B], 20);
  const at = (i: number, j: number) => map[i * 5 + j];
  for (let i = 0; i < 5; i++) {
    assert.equal(at(i, i), 0);
    for (let j = 0; j < 5; j++) assert.equal(at(i, j), at(j, i));
  }
  assert.equal(at(0, 1), 3); // only a has both
  assert.equal(at(0, 3), (2 * 3 + 1 * 5) / 2); // A0-E2 of a, A0-T1 of b
  assert.equal(at(0, 4), (4 * 3 + 3 * 5) / 2);
  assert.equal(at(3, 4), (2 * 3 + 2 * 5) / 2);
  const mean = (separation: number, counts: [number, number]) =>
    // pairs at a separation: 5 - s of a, 4 - s of b
    (counts[0] * 3 * separation + counts[1] * 5 * separation) / (counts[0] + counts[1]);
  assert(Math.abs(at(1, 2) - mean(1, [4, 3])) < 1e-5); // nobody has the D
  assert(Math.abs(at(0, 2) - mean(2, [3, 2])) < 1e-5);
});

Deno.test("meanDistanceMap() clamps before it averages, and looks at no distance of the target", () => {
  const map = meanDistanceMap(FAMILY, TARGET, [A, B], 10);
  assert.equal(map[4], 10); // 12 and 15 Å
  assert(map.every((d) => d <= 10));
  const other = pairFamily([line("t", "ACDEF", 1), { structure: A.structure, chain: A.chain }, {
    structure: B.structure,
    chain: B.chain,
  }], ALIGNMENT);
  assert.deepEqual(meanDistanceMap(other, other.members[0], [A, B], 10), map);
});

Deno.test("nearestRelative() goes by sequence identity", () => {
  assert.equal(nearestRelative(FAMILY, TARGET, [B, A]).id, "a"); // 4 of 4 against 2 of 3
  assert.equal(nearestRelative(FAMILY, B, [TARGET, A]).id, "a"); // A, G, F of 4 against A, F of 3
});

Deno.test("familyBaselines() of an example folds to about what is known of the family", async () => {
  const family = await fingers();
  const target = member(family, "1sp1");
  const [mean, copy] = await familyBaselines(family, target);
  assert.equal(mean.label, "Mean map of the family");
  assert.match(copy.label, /^Copy of \w+$/);
  assert.deepEqual([mean.kind, copy.kind], ["familyMean", "nearestRelative"]);
  for (const { fold, evaluation: { values } } of [mean, copy]) {
    assert.equal(fold.sequence, target.chain.sequence);
    assert(values.meanDistanceError! > 0.2 && values.meanDistanceError! < 2, `${values.meanDistanceError}`);
    assert(values.caRmsd! < 4 && values.lddt! > 0.6);
  }
  const relative = nearestRelative(family, target, family.members.filter((one) => one !== target));
  assert.equal(copy.label, `Copy of ${relative.id}`);
  const { distances } = distanceTarget(relative.chain);
  const known = new Set(Array.from(distances, (d) => d.toFixed(3)));
  const copied = copy.fold.distances.filter((d) => known.has(d.toFixed(3))).length;
  assert(copied > 0.7 * copy.fold.distances.length, `${copied} distances are the relative's`);
});

Deno.test("familyBaselines() needs another member", async () => {
  const alone = { ...FAMILY, members: [TARGET] };
  await assert.rejects(familyBaselines(alone, TARGET), InputError);
});
