/** Which atoms are of one residue, and which residues of one chain, in files as other programs write them. */
import assert from "node:assert/strict";
import { ATOM_INDEX, ATOM_NAMES, ATOM_SLOTS } from "../../../model/protein/residues.ts";
import { parseMmcif } from "../../../tools/data/mmcif.ts";
import { parsePdb } from "../../../tools/data/pdb.ts";
import { parseStructure } from "../../../tools/data/read_structure.ts";
import { warningsOf } from "../../../tools/data/remarks.ts";
import type { Structure } from "../../../tools/data/structure.ts";
import {
  account,
  backbone,
  CIF_ITEMS,
  cifRows,
  cifText,
  groups,
  nameOf,
  outline,
  pdbText,
  peptide,
  remarks,
  type ResidueSpec,
  single,
} from "./_records.ts";
import { toBinaryCif } from "./_binary_cif.ts";

const pdb = (items: readonly (ResidueSpec | string)[]): Structure => parsePdb(pdbText(items), "x.pdb");

/** Names of the atoms that residue `i` of the first chain has. */
function atomsOf({ chains: [{ atomMask }] }: Structure, i: number): string {
  return ATOM_NAMES.filter((_, slot) => atomMask[i * ATOM_SLOTS + slot] === 1).join(" ");
}

Deno.test("mmCIF: chains are known by the authors' names where label_asym_id is missing or the same", async () => {
  const two = [...peptide("MKT", { chain: "L" }), ...peptide("GSH", { chain: "H", x: 30 })];
  for (const label of [".", "?", "A"]) {
    const rows = cifRows(two.map((residue) => ({ ...residue, label })));
    const structure = await parseMmcif(cifText(rows), "x.cif");
    assert.deepEqual(outline(structure), ["L MKT 1 2 3", "H GSH 1 2 3"], label);
    assert.deepEqual(structure.chains.map(({ labelId }) => labelId), ["L", "H"]);
  }
  const own = await parseMmcif(
    cifText(cifRows(two.map((residue, i) => ({ ...residue, label: i < 3 ? "A" : "B" })))),
    "x",
  );
  assert.deepEqual(own.chains.map(({ id, labelId }) => [id, labelId]), [["L", "A"], ["H", "B"]]);
});

Deno.test("mmCIF: insertion codes part residues of one number, whichever of the two numbers is there", async () => {
  const letters = "TSYAGW";
  const places = ["100", "100A", "100B", "100C", "101", "102"];
  const residues = peptide(letters, { chain: "H" }).map((residue, i): ResidueSpec => ({
    ...residue,
    number: Number.parseInt(places[i]),
    insertionCode: places[i].replace(/\d+/, ""),
    sequenceId: String(Number.parseInt(places[i])),
  }));
  for (const missing of ["", "auth_seq_id", "label_seq_id"]) {
    const text = cifText(cifRows(residues), { items: CIF_ITEMS.filter((item) => item !== missing) });
    assert.deepEqual(outline(await parseMmcif(text, "x")), [`H ${letters} ${places.join(" ")}`], missing);
  }
  assert.deepEqual(outline(pdb(residues)), [`H ${letters} ${places.join(" ")}`]);
});

Deno.test("mmCIF: a file may have the authors' names alone, or the archive's", async () => {
  const residues = peptide("MKTAY", { chain: "C", first: 7 }).map((residue, i) => ({
    ...residue,
    sequenceId: `${i + 1}`,
  }));
  for (const kind of ["label_", "auth_"]) {
    const items = CIF_ITEMS.filter((item) => !item.startsWith(kind));
    assert.deepEqual(
      outline(await parseMmcif(cifText(cifRows(residues), { items }), "x")),
      [kind === "label_" ? "C MKTAY 7 8 9 10 11" : "C MKTAY 1 2 3 4 5"],
    );
  }
  const without = CIF_ITEMS.filter((item) => !item.endsWith("_atom_id"));
  await assert.rejects(
    parseMmcif(cifText(cifRows(residues), { items: without }), "x"),
    /lacks the items label_atom_id and auth_/,
  );
});

const POLY =
  "loop_\n_entity_poly.entity_id\n_entity_poly.type\n_entity_poly.pdbx_seq_one_letter_code\n_entity_poly.pdbx_strand_id\n";

