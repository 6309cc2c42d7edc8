import assert from "node:assert/strict";
import { InputError } from "../../../tools/errors.ts";
import { readRunData, trainDataOf } from "../../../tools/train/data.ts";
import { pdbText, peptide } from "../data/_records.ts";
import { withFiles } from "../prep/_inputs.ts";

const FILES = {
  "pdb/1aaa.pdb": pdbText(peptide("MKTAYIAK", { chain: "A" })),
  "pdb/1bbb.pdb": pdbText(peptide("MKTGYIAK", { chain: "A" })),
  "pdb/2ccc.pdb": pdbText([...peptide("GWSTV", { chain: "A" }), ...peptide("HEHEHE", { chain: "B", x: 30 })]),
  "msa/first.a3m": ">1AAA/1-8\nMKTAYIAK\n>1bbb.pdb\nMKTGYIAK\n>other\nMRTAY-AK\n",
  "msa/2ccc_A.a3m": ">101\nGWSTV\n>hit\nGWATV\n",
  "msa/readme.txt": "none",
  "msa/lone.sto": "# STOCKHOLM 1.0\nq MK-V\nr MKAV\n//\n",
};

/** Reads a run's data from the files of a folder. */
const read = (folder: string, more: object = {}) =>
  readRunData({
    data: { kind: "structures", structures: [`${folder}/pdb`], msa: `${folder}/msa`, holdOut: [], ...more },
  });

Deno.test("structures of several families find their alignments in a folder, by rows or by the file's name", () =>
  withFiles(FILES, async (folder) => {
    const data = (await read(folder))!;
    assert.deepEqual(
      data.families.map(({ alignment, members }) => [
        alignment.source.slice(folder.length),
        ...members.map(({ id, row, chain }) => `${id} ${row} ${chain.id}`),
      ]),
      [["/msa/2ccc_A.a3m", "2ccc_A 0 A"], ["/msa/first.a3m", "1AAA 0 A", "1bbb 1 A"]],
    );
    assert.deepEqual(data.examples.map(({ id, sequence, depth }) => [id, sequence, depth]), [
      ["2ccc_A", "GWSTV", 2],
      ["1AAA", "MKTAYIAK", 3],
      ["1bbb", "MKTGYIAK", 3],
    ]);
    assert.deepEqual(data.examples.map((example) => example.sample().numSeqs), [2, 3, 3]);
    assert.match(data.warnings[0], /^alignments that belong to no structure: .*lone\.sto$/);
    const { description, identity } = trainDataOf(data);
    assert.equal(description, "3 structures, 2 alignments of 2 to 3 sequences");
    assert.equal(identity?.length, 2);
    const held = (await read(folder, { holdOut: ["1bbb"] }))!;
    assert.deepEqual([held.heldOut.length, held.examples.length], [1, 2]);
  }));

Deno.test("a structure that no alignment has, or several have, is refused with their names", async () => {
  const refusal = async (files: Record<string, string>, expected: RegExp) =>
    await withFiles(
      { ...FILES, ...files },
      (folder) =>
        assert.rejects(read(folder), (error: Error) => error instanceof InputError && expected.test(error.message)),
    );
  await refusal(
    { "pdb/3ddd.pdb": FILES["pdb/1aaa.pdb"] },
    /^None of the 3 alignments is named after the structure .*3ddd\.pdb or has a row "3ddd" \(--skip-bad/,
  );
  await refusal(
    { "msa/second.a3m": ">1bbb\nMKTGYIAK\n" },
    /1bbb\.pdb belongs to .*first\.a3m, .*second\.a3m: expected one/,
  );
  await refusal({ "pdb/2ccc_A.cif": "data_x\n" }, /2ccc_A\.cif/);
  const alphas = peptide("MKTAYIAK", { chain: "A" }).map((residue) => ({ ...residue, atoms: [residue.atoms[1]] }));
  await refusal(
    { "pdb/1aaa.pdb": pdbText(alphas) },
    /Chain A of .*1aaa\.pdb shows 0 C-beta atoms of known residues, exp/,
  );
  await refusal({ "msa/1aaa.a3m": ">101\nMKTWYIAK\n" }, /Row "1aaa" of .*1aaa\.a3m is not the sequence of chain A/);
  await withFiles({ "a.pdb": FILES["pdb/1aaa.pdb"], "msa/x.txt": "" }, (folder) =>
    assert.rejects(
      readRunData({ data: { kind: "structures", structures: [`${folder}/a.pdb`], msa: `${folder}/msa`, holdOut: [] } }),
      /has no alignment: expected files named/,
    ));
});

Deno.test("residues that are none of the 20 amino acids go in as X, are told, and their distances are not learnt", () =>
  withFiles({
    "pdb/1aaa.pdb": pdbText(peptide("MKTAYI", { chain: "A" })),
    "pdb/1bbb.pdb": pdbText([
      ...peptide("MK", { chain: "A" }),
      { ...peptide("A", { chain: "A", first: 3, at: 2 })[0], name: "XYZ" },
      ...peptide("AYI", { chain: "A", first: 4, at: 3 }),
    ]),
    "msa.a3m": ">1aaa\nMXTAYX\n>1bbb\nMKTAYI\n",
  }, async (folder) => {
    const data = (await read(folder, { msa: `${folder}/msa.a3m` }))!;
    const [odd, plain] = data.examples.map((example) => example.sample());
    const counts = (mask: Float32Array) => Array.from({ length: 6 }, (_, i) => mask[i * 6 + i]).join("");
    assert.deepEqual([counts(odd.mask), counts(plain.mask)], ["101110", "111111"]); // the row's letter decides
    assert.deepEqual(Array.from(odd.tokens.subarray(0, 2)), [12, 20]);
    assert.equal(odd.distances[1], 0);
    const told = data.warnings.map((text) => text.replaceAll(folder, ""));
    assert.match(
      told.join("\n"),
      /Row "1bbb" of .*1bbb\.pdb: residue 3 is T in the alignment and X in the structure: the/,
    );
    assert.match(told.join("\n"), /2 residues of 1aaa are none of the 20 amino acids: the network sees X, and/);
  }));
