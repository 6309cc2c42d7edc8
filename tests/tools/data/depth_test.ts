import assert from "node:assert/strict";
import { Key } from "../../../core/mod.ts";
import { parseSafetensors, toFloat32 } from "../../../model/weights/safetensors.ts";
import { coevolution, conservation } from "../../../tools/data/coevolution.ts";
import { alignmentDepth, depthSummary } from "../../../tools/data/depth.ts";
import { residueToken } from "../../../tools/data/features/msa.ts";

const GAP = 21;

/** Rows that are copies of the first with other tokens at some places, so that all identities occur. */
function family(rows: number, columns: number, seed: number): Int32Array {
  const [draws, tokens] = Key.fromSeed(seed).split(2).map((key) => key.uniform(rows * columns));
  const random = Array.from(tokens, (x) => Math.floor(x * 22));
  return Int32Array.from({ length: rows * columns }, (_, k) => {
    const [row, column] = [Math.floor(k / columns), k % columns];
    return row === 0 ? random[k] % GAP : draws[k] < row / rows * 0.7 ? random[k] : random[column] % GAP;
  });
}

/** The definition, row by row. */
function referenceNeff(msa: Int32Array, columns: number, percent: number): number {
  const rows = msa.length / columns;
  let sum = 0;
  for (let i = 0; i < rows; i++) {
    let near = 0;
    for (let j = 0; j < rows; j++) {
      let same = 0, either = 0;
      for (let c = 0; c < columns; c++) {
        const [a, b] = [msa[i * columns + c], msa[j * columns + c]];
        if (a !== GAP || b !== GAP) either++;
        if (a === b && a !== GAP) same++;
      }
      if (100 * same >= percent * either) near++;
    }
    sum += 1 / near;
  }
  return sum;
}

for (const [rows, columns] of [[1, 1], [40, 31], [37, 32], [41, 33], [60, 101]]) {
  Deno.test(`alignmentDepth() of ${rows} rows of ${columns} columns is as defined`, () => {
    const msa = family(rows, columns, rows);
    const depth = alignmentDepth(msa, columns);
    assert(Math.abs(depth.neff62 - referenceNeff(msa, columns, 62)) < 1e-9, `${depth.neff62}`);
    assert(Math.abs(depth.neff80 - referenceNeff(msa, columns, 80)) < 1e-9, `${depth.neff80}`);
    assert(rows === 1 || depth.neff62 < depth.neff80 && depth.neff80 < rows, "the case tells the two apart");
    for (let c = 0; c < columns; c++) {
      let count = 0, effective = 0;
      for (let r = 0; r < rows; r++) {
        if (msa[r * columns + c] === GAP) continue;
        count++;
        effective += depth.weights80[r];
      }
      assert(!(Math.abs(depth.coverage[c] - count / rows) > 1e-6));
      assert(!(Math.abs(depth.effectiveDepth[c] - effective) > 1e-4));
    }
  });
}

Deno.test("alignmentDepth() counts 80 % as 80 %, gaps on either side as different, and the identity to the query", () => {
  const tokens = (row: string) => Array.from(row, (letter) => residueToken(letter));
  const msa = ["AAAAAAAAAA", "AAAAAAAACC", "AAAAAAA-CC", "----------", "AAAAA-----"].flatMap(tokens);
  const depth = alignmentDepth(msa, 10);
  assert.equal(depth.neff80, 1 / 2 + 1 / 3 + 1 / 2 + 1 + 1); // rows 1 and 2, 2 and 3
  assert.deepEqual([...depth.identity].map((x) => x.toFixed(2)), ["1.00", "0.80", "0.78", "0.00", "1.00"]);
  assert.deepEqual([...depth.rowCoverage].map((x) => x.toFixed(1)), ["1.0", "1.0", "0.9", "0.0", "0.5"]);
  assert.equal(depth.gaps.toFixed(2), "0.32");
  const summary = depthSummary(depth);
  assert.equal(summary.sequences, 5);
  assert.equal(summary.meanIdentity.toFixed(3), ((0.8 + 7 / 9 + 0 + 1) / 4).toFixed(3));
  assert.equal(summary.meanCoverage.toFixed(2), "0.68");
  assert.throws(() => alignmentDepth([22], 1), RangeError);
  assert.throws(() => alignmentDepth([], 1), /no row/);
});

Deno.test("coevolution() equals ProDy's mutual information and average product correction", async () => {
  const root = new URL("../../../", import.meta.url);
  const path = new URL("tests/fixtures/prody/zinc_fingers.safetensors", root);
  const { tensors } = parseSafetensors(await Deno.readFile(path), "zinc_fingers.safetensors");
  const text = await Deno.readTextFile(new URL("examples/zinc_fingers/zinc_fingers.a3m", root));
  const rows = text.split(/^>.*$/m).slice(1).map((row) => row.replace(/\s/g, ""));
  const columns = rows[0].length;
  const found = coevolution(rows.flatMap((row) => Array.from(row, (letter) => residueToken(letter))), columns);
  for (
    const [name, ours] of [["mutual_information", found.mutualInformation], ["corrected", found.corrected]] as const
  ) {
    const theirs = toFloat32(tensors.get(name)!);
    assert.equal(theirs.length, columns * columns);
    for (let k = 0; k < theirs.length; k++) {
      const expected = k % (columns + 1) === 0 ? 0 : theirs[k];
      assert(
        !(Math.abs(ours[k] - expected) > 2e-6),
        `${name} ${Math.floor(k / columns)} ${k % columns}: ${ours[k]} ${expected}`,
      );
    }
  }
});

Deno.test("coevolution() finds planted pairs, and weights of rows count like copies of them", () => {
  const columns = 12, rows = 200;
  const msa = family(rows, columns, 5).map((token) => token % 20);
  for (let r = 0; r < rows; r++) msa[r * columns + 9] = (msa[r * columns + 2] + 7) % 20;
  const { corrected } = coevolution(msa, columns);
  const best = corrected.indexOf(Math.max(...corrected));
  assert.deepEqual([Math.floor(best / columns), best % columns], [2, 9]);
  const some = msa.subarray(0, 20 * columns);
  const weights = Float32Array.from({ length: 20 }, (_, r) => 1 + r % 3);
  const copies = Int32Array.from(
    Array.from(weights).flatMap((count, r) =>
      Array.from({ length: count }, () => [...some.subarray(r * columns, (r + 1) * columns)]).flat()
    ),
  );
  const [a, b] = [coevolution(some, columns, weights).corrected, coevolution(copies, columns).corrected];
  a.forEach((value, k) => assert(!(Math.abs(value - b[k]) > 1e-6)));
  const [c, d] = [conservation(some, columns, weights), conservation(copies, columns)];
  c.forEach((value, k) => assert(!(Math.abs(value - d[k]) > 1e-6)));
});

Deno.test("conservation() is 1 for one amino acid, 0 for none or all, and less where there are gaps", () => {
  const all = Array.from({ length: 20 }, (_, k) => k);
  const rows = all.map((k) => [7, k, GAP, 20, k < 10 ? 3 : GAP]).flat();
  const found = conservation(rows, 5);
  [1, 0, 0, 0, 0.5].forEach((expected, c) => assert(!(Math.abs(found[c] - expected) > 1e-6), `${c} ${found[c]}`));
});
