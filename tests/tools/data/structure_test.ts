import assert from "node:assert/strict";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { parseSafetensors } from "../../../model/weights/safetensors.ts";
import { parseMmcif } from "../../../tools/data/mmcif.ts";
import { parsePdb } from "../../../tools/data/pdb.ts";
import { readStructure } from "../../../tools/data/read_structure.ts";
import {
  ATOM_INDEX,
  ATOM_NAMES,
  ATOM_SLOTS,
  RESIDUE_LETTERS,
  RESIDUE_NAMES,
  residueLetter,
} from "../../../model/protein/residues.ts";
import { alphaCarbons, type Chain, pseudoBeta, selectChain, traceStructure } from "../../../tools/data/structure.ts";
import { InputError } from "../../../tools/errors.ts";
import { readFileMaybeGzip } from "../../../tools/files.ts";
import { toBinaryCif } from "./_binary_cif.ts";
import { CIF_ASSEMBLIES, CIF_TEXT, makeTestChain, PDB_ASSEMBLIES, PDB_TEXT } from "./_structures.ts";
import { golden, needing } from "../../_needs.ts";

/** Position and B-factor of an atom, or `undefined` where there is none. */
function atom(chain: Chain, residue: number, name: string): number[] | undefined {
  const at = residue * ATOM_SLOTS + (ATOM_INDEX.get(name) ?? assert.fail(name));
  if (chain.atomMask[at] === 0) return undefined;
  return [...chain.atomPositions.subarray(at * 3, at * 3 + 3), chain.bFactors[at]];
}

Deno.test("the residue and atom tables have AlphaFold's sizes and parents", () => {
  assert.equal(ATOM_NAMES.length, 37);
  assert.equal(new Set(ATOM_NAMES).size, 37);
  assert.equal(RESIDUE_NAMES.length, RESIDUE_LETTERS.length);
  assert.deepEqual(["MSE", "SEP", "HYP", "TRP", "UNK", "HOH", "CSO", "HID"].map(residueLetter), [..."MSPWXXCH"]);
});

Deno.test("parseMmcif() keeps the first model, the likeliest locations, insertions and residues without atoms", async () => {
  const structure = await parseMmcif(CIF_TEXT, "test.cif");
  const { chains, heteroGroups, remarks = [], ...facts } = structure;
  assert.deepEqual(remarks.map(({ key, count, line }) => [key, count, line]), [
    ["nucleicAcid", 1, 59],
    ["otherModel", 1, 62],
    ["water", 1, 61],
    ["selenomethionine", 1, 51],
    ["alternateLocation", 2, 51],
    ["hydrogen", 1, 54],
    ["unknownResidue", 1, 58],
  ]);
  assert.deepEqual(heteroGroups?.map(({ name }) => name), ["CA"]);
  assert.deepEqual(facts, {
    id: "TEST",
    source: "test.cif",
    title: 'A test; with "quotes"',
    method: "x-ray diffraction",
    resolutionAngstrom: 1.75,
    releaseDate: "2012-03-04",
    assemblies: [],
    models: [1, 2],
  });
  assert.equal(chains.length, 1);
  const [chain] = chains;
  assert.deepEqual([chain.id, chain.labelId, chain.sequence], ["X", "A", "GMSWX"]);
  assert.deepEqual([...chain.residueNumbers], [10, 11, 11, 12, 13]);
  assert.deepEqual(chain.insertionCodes, ["", "", "A", "", ""]);
  assert.deepEqual(atom(chain, 0, "N"), [1, 2, 3, 10.5]);
  assert.deepEqual(atom(chain, 1, "CA"), [4.5, 1, 1, 13], "the location of higher occupancy");
  assert.deepEqual(atom(chain, 1, "SD"), [5, 1, 1, 14], "selenium stands for sulfur");
  assert.deepEqual(atom(chain, 2, "CA"), [7, 0, 0, 15], "the first of equal locations");
  assert.equal(atom(chain, 3, "CA"), undefined);
  assert.deepEqual(atom(chain, 4, "CA"), [9, 0, 0, 18]);
  assert.equal(chain.atomMask.reduce((sum, there) => sum + there, 0), 7);
  assert.ok(Object.isFrozen(structure) && Object.isFrozen(chain));
});