Deno.test("mmCIF: what the file says of entities is used where it is there, and derived where it is not", async () => {
  const chains = (entities: readonly string[]) =>
    cifRows([
      ...peptide("MKTAY", { chain: "A", entity: entities[0] }).map((r, i) => ({ ...r, sequenceId: `${i + 1}` })),
      ...peptide("GSHWL", { chain: "B", entity: entities[1], x: 30 }).map((r, i) => ({ ...r, sequenceId: `${i + 1}` })),
    ]);
  const both = ["A MKTAY 1 2 3 4 5", "B GSHWL 1 2 3 4 5"];
  for (
    const [rows, before] of [
      [chains(["?", "?"]), `${POLY}1 polypeptide(L) MKTAY A\n2 'polypeptide(L)' GSHWL B\n`],
      [chains(["1", "2"]), `${POLY}1 ? MKTAY A\n2 . GSHWL B\n`],
      [chains(["1", "2"]), `${POLY}1 polypeptide(L) MKTAY A\n`],
      [chains(["1", "2"]), ""],
    ] as const
  ) assert.deepEqual(outline(await parseMmcif(cifText(rows, { before }), "x")), both);
  // The letters of entity_poly say which residues were not seen; a modified one stands in brackets.
  const before = `${POLY}1 polypeptide(L) GAMKT(MSE)YG A\n2 polyribonucleotide GSHWL B\n`;
  const rows = chains(["?", "2"]).filter(({ label_comp_id, auth_asym_id }) =>
    !(label_comp_id === "ALA" && auth_asym_id === "A")
  );
  const known = await parseMmcif(cifText(rows.map((row) => ({ ...row, label_seq_id: "." })), { before }), "x");
  assert.deepEqual(outline(known), ["A GAMKTMYG -1- 0- 1 2 3 4- 5 6-"]);
  assert.deepEqual(remarks(known), ["selenomethionine 1", "otherPolymer 5"]);
  const odd = await parseMmcif(cifText(chains(["1", "1"]), { before: `${POLY}1 polypeptide(L) WWW A\n` }), "x");
  assert.deepEqual(outline(odd), both);
  assert.match(
    warningsOf(odd)[0],
    /^x line \d+: the sequence of 3 residues does not fit the 5 .*: left aside, .*first of 2/,
  );
});

Deno.test("mmCIF: ions, ligands and free amino acids that bear the chain's name are groups of their own", async () => {
  const chain = "A";
  const residues = [
    ...peptide("MKT", { chain }),
    { name: "QQQ", number: 4, chain, isHetero: true, atoms: backbone(3) }, // bound: a modified residue
    {
      name: "MSE",
      number: 5,
      chain,
      isHetero: true,
      atoms: [...backbone(4), { name: "SE", position: [4, 4, 4], element: "SE" }],
    },
    { name: "GLU", number: 301, chain, isHetero: true, atoms: backbone(0, 20) },
    single("CA", "CA", [40, 0, 0], { number: 302, chain }),
    { ...single("CA", "CA", [45, 0, 0], { number: 303, chain }), isHetero: false },
    single("HOH", "O", [50, 0, 0], { number: 304, chain }),
  ];
  const structure = await parseMmcif(cifText(cifRows(residues)), "x");
  assert.deepEqual(outline(structure), ["A MKTXM 1 2 3 4 5"]);
  assert.deepEqual(groups(structure), ["GLU A 301", "CA A 302", "CA A 303"]);
  assert.deepEqual(remarks(structure), ["water 1", "unknownResidue 1", "selenomethionine 1"]);
  const items = CIF_ITEMS.filter((item) => item !== "group_PDB");
  assert.deepEqual(groups(await parseMmcif(cifText(cifRows(residues), { items }), "x")), ["CA A 302", "CA A 303"]);
  const same = pdb(residues);
  assert.deepEqual([outline(same), groups(same)], [["A MKTXM 1 2 3 4 5"], ["GLU A 301", "CA A 302", "CA A 303"]]);
});

