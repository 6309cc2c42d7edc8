import assert from "node:assert/strict";
import { join } from "node:path";
import { parseSafetensors } from "../../../model/weights/safetensors.ts";
import {
  type Alignment,
  checkQuery,
  encodeTokens,
  queryView,
  sequenceIdentity,
} from "../../../tools/data/alignment.ts";
import { formatFasta, parseFasta } from "../../../tools/data/fasta.ts";
import { parseAlignment, readAlignment, readAlignmentPieces } from "../../../tools/data/read_alignment.ts";
import { InputError } from "../../../tools/errors.ts";
import { golden, needing } from "../../_needs.ts";

const deletions = (alignment: Pick<Alignment, "deletions">): number[][] => alignment.deletions.map((row) => [...row]);

Deno.test("parseAlignment() reads A3M: insertions are counted, not shown", () => {
  const text = "\uFEFF>query some words\r\nMKV\r\nLA\r\n\r\n>hit1\nM-abVcLAdd\n>hit2 x\n..MKxV--\n";
  const alignment = parseAlignment(text, "x.a3m");
  assert.deepEqual(alignment.names, ["query", "hit1", "hit2"]);
  assert.deepEqual(alignment.rows, ["MKVLA", "M-VLA", "MKV--"]);
  assert.deepEqual(deletions(alignment), [[0, 0, 0, 0, 0], [0, 0, 2, 1, 0], [0, 0, 1, 0, 0]]);
  assert.equal(alignment.source, "x.a3m");
  assert.ok(Object.isFrozen(alignment) && Object.isFrozen(alignment.rows));
});

Deno.test("parseAlignment() shows FASTA and Stockholm over the query's residues", () => {
  const fasta = parseAlignment(">q\n-MK-V\n>h\nAM-TV\n", "x.fasta");
  assert.deepEqual(fasta.rows, ["MKV", "M-V"]);
  assert.deepEqual(deletions(fasta), [[0, 0, 0], [1, 0, 1]]);
  assert.deepEqual(fasta.aligned, ["-MK-V", "AM-TV"]);
  const stockholm = parseAlignment(
    "# STOCKHOLM 1.0\n#=GF ID x\n#=GS q DE words\nq .Mk\nh AM-\n\nq -V\nh TV\n#=GC RF .x\n//\nrest\n".replace(
      "h AM-\n",
      "h AM-\n#=GC RF .xx\n",
    ),
    "x.sto",
  );
  assert.deepEqual([stockholm.reference, fasta.reference], [".xx.x", undefined]);
  assert.deepEqual([stockholm.names, stockholm.rows], [["q", "h"], ["MKV", "M-V"]]);
  assert.deepEqual(deletions(stockholm), deletions(fasta));
  const lowerCase = parseAlignment(">q\nmk.v\n>h\nMKTv\n", "x.fasta");
  assert.deepEqual(lowerCase.rows, ["MKV", "MKV"]);
  assert.deepEqual(deletions(lowerCase), [[0, 0, 0], [0, 0, 1]]);
});

Deno.test("queryView() turns an alignment to another row and keeps that row's insertions", () => {
  const aligned = ["MKVLA", "yyM-VzLA", "-KxV-A"];
  const view = queryView(aligned, 1);
  assert.deepEqual(view.rows, ["--MV-LA", "YYMVZLA", "---V--A"]);
  assert.deepEqual(deletions(view), [[0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 2, 0, 0, 0]]);
  assert.deepEqual(queryView(aligned, 2).rows, ["K-VA", "--VA", "KXVA"]);
});

Deno.test("checkQuery() names the first difference", () => {
  const alignment = parseAlignment(">q\nMKV\n>h\nMKV\n", "x.a3m");
  checkQuery(alignment, "MKV");
  assert.throws(() => checkQuery(alignment, "MRV", "1abc.cif chain A"), {
    name: "InputError",
    message:
      'The first row of x.a3m, "q", is not the sequence of 1abc.cif chain A: residue 2 is K in the alignment, expected R',
  });
  assert.throws(() => checkQuery(alignment, "MKVL"), /the alignment has 3 residues, expected 4/);
});

Deno.test("encodeTokens() follows aatype; gaps and unknown residues share token 20", () => {
  assert.deepEqual([...encodeTokens(["ARNDCQEGHILKMFPSTWYV"])], Array.from({ length: 20 }, (_, i) => i));
  assert.deepEqual([...encodeTokens(["X-", "JO", "BZ", "UA"])], [20, 20, 20, 20, 3, 6, 4, 0]);
  assert.throws(() => encodeTokens(["AA", "A"]), /row 1 has 2 columns, row 2 1/);
});

Deno.test("sequenceIdentity() counts columns where both have a residue", () => {
  assert.equal(sequenceIdentity("MK-V", "MRAV"), 2 / 3);
  assert.equal(sequenceIdentity("--", "MK"), 0);
});

Deno.test("parseFasta() reads sequences, formatFasta() writes them", () => {
  assert.deepEqual(parseFasta("; old comment\n>a first one\nmkv\n la*\n>b\nX", "x"), [
    { name: "a", description: "first one", sequence: "MKVLA" },
    { name: "b", description: "", sequence: "X" },
  ]);
  assert.equal(formatFasta([{ name: "a", sequence: "MKVLA" }], 2), ">a\nMK\nVL\nA\n");
  assert.throws(
    () => parseFasta(">a\nMK*V", "x.fa"),
    /x\.fa line 2: sequence 1 "a" has "\*" at column 3, expected a letter/,
  );
});