Deno.test("parseMmcif() and readStructure() read BinaryCIF as they read text", () =>
  withFolder(async (folder) => {
    const bytes = await toBinaryCif(CIF_TEXT);
    const text = await parseMmcif(CIF_TEXT, "test.cif");
    const remarks = text.remarks?.map((remark) => ({ ...remark, line: undefined })); // BinaryCIF has no lines
    assert.deepEqual(await parseMmcif(bytes, "test.cif"), { ...text, remarks });
    for (const [name, content] of [["a.bcif", bytes], ["b.bcif.gz", new Uint8Array(gzipSync(bytes))]] as const) {
      await Deno.writeFile(`${folder}/${name}`, content);
      assert.equal((await readStructure(`${folder}/${name}`)).chains[0].sequence, "GMSWX");
    }
    for (const length of [1, 10, 100, bytes.length >> 1, bytes.length - 1]) {
      await assert.rejects(parseMmcif(bytes.slice(0, length), "a.bcif"), InputError, `${length} bytes`);
    }
  }));

Deno.test("parseMmcif() takes the sequence from entity_poly_seq, or else from the atoms", async () => {
  const scheme = /loop_\n(?:_pdbx_poly_seq_scheme.*\n)+(?:[AC] \d.*\n)+/;
  const entitySequence =
    "loop_\n_struct_asym.id\n_struct_asym.entity_id\nA 1\nC 2\nloop_\n_entity_poly_seq.entity_id\n" +
    "_entity_poly_seq.num\n_entity_poly_seq.mon_id\n1 1 GLY\n1 2 MSE\n1 3 SER\n1 4 TRP\n1 5 ABC\n1 6 VAL\n";
  const [withEntity] = (await parseMmcif(CIF_TEXT.replace(scheme, entitySequence), "x")).chains;
  assert.equal(withEntity.sequence, "GMSWXV");
  const bare = CIF_TEXT.replace(scheme, "").replace(/loop_\n(?:_entity_poly\..*\n)+(?:\d .*\n)+/, "");
  const [withAtoms] = (await parseMmcif(bare, "x")).chains;
  assert.deepEqual([withAtoms.sequence, withAtoms.residueNumbers.at(-1)], ["GMSX", 13]);
});

// PDB entries 1UBI, 1EJG, 3HSY and 3O21 were read with the same residues and atoms as by Biopython 1.80, but for the names
// NH1 and NH2 of three arginines, which the files have the wrong way round.
// The hetero groups of 3HSY, 3O21, 3MHT, 6ZU5 (188), 6YFY, 3U8V, 4ZEY and 1LDM have the same names, places, atoms and
// elements as with Biopython 1.80, which takes modified residues for such groups too.

Deno.test("parsePdb() reads columns, alternative locations, insertions and MSE, and fits SEQRES", () => {
  const { chains, heteroGroups, remarks = [], ...facts } = parsePdb(PDB_TEXT, "test.pdb");
  assert.deepEqual(remarks.map(({ key, count, line }) => [key, count, line]), [
    ["otherModel", 1, 24],
    ["selenomethionine", 1, 12],
    ["alternateLocation", 1, 12],
  ]);
  assert.deepEqual(facts, {
    id: "1TST",
    source: "test.pdb",
    title: "A TITLE THAT GOES ON AND ON",
    method: "x-ray diffraction",
    resolutionAngstrom: 1.75,
    releaseDate: "2012-03-04",
    assemblies: [],
    models: [1, 2],
  });
  assert.deepEqual(heteroGroups?.map(({ name, residueNumber }) => [name, residueNumber]), [["CA", 20], ["MSE", 21]]);
  const [x, y] = chains;
  assert.equal(chains.length, 2);
  assert.equal(x.sequence, "GMSWSA");
  assert.deepEqual([...x.residueNumbers], [10, 11, 11, 12, 13, 14]);
  assert.deepEqual(x.insertionCodes, ["", "", "A", "", "", ""]);
  assert.deepEqual(atom(x, 1, "CA"), [4.5, 1, 1, 13]);
  assert.deepEqual(atom(x, 1, "SD"), [5, 1, 1, 14]);
  assert.deepEqual(atom(x, 2, "CB"), [Math.fround(7.2), 1, 0, 0]);
  assert.equal(atom(x, 3, "CA"), undefined);
  assert.equal(x.atomMask.reduce((sum, there) => sum + there, 0), 7);
  assert.deepEqual([y.sequence, y.residueNumbers[0]], ["V", -999]);
  assert.deepEqual(atom(y, 0, "CA"), [-999.999, 9999.999, -0.001, 999.99].map(Math.fround));
});

