import assert from "node:assert/strict";
import { Key } from "../../../core/random.ts";
import { type Alignment, makeAlignment } from "../../../tools/data/alignment.ts";
import { parseHhr } from "../../../tools/data/hhr.ts";
import { parseHmmsearch } from "../../../tools/data/hmmsearch.ts";
import { parseAlignment } from "../../../tools/data/read_alignment.ts";
import { formatA3m, formatAlignedFasta, formatStockholm, overQuery } from "../../../tools/data/write_alignment.ts";
import { formatHhr } from "../../../tools/data/write_hhr.ts";

// What these writers make of the 15 zinc fingers, of an HHblits A3M of 1,024 rows with insertions and of a jackhmmer
// Stockholm file of 57 rows was read by Biopython 1.80 (AlignIO "stockholm" and "fasta", SeqIO "fasta" for A3M) with equal
// names, rows and RF line.

/** Random rows of A3M: gaps, insertions, also of the first row. */
function randomAlignment(seed: number, rows: number, columns: number): Alignment {
  const draws = Key.fromSeed(seed).uniform(rows * columns * 4);
  let at = 0;
  const letter = (): string => "ACDEFGHIKLMNPQRSTVWYX"[Math.floor(draws[at++ % draws.length] * 21)];
  const aligned = Array.from({ length: rows }, () => {
    let row = "";
    for (let c = 0; c <= columns; c++) {
      for (let n = Math.floor(draws[at++ % draws.length] * 4); n > 1; n--) row += letter().toLowerCase();
      if (c < columns) row += draws[at++ % draws.length] < 0.3 ? "-" : letter();
    }
    return row;
  });
  return makeAlignment("random", aligned.map((_, r) => `row${r}/1-9|x`), aligned);
}

const ALIGNMENTS = [
  randomAlignment(1, 9, 13),
  randomAlignment(2, 1, 5),
  randomAlignment(3, 5, 1),
  randomAlignment(4, 30, 91),
];

for (const [k, alignment] of ALIGNMENTS.entries()) {
  const { names, aligned, rows, deletions } = alignment;
  Deno.test(`formatA3m(), formatStockholm() and formatAlignedFasta() of alignment ${k} are read back equal`, () => {
    const a3m = parseAlignment(formatA3m(alignment), "random");
    assert.deepEqual(a3m, alignment);
    for (const text of [formatStockholm(alignment), formatAlignedFasta(alignment, 0), formatAlignedFasta(alignment)]) {
      const read = parseAlignment(text, "random");
      assert.deepEqual([read.names, read.rows, read.deletions], [names, rows, deletions]);
      assert.deepEqual(
        read.aligned.map((row) => row.replaceAll("-", "")),
        aligned.map((row) => row.replaceAll("-", "").toUpperCase()),
      );
      // Every residue has a column then, so that the second time nothing changes.
      const { reference = "x".repeat(read.aligned[0].length), ...plain } = read;
      assert.deepEqual({ ...parseAlignment(formatStockholm(read), "random") }, { ...plain, reference });
      assert.deepEqual({ ...parseAlignment(formatAlignedFasta(read), "random") }, plain);
    }
  });

  Deno.test(`overQuery() of alignment ${k} says the same with the query's columns alone`, () => {
    const over = overQuery(alignment);
    assert.deepEqual([over.rows, over.deletions], [rows, deletions]);
    assert.equal(over.aligned[0], rows[0]);
    for (const row of over.aligned) assert.equal(row.replace(/[a-z]/g, "").length, rows[0].length);
    const residues = (text: string): string => text.replaceAll("-", "").toUpperCase();
    assert.deepEqual(over.aligned.map(residues), aligned.map(residues));
    const stockholm = parseAlignment(formatStockholm(over), "random");
    assert.deepEqual(overQuery(stockholm).aligned, over.aligned);
  });
}

Deno.test("formatStockholm() marks columns and gives equal names numbers", () => {
  const alignment = { names: ["a b", "a_b", "", "#c"], aligned: ["ACkD", "A-wyD", "-CD", "ACD"] };
  assert.equal(
    formatStockholm(alignment),
    [
      "# STOCKHOLM 1.0",
      "",
      "a_b     ACk..D",
      "a_b_2   A-.wyD",
      "row_3   -C...D",
      "_#c     AC...D",
      "#=GC RF xx...x",
      "//",
      "",
    ].join("\n"),
  );
  assert.equal(formatAlignedFasta(alignment, 0), ">a b\nACK--D\n>a_b\nA--WYD\n>\n-C---D\n>#c\nAC---D\n");
});

const STO = `# STOCKHOLM 1.0
#=GF ID q

#=GS 1abc_A/3-6  DE [subseq from] mol:protein length:9  A protein
#=GS 2xyz_B/1-3  DE [subseq from] 2xyz_B

1abc_A/3-6          -A.wC.E
#=GR 1abc_A/3-6 PP  .9.9*.9
2xyz_B/1-3          M-c.D--
#=GC PP_cons        99.999.
#=GC RF             xx..xxx
//
`;
const TABLE = `# target
1abc_A - 9 q - 5 1e-9 30 0 1 1 1e-9 2e-9 31.5 0 2 5 3 6 3 6 0.9 mol:protein length:9  A protein
2xyz_B - 7 q - 5 1e-5 20 0 1 1 1e-5 3e-5 12 0 1 3 1 3 1 3 0.9 -
`;

