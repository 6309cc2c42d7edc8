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
import { warningsOf } from "../../../tools/data/remarks.ts";
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

/** Keys and counts of remarks. */
function remarksOf({ remarks = [] }: Alignment): string[] {
  return remarks.map(({ key, count, line }) => `${key} ${count}, line ${line}`);
}

Deno.test("a row that cannot be used costs that row, with a remark; the query, or most rows, cost the file", () => {
  const a3m = parseAlignment(
    ">q\nMKVLA\n>star\nMK*LA\n>stop\nMKILA*\n>empty\n>short\nMK-\n>digit\nM1VLA\n>h\nMkkKVLA\n>i\nMRVLA\n>j\nMKVLG\n",
    "x.a3m",
  );
  assert.deepEqual([a3m.names, a3m.rows], [["q", "stop", "h", "i", "j"], [
    "MKVLA",
    "MKILA",
    "MKVLA",
    "MRVLA",
    "MKVLG",
  ]]);
  assert.deepEqual(remarksOf(a3m), ["oddRow 3, line 4", "stop 1, line 5", "wrongLength 1, line 8"]);
  assert.deepEqual(warningsOf(a3m), [
    "x.a3m line 4: sequence 2 \"star\" has \"*\" at column 3, expected a letter, '-' or '.': the row is left out (the first of 3 rows)",
    'x.a3m line 8: row 3 "short" has 3 columns, expected 5 as in row 1 "q": the row is left out',
  ]);
  const stockholm = parseAlignment(
    "# STOCKHOLM 1.0\n#=GS #b/1-3 DE x\n\nq MKV\nh M*V\n#b/1-3 MRV\n//c MKI\n# a remark\ns MK\n//\n",
    "x.sto",
  );
  assert.deepEqual([stockholm.names, stockholm.rows], [["q", "#b/1-3", "//c"], ["MKV", "MRV", "MKI"]]);
  assert.deepEqual(remarksOf(stockholm), ["oddRow 1, line 5", "wrongLength 1, line 9"]);
  for (
    const text of [
      ">q\nM*V\n>h\nMKV\n",
      ">q\n>h\nMKV\n",
      "# STOCKHOLM 1.0\nq M*V\nh MKV\n//\n",
      ">q\nMKV\n>a\nM\n>b\nMK\n>h\nMKV\n",
    ]
  ) {
    assert.throws(() => parseAlignment(text, "x"), InputError, text);
  }
});

Deno.test("Stockholm: names that stand twice in a block are rows of their own, in every block", () => {
  const one = parseAlignment("# STOCKHOLM 1.0\n\nq MKV\ndup MRV\ndup MK-\nq AKV\n//\n", "x");
  assert.deepEqual([one.names, one.rows], [["q", "dup", "dup", "q"], ["MKV", "MRV", "MK-", "AKV"]]);
  const two = parseAlignment(
    "# STOCKHOLM 1.0\n\nq MK\ndup MR\ndup MK\n\nq V\ndup V\ndup -\n\n//\n# STOCKHOLM 1.0\nq A\n//\n",
    "x",
  );
  assert.deepEqual([two.names, two.rows], [["q", "dup", "dup"], ["MKV", "MRV", "MK-"]]);
  assert.deepEqual(remarksOf(two), ["sameName 1, line 5", "afterEnd 1, line 12"]);
});

Deno.test("A3M: annotation of HH-suite is no row, NUL ends an alignment, ColabFold's complexes are no single chain", () => {
  const text =
    ">ss_pred some words\nCHHEC\n>ss_conf\n98\n765\n>sa_dssp\nab?-\n>query\nMKVLA\n>hit\nM-VLA\n>ss_dssp2\nMKVLA\n";
  const annotated = parseAlignment(text, "x.a3m");
  assert.deepEqual(annotated.names, ["query", "hit", "ss_dssp2"]);
  assert.deepEqual(remarksOf(annotated), ["annotation 3, line 1"]);
  assert.deepEqual(parseAlignment(text, "x.a3m", { maxRows: 2 }).names, ["query", "hit"]);
  assert.throws(() => parseAlignment(">ss_pred\nCHE\n", "x"), /has only rows of annotation/);
  const plain = parseAlignment(">q\nMKV\n>h\nM-V\n", "x");
  for (const end of ["\0", "\n\0\n", "\0\0\n"]) assert.deepEqual(parseAlignment(`>q\nMKV\n>h\nM-V${end}`, "x"), plain);
  assert.throws(
    () => parseAlignment(">q\nMKV\n>h\nMKI\n\0>other\nGS\n\0", "x"),
    /^InputError: x line 5: a second alignment begins after a NUL/,
  );
  assert.deepEqual(parseAlignment("#3\t1\n>q\nMKV\n>h\nM-V\n", "x"), plain, "one chain, once");
  assert.deepEqual(parseAlignment("# 3 2 a remark\n>q\nMKV\n>h\nM-V\n", "x"), plain);
  for (const header of ["#3\t2", "#2,1\t1,1"]) {
    assert.throws(
      () => parseAlignment(`${header}\n>q\nMKV\n`, "x"),
      /^InputError: x: its first line .* ColabFold's for a complex/,
    );
  }
});