Deno.test("parseMmcif() and parsePdb() keep hetero groups apart, list assemblies and read the model that is named", async () => {
  const calcium = (chainId: string) => ({
    name: "CA",
    chainId,
    residueNumber: 20,
    insertionCode: "",
    atomNames: ["CA"],
    elements: ["CA"],
    atomPositions: Float32Array.of(0, 9, 0),
  });
  const cif = CIF_TEXT.replace("loop_\n_atom_site.", `${CIF_ASSEMBLIES}loop_\n_atom_site.`);
  for (const data of [cif, await toBinaryCif(cif)]) {
    const read = await parseMmcif(data, "x");
    assert.deepEqual(read.heteroGroups, [calcium("X")]);
    assert.deepEqual(read.assemblies, [
      { id: "1", details: "dimeric", parts: [{ chains: ["X"], copies: 2 }] },
      { id: "2", details: "software_defined_assembly", parts: [{ chains: ["X"], copies: 120 }] },
    ]);
    assert.deepEqual(read.models, [1, 2]);
    const second = await parseMmcif(data, "x", { model: 2 });
    assert.deepEqual(atom(second.chains[0], 0, "CA"), [99, 2, 3, 11.5]);
    assert.deepEqual(second.heteroGroups, []);
    await assert.rejects(parseMmcif(data, "x", { model: 3 }), /^InputError: x has no model 3: it has 1, 2$/);
  }

  const pdb = PDB_TEXT.replace("MODEL        1", `${PDB_ASSEMBLIES}MODEL        1`);
  const { heteroGroups, assemblies: listed } = parsePdb(pdb, "x");
  assert.deepEqual(heteroGroups?.[0], calcium("X"));
  assert.deepEqual(listed, [{
    id: "1",
    details: "trimeric",
    parts: [{ chains: ["X"], copies: 2 }, { chains: ["Y"], copies: 1 }],
  }]);
  assert.deepEqual(atom(parsePdb(pdb, "x", { model: 2 }).chains[0], 0, "CA"), [99, 2, 3, 11.5]);
  assert.throws(() => parsePdb(pdb, "x", { model: 7 }), /^InputError: x has no model 7: it has 1, 2$/);
});

Deno.test("readStructure() takes any ends of lines, and a byte order mark", () =>
  withFolder(async (folder) => {
    for (const [name, text] of [["a.pdb", PDB_TEXT], ["a.cif", CIF_TEXT]]) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
      const plain = await readStructure(`${folder}/${name}`);
      for (const end of ["\r\n", "\r"]) {
        await Deno.writeTextFile(`${folder}/${name}`, `\uFEFF${text.replaceAll("\n", end)}`);
        assert.deepEqual(await readStructure(`${folder}/${name}`), plain, `${name} ${JSON.stringify(end)}`);
      }
    }
  }));

Deno.test("parsePdb() takes an unknown residue into the chain where SEQRES names it, else keeps it apart", () => {
  const line = (kind: string, name: string, number: number) =>
    `${kind.padEnd(6)}    1  CA  ${name} A${
      String(number).padStart(4)
    }       1.000   2.000   3.000  1.00 10.50           C`;
  const atoms = [line("ATOM", "ALA", 1), line("HETATM", "QQQ", 2), line("HETATM", "LIG", 3), line("ATOM", "GLY", 4)];
  const plain = parsePdb(atoms.join("\n"), "x");
  assert.equal(plain.chains[0].sequence, "AG");
  assert.deepEqual(plain.heteroGroups?.map(({ name, elements }) => [name, ...elements]), [["QQQ", "C"], ["LIG", "C"]]);
  const named = parsePdb(["SEQRES   1 A    3  ALA QQQ GLY", ...atoms].join("\n"), "x");
  assert.equal(named.chains[0].sequence, "AXG");
  assert.deepEqual(atom(named.chains[0], 1, "CA"), [1, 2, 3, 10.5]);
  assert.deepEqual(named.heteroGroups?.map(({ name }) => name), ["LIG"]);
});