Deno.test("PDB: without names chains go from one TER record to the next", () => {
  const one = peptide("MKTAYI"), other = peptide("GSHWLKAA", { x: 30 });
  const restart = pdb([...one, "TER", ...other, "TER", single("HOH", "O", [9, 9, 9], { number: 1 }), "END"]);
  assert.deepEqual(outline(restart), ["A MKTAYI 1 2 3 4 5 6", "B GSHWLKAA 1 2 3 4 5 6 7 8"]);
  assert.deepEqual(warningsOf(restart), [
    "x.pdb line 32: a second chain without a name, now B: parted at TER records and named by letters",
  ]);
  const onward = pdb([...one, "TER", ...peptide("GSH", { first: 7, x: 30 }), "TER"]); // AMBER counts on
  assert.deepEqual(outline(onward), ["A MKTAYI 1 2 3 4 5 6", "B GSH 7 8 9"]);
  const half = (residue: ResidueSpec) => ({
    ...residue,
    atoms: residue.atoms.map((atom) => ({ ...atom, occupancy: 0.5 })),
  });
  assert.deepEqual(outline(pdb([...one.map(half), "TER", ...other, "TER"])), outline(restart));
  assert.deepEqual(outline(pdb([...one, ...other])), outline(restart), "without TER, by the numbers that begin anew");
  const named = pdb([...peptide("MK", { chain: "A" }), "TER", ...peptide("GS", { x: 30 }), "TER"]);
  assert.deepEqual(outline(named), ["A MK 1 2", "B GS 1 2"], "the letter of a named chain is not given again");
});

Deno.test("PDB: with names a TER record parts chains only where their numbers begin anew", () => {
  const chain = "A";
  const gap = pdb([...peptide("MKT", { chain }), "TER", ...peptide("AYI", { chain, first: 8, at: 8 }), "TER"]);
  assert.deepEqual([outline(gap), remarks(gap)], [["A MKTAYI 1 2 3 8 9 10"], []]);
  for (const ter of [["TER"], []]) {
    const anew = pdb([
      ...peptide("MKT", { chain, first: 5 }),
      ...[...ter, ...peptide("GSHWL", { chain, first: ter.length > 0 ? 4 : 5, x: 30 })],
    ]);
    assert.deepEqual(outline(anew).map((text) => text.slice(0, 8)), ["A MKT 5 ", "A2 GSHWL"]);
    assert.deepEqual(remarks(anew), ["anew 1"]);
    assert.match(
      warningsOf(anew)[0],
      /^x\.pdb line \d+: chain A begins anew with GLY \d, now A2: read as a chain of its own$/,
    );
  }
  const late = pdb([...peptide("MK", { chain }), "TER", single("MSE", "CA", [0, 0, 60], { chain, number: 9 }), "TER"]);
  assert.deepEqual([outline(late), groups(late)], [["A MK 1 2"], ["MSE A 9"]]);
});

Deno.test("PDB: names of chains may have two letters, and names of residues four", () => {
  const long = pdb([
    "SEQRES   1AA    4  GLY MET LYS THR",
    "SEQRES   1BA    3  GLY SER HIS",
    ...peptide("MKT", { chain: "AA" }),
    "TER      16      THRAA   3",
    ...peptide("GSH", { chain: "CA", x: 30 }),
    "TER",
    single("ZN", "ZN", [9, 9, 9], { chain: "CA", number: 90 }),
  ]);
  assert.deepEqual([outline(long), groups(long)], [["AA GMKT 0- 1 2 3", "CA GSH 1 2 3"], ["ZN CA 90"]]);
  assert.deepEqual(remarks(long), ["loneSequence 1"]);
  const names = ["MET", "HISH", "LYSH", "CYS2", "NALA", "GLU"];
  const four = pdb(names.map((name, i) => ({ name, number: i + 1, chain: "P", atoms: backbone(i) })));
  assert.deepEqual(outline(four), ["P MHKCAE 1 2 3 4 5 6"]);
});

Deno.test("PDB: numbers beyond four columns go on in hybrid-36, hexadecimal, a fifth digit, or from 0", () => {
  const expected = "A MKTAY 9998 9999 10000 10001 10002";
  for (
    const numbers of [["A000", "A001", "A002"], ["2710", "2711", "2712"], ["0", "1", "2"], ["10000", "10001", "10002"]]
  ) {
    const residues = peptide("MKTAY", { chain: "A" }).map((residue, i) => ({
      ...residue,
      number: ["9998", "9999", ...numbers][i],
    }));
    const text = pdbText(residues).split("\n").map((line) => {
      return /\d{5} {4}/.test(line.slice(22, 31)) ? line.slice(0, 27) + line.slice(28) : line; // the fifth digit takes a column
    }).join("\n");
    assert.deepEqual(outline(parsePdb(text, "x")), [expected], numbers.join());
  }
  const water = Array.from({ length: 3 }, (_, i) => single("HOH", "O", [9 * i, 9, 9], { chain: "W", number: "****" }));
  assert.deepEqual(remarks(pdb([...peptide("MK", { chain: "A" }), ...water])), ["renumbered 1", "water 3"]);
});