Deno.test("parseHmmsearch() makes the hits that templates need", () => {
  const { hits, query, queryLength } = parseHmmsearch(STO, TABLE, { name: "q", sequence: "MACDE" }, "test");
  assert.deepEqual([query, queryLength], ["q", 5]);
  const zero = { probability: 0, similarity: 0, sumProbs: 0 };
  assert.deepEqual(hits.map((hit) => ({ ...hit })), [
    {
      ...{ index: 1, name: "1abc_A mol:protein length:9 A protein", ...zero, eValue: 2e-9, score: 31.5 },
      ...{ alignedColumns: 3, identities: 100, query: "A-CDE", hitSequence: "AWC-E", hitLength: 9 },
      ...{ queryIndices: Int32Array.of(1, -1, 2, 3, 4), hitIndices: Int32Array.of(2, 3, 4, -1, 5) },
    },
    {
      ...{ index: 2, name: "2xyz_B", ...zero, eValue: 3e-5, score: 12, alignedColumns: 2, identities: 50 },
      ...{ query: "MA-C", hitSequence: "M-CD", hitLength: 7 },
      ...{ queryIndices: Int32Array.of(0, 1, -1, 2), hitIndices: Int32Array.of(0, -1, 1, 2) },
    },
  ]);
  const nucleic = parseHmmsearch(STO.replace("mol:protein", "mol:na"), TABLE, { name: "q", sequence: "MACDE" }, "test");
  assert.deepEqual(nucleic.hits.map(({ name, index }) => [name, index]), [["2xyz_B", 1]]);
  const none = parseHmmsearch("", "", { name: "q", sequence: "MACDE" }, "test");
  assert.deepEqual(none.hits, []);
});

Deno.test("parseHmmsearch() refuses what does not fit", () => {
  const refuse = (sto: string, table: string, sequence: string, message: RegExp): void => {
    assert.throws(() => parseHmmsearch(sto, table, { name: "q", sequence }, "h.sto"), message);
  };
  refuse(STO, TABLE, "MACD", /h\.sto has 5 match states, expected one for each of the 4 residues of the query "q"/);
  refuse(STO, "", "MACDE", /h\.sto: row 1 "1abc_A" is not in the table of domains as 1abc_A\/3-6/);
  refuse(STO, "a b c\n", "MACDE", /h\.sto, table of domains, line 1: expected 23 columns/);
  const { hits, remarks = [] } = parseHmmsearch(STO.replace("M-c.D--", "M-c.D-"), TABLE, {
    name: "q",
    sequence: "MACDE",
  }, "h.sto");
  assert.deepEqual(hits.map(({ name }) => name.slice(0, 6)), ["1abc_A"]);
  assert.deepEqual(remarks.map(({ key, count, found }) => [key, count, found]), [
    ["oddHit", 1, 'row 2 "2xyz_B" has 6 columns, expected 7'],
  ]);
  refuse(STO.replaceAll("2xyz_B/1-3", "2xyz_B"), TABLE, "MACDE", /the row "2xyz_B" does not end in \/first-last/);
  refuse("hello", TABLE, "MACDE", /h\.sto line 1: found "hello", expected "# STOCKHOLM 1\.0"/);
});

Deno.test("formatHhr() is read back equal, alignments longer than a line too", () => {
  const { hits } = parseHmmsearch(STO, TABLE, { name: "q", sequence: "MACDE" }, "test");
  const long = "ACDEFGHIKLMNPQRSTVWY".repeat(10);
  const gapped = `${long.slice(0, 40)}${"-".repeat(160)}${long.slice(40, 60)}`;
  const index = (text: string, from: number) => {
    let next = from;
    return Int32Array.from(text, (letter) => letter === "-" ? -1 : next++);
  };
  const more = {
    ...{ ...hits[0], index: 3, name: "3pqr_A a long one", probability: 99.25, sumProbs: 12.5, templateNeff: 4.321 },
    ...{ query: long + long.slice(0, 20), hitSequence: gapped, hitLength: 300, alignedColumns: 60 },
    ...{ queryIndices: index(long + long.slice(0, 20), 7), hitIndices: index(gapped, 99) },
  };
  const written = { query: "a query", queryLength: 227, hits: [...hits, more].map((hit) => ({ ...hit })) };
  const read = parseHhr(formatHhr(written, "test"), "x.hhr");
  assert.deepEqual({ ...read, hits: read.hits.map((hit) => ({ ...hit })) }, {
    ...{ source: "x.hhr", ...written },
    hits: written.hits.map((hit) => ({ templateNeff: undefined, ...hit })),
  });
  assert.deepEqual(parseHhr(formatHhr({ query: "q", hits: [] }, "test"), "x.hhr").hits, []);
});