Deno.test("parsePdb() places observed residues by their numbers and leaves aside SEQRES records that do not fit", () => {
  const line = (number: number, name: string): string =>
    `ATOM      1  CA  ${name} A${String(number).padStart(4)}       1.000   2.000   3.000  1.00 10.50           C`;
  const read = (seqres: string, ...atoms: string[]): Chain =>
    parsePdb([`SEQRES   1 A    6  ${seqres}`, ...atoms, "END"].join("\n"), "x").chains[0];
  const repeats = read("ALA ALA GLY ALA ALA GLY", line(4, "ALA"), line(6, "GLY"));
  assert.deepEqual(Array.from(alphaCarbons(repeats).mask), [0, 0, 0, 1, 0, 1]);
  assert.deepEqual([...repeats.residueNumbers], [1, 2, 3, 4, 5, 6]);
  const jump = read("ALA ALA GLY ALA ALA GLY", line(4, "ALA"), line(900, "GLY"));
  assert.equal(jump.sequence, "AAGAAG");
  assert.equal(read("VAL VAL VAL", line(4, "ALA"), line(6, "GLY")).sequence, "AG");
});

Deno.test("parsePdb() separates chains by segment where they have no names, and reads hybrid-36 numbers", () => {
  const line = (number: string, segment: string): string =>
    `ATOM      1  CA  ALA  ${number}       1.000   2.000   3.000  1.00 10.50      ${segment}C`;
  const { chains } = parsePdb(["   1", "A000"].flatMap((n) => ["SEGA", "SEGB"].map((s) => line(n, s))).join("\n"), "x");
  assert.deepEqual(chains.map((chain) => [chain.id, ...chain.residueNumbers]), [["SEGA", 1, 10000], [
    "SEGB",
    1,
    10000,
  ]]);
});

Deno.test("arginine's NH1 is the nearer to CD, whatever the file says", async () => {
  const header = CIF_TEXT.slice(CIF_TEXT.indexOf("loop_\n_atom_site"), CIF_TEXT.indexOf("ATOM   1"));
  const row = (name: string, x: number): string => `ATOM 1 C ${name} . ARG A 1 1 ? ${x} 0 0 1 ${x * 10} 1 A 1\n`;
  const text = `data_x\n${header}${row("CA", 0)}${row("CD", 1)}${row("NH1", 3)}${row("NH2", 2)}`;
  const [chain] = (await parseMmcif(text, "x")).chains;
  assert.deepEqual([atom(chain, 0, "NH1"), atom(chain, 0, "NH2")], [[2, 0, 0, 20], [3, 0, 0, 30]]);
});

Deno.test("selectChain(), pseudoBeta() and alphaCarbons() pick what they are asked for", () => {
  const structure = { id: "x", source: "x.cif", chains: [makeTestChain("A", "GAS"), makeTestChain("B", "M")] };
  assert.equal(selectChain(structure, "B").sequence, "M");
  assert.equal(selectChain({ ...structure, chains: [structure.chains[1]] }).id, "B");
  assert.throws(
    () => selectChain(structure),
    /x\.cif has 2 protein chains: name one of A \(3 residues\), B \(1 residues\)/,
  );
  assert.throws(() => selectChain(structure, "Q"), /x\.cif has no protein chain Q: it has A \(3 residues\)/);
  const [chain] = structure.chains;
  const beta = pseudoBeta(chain);
  assert.deepEqual([...beta.positions.subarray(0, 3)], atom(chain, 0, "CA")?.slice(0, 3));
  assert.deepEqual([...beta.positions.subarray(3, 6)], atom(chain, 1, "CB")?.slice(0, 3));
  assert.deepEqual([...beta.mask], [1, 1, 1]);
  assert.deepEqual([...alphaCarbons(chain).positions.subarray(6)], atom(chain, 2, "CA")?.slice(0, 3));
  assert.throws(() => traceStructure({ id: "t", sequence: "GA", positions: new Float32Array(5) }), TypeError);
});