Deno.test("residues of one number: kinds at one place are told from two residues by marks, else by where they are", async () => {
  const marked = (altLoc: string, occupancy: number, atoms = backbone(1)) =>
    atoms.map((atom) => ({ ...atom, altLoc, occupancy }));
  const chain = "A";
  const [first, , last] = peptide("MKT", { chain });
  const kinds: [string, ResidueSpec[], string[], string[]][] = [
    [
      "microheterogeneity",
      [
        { name: "SER", number: 2, chain, atoms: marked("A", 0.4) },
        { name: "THR", number: 2, chain, atoms: marked("B", 0.6) },
      ],
      ["A MTT 1 2 3"],
      ["otherKind 5"],
    ],
    [
      "the same place without marks",
      [
        { name: "SER", number: 2, chain, atoms: backbone(1).map((atom) => ({ ...atom, occupancy: 0.6 })) },
        { name: "THR", number: 2, chain, atoms: backbone(1, 0.2).map((atom) => ({ ...atom, occupancy: 0.4 })) },
      ],
      ["A MST 1 2 3"],
      ["otherKind 5"],
    ],
    [
      "two residues",
      [
        { name: "SER", number: 2, chain, atoms: backbone(1) },
        { name: "GLY", number: 2, chain, atoms: backbone(2, 0, true) },
      ],
      ["A MSGT 1 2 2 3"],
      ["sameNumber 1"],
    ],
    [
      "two residues of one name",
      [
        { name: "GLY", number: 2, chain, atoms: backbone(1, 0, true) },
        { name: "GLY", number: 2, chain, atoms: backbone(2, 0, true) },
      ],
      ["A MGGT 1 2 2 3"],
      ["sameNumber 1"],
    ],
    [
      "locations with marks",
      [
        { name: "SER", number: 2, chain, atoms: [...marked("A", 0.5), ...marked("B", 0.5, backbone(1, 3))] },
      ],
      ["A MST 1 2 3"],
      ["alternateLocation 5"],
    ],
    [
      "locations without marks",
      [
        { name: "SER", number: 2, chain, atoms: [...backbone(1), { ...backbone(1, 0.3)[4], occupancy: 0.5 }] },
      ],
      ["A MST 1 2 3"],
      ["unmarkedLocation 1"],
    ],
  ];
  for (const [what, middle, chains, told] of kinds) {
    for (
      const structure of [
        pdb([first, ...middle, last]),
        await parseMmcif(cifText(cifRows([first, ...middle, last])), "x"),
      ]
    ) {
      assert.deepEqual([outline(structure), remarks(structure)], [chains, told], what);
    }
  }
  // The atoms of a residue may stand in several places of the file.
  const [m, k, t] = peptide("MKT", { chain });
  const hydrogens = [m, k, t].map((residue) => ({
    ...residue,
    atoms: [{ name: "H", position: residue.atoms[0].position }],
  }));
  const apart = pdb([m, k, t, ...hydrogens]);
  assert.deepEqual([outline(apart), remarks(apart)], [["A MKT 1 2 3"], ["apart 2", "hydrogen 3"]]);
});

Deno.test("PDB: frames of a simulation that END parts are models", () => {
  const frame = (x: number) => peptide("MK", { chain: "A", x });
  const text = pdbText([...frame(0), "END", ...frame(50), "END", ...frame(90), "END"]);
  const first = parsePdb(text, "x");
  assert.deepEqual([first.models, outline(first), remarks(first)], [[1, 2, 3], ["A MK 1 2"], ["otherModel 20"]]);
  assert.equal(parsePdb(text, "x", { model: 3 }).chains[0].atomPositions[0], 90);
});

Deno.test("PDB: SEQRES records and atoms agree where they mean the same amino acid", () => {
  const seqres = "SEQRES   1 A    7  MET LYS THR HIS CYS GLU ILE";
  const names = ["MET", "LYS", "HIE", "CYX", "GLH", "ILE"];
  const numbers = [1, 2, 4, 5, 6, 7];
  const atoms = names.map((name, i) => ({ name, number: numbers[i], chain: "A", atoms: backbone(numbers[i]) }));
  const structure = pdb([seqres, ...atoms]);
  assert.deepEqual([outline(structure), remarks(structure)], [["A MKTHCEI 1 2 3- 4 5 6 7"], []]);
  const wrong = pdb(["SEQRES   1 A    3  TRP TRP TRP", ...atoms]);
  assert.deepEqual(outline(wrong), ["A MKHCEI 1 2 4 5 6 7"]);
  assert.match(
    warningsOf(wrong)[0],
    /^x\.pdb line 2: the sequence of 3 residues does not fit the 6 that begin with MET 1: left aside/,
  );
});