const bad: [string, string, RegExp][] = [
  ["nothing", "", /x\.a3m is empty, expected an alignment/],
  ["spaces", " \n\t\n", /x\.a3m is empty/],
  ["prose", "hello\n", /x\.a3m line 1: expected ">" and a name, found "hello"/],
  [
    "a short line RF",
    "# STOCKHOLM 1.0\nq MKV\n#=GC RF xx\n//",
    /line 3: #=GC RF has 2 columns, expected 3 as in row 1$/,
  ],
  ["rows of other lengths", ">q\nMKV\n>short\nM-\n", /line 3: row 2 "short" has 2 columns, expected 3 as in row 1 "q"/],
  ["a digit", ">q\nMK\n1\n>h\nMKV\n", /line 3: sequence 1 "q" has "1" at column 1, expected a letter, '-' or '\.'/],
  ["a letter of another script", ">q\nMKÄ\n", /line 2: sequence 1 "q" has "Ä" at column 3/],
  ["a name without a sequence", ">q\n>h\nMKV\n", /line 1: sequence 1 "q" is empty/],
  ["a query of gaps", ">q\n---\n>h\nMKV\n", /the first row "q" has only gaps/],
  ["a short Stockholm row", "# STOCKHOLM 1.0\nq MKV\nh MK\n//", /line 3: row 2 "h" has 2 columns, expected 3/],
  ["a digit in Stockholm", "# STOCKHOLM 1.0\nq MK3\n//", /line 2: row "q" has "3" at column 3/],
  ["a lone word in Stockholm", "# STOCKHOLM 1.0\nMKV\n//", /line 2: expected a name and its letters, found 1 word$/],
  ["Stockholm without rows", "# STOCKHOLM 1.0\n//", /has no rows/],
];
for (const [what, text, message] of bad) {
  Deno.test(`parseAlignment() refuses ${what}`, () => {
    assert.throws(() => parseAlignment(text, "x.a3m"), (error: Error) => {
      assert.ok(error instanceof InputError, String(error.stack));
      assert.match(error.message, message);
      return error.message.includes("x.a3m");
    });
  });
}

Deno.test("truncated and damaged alignments are refused clearly or read, never a crash", () => {
  const texts = [">q a\nMKVab\n>h\nM-V\n", "# STOCKHOLM 1.0\nq MK-V\nh M-KV\n\nq VV\nh LL\n//\n"];
  let seed = 1;
  const random = (below: number): number => (seed = (seed * 48271) % 2147483647) % below;
  for (let round = 0; round < 2000; round++) {
    const text = texts[round % 2];
    const at = random(text.length);
    try {
      parseAlignment(text.slice(0, at) + String.fromCharCode(random(128)) + text.slice(at + random(6)), "x");
    } catch (error) {
      assert.ok(error instanceof InputError, String(error instanceof Error ? error.stack : error));
    }
  }
});

Deno.test("a file that no text could hold is read to the rows that are wanted, the others are counted", async () => {
  const rows = 4000;
  const block = `>h\n${"MKTAYIAKQR".repeat(25)}\n`.repeat(rows); // a MiB
  const pieces = Math.ceil(2 ** 29 / block.length) + 1;
  const bytes = new TextEncoder().encode(block);
  for (const start of [">q\n", "# STOCKHOLM 1.0\n"]) {
    const isA3m = start === ">q\n";
    const piece = isA3m ? bytes : new TextEncoder().encode(block.replaceAll(">h\n", "h   "));
    const file = async function* (): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(new TextEncoder().encode(isA3m ? `${start}${"MKTAYIAKQR".repeat(25)}\n` : start));
      for (let k = 0; k < (isA3m ? pieces : 2); k++) yield piece;
    };
    const before = Deno.memoryUsage().rss;
    const { names, remarks } = await readAlignmentPieces(file(), "large", { maxRows: 10 });
    assert.equal(names.length, 10);
    const all = isA3m ? pieces * rows + 1 : 2 * rows;
    assert.deepEqual(remarks?.map(({ key, count }) => [key, count]).filter(([key]) => key === "moreRows"), [
      ["moreRows", all - 10],
    ]);
    assert.ok(Deno.memoryUsage().rss - before < 2 ** 28, `${(Deno.memoryUsage().rss - before) / 2 ** 20} MiB`);
  }
});

const ORACLE = golden("openfold/data");

for (const file of ["bfd_uniclust_hits.a3m", "mgnify_hits.sto", "uniref90_hits.sto"]) {
  Deno.test(needing(ORACLE, {
    name: `readAlignment() gives OpenFold's names, rows and deletions for ${file}`,
    fn: async () => {
      const { tensors } = parseSafetensors(await Deno.readFile(join(ORACLE.path, `parsed_${file}.safetensors`)), file);
      const facts = JSON.parse(await Deno.readTextFile(join(ORACLE.path, `parsed_${file}.json`)));
      const alignment = await readAlignment(join(ORACLE.path, `files/${file}`));
      assert.deepEqual(alignment.names, facts.descriptions.map((text: string) => text.split(" ")[0]));
      const columns = alignment.rows[0].length;
      assert.deepEqual([alignment.rows.length, columns], [facts.n_sequences, facts.n_columns]);
      const letters = Uint8Array.from(alignment.rows.join(""), (letter) => letter.charCodeAt(0));
      assert.deepEqual(letters, tensors.get("out/sequences_ascii")?.data);
      const counts = Uint8Array.from(alignment.deletions.flatMap((row) => [...row]));
      assert.deepEqual(counts, tensors.get("out/deletion_matrix")?.data);
    },
  }));
}
