/** What fuzzing found, kept. */
import assert from "node:assert/strict";
import { parseCif } from "../../tools/data/_cif_reader.ts";
import { parseHhr } from "../../tools/data/hhr.ts";
import { parseDistanceCsv } from "../../tools/data/matrix.ts";
import { parseMmcif } from "../../tools/data/mmcif.ts";
import { parsePdb } from "../../tools/data/pdb.ts";
import { pdbbindEntries } from "../../tools/data/pdbbind.ts";
import { parseTableRows } from "../../tools/data/table.ts";
import { InputError } from "../../tools/errors.ts";
import { parseNpy } from "../../model/weights/npy.ts";
import { parseSafetensors } from "../../model/weights/safetensors.ts";
import { toBinaryCif } from "../tools/data/_binary_cif.ts";
import { HHR_TEXT } from "../tools/data/_hits.ts";
import { CIF_TEXT, PDB_TEXT } from "../tools/data/_structures.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

async function* pieces(text: string): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes(text));
}

async function all(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}

/** A safetensors file with a header of this text. */
function withHeader(text: string): Uint8Array {
  const header = bytes(text);
  return Uint8Array.of(header.length, 0, 0, 0, 0, 0, 0, 0, ...header);
}

const cif = (from: string, to: string) => () => parseMmcif(CIF_TEXT.replace(from, to), "a.cif");
const pdb = (from: string, to: string) => () => parsePdb(PDB_TEXT.replace(from, to), "a.pdb");

/** Loops without values, among them two of atoms, which Mol* reads as one. */
const TWO_TABLES = `data_x
loop_
_pdbx_audit_revision_history.revision_date
loop_
_atom_site.B_iso_or_equiv
2 polydeoxyribonucleotide
loop_
_pdbx_poly_seq_scheme.entity_id
_pdbx_poly_seq_scheme.mon_id
A 1
A 1
loop_
_atom_site.Cartn_z
_atom_site.label_atom_id
_atom_site.label_comp_id
_atom_site.label_asym_id
_atom_site.Cartn_x
_atom_site.Cartn_y`;

