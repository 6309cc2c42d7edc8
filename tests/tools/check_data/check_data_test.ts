import assert from "node:assert/strict";
import { join } from "node:path";
import { checkData, type CheckOptions } from "../../../tools/check_data/check_data.ts";
import { describe, outliers } from "../../../tools/check_data/distribution.ts";
import { reportText } from "../../../tools/check_data/report_text.ts";
import { readAlignment } from "../../../tools/data/read_alignment.ts";
import { formatAlignedFasta } from "../../../tools/data/write_alignment.ts";
import { denofold } from "../cli/_run.ts";
import { CIF_TEXT } from "../data/_structures.ts";
import { familyOf, FINGERS, withFiles } from "../prep/_inputs.ts";

/** Table of the zinc fingers with affinities. */
const IDS = ["1ard", "1bbo", "1paa", "1sp1", "1sp2", "1zaa1", "1zaa2", "1zaa3", "1zfd", "1znf", "1znm", "3znf"];
const TABLE = "pdb_id,affinity\n" + IDS.map((id, k) => `${id},${5 + k % 3}\n`).join("");

Deno.test("checkData() finds nothing wrong with good data, and describes them", () =>
  withFiles({ "t.csv": TABLE }, async (folder) => {
    const report = await checkData({ csv: join(folder, "t.csv"), structures: [FINGERS], identity: 0.5 });
    assert.deepEqual([report.targets, report.usable, report.errors], [12, 12, []]);
    assert.deepEqual(report.labels?.histogram, [4, 0, 0, 0, 0, 4, 0, 0, 0, 4]);
    assert.deepEqual([report.lengths?.least, report.lengths?.most], [25, 32]);
    assert.equal(report.chains.length, 12);
    assert.deepEqual(report.chains.find(({ id }) => id === "1znf")?.observed, 25);
    assert.deepEqual(["1zaa1", "1sp1", "1znf"].map((id) => report.clusters[0].includes(id)), [true, true, false]);
    assert.match(
      report.notes[0],
      /^structures that belong to no target: .*2drp1\.cif/,
    );
    const text = reportText(report);
    assert.match(text, /^12 of 12 targets can be trained on: 0 errors/);
    assert.match(text, /quartiles 5, 6, 7, mean 6\.00 ± 0\.85/);
  }));

Deno.test("checkData() names every row that would make training fail, and what is doubtful", () =>
  withFiles({
    "t.csv": "id,affinity,sequence,chain\n" +
      "gone,1,,\ntwice,1,,\ntwice,2,,\nwords,high,,\nempty,,,\n../evil,1,,\n" +
      "broken,1,,\nother,1,GMTWX,\nrow,1,,\nq,1,,Q\ngood,2,,\ntwo,3,,\n",
    "s/twice.cif": CIF_TEXT,
    "s/words.cif": CIF_TEXT,
    "s/empty.cif": CIF_TEXT,
    "s/broken.cif": "data_x\n",
    "s/other.cif": CIF_TEXT,
    "s/row.cif": CIF_TEXT,
    "s/q.cif": CIF_TEXT,
    "s/good.cif": CIF_TEXT,
    "s/two.cif": CIF_TEXT,
    "s/two.pdb": "",
    "a/row.a3m": familyOf("GMSAX"),
    "a/good.a3m": familyOf("AGMSWXA"),
  }, async (folder) => {
    const path = (name: string) => join(folder, name);
    const report = await checkData({ csv: path("t.csv"), structures: [path("s")], msas: [path("a")] });
    const errors = Object.fromEntries(report.errors.map(({ id, message }) => [id, message.replaceAll(folder, "")]));
    assert.deepEqual(Object.keys(errors).sort(), [
      ...["../evil", "broken", "empty", "gone", "other", "q", "row", "twice", "two", "words"],
    ]);
    assert.equal(errors.gone, "There is no structure of it");
    assert.match(errors.twice, /is not unique: "twice" \(\/t\.csv line 3\), "twice" \(\/t\.csv line 4\)/);
    assert.match(errors.words, /\/t\.csv line 5: column "affinity" has "high", expected a number/);
    assert.match(errors.empty, /\/t\.csv line 6: column "affinity" of "empty" is empty, expected a number/);
    assert.equal(errors["../evil"], "There is no structure of it");
    assert.match(errors.broken, /Cannot read \/s\/broken\.cif as mmCIF/);
    assert.match(errors.other, /Chain X of \/s\/other\.cif .* does not fit the sequence of \/t\.csv line 9/);
    assert.match(errors.row, /Chain X of \/s\/row\.cif .* does not fit the sequence of the alignment/);
    assert.match(errors.q, /has no protein chain Q/);
    assert.match(errors.two, /several structures of it/);
    assert.equal(report.usable, 1);
    assert.deepEqual(report.chains.map(({ id, chosen, residues, observed }) => [id, chosen, residues, observed]), [
      ["good", "X", 7, 4],
    ]);
    assert.deepEqual(report.warnings.map(({ id, message }) => `${id}: ${message.replaceAll(folder, "")}`), [
      "good: /a/good.a3m: 1 of 7 residues are none of the 20 amino acids (X at 6); they are kept as X",
    ]);
    const text = reportText(report);
    assert.match(text, /^1 of 12 targets can be trained on: 11 errors, 1 warning$/m);
  }));

