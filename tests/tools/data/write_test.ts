import assert from "node:assert/strict";
import { CIF } from "molstar/lib/mol-io/reader/cif.js";
import { trajectoryFromMmCIF } from "molstar/lib/mol-model-formats/structure/mmcif.js";
import { parseMmcif } from "../../../tools/data/mmcif.ts";
import { parsePdb } from "../../../tools/data/pdb.ts";
import { type Chain, type Structure, traceStructure } from "../../../tools/data/structure.ts";
import { formatMmcif } from "../../../tools/data/write_mmcif.ts";
import { formatPdb } from "../../../tools/data/write_pdb.ts";
import { makeTestChain, makeTestStructure } from "./_structures.ts";

// What these writers make of PDB entries 1UBI, 1EJG, 3HSY, 3O21, 6YFY, 3U8V, 4ZEY, of a zinc finger, and of C-alpha traces
// of them was read by Biopython 1.80 and gemmi 0.5.7 with equal chains, numbers, atoms, positions, B-factors, sequences.

const trace: Structure = traceStructure({
  id: "prediction",
  sequence: "GAXMW",
  positions: Float32Array.from({ length: 15 }, (_, i) => Math.fround(Math.round(i * 1234.567) / 1000 - 5)),
  bFactors: Float32Array.of(0, 12.5, 99.75, 100, 3.25),
  residueNumbers: Int32Array.of(-3, 0, 7, 8, 1200),
  chainId: "Q",
});

/** A chain without the name mmCIF gives it, which PDB files do not have. */
const named = (chain: Chain): Chain => ({ ...chain, labelId: chain.id });

for (const structure of [makeTestStructure(), trace]) {
  Deno.test(`formatMmcif() of ${structure.id} is read back equal`, async () => {
    const { source: _, remarks = [], ...read } = await parseMmcif(formatMmcif(structure), "test");
    assert.deepEqual(remarks.map(({ key }) => key), ["unknownResidue"]); // its X
    const { source: __, ...written } = structure;
    assert.deepEqual(
      { ...read, chains: read.chains.map((chain) => ({ ...chain })) },
      {
        ...{ method: undefined, resolutionAngstrom: undefined, releaseDate: undefined },
        ...{ heteroGroups: [], assemblies: [], models: [1], ...written },
      },
    );
  });

  Deno.test(`formatPdb() of ${structure.id} is read back equal`, () => {
    const text = formatPdb(structure, { remarks: ["made for a test"] });
    assert.ok(text.split("\n").every((line) => line.length === 80 || line === ""));
    const read = parsePdb(text, "test.pdb");
    const written = structure.chains.map((chain) => ({ ...named(chain) }));
    const unknownNumbers = written.map((chain) => chain.residueNumbers); // SEQRES numbers the residues that are missing
    assert.deepEqual(read.chains.map((chain) => ({ ...chain })), written);
    assert.deepEqual(read.chains.map((chain) => chain.residueNumbers), unknownNumbers);
    assert.deepEqual(
      [read.title, read.method, read.resolutionAngstrom],
      [structure.title, structure.method, structure.resolutionAngstrom],
    );
  });
}

Deno.test("formatMmcif() makes files that Mol* builds models of, entities and all", async () => {
  for (const structure of [makeTestStructure(), trace]) {
    const parsed = await CIF.parse(formatMmcif(structure, { comments: ["a\nb"] })).run();
    assert.ok(!parsed.isError);
    const model = await (await trajectoryFromMmCIF(parsed.result.blocks[0]).run()).representative;
    const atoms = structure.chains.reduce((sum, chain) => sum + chain.atomMask.reduce((a, b) => a + b, 0), 0);
    assert.equal(model.atomicHierarchy.atoms._rowCount, atoms);
    assert.equal(model.atomicHierarchy.chains._rowCount, structure.chains.length);
    assert.deepEqual(
      model.sequence.sequences.map(({ sequence }) => Array.from(sequence.code.toArray()).join("")),
      [...new Set(structure.chains.map((chain) => chain.sequence))],
    );
    assert.deepEqual(Array.from(model.entities.data.type.toArray()), model.sequence.sequences.map(() => "polymer"));
  }
});

Deno.test("formatMmcif() keeps any title", async () => {
  const titles = [
    "'",
    '"',
    "' \"",
    "a' b\" c",
    "_x",
    "data_x",
    "loop_",
    ";x",
    "? what",
    "# no",
    "$y",
    "[z",
    "a;b",
    "it's",
    "'a'",
  ];
  for (const title of titles) {
    const { chains } = trace;
    const read = await parseMmcif(formatMmcif({ ...trace, title, chains }), "test");
    assert.equal(read.title, title);
  }
});

Deno.test("formatMmcif() gives chains of one name different labels", async () => {
  const chains = [makeTestChain("A", "GA"), makeTestChain("A", "MK")];
  const read = await parseMmcif(formatMmcif({ id: "x y", source: "x", chains }), "test");
  assert.deepEqual(read.chains.map((chain) => [chain.id, chain.labelId, chain.sequence]), [["A", "A", "GA"], [
    "A",
    "B",
    "MK",
  ]]);
});

Deno.test("formatPdb() and formatMmcif() refuse what their formats cannot hold", () => {
  const of = (chain: Chain): Structure => ({ id: "x", source: "x", chains: [chain] });
  const moved = makeTestChain("A", "G");
  moved.atomPositions[0] = 12345.6;
  const broken = makeTestChain("A", "G");
  broken.atomPositions[0] = NaN;
  assert.throws(
    () => formatPdb(of(makeTestChain("AB", "G"))),
    /chain AB as PDB: the format takes names of one letter, to which/,
  );
  assert.throws(() => formatPdb(of(moved)), RangeError);
  assert.throws(() => formatPdb(of(broken)), RangeError);
  assert.throws(() => formatMmcif(of(broken)), RangeError);
  assert.throws(
    () => formatPdb(of(makeTestChain("A", "G", { residueNumbers: Int32Array.of(10_000) }))),
    /number 10000/,
  );
  assert.throws(() => formatPdb(of(makeTestChain("A", "G".repeat(10_000)))), /10000 residues as PDB/);
});
