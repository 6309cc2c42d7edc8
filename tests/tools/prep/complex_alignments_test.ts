import assert from "node:assert/strict";
import { join } from "node:path";
import { complexHeader, parseComplexA3m } from "../../../tools/data/complex_a3m.ts";
import { hhblitsToken } from "../../../tools/data/features/msa.ts";
import { collectTargets } from "../../../tools/prep/collect_targets.ts";
import { prepareTarget } from "../../../tools/prep/prepare_target.ts";
import { inFolder } from "../train/_toy.ts";

/** Chains KLMN and ACD, the first twice: paired rows, then those of each chain. */
const HETERO = `#4,3\t2,1
>101\t102
KLMNACD
>p1\tp2
KwLM-ggACE
>101
KLMN---
>u1
KIMN---
>u2
--MN---
>102
----ACD
>u3
----GCD
>u3
----GCD
`;

Deno.test("ColabFold's alignment of a complex is read by chains: paired rows, own rows, insertions with the chain behind them", () => {
  const [one, two] = parseComplexA3m(HETERO, "cx.a3m");
  assert.deepEqual([one.sequence, one.copies, two.sequence, two.copies], ["KLMN", 2, "ACD", 1]);
  assert.deepEqual(one.own.aligned, ["KLMN", "KIMN", "--MN"]);
  assert.deepEqual(two.own.aligned, ["ACD", "GCD"]);
  assert.deepEqual([one.paired!.aligned, two.paired!.aligned], [["KLMN", "KwLM-"], ["ACD", "ggACE"]]);
  assert.deepEqual([...one.paired!.deletions[1]], [0, 1, 0, 0]);
  assert.deepEqual([...two.paired!.deletions[1]], [2, 0, 0]);
  const [homomer] = parseComplexA3m("#4\t3\n>101\nKLMN\n>u\nKL-N\n", "h.a3m");
  assert.deepEqual([homomer.copies, homomer.paired, homomer.own.aligned], [3, undefined, ["KLMN", "KL-N"]]);
  assert.equal(complexHeader("#10\t1"), undefined);
});

Deno.test("an alignment of a complex that does not fit its first line is refused, a row that does not is left out", () => {
  assert.throws(
    () => parseComplexA3m(HETERO.replace("#4,3", "#4,4"), "cx.a3m"),
    /cx\.a3m line 2: row 1 "101" has 7 columns, expected 8: chains of 4, 4 residues, as the first line says/,
  );
  assert.throws(
    () => parseComplexA3m(HETERO.replace("2,1", "2"), "cx.a3m"),
    /lengths 4, 3 and copies 2, expected one of/,
  );
  assert.throws(
    () => parseComplexA3m("#2,2\t1,1\n>101\nKL--\n>102\n--A-\n", "cx.a3m"),
    /the first row of chain 2, of 2 residues, is "A-", expected a residue in each column/,
  );
  const [one] = parseComplexA3m(HETERO.replace("KIMN---", "KIMN--"), "cx.a3m");
  assert.equal(one.own.rows.length, 2);
  assert.match(one.own.remarks![0].found, /row 4 "u1" has 6 columns, expected 7: chains of 4, 3 residues/);
});

Deno.test("an alignment of a complex is a target, or belongs to the one of its name, whose chains must be its own", () =>
  inFolder(async (folder) => {
    const a3m = join(folder, "cx.a3m"), fasta = join(folder, "cx.fasta"), csv = join(folder, "jobs.csv");
    await Deno.writeTextFile(a3m, HETERO);
    const collect = (...files: string[]) => collectTargets(files, { complexes: true });
    const { targets: [alone] } = await collect(a3m);
    assert.deepEqual(alone.chains!.map(({ id, sequence }) => [id, sequence]), [
      ["cx_A", "KLMN"],
      ["cx_B", "KLMN"],
      ["cx_C", "ACD"],
    ]);
    const { features, warnings } = await prepareTarget(alone);
    const rows = Array.from(
      { length: features.num_alignments[0] },
      (_, r) => features.msa.slice(r * 11, (r + 1) * 11),
    );
    assert.deepEqual(
      rows.map((row) => [...row]),
      ["KLMNKLMNACD", "KLM-KLM-ACE", "KIMNKIMN---", "--MN--MN---", "--------GCD"]
        .map((row) => Array.from(row, hhblitsToken)),
    );
    assert.deepEqual([...features.msa_row_entity!], [0, 0, 1, 1, 2]);
    assert.ok(!warnings.some((text) => /not paired/.test(text)), warnings.join());

    // The order of the chains is the FASTA's, and ColabFold's list of jobs says the same.
    await Deno.writeTextFile(fasta, ">cx\nACD:KLMN:KLMN\n");
    await Deno.writeTextFile(csv, "id,sequence\ncx,ACD:KLMN:KLMN\n");
    for (const list of [fasta, csv]) {
      const { targets: [target], notes } = await collect(list, a3m);
      assert.deepEqual([target.problem, notes], [undefined, []]);
      assert.deepEqual(target.chains!.map(({ alignments }) => alignments!.map(({ part }) => part!.chain)), [
        [1, 1],
        [0, 0],
        [0, 0],
      ]);
    }
    const problem = async (text: string) => {
      await Deno.writeTextFile(fasta, text);
      return (await collect(fasta, a3m)).targets[0].problem!;
    };
    assert.match(
      await problem(">cx\nACD:KLMNW:KLMN\n"),
      /cx\.a3m has chains of 4, 3 residues, cx_B \(5 residues\) of .*cx\.fasta line 1 is none of them/,
    );
    assert.match(
      await problem(">cx\nACD:KLMN\n"),
      /cx\.a3m has 2 of its chain 1 \(4 residues\), there is 1 in .*cx\.fasta line 1/,
    );
    assert.match(await problem(">cx\nKLMN\n"), /has 2 of its chain 1 \(4 residues\), there is 1 in/);
    await Deno.writeTextFile(fasta, ">x\nACD:KLMN\n>y\nACD:KLMN\n");
    assert.match((await collect(fasta, a3m)).notes[0], /alignments of complexes that belong to no target: .*cx\.a3m/);
  }));

Deno.test("an alignment of another length than its chain is refused with the chain's name", () =>
  inFolder(async (folder) => {
    const fasta = join(folder, "cx.fasta"), own = join(folder, "cx_B.a3m");
    await Deno.writeTextFile(fasta, ">cx\nACD:KLMN\n");
    await Deno.writeTextFile(own, ">q\nKLMNW\n");
    const { targets: [target] } = await collectTargets([fasta, own], { complexes: true });
    await assert.rejects(
      () => prepareTarget(target),
      /Chain cx_B: The row "q" of .*cx_B\.a3m is not the sequence of .*line 1: the alignment has 5 residues, expected 4/,
    );
  }));