Deno.test("atoms and residues have the names of today, whichever force field wrote them", () => {
  const residue = (name: string, i: number, ...extra: string[]): ResidueSpec => {
    const more = extra.map((atom, k) => ({ name: atom, position: [2 + k, 3, 3.6 * i] }));
    return { name, number: i + 1, chain: "A", atoms: [...backbone(i), ...more] };
  };
  const at = (structure: Structure, i: number, name: string) =>
    structure.chains[0].atomPositions[3 * (i * ATOM_SLOTS + (ATOM_INDEX.get(name) ?? assert.fail(name)))];
  const charmm = pdb([
    residue("ILE", 0, "CG1", "CG2", "CD", "HD1"),
    residue("HSD", 1, "CG", "ND1", "CD2", "CE1", "NE2"),
    {
      ...residue("LYS", 2, "OT1", "OT2"),
      atoms: residue("LYS", 2, "OT1", "OT2").atoms.filter(({ name }) => name !== "O"),
    },
  ]);
  assert.equal(outline(charmm)[0], "A IHK 1 2 3");
  assert.equal(atomsOf(charmm, 0), "N CA C CB O CG1 CG2 CD1");
  assert.equal(atomsOf(charmm, 1), "N CA C CB O CG CD2 ND1 CE1 NE2");
  assert.equal(atomsOf(charmm, 2), "N CA C CB O OXT");
  assert.deepEqual([at(charmm, 0, "CD1"), at(charmm, 2, "O"), at(charmm, 2, "OXT")], [4, 2, 3]);
  assert.deepEqual(remarks(charmm), ["hydrogen 1", "renamedAtom 3"]);
  const gromacs = pdb([residue("GLY", 0), {
    ...residue("ALA", 1, "O1", "O2"),
    atoms: residue("ALA", 1, "OC1", "OC2").atoms.filter(({ name }) => name !== "O"),
  }]);
  assert.equal(atomsOf(gromacs, 1), "N CA C CB O OXT");
  const foreign = pdb([residue("ALA", 0, "CG", "SD"), residue("MSE", 1, "SE"), residue("CSO", 2, "SG", "OD")]);
  assert.deepEqual([atomsOf(foreign, 0), atomsOf(foreign, 1), atomsOf(foreign, 2)], [
    "N CA C CB O",
    "N CA C CB O SD",
    "N CA C CB O SG",
  ]);
  assert.deepEqual(remarks(foreign), ["foreignAtom 2", "selenomethionine 1", "modifiedResidue 1", "modification 1"]);
  assert.match(
    warningsOf(foreign)[0],
    /^x\.pdb line 1: CG of ALA 1 is no atom of that residue: left out \(the first of 2 atoms\)$/,
  );
});

