import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { linesOf } from "../../../tools/data/_lines.ts";
import { readPdbbindIndex, readPdbbindNames } from "../../../tools/data/pdbbind.ts";
import { remarkText } from "../../../tools/data/remarks.ts";
import { mangledBySpreadsheet, parseTableRows, readTableRows, readTargetTable } from "../../../tools/data/table.ts";
import { InputError } from "../../../tools/errors.ts";
import { readPiecesMaybeGzip } from "../../../tools/files.ts";

/** Lines of PDBbind v.2019's INDEX_general_PL_data and INDEX_general_PL, among them one by NMR, and relations. */
const INDEX = `# ==============================================================================
# List of protein-ligand complexes with known binding data in PDBbind v.2019
# PDB code, resolution, release year, -logKd/Ki, Kd/Ki, reference, ligand name
# ==============================================================================
3zzf  2.20  2012   0.40  Ki=400mM      // 3zzf.pdf (NLG)
3gww  2.46  2009   0.45  IC50=355mM    // 3gwu.pdf (SFX)
3fqa  2.35  2009   0.49  IC50=320mM    // 3fq7.pdf (GAB&PMP)
4fci  1.82  2012   1.26  Ki~55mM       // 4fci.pdf (GPA)
2tpi  2.10  1982  Kd=49uM       // 2tpi.pdf (2-mer)
4cts  2.90  1984  Kd<10uM       // 4cts.pdf (OAA)
6rsa   NMR  1986  Ki=40uM       // 6rsa.pdf (UVC)
6cha  1.80  1987  Ki=40uM       // 6cha.pdf (PBA) covalent complex
6CPA  2.00  1991  Ki=3pM        // 6cpa.pdf (ZAF)
`;

async function collect<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const row of rows) all.push(row);
  return all;
}

/** Bytes in pieces of a few, so that every mark of the format is cut somewhere. */
async function* piecesOf(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}