Deno.test("aligned FASTA means the same in small letters; A3M is told by its insertions", () => {
  const rows = ["MKT-AYIAKQR", "MKTA-YIAKQR", "-KTAQYI-K-R"];
  const textOf = (lines: readonly string[]) => lines.map((row, r) => `>r${r}\n${row}\n`).join("");
  const expected = parseAlignment(textOf(rows), "x.fasta");
  const small = rows.map((row) => row.toLowerCase());
  const masked = rows.map((row, r) => row.slice(0, r) + row.slice(r, 9).toLowerCase() + row.slice(9));
  for (const name of ["x.fasta", "x.a3m", "x"]) {
    for (const lines of [small, masked, [rows[0], small[1], small[2]], small.map((row) => row.replaceAll("-", "."))]) {
      const read = parseAlignment(textOf(lines), name);
      assert.deepEqual(
        [read.rows, read.deletions, read.aligned],
        [expected.rows, expected.deletions, expected.aligned],
        `${name} ${lines}`,
      );
    }
  }
  // Equally many small letters at the same places fit both ways: the name of the file decides.
  const both = [">q\nMKtaYI\n>h\nMRtaYI\n"].map((text) =>
    ["x.a3m", "x.fa"].map((name) => parseAlignment(text, name).aligned)
  );
  assert.deepEqual(both, [[["MKtaYI", "MRtaYI"], ["MKTAYI", "MRTAYI"]]]);
  const lower = parseAlignment(">q\nmktay\n>h\nMKTaaAY\n>i\nM-TAY\n", "x.a3m");
  assert.deepEqual([lower.rows, remarksOf(lower)], [["MKTAY", "MKTAY", "M-TAY"], ["lowerCaseQuery 1, line 1"]]);
});

Deno.test("every row of a file is read, or told to be left out, or the file refused", () => {
  let seed = 7;
  const below = (n: number): number => (seed = (seed * 48271) % 2147483647) % n;
  let read = 0;
  for (let round = 0; round < 400; round++) {
    const columns = 3 + below(12), count = 1 + below(12);
    const rows = Array.from({ length: count }, (_, r) => {
      let text = "";
      for (let c = 0; c < columns; c++) text += below(5) || r === 0 ? "ARNDCQEG"[below(8)] : "-";
      if (r > 0 && below(6) === 0) {
        text = [text.slice(1), `${text}A`, `${text.slice(0, 1)}*${text.slice(2)}`, "", `${text}*`][below(5)];
      }
      return { name: ["h", `h${r}`, "ss_pred", "q"][below(4)], text };
    });
    const isStockholm = round % 2 === 0;
    const text = isStockholm
      ? `# STOCKHOLM 1.0\n\n${
        rows.filter(({ text }) => text !== "").map(({ name, text }) => `${name} ${text}\n`).join("")
      }//\n`
      : rows.map(({ name, text }) => `>${name}\n${text}\n`).join("");
    const all = isStockholm ? rows.filter(({ text }) => text !== "").length : rows.length;
    const maxRows = below(3) === 0 ? 1 + below(count) : undefined;
    try {
      const { names, remarks = [] } = parseAlignment(text, "x", { maxRows });
      const left = remarks.filter(({ isLeftOut, unit }) => isLeftOut && unit === "row").reduce(
        (sum, { count }) => sum + count,
        0,
      );
      assert.equal(names.length + left, all, text);
      read++;
    } catch (error) {
      assert.ok(error instanceof InputError, String(error));
    }
  }
  assert.ok(read > 200, `${read} were read`);
});

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