const badStructures: [string, string, string, RegExp][] = [
  ["an empty file", "a.cif", "", /a\.cif is empty/],
  ["a file of spaces", "a.pdb", " \n\n ", /a\.pdb is empty/],
  [
    "prose",
    "a.txt",
    "hello there\n",
    /neither mmCIF \(no data_ block\) nor PDB \(no ATOM record\); it begins with "hello there/,
  ],
  ["prose named .cif", "a.cif", "hello there\n", /as mmCIF: line 1: "[^"]*", expected a name or loop_/],
  ["prose named .pdb", "a.pdb", "hello there\n", /a\.pdb as PDB: it has no ATOM record/],
  ["a CIF of something else", "a.cif", "data_x\n_cell.length_a 3\n", /there is no atom_site category/],
  [
    "a row that is cut short",
    "a.cif",
    CIF_TEXT.slice(0, -30),
    /line \d+: a loop of \d+ names with \d+ values, expected whole rows/,
  ],
  [
    "a coordinate that is a word",
    "a.cif",
    CIF_TEXT.replace("2.000 3.000", "2.000 oops"),
    /line 49: Cartn_z of atom 1 is "oops", expected a number/,
  ],
  [
    "a coordinate that is missing",
    "a.cif",
    CIF_TEXT.replace("4.500", "?    "),
    /line 52: Cartn_x of atom 4 is missing/,
  ],
  [
    "atom_site without coordinates",
    "a.cif",
    CIF_TEXT.replace("Cartn_y", "Cartn_w"),
    /atom_site lacks the item Cartn_y/,
  ],
  ["no C-alpha", "a.cif", CIF_TEXT.replaceAll(" CA ", " CX "), /no C-alpha atoms/],
  ["no C-alpha in PDB", "a.pdb", PDB_TEXT.replaceAll(" CA ", " CX "), /no C-alpha atoms/],
  [
    "a word for a coordinate in PDB",
    "a.pdb",
    PDB_TEXT.replace("2.000   3.000", "x.000   3.000"),
    /line 10: the y coordinate is "x\.000" \(columns 39-46\), expected a number/,
  ],
  [
    "a coordinate in hexadecimal",
    "a.pdb",
    PDB_TEXT.replace("2.000   3.000", " 0x10   3.000"),
    /line 10: the y coordinate is "0x10" \(columns 39-46\), expected a number/,
  ],
  [
    "a PDB line cut short",
    "a.pdb",
    PDB_TEXT.replace(/(ATOM {6}2.{20}).*/, "$1"),
    /line 11: the x coordinate is "" \(columns 31-38\)/,
  ],
  [
    "a word for a residue number",
    "a.pdb",
    PDB_TEXT.replace("X  10 ", "X  1? "),
    /line 10: the residue number is " {2}1\?"/,
  ],
];
for (const [what, name, text, message] of badStructures) {
  Deno.test(`readStructure() refuses ${what}`, () =>
    withFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/${name}`, text);
      await assert.rejects(readStructure(`${folder}/${name}`), (error: Error) => {
        assert.ok(error instanceof InputError, String(error.stack));
        assert.match(error.message, message);
        return error.message.includes(name);
      });
    }));
}

Deno.test("readStructure() reads plain and packed files alike, and refuses damaged ones", () =>
  withFolder(async (folder) => {
    const write = async (name: string, bytes: Uint8Array | string): Promise<string> => {
      await Deno.writeFile(`${folder}/${name}`, typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
      return `${folder}/${name}`;
    };
    const packed = new Uint8Array(gzipSync(CIF_TEXT));
    const plain = await readStructure(await write("a.cif", CIF_TEXT));
    for (
      const [name, bytes] of [["a.cif.gz", packed], ["named_wrongly", packed], ["two.gz", twice(CIF_TEXT)]] as const
    ) {
      assert.deepEqual((await readStructure(await write(name, bytes))).chains, plain.chains, name);
    }
    assert.equal((await readStructure(await write("a.ent", PDB_TEXT))).chains.length, 2);
    const refused = async (bytes: Uint8Array, message: RegExp): Promise<void> => {
      const path = await write("bad.cif.gz", bytes);
      await assert.rejects(
        readStructure(path),
        (error: Error) => error instanceof InputError && message.test(error.message),
      );
    };
    for (const length of [2, 12, packed.length >> 1, packed.length - 5, packed.length - 1]) {
      await refused(packed.slice(0, length), /bad\.cif\.gz: the file ends too early: it is truncated/);
    }
    const damaged = packed.slice();
    damaged[packed.length - 6] ^= 1;
    await refused(damaged, /the compressed data are damaged/);
    await refused(new TextEncoder().encode(CIF_TEXT), /ends in \.gz but it does not begin with the gzip mark/);
    await assert.rejects(readFileMaybeGzip(await write("b.gz", packed), 100), /unpacks to more than 100 bytes/);
    await assert.rejects(readStructure(`${folder}/none.cif`), /none\.cif: there is no such file/);
    await assert.rejects(readStructure(folder), /it is a folder, expected a file/);
  }));

Deno.test("truncated and damaged structure files are refused clearly or read, never a crash", async () => {
  let seed = 1;
  const random = (below: number): number => (seed = (seed * 48271) % 2147483647) % below;
  const binary = await toBinaryCif(CIF_TEXT);
  for (let round = 0; round < 500; round++) {
    const damaged = binary.slice();
    for (let i = 0; i < 3; i++) damaged[1 + random(damaged.length - 1)] = random(256);
    await parseMmcif(damaged, "damaged").catch((error) => assert.ok(error instanceof InputError, String(error.stack)));
  }
  for (const [text, parse] of [[CIF_TEXT, parseMmcif], [PDB_TEXT, parsePdb]] as const) {
    for (let round = 0; round < 400; round++) {
      const at = random(text.length);
      const damaged = round % 2 === 0
        ? text.slice(0, at)
        : text.slice(0, at) + String.fromCharCode(random(128)) + text.slice(at + random(40));
      try {
        await parse(damaged, "damaged");
      } catch (error) {
        assert.ok(error instanceof InputError, `${String(error instanceof Error ? error.stack : error)}`);
      }
    }
  }
});

const ORACLE = golden("openfold/data");

for (const entry of ["3u8v", "4zey"]) {
  Deno.test(needing(ORACLE, {
    name: `readStructure() gives OpenFold's sequence, positions and mask for ${entry}`,
    fn: async () => {
      const golden =
        parseSafetensors(await Deno.readFile(join(ORACLE.path, `mmcif_${entry}_A.safetensors`)), entry).tensors;
      const facts = JSON.parse(await Deno.readTextFile(join(ORACLE.path, `mmcif_${entry}_A.json`))).parsed;
      const structure = await readStructure(join(ORACLE.path, `files/${entry}.cif`));
      const chain = selectChain(structure, "A");
      assert.equal(chain.sequence, facts.sequence);
      assert.deepEqual(chain.atomPositions, golden.get("out/all_atom_positions")?.data);
      assert.deepEqual(chain.atomMask, golden.get("out/all_atom_mask")?.data);
      assert.deepEqual(pseudoBeta(chain).mask, golden.get("out/pseudo_beta_mask")?.data);
      assert.deepEqual(pseudoBeta(chain).positions, golden.get("out/pseudo_beta")?.data);
      assert.deepEqual(structure.chains.map(({ id }) => id), facts.author_chain_ids);
      assert.equal(structure.resolutionAngstrom, facts.header.resolution);
      assert.equal(structure.releaseDate, facts.header.release_date);
      assert.equal(structure.method, facts.header.structure_method);
      facts.author_residue_numbers.forEach((number: number | null, i: number) => {
        if (number !== null) assert.equal(chain.residueNumbers[i], number);
      });
    },
  }));
}

/** Two gzip members, as block-packed files have them. */
function twice(text: string): Uint8Array {
  return Uint8Array.of(...gzipSync(text.slice(0, 500)), ...gzipSync(text.slice(500)));
}

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a header of many records takes time that grows with it, not with its square", () => {
  const remarks = `${"REMARK 999 SOMETHING THAT NOBODY READS".padEnd(80)}\n`.repeat(100_000);
  const start = performance.now();
  assert.equal(parsePdb(remarks + PDB_TEXT, "a.pdb").chains.length, parsePdb(PDB_TEXT, "a.pdb").chains.length);
  assert.ok(performance.now() - start < 5000, `${performance.now() - start} ms`);
});