/** Calls with the path of a file with that content. */
async function withFile<T>(content: string | Uint8Array, name: string, use: (path: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/${name}`;
    await (typeof content === "string" ? Deno.writeTextFile(path, content) : Deno.writeFile(path, content));
    return await use(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function refusal(content: string | Uint8Array, name: string, read: (path: string) => Promise<unknown>) {
  return await withFile(content, name, async (path) => {
    try {
      await read(path);
    } catch (error) {
      assert(error instanceof InputError, String(error));
      return error.message.replaceAll(path, name);
    }
    throw new Error(`${name} was accepted`);
  });
}

Deno.test("parseTableRows() gives rows with their lines, whatever the ends of lines, separators and pieces", async () => {
  const rows = (end: string, mark: string) =>
    ["\uFEFFID, Note", "", "a,1", `"b ""x""${end}c",2`, ",", " d ,3"].join(end).replaceAll(",", mark);
  const expected = [[3, "a", "1"], [4, 'b "x"\nc', "2"], [7, "d", "3"]];
  for (const [end, mark] of [["\n", ","], ["\r\n", "\t"], ["\r", ";"]]) {
    for (const size of [1, 7, 1000]) {
      const found = await collect(parseTableRows(piecesOf(rows(end, mark) + (size > 1 ? end : ""), size), "t.csv"));
      assert.deepEqual(
        found.map(({ line, cells }) => [line, cells.get("id"), cells.get("note")]),
        expected.map(([line, id, note]) => [line, String(id).replace("\n", end), note]),
        `${JSON.stringify(end)} ${mark} ${size}`,
      );
    }
  }
});

Deno.test("linesOf() splits pieces of any size into lines, and refuses one without end", async () => {
  const text = "\uFEFFa\r\nb\n\r\nc\rd\n\u00e9\r";
  for (let size = 1; size <= text.length + 3; size++) {
    const found = await collect(linesOf(piecesOf(text, size), "x"));
    assert.deepEqual(
      found.map(({ number, text }) => `${number}${text}`),
      ["1a", "2b", "3", "4c", "5d", "6\u00e9"],
      `${size}`,
    );
  }
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) yield await Promise.resolve(new Uint8Array(1 << 16).fill(0x41));
  }
  await assert.rejects(() => collect(linesOf(endless(), "x")), /x line 1 is longer than 16777216 characters/);
});

Deno.test("readTargetTable() reads tables of labels, lists of jobs and INDEX files, plain or packed", async () => {
  const labels = "pdb_id,affinity,resolution,year,sequence,family\n 1A4W ,6.52,NMR,1998,acde*,x\n3htb,8.1e0,1.8,,,\n";
  await withFile(gzipSync(labels), "labels.csv.gz", async (path) => {
    const found = await collect(readTargetTable(path));
    assert.deepEqual(
      found.map(({ cells: _, source: __, relation: ___, measured: ____, remarks: _____, ...target }) => target),
      [
        {
          line: 2,
          id: "1a4w",
          sequences: ["ACDE"],
          label: 6.52,
          resolutionAngstrom: undefined,
          year: 1998,
          family: "x",
          chain: undefined,
          alignment: undefined,
        },
        {
          line: 3,
          id: "3htb",
          sequences: [],
          label: 8.1,
          resolutionAngstrom: 1.8,
          year: undefined,
          family: undefined,
          chain: undefined,
          alignment: undefined,
        },
      ],
    );
    assert.equal(found[0].cells.get("resolution"), "NMR");
  });
  await withFile("id\tsequence\nJob_1\tMKV:ACD E\n", "jobs.tsv", async (path) => {
    const [job] = await collect(readTargetTable(path));
    assert.deepEqual([job.id, job.sequences, job.label], ["Job_1", ["MKV", "ACDE"], undefined]);
  });
  await withFile(INDEX, "INDEX_general_PL_data.2019", async (path) => {
    const found = await collect(readTargetTable(path, { needLabel: true }));
    assert.deepEqual(found[0].label, 0.4);
    assert.deepEqual(found.map(({ id }) => id).join(" "), "3zzf 3gww 3fqa 4fci 2tpi 4cts 6rsa 6cha 6cpa");
  });
});

Deno.test("readPdbbindIndex() and readPdbbindNames() read what PDBbind's INDEX files hold", async () => {
  await withFile(INDEX.replaceAll("\n", "\r\n"), "INDEX", async (path) => {
    const found = await readPdbbindIndex(path);
    assert.deepEqual(found[0], {
      id: "3zzf",
      line: 5,
      resolutionAngstrom: 2.2,
      year: 2012,
      value: 0.4,
      kind: "Ki",
      relation: "=",
      measured: "Ki=400mM",
      concentrationMolar: 0.4,
      ligand: "NLG",
      comment: "",
    });
    assert.deepEqual(found.map(({ relation }) => relation).join(" "), "= = = ~ = < = = =");
    assert.deepEqual(found.map(({ kind }) => kind).slice(0, 5).join(" "), "Ki IC50 IC50 Ki Kd");
    assert.deepEqual([found[2].ligand, found[4].ligand, found[7].comment], ["GAB&PMP", "2-mer", "covalent complex"]);
    assert.equal(found[6].resolutionAngstrom, undefined);
    assert.equal(found[4].value.toFixed(2), "4.31");
    assert.deepEqual([found[8].id, found[8].concentrationMolar, found[8].value.toFixed(3)], ["6cpa", 3e-12, "11.523"]);
    for (const { value, concentrationMolar } of found) {
      assert(!(Math.abs(value + Math.log10(concentrationMolar)) > 0.006), `${value} ${concentrationMolar}`);
    }
  });
  const names = "# names\n6mu1  2018  P29994  INOSITOL 1,4,5-TRISPHOSPHATE RECEPTOR TYPE 1\n1abc  2000  ------  X\n";
  await withFile(names, "names", async (path) => {
    assert.deepEqual(await readPdbbindNames(path), [
      { id: "6mu1", line: 2, year: 2018, uniprot: "P29994", protein: "INOSITOL 1,4,5-TRISPHOSPHATE RECEPTOR TYPE 1" },
      { id: "1abc", line: 3, year: 2000, uniprot: undefined, protein: "X" },
    ]);
  });
});

Deno.test("tables that cannot be used are refused with line, what was found and what is expected", async () => {
  const table = (options: Parameters<typeof readTargetTable>[1] = {}) => (path: string) =>
    collect(readTargetTable(path, options));
  const cases: [string | Uint8Array, (path: string) => Promise<unknown>, RegExp][] = [
    ["", table(), /^t\.csv is empty, expected a table whose first line names its columns: id or pdb_id/],
    [
      "",
      (path) => collect(readTableRows(path)),
      /^t\.csv is empty, expected a table whose first line names its columns$/,
    ],
    ["code,kd\n1abc,3\n", table(), /^t\.csv line 1 has the columns code, kd; needed: id or pdb_id or/],
    ["id,x\na,1\n", table({ needLabel: true }), /has the columns id, x; needed: .*; and affinity or label/],
    ["id,x\na,1\n", table({ label: "ddG" }), /has the columns id, x; needed: .*; and ddg$/],
    ["id,x\n", table(), /has no row below/],
    ["id,x,ID\na,1,2\n", table(), /line 1 names the column "id" twice/],
    ["id,affinity\na,1\n\nb,high\n", table(), /line 4: column "affinity" has "high", expected a number/],
    ["id,affinity\na,nan\n", table(), /line 2: column "affinity" has "nan", expected a number/],
    ["id,affinity\na,1e999\n", table(), /"1e999", expected a number/],
    ["id;affinity\na;6,52\n", table(), /"6,52", expected a number/],
    ["id,affinity\na,\n", table({ needLabel: true }), /line 2: column "affinity" of "a" is empty, expected a number/],
    ["id,affinity\n ,1\n", table(), /line 2: column "id" is empty, expected a name/],
    ["id,affinity\na,1,2\n", table(), /line 2 has 3 cells, expected 2: id, affinity/],
    ['id,affinity\na,"1\nb,2\n', table(), /t\.csv line 3: the file ends inside a cell whose quote is not closed/],
    ['id,x\na,b"c"\n', table(), /t\.csv line 2: a quote stands inside a cell/],
    ['id,x\na,"b"c\n', table(), /t\.csv line 2: something stands between a closing quote and the end/],
    ["id,sequence\na,AC1\n", table(), /line 2: the sequence has "1" at residue 3 of chain 1/],
    ["id,sequence\na,AC::D\n", table(), /line 2: chain 2 of the sequence is empty/],
    ["id,year\na,98\n", table(), /line 2: column "year" has 98, expected a year/],
    ["id,resolution\na,0\n", table(), /"resolution" has 0, expected Å above 0/],
    [
      INDEX + "1abc  2.0  2001  Kd=big\n",
      table(),
      /line 14: found "1abc {2}2\.0 {2}2001 {2}Kd=big", expected a line such as/,
    ],
    [INDEX + "1abc  2.0  2001  Kd=0uM\n", table(), /line 14: .*expected a constant above 0/],
    [INDEX, table({ label: "x" }), /INDEX file of PDBbind, which has no column "x"/],
    ["# only remarks\n", table(), /has no entry/],
    [
      Uint8Array.of(0xff, 0xfe, ...new Uint8Array(Uint16Array.from([..."id\na\n"], (c) => c.charCodeAt(0)).buffer)),
      table(),
      /^t\.csv line 1: the text is in UTF-16, expected UTF-8/,
    ],
    [gzipSync("id\na\n").subarray(0, 20), table(), /Cannot unpack t\.csv: the file ends too early/],
  ];
  for (const [content, read, message] of cases) assert.match(await refusal(content, "t.csv", read), message);
  assert.match(await refusal("id\na\n", "t.csv.gz", table()), /does not begin with the gzip mark/);
});

Deno.test("a packed file that unpacks to too much is refused before it fills the memory", async () => {
  const bomb = gzipSync(new Uint8Array(1 << 24).fill(0x41));
  const read = (path: string) => collect(readPiecesMaybeGzip(path, 1 << 20));
  assert.match(await refusal(bomb, "bomb.csv.gz", read), /unpacks to more than 1048576 bytes/);
  assert.match(
    await refusal(bomb, "bomb.csv", (path) => collect(readTableRows(path))),
    /bomb\.csv line 1: a row has more than 1048576 bytes/,
  );
  await assert.rejects(
    () => collect(readTableRows("/nonexistent/t.csv")),
    /Cannot read \/nonexistent\/t\.csv: there is no/,
  );
});

Deno.test("readTableRows() needs memory that does not grow with the file", async () => {
  const row = `id,sequence\n` + `name,${"A".repeat(1000)}\n`.repeat(20_000);
  await withFile(gzipSync(row), "long.csv.gz", async (path) => {
    let rows = 0;
    let most = 0;
    const before = Deno.memoryUsage().heapUsed;
    for await (const { cells } of readTableRows(path, ["id"])) {
      rows += cells.get("sequence")?.length === 1000 ? 1 : 0;
      if (rows % 1000 === 0) most = Math.max(most, Deno.memoryUsage().heapUsed - before);
    }
    assert.equal(rows, 20_000);
    assert(most < 80e6, `${most} bytes`);
  });
});

/** Bounds, estimates, exact values, exponents, and columns that disagree. */
const BOUNDS = `# PDB code, resolution, release year, -logKd/Ki, Kd/Ki, reference, ligand name
1aaa  1.90  2001   4.30  Kd<50uM       // 1aaa.pdf (LG1)
1bbb  2.10  2003   7.70  IC50~20nM     // 1bbb.pdf (2-mer)
1ccc  NMR   2005   1.10e1  Ki=1e-2nM   // 1ccc.pdf (ACE-PHE)
1ddd  2.30  2007   2.70  Kd>=2mM       // 1ddd.pdf (A(B)C)
1eee  2.30  2007   Kd>2e3uM            // 1eee.pdf (LG5)
1fff  2.30  2007   6.00  Ki=1nM        // 1fff.pdf (LG6)
`;

Deno.test("readTargetTable() keeps what is known of labels that are bounds or estimates, and notes columns that disagree", async () => {
  await withFile(BOUNDS, "INDEX_general_PL_data.x", async (path) => {
    const found = await collect(readTargetTable(path));
    assert.deepEqual(found.map(({ id, label, relation = "", measured }) => `${id} ${relation}${label} ${measured}`), [
      ...["1aaa >4.3 Kd<50uM", "1bbb ~7.7 IC50~20nM", "1ccc 11 Ki=1e-2nM", "1ddd <=2.7 Kd>=2mM"],
      ...[`1eee <${-Math.log10(2e-3)} Kd>2e3uM`, "1fff 6 Ki=1nM"],
    ]);
    assert.deepEqual(found.flatMap(({ remarks = [] }) => remarks.map(remarkText)), [
      `${path} line 7: -logKd/Ki is 6.00, but Ki=1nM is 9.00: the former is read`,
    ]);
  });
  await withFile("id,label,relation\na,5,>\nb,6,=\nc,7,\nd,8,≤\n", "x.csv", async (path) => {
    const found = await collect(readTargetTable(path));
    assert.deepEqual(found.map(({ relation }) => relation), [">", undefined, undefined, "<="]);
  });
  assert.match(
    await refusal("id,label,relation\na,5,about\n", "x.csv", (path) => collect(readTargetTable(path))),
    /^x\.csv line 2: column "relation" has "about", expected =, <, >, <=, >= or ~$/,
  );
});

Deno.test("readTargetTable() costs a row that cannot be used that row alone, in INDEX files too", async () => {
  const bad: string[] = [];
  await withFile(BOUNDS.replace("2003", "2e3 "), "INDEX_x", async (path) => {
    const onBadRow = (row: { line: number; cells: ReadonlyMap<string, string> }, error: InputError) => {
      bad.push(`${row.cells.get("id")} ${row.line} ${error.message.replaceAll(path, "x")}`);
    };
    const found = await collect(readTargetTable(path, { onBadRow }));
    assert.deepEqual(found.map(({ id }) => id), ["1aaa", "1ccc", "1ddd", "1eee", "1fff"]);
  });
  assert.match(bad.join(), /^1bbb 3 x line 3: found "1bbb /);
});

Deno.test("ids that a spreadsheet made dates or numbers of are named as such, and plain codes are none", async () => {
  for (
    const [id, before] of [
      ["1.00E+10", "1E10"],
      ["2E+07", "2E7"],
      ["5.00E+01", "5E1"],
      ["2-Mar", "2MAR"],
      ["02-Mar", "2MAR"],
      ["Sep-09", "SEP9"],
      ["1-DEC", "1DEC"],
    ]
  ) {
    assert.match(
      mangledBySpreadsheet(id) ?? "",
      new RegExp(`which a spreadsheet made a (?:date|number) of, perhaps of ${before}$`),
    );
    assert.match(
      await refusal(`pdb_id,label\n${id},1\n`, "x.csv", (path) => collect(readTargetTable(path))),
      /^x\.csv line 2: column "pdb_id" has .*a spreadsheet made .*, expected a PDB code$/,
    );
    await withFile(`name,label\n${id},1\n`, "x.csv", async (path) => {
      const [{ remarks = [] }] = await collect(readTargetTable(path));
      assert.match(remarks.map(remarkText)[0], /x\.csv line 2: the id is .*, which a spreadsheet made /);
    });
  }
  for (const id of ["1e10", "1E10", "2mar", "5e55", "1abc_A", "4-2", "march-1", "2.5", "1.5E+3x"]) {
    assert.equal(mangledBySpreadsheet(id), undefined, id);
  }
});