const REFUSED: readonly [name: string, read: () => unknown, message: RegExp][] = [
  [
    "a coordinate beyond all numbers in mmCIF",
    cif(" 4.500 ", " 1e400 "),
    /^a\.cif line 52: Cartn_x of atom 4 is "1e400"/,
  ],
  [
    "a coordinate beyond all structures",
    cif(" 4.500 ", " 2e6 "),
    /line 52: .* "2e6", expected a number below a million$/,
  ],
  ["a hexadecimal coordinate", cif(" 4.500 ", " 0x10 "), /line 52: Cartn_x of atom 4 is "0x10"/],
  ["a control character in a coordinate", cif(" 4.500 ", " 4.\x1b00 "), /is "4\.\\u001b00"/],
  [
    "a table of atoms with a damaged name",
    () => parseMmcif(CIF_TEXT.replace("_site.Cartn_y", "_s)te.Cartn_y"), "a.cif"),
    /^Cannot read a\.cif as mmCIF: atom_site lacks the item Cartn_y$/,
  ],
  [
    "a wrong coordinate after a line separator of Unicode",
    () => parseMmcif(CIF_TEXT.replace("A test", "A\u2028test").replace(" 4.500 ", " 4,5 "), "a.cif"),
    /^a\.cif line 52: Cartn_x of atom 4 is "4,5"/,
  ],
  [
    "a row that lost its end of line",
    cif(" X 1\nATOM   2 ", " X 1ATOM   2 "),
    /^Cannot read a\.cif as mmCIF: line \d+/,
  ],
  [
    "a second table of atoms without values",
    () => parseMmcif(TWO_TABLES, "a.cif"),
    /^Cannot read a\.cif as mmCIF: line 13: the item _atom_site\.Cartn_z has 0 values, expected 2 as other items/,
  ],
  ["a loop without names", cif("loop_\n_entity_poly.entity_id", "loop_\nloop_\n_entity_poly.entity_id"), /line \d+/],
  ["BinaryCIF with damaged tables", async () => {
    const data = await toBinaryCif(CIF_TEXT);
    const at = data.findIndex((_, i) => new TextDecoder().decode(data.subarray(i, i + 4)) === "name");
    data[at] ^= 1;
    await parseMmcif(data, "a.bcif");
  }, /^Cannot read a\.bcif as BinaryCIF: /],
  [
    "a coordinate beyond all numbers in PDB",
    pdb("   4.500", "  1e+400"),
    /^a\.pdb line 13: the x coordinate is "1e\+400"/,
  ],
  ["a control character in a coordinate of PDB", pdb("   4.500", "  4.\x0700"), /is "4\.\\u000700" \(columns 31-38\)/],
  ["a control character in a residue number", pdb("MSE X  11 ", "MSE X \x0111 "), /residue number is " \\u000111" /],
  [
    "a constant of binding with infinitely many digits",
    () => all(pdbbindEntries(pieces(`2tpi  2.10  1982  Kd=1${"0".repeat(400)}uM  // 2tpi.pdf (2-mer)\n`), "a.index")),
    /^a\.index line 1: .* expected a constant above 0/,
  ],
  [
    "a logarithm of a constant with infinitely many digits",
    () => all(pdbbindEntries(pieces(`2tpi  2.10  1982  ${"9".repeat(400)}  Kd=1uM  // x\n`), "a.index")),
    /^a\.index line 1: /,
  ],
  [
    "names of columns over two lines",
    () => all(parseTableRows(pieces('"two\nlines",b\n1,2\n'), "a.csv", ["id"])),
    /^a\.csv line \d has the columns "two\\nlines", b; needed: id$/,
  ],
  [
    "a number of a hit with infinitely many digits",
    () => parseHhr(HHR_TEXT.split("No 2")[0].replace("No 1\n", `No 1${"0".repeat(400)}\n`), "a.hhr"),
    /^a\.hhr line 8: found "No 1000+", expected "No" and a number$/,
  ],
  ["a cell of a thousand characters", () => parseDistanceCsv(`0,1\n${"x".repeat(1000)},0\n`, "a.csv"), /^.{1,200}$/],
];
for (const [name, read, message] of REFUSED) {
  Deno.test(`refused in one line: ${name}`, async () => {
    await assert.rejects(async () => await read(), (error) => {
      assert.ok(error instanceof InputError, String(error));
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
  });
}

Deno.test("refused in one line: damaged headers of arrays", () => {
  const npy = (type: string) => {
    const header = `{'descr': '${type}', 'fortran_order': False, 'shape': (1,), }`;
    return bytes(`\x93NUMPY\x01\x00${String.fromCharCode(header.length)}\x00${header}abcd`).slice(1);
  };
  const marked = (type: string) => Uint8Array.of(0x93, ...npy(type).subarray(1));
  for (
    const [read, message] of [
      [() => parseNpy(marked("<f\n4"), "a.npy"), /^Cannot read a\.npy as \.npy: its header lacks descr/],
      [
        () => parseSafetensors(withHeader('{"a":\n\x13'), "a"),
        /^Cannot read a as safetensors: its header is not JSON$/,
      ],
    ] as const
  ) {
    assert.throws(read, (error) => {
      assert.ok(error instanceof SyntaxError);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
  }
});

Deno.test("structures read side by side print nothing and leave everybody's messages alone", async () => {
  const { log } = console;
  const said: unknown[] = [];
  const own = (...args: unknown[]) => void said.push(args);
  console.log = own;
  try {
    const texts = [CIF_TEXT, `${CIF_TEXT}\n1 2`, CIF_TEXT];
    const reads = texts.map((text) => parseMmcif(text, "a.cif").catch((error) => String(error)));
    assert.equal(console.log, own);
    console.log(3, "a word of somebody else");
    assert.match(String((await Promise.all(reads))[1]), /InputError: Cannot read a\.cif as mmCIF: line \d+/);
    console.log(3, "and another");
  } finally {
    console.log = log;
  }
  assert.deepEqual(said, [[3, "a word of somebody else"], [3, "and another"]]);
});

Deno.test("a B-factor or occupancy that is no number counts as none", async () => {
  const text = CIF_TEXT.replace(" 1.00 10.5 ", " 1e400 1e400 ");
  const { chains: [chain] } = await parseMmcif(text, "a.cif");
  assert.equal(chain.atomMask[0], 1);
  assert.equal(chain.bFactors[0], 0);
  const [first] = parsePdb(PDB_TEXT.replace("  1.00 10.50", "  1.001e+400"), "a.pdb").chains;
  assert.deepEqual([first.atomMask[0], first.bFactors[0]], [1, 0]);
});

Deno.test("a length of the query that no sequence has is left out", () => {
  const { queryLength } = parseHhr(HHR_TEXT.replace("columns 40", `columns 4${"0".repeat(400)}`), "a.hhr");
  assert.equal(queryLength, undefined);
});

Deno.test("a resolution or date that is none is left out", async () => {
  const { resolutionAngstrom, releaseDate } = parsePdb(
    PDB_TEXT.replace(" 1.75 ANGS", " 1.7.5 ANGS").replace("04-MAR-12", "04-MAR-1 "),
    "a.pdb",
  );
  assert.deepEqual([resolutionAngstrom, releaseDate], [undefined, undefined]);
  assert.equal((await parseMmcif(CIF_TEXT.replace("2012-03-04", "2012/03/04"), "a.cif")).releaseDate, "2015-01-01");
});

Deno.test("parseCif() reads values and their lines in loops and alone, after quotes and text fields", () => {
  const text =
    "\uFEFFdata_x\n_a.One 1\n_b.text\n;two\nlines; 'x\n;\nloop_\n_c.p\n_C.q\n'a b' \"it's\"\n# note\n1\n2 . '?'\n" +
    "_a.two ?\r\n_a.three\r\n;\r\nfour\r\n;\r\nLOOP_\r_d.e\rsave_f\r_g.h 1\rsave_\r";
  const [block, ...more] = parseCif(text, "a.cif");
  assert.deepEqual([block.header, more], ["x", []]);
  const values: [string, string, (string | undefined)[], (number | undefined)[]][] = [
    ["a", "one", ["1"], [2]],
    ["b", "text", ["two\nlines; 'x"], [4]],
    ["c", "p", ["a b", "1", undefined], [10, 12, 13]],
    ["C", "Q", ["it's", "2", "?"], [10, 13, 13]],
    ["a", "two", [undefined], [14]],
    ["a", "three", ["\r\nfour"], [16]],
    ["d", "e", [], []],
  ];
  for (const [category, item, texts, lines] of values) {
    const column = block.table(category)?.column(item);
    assert.ok(column, item);
    const rows = [...Array(column.rowCount).keys()];
    assert.deepEqual(rows.map((row) => column.has(row) ? column.text(row) : undefined), texts, item);
    assert.deepEqual(rows.map((row) => column.line(row)), lines, item);
  }
  assert.equal(block.table("g"), undefined);
  const at = (item: string) => block.table("c")!.column(item)!;
  assert.deepEqual([at("p").number(1), at("p").number(0), at("q").has(2), at("q").has(9)], [1, NaN, true, false]);
});

Deno.test("parseCif() names the first fault of a CIF and its line", () => {
  const faults: [string, number, RegExp][] = [
    ["data_x\n_a.b\n_a.c 1\n", 2, /a name without a value/],
    ["data_x\n_a.b 1 2\n", 2, /"2", expected a name or loop_/],
    ["data_x\nloop_\n1\n", 2, /loop_ without names/],
    ["data_x\nloop_\ndata_y\n", 2, /loop_ without names/],
    ["data_x\r\nloop_\r\n_a.b\r\n_a.c\r\n1 2 3\r\n_d.e 1\r\n", 2, /a loop of 2 names with 3 values/],
    ["data_x\n_a.b 'open\n", 2, /a quote that does not end/],
    ["data_x\n_a.b\n;open\n\n", 3, /a text field that does not end/],
    ["data_x\n_a.b 1\nloop_\n_a.c\n_A.B\n1 2\n", 5, /the item _A\.B stands twice/],
    ["data_x\n_a.b 1\nloop_\n_a.c\n1 2\n", 4, /the item _a\.c has 2 values, expected 1 as other items/],
  ];
  for (const [text, line, found] of faults) {
    assert.throws(() => parseCif(text, "a.cif"), (error: Error) => {
      assert.ok(error instanceof InputError);
      assert.match(error.message, found);
      return error.message.startsWith(`Cannot read a.cif as mmCIF: line ${line}: `);
    });
  }
});