/** A file of many odd things, made by chance: every atom and residue of it is somewhere, or told to be left out. */
function oddFile(
  seed: number,
): { residues: ResidueSpec[]; items: (ResidueSpec | string)[]; atoms: number; count: number } {
  let state = seed;
  const below = (n: number): number => (state = (state * 48271) % 2147483647) % n;
  const pick = <T>(...values: readonly T[]): T => values[below(values.length)];
  const residues: ResidueSpec[] = [];
  const items: (ResidueSpec | string)[] = [];
  let [place, count] = [0, 0];
  const style = pick("letters", "nothing", "segments", "same");
  for (let c = 0; c < 1 + below(4); c++) {
    const chain = style === "letters" ? "ABCD"[c] : style === "same" ? "A" : "";
    const segment = style === "segments" ? `SEG${c}` : "";
    let number = pick(1, 1, 5, 100, -3);
    const isLate = below(3) === 0;
    for (let i = 0; i < 2 + below(7); i++) {
      place++;
      const x = 40 * c;
      const kind = below(12);
      let residue: ResidueSpec = {
        name: nameOf(pick(..."ARNDCQEGHILKMFPSTWYV")),
        ...{ number, chain, segment, sequenceId: pick(String(number), "."), entity: pick(".", `${c + 1}`) },
        atoms: backbone(place, x).slice(0, pick(5, 5, 5, 5, 2, 1)),
      };
      if (kind === 0) residue = { ...residue, name: pick("MSE", "SEP", "HIE", "UNK"), isHetero: below(2) === 0 };
      if (kind === 1) residue = { ...residue, name: pick("QQQ", "LIG", "ACE", "GLU"), isHetero: true };
      if (kind === 2) {
        residue = {
          ...residue,
          name: pick("HOH", "DA", "U"),
          isHetero: true,
          atoms: [{ name: "O", position: [x, 9, 3.6 * place] }],
        };
      }
      if (kind === 3) {
        residue = {
          ...single("CA", "CA", [x, 20, 3.6 * place], residue),
          name: "CA",
          isHetero: below(2) === 0,
          atoms: [{ name: "CA", element: "CA", position: [x, 20, 3.6 * place] }],
        };
      }
      if (kind === 4) residue = { ...residue, insertionCode: pick("A", "B") };
      if (kind === 5) {
        residue = {
          ...residue,
          atoms: [...residue.atoms, { name: "H", position: [x, 1, 3.6 * place] }, {
            name: "XX",
            position: [x, 2, 3.6 * place],
          }],
        };
      }
      if (kind === 6) {
        const other = residue.atoms.map((atom) => ({ ...atom, altLoc: "B", occupancy: pick(0.3, 0.7) }));
        residue = {
          ...residue,
          atoms: [...residue.atoms.map((atom) => ({ ...atom, altLoc: "A", occupancy: 0.5 })), ...other],
        };
      }
      residues.push(residue);
      items.push(residue);
      count++;
      if (kind === 7 && residue.atoms.length === 5) { // another kind at the same place
        const atoms = residue.atoms.map((atom) => ({ ...atom, altLoc: "B", occupancy: 0.4 }));
        const first = { ...residue, atoms: residue.atoms.map((atom) => ({ ...atom, altLoc: "A", occupancy: 0.6 })) };
        const second = { ...residue, name: residue.name === "TRP" ? "GLY" : "TRP", atoms };
        residues.splice(-1, 1, first, second);
        items.splice(-1, 1, first, second);
      }
      number += pick(1, 1, 1, 1, 2, 0);
      if (isLate && below(4) === 0) items.push("TER");
    }
    items.push(pick("TER", "TER", "REMARK 999"));
  }
  return { residues, items, atoms: residues.reduce((sum, { atoms }) => sum + atoms.length, 0), count };
}

Deno.test("every atom and residue of a file is read, or told to be left out", async () => {
  let read = 0;
  for (let seed = 1; seed <= 400; seed++) {
    const { residues, items, atoms, count } = oddFile(seed);
    const refused = (error: Error) => assert.match(error.message, /has no C-alpha atoms/);
    try {
      assert.deepEqual(account(parsePdb(pdbText(items), "x")), { atoms, residues: count }, `PDB ${seed}`);
      read++;
    } catch (error) {
      if (!(error instanceof Error) || error.name !== "InputError") throw error;
      refused(error);
    }
    try {
      const chains = residues.map((residue) => ({ ...residue, chain: residue.chain || residue.segment || "." }));
      const text = cifText(cifRows(chains));
      assert.deepEqual(account(await parseMmcif(text, "x")), { atoms, residues: count }, `CIF ${seed}`);
      if (seed % 10 > 0) continue;
      const binary = await parseStructure(await toBinaryCif(text), "x.bcif");
      assert.deepEqual(account(binary), { atoms, residues: count }, `BinaryCIF ${seed}`);
    } catch (error) {
      if (!(error instanceof Error) || error.name !== "InputError") throw error;
      refused(error);
    }
  }
  assert.ok(read > 300, `${read} were read`);
});

Deno.test("PDB: the entry's code and the line's number at the ends of old files' lines name no chain and no element", () => {
  const lines = pdbText([...peptide("MKT"), single("ZN", "ZN", [9, 9, 9], { number: 9 })], { elements: false })
    .trimEnd().split("\n").map((line, k) => `${line.padEnd(72).slice(0, 72)}1CIH${String(k + 205).padStart(4)}`);
  const structure = parsePdb(lines.join("\n"), "old.pdb");
  assert.deepEqual(outline(structure), ["A MKT 1 2 3"]);
  assert.deepEqual(structure.heteroGroups?.[0].elements, ["ZN"]);
});
