import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { collectTargets } from "../../../tools/prep/collect_targets.ts";
import { CIF_TEXT } from "../data/_structures.ts";
import { withFiles } from "./_inputs.ts";

Deno.test("targets come from tables, sequences, structures or alignments, with files by name, folder or row", () =>
  withFiles({
    "t.csv": "pdb_id,affinity,chain,a3mpath\n1ABC,5,,\n2xyz,6,B,f/own.a3m\n",
    "s/1abc.cif": CIF_TEXT,
    "s/pdb2xyz.ent": "",
    "a/1abc/uniref90_hits.sto": "",
    "a/1abc/msas/bfd_hits.a3m": "",
    "a/2xyz.hhr": "",
    "f.fasta": ">one some words\nAC\n>two\nACD:EFG\n>three\nAC1D\n",
    "cut.a3m.gz": gzipSync(">one\nAC\n").subarray(0, 20),
    "fam.a3m": ">q\nAC\n>other\nAC\n",
  }, async (folder) => {
    const path = (name: string) => join(folder, name);
    const table = await collectTargets([path("t.csv"), path("s"), path("a")]);
    assert.deepEqual(
      table.targets.map(({ id, label, chain, structure, alignments = [], hits }) => [
        ...[id, label, chain, basename(structure ?? "")],
        alignments.map(({ path }) => basename(path)),
        basename(hits ?? ""),
      ]),
      [
        ["1abc", 5, undefined, "1abc.cif", ["uniref90_hits.sto", "bfd_hits.a3m"], ""],
        ["2xyz", 6, "B", "pdb2xyz.ent", ["own.a3m"], "2xyz.hhr"],
      ],
    );
    assert.equal(table.targets[1].alignments?.[0].path, path("f/own.a3m"));
    const fasta = await collectTargets([path("f.fasta"), path("fam.a3m"), path("cut.a3m.gz"), path("s")]);
    assert.deepEqual(
      fasta.targets.slice(0, 3).map(({ id, sequence, alignments }) => [id, sequence, alignments]),
      [
        ["one", "AC", []],
        ["two_A", "ACD", []],
        ["two_B", "EFG", []],
      ],
    );
    assert.match(fasta.targets[3].problem ?? "", /f\.fasta line 5: the sequence has "1" at residue 3 of chain 1/);
    assert.match(fasta.notes[0], /^Cannot unpack .*cut\.a3m\.gz/);
    assert.match(fasta.notes[1], /^structures that belong to no target: /);
    assert.match(fasta.notes[2], /^alignments that belong to no target: .*fam\.a3m/);
    await Deno.symlink("nowhere", path("s/9abc.cif"));
    await Deno.symlink(path("s/1abc.cif"), path("s/linked.cif"));
    await Deno.writeTextFile(path("s/.hidden.cif"), "");
    const structures = await collectTargets([path("s"), path("s/1abc.cif")]);
    assert.deepEqual(structures.targets.map(({ id }) => id), ["1abc", "9abc", "linked", "pdb2xyz"]);
    await Deno.mkdir(path("a/new"));
    await Deno.writeTextFile(path("a/new/mine_hits.a3m"), "");
    const alignments = await collectTargets([path("a"), path("fam.a3m")]);
    assert.deepEqual(alignments.targets.map(({ id }) => id), ["1abc", "new", "fam"]);
    await assert.rejects(() => collectTargets([path("none")]), /Cannot read .*none: there is no such file or folder/);
    await Deno.writeTextFile(path("x.doc"), "");
    await assert.rejects(() => collectTargets([path("x.doc")]), /x\.doc is of no known kind: expected a table/);
    await Deno.mkdir(path("empty"));
    await assert.rejects(() => collectTargets([path("empty")]), /There is no target in/);
  }));

Deno.test("files go to the target of their very name, and what two targets might claim goes to neither", () =>
  withFiles({
    "t.csv": "id,affinity\nAB,1\nab,2\nxY,3\n1a0l_A/1-3,4\n2xyz,5\n2xyz_B,6\n",
    "s/AB.pdb": "",
    "s/ab.pdb": "",
    "s/XY.pdb": "",
    "s/Ab.pdb": "",
    "s/1a0l_A_1-3.pdb": "",
    "s/2XYZ.pdb": "",
    "a/AB/db_hits.a3m": "",
    "a/ab/db_hits.a3m": "",
    "a/xY/ab.a3m": "",
    "f.a3m": ">q\nAC\n>aB\nAC\n>1a0l_A/1-3\nAC\n>AB/7-9\nAC\n",
  }, async (folder) => {
    const { targets, notes } = await collectTargets(["t.csv", "s", "a", "f.a3m"].map((name) => join(folder, name)));
    const short = (path: string) => path.slice(folder.length + 1);
    assert.deepEqual(
      targets.map(({ id, structure, alignments = [] }) => [
        ...[id, short(structure ?? "")],
        alignments.map(({ path, row }) => row === undefined ? short(path) : `${short(path)} ${row}`),
      ]),
      [
        ["AB", "s/AB.pdb", ["a/AB/db_hits.a3m", "f.a3m AB/7-9"]],
        ["ab", "s/ab.pdb", ["a/ab/db_hits.a3m", "a/xY/ab.a3m"]],
        ["xY", "s/XY.pdb", []],
        ["1a0l_A/1-3", "s/1a0l_A_1-3.pdb", ["f.a3m 1a0l_A/1-3"]],
        ["2xyz", "s/2XYZ.pdb", []],
        ["2xyz_B", "s/2XYZ.pdb", []],
      ],
    );
    assert.deepEqual(notes.map((note) => note.replaceAll(folder, "")), [
      "structures that belong to no target: /s/Ab.pdb",
    ]);
  }));