Deno.test("checkData() refuses a table with a wrong header, and tables without labels where they are needed", () =>
  withFiles({ "a.csv": "code,kd\n1znf,3\n", "b.csv": "id\n1znf\n" }, async (folder) => {
    const check = (csv: string, options: Partial<CheckOptions> = {}) =>
      checkData({ csv: join(folder, csv), structures: [FINGERS], ...options });
    await assert.rejects(() => check("a.csv"), /a\.csv line 1 has the columns code, kd; needed: id or pdb_id/);
    await assert.rejects(() => check("b.csv"), /b\.csv line 1 has the columns id; needed: .*affinity or label/);
    assert.equal((await check("b.csv", { label: false })).usable, 1);
  }));

Deno.test("checkData() without a table takes every structure, and finds its row in a family's alignment", async () => {
  const aligned = formatAlignedFasta(await readAlignment(`${FINGERS}/zinc_fingers.a3m`), 0).split(">").slice(1);
  const rows = aligned.map((entry) => entry.trim().replace(/\s+/, ".pdb  "));
  const structures = [...Deno.readDirSync(FINGERS)].map(({ name }) => `${FINGERS}/${name}`)
    .filter((path) => path.endsWith(".cif"));
  await withFiles({ "family.aln": `CLUSTAL W\n\n${rows.slice(1).join("\n")}\n` }, async (folder) => {
    const report = await checkData({ structures, msas: [`${folder}/family.aln`] });
    assert.deepEqual([report.targets, report.usable, report.errors, report.notes], [15, 15, [], []]);
    const lonely = report.warnings.filter(({ message }) => message === "There is no alignment of it");
    assert.equal(lonely.length, 1);
    const { usable, labels } = await checkData({ structures });
    assert.deepEqual([usable, labels], [15, undefined]);
  });
});

Deno.test("describe() and outliers() are as defined", () => {
  const found = describe([1, 2, 3, 4, 10]);
  assert.deepEqual([found?.quartile1, found?.median, found?.quartile3, found?.mean], [2, 3, 4, 4]);
  assert(!(Math.abs((found?.sd ?? 0) - Math.sqrt(50 / 4)) > 1e-12));
  assert.deepEqual(found?.histogram, [1, 1, 1, 1, 0, 0, 0, 0, 0, 1]);
  assert.equal(describe([]), undefined);
  assert.deepEqual(describe([5])?.histogram, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  // median 3, MAD 1: 0.6745 · |x - 3| > 3.5 from 8.19 on
  assert.deepEqual(outliers([1, 2, 3, 4, 8.1]), []);
  assert.deepEqual(outliers([1, 2, 3, 4, 8.2]), [4]);
  assert.deepEqual(outliers([2, 2, 2, 9]), []);
});

Deno.test("denofold check-data ends with 1 where training would fail, 0 where not", () =>
  withFiles({ "t.csv": TABLE, "bad.csv": `${TABLE}9zzz,5\n` }, async (folder) => {
    const run = (csv: string, ...flags: string[]) =>
      denofold("check-data", "--csv", join(folder, csv), "--structures", FINGERS, ...flags);
    const good = await run("t.csv");
    assert.equal(good.code, 0, good.stderr);
    assert.match(good.stdout, /^12 of 12 targets/);
    const bad = await run("bad.csv", "--json");
    assert.equal(bad.code, 1, bad.stderr);
    assert.deepEqual(JSON.parse(bad.stdout).errors, [{ id: "9zzz", message: "There is no structure of it" }]);
  }));
