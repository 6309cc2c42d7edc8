import assert from "node:assert/strict";
import { readAlignment } from "../../../tools/data/read_alignment.ts";
import { readStructure } from "../../../tools/data/read_structure.ts";
import { FINGERS } from "../fold/_fingers.ts";
import { pdbText, peptide } from "../data/_records.ts";
import { denofold } from "./_run.ts";

async function converted(folder: string, ...args: string[]): Promise<string> {
  const { code, stderr } = await denofold("convert", ...args);
  assert.equal(code, 0, stderr);
  await Deno.stat(`${folder}`);
  return stderr;
}

Deno.test("denofold convert: structures become BinaryCIF and FASTA; chains are chosen and renamed", async () => {
  const folder = await Deno.makeTempDir();
  const at = (name: string) => `${folder}/${name}`;
  await converted(folder, `${FINGERS}1znf.cif`, at("f.bcif.gz"));
  const [text, binary] = [await readStructure(`${FINGERS}1znf.cif`), await readStructure(at("f.bcif.gz"))];
  assert.deepEqual(binary.chains, text.chains);
  assert.deepEqual([binary.title, binary.method], [text.title, text.method]);

  // CHARMM's segments: names of four letters, which PDB cannot hold.
  await Deno.writeTextFile(
    at("step3.pdb"),
    pdbText([...peptide("MKTAY", { segment: "PROA" }), ...peptide("GSHW", { segment: "PROB", x: 30 })]),
  );
  const refused = await denofold("convert", at("step3.pdb"), at("no.pdb"));
  assert.equal(refused.code, 1);
  assert.match(
    refused.stderr,
    /chain PROA as PDB: the format takes names of one letter, to which chains can be renamed/,
  );
  await converted(folder, at("step3.pdb"), at("two.pdb"), "--chain", "PROB=A,PROA=B");
  assert.deepEqual((await readStructure(at("two.pdb"))).chains.map(({ id, sequence }) => `${id} ${sequence}`), [
    "A GSHW",
    "B MKTAY",
  ]);
  await converted(folder, at("step3.pdb"), at("s.fasta"), "--chain", "PROB,PROA=Q");
  assert.equal(await Deno.readTextFile(at("s.fasta")), ">step3_PROB\nGSHW\n>step3_Q\nMKTAY\n");

  const twice = await denofold("convert", at("step3.pdb"), at("no.cif"), "--chain", "PROA=A,PROB=A");
  assert.deepEqual([twice.code, /two chains would be named A/.test(twice.stderr)], [1, true]);
  const none = await denofold("convert", at("step3.pdb"), at("no.cif"), "--chain", "X");
  assert.match(none.stderr, /no protein chain X: it has PROA \(5 residues\), PROB \(4 residues\)/);
  const wrong = await denofold("convert", `${FINGERS}zinc_fingers.a3m`, at("no.sto"), "--chain", "A");
  assert.deepEqual([wrong.code, /--chain is for structures/.test(wrong.stderr)], [2, true]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("denofold convert: CLUSTAL in and A2M out keep rows, residues and insertions", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/a.aln`, "CLUSTAL W\n\na MK-TA\nb MRGT-\n\na Y\nb W\n");
  await converted(folder, `${folder}/a.aln`, `${folder}/a.a2m`);
  assert.equal(await Deno.readTextFile(`${folder}/a.a2m`), ">a\nMK.TAY\n>b\nMRgT-W\n");
  const [one, other] = [await readAlignment(`${folder}/a.aln`), await readAlignment(`${folder}/a.a2m`)];
  assert.deepEqual([other.rows, other.deletions, other.names], [one.rows, one.deletions, one.names]);
  await Deno.remove(folder, { recursive: true });
});
