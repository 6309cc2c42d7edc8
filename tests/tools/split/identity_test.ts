import assert from "node:assert/strict";
import { Key } from "../../../core/random.ts";
import { BLOSUM62, LETTER_COUNT } from "../../../tools/split/blosum62.ts";
import { alignmentIdentity, commonLetters, encodeSequence, identicalResidues } from "../../../tools/split/identity.ts";
import { randomSequence, relative } from "./_families.ts";

/** The same programme with whole matrices and pairs of numbers, as in a text book. */
function reference(a: Int32Array, b: Int32Array): number {
  type Cell = [score: number, identical: number];
  const better = (x: Cell, y: Cell): Cell => x[0] > y[0] || (x[0] === y[0] && x[1] >= y[1]) ? x : y;
  const table = (): Cell[][] => Array.from({ length: a.length + 1 }, () => Array(b.length + 1).fill([-1e9, 0]));
  const [ends, gapA, gapB] = [table(), table(), table()];
  for (let i = 0; i <= a.length; i++) ends[i][0] = [0, 0];
  ends[0].fill([0, 0]);
  let best: Cell = [0, 0];
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const cost = ([score, identical]: Cell, by: number): Cell => [score - by, identical];
      gapA[i][j] = better(cost(ends[i - 1][j], 12), cost(gapA[i - 1][j], 1));
      gapB[i][j] = better(cost(ends[i][j - 1], 12), cost(gapB[i][j - 1], 1));
      const [score, identical] = ends[i - 1][j - 1];
      const same = a[i - 1] === b[j - 1] && a[i - 1] !== 20;
      const paired: Cell = [score + BLOSUM62[a[i - 1] * LETTER_COUNT + b[j - 1]], identical + Number(same)];
      ends[i][j] = better(better(paired, [0, 0]), better(gapA[i][j], gapB[i][j]));
      best = better(ends[i][j], best);
    }
  }
  return best[1];
}

function commonReference(a: Int32Array, b: Int32Array): number {
  let row: number[] = Array(b.length + 1).fill(0);
  for (const letter of a) {
    const next = [0];
    b.forEach((other, j) => next.push(letter === other && letter !== 20 ? row[j] + 1 : Math.max(row[j + 1], next[j])));
    row = next;
  }
  return row[b.length];
}

// Of 40 pairs of the trypsins of Debian's theseus-examples 3.3.0-14 Biopython 1.80 (PairwiseAligner, local, BLOSUM62 with a
// small bonus for identical letters so that it too chooses among equals) has the same counts.

Deno.test("identicalResidues() and commonLetters() are those of the text book", () => {
  const keys = Key.fromSeed(11).split(40);
  keys.forEach((key, k) => {
    const [one, two, three] = key.split(3);
    const first = randomSequence(one, 1 + 7 * k % 97);
    const second = k % 2 === 0 ? relative(two, first, 0.5) + "XX" : randomSequence(three, 1 + 13 * k % 89);
    const [a, b] = [encodeSequence(`X${first}`), encodeSequence(second)];
    assert.equal(identicalResidues(a, b), reference(a, b));
    assert.equal(identicalResidues(b, a), reference(a, b));
    assert.equal(commonLetters(a, b), commonReference(a, b));
  });
});

Deno.test("identicalResidues() of sequences over 8,191 letters", () => {
  const [one, two] = Key.fromSeed(3).split(2);
  const domain = randomSequence(one, 90);
  const long = domain + randomSequence(two, 8_200);
  assert.equal(identicalResidues(encodeSequence(long), encodeSequence(long.slice(0, 8192))), 8192);
  assert.equal(alignmentIdentity(long, domain), 1);
});

Deno.test("alignmentIdentity() leaves gaps out and counts X as nothing", () => {
  assert.equal(alignmentIdentity("MKT-AYI.AKQR*", "mktayiakqr"), 1);
  assert.equal(alignmentIdentity("MKTAYXXXXX", "MKTAYXXXXX"), 0.5);
  assert.equal(alignmentIdentity("MKTAYIAKQRMKTAYIAKQR", "MKTAYIAKQR"), 1);
  assert.equal(alignmentIdentity("WWWWW", "KKKKK"), 0);
});
