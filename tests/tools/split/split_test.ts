import assert from "node:assert/strict";
import { join } from "node:path";
import { InputError } from "../../../tools/errors.ts";
import { assignGroups, assignInOrder } from "../../../tools/split/assign.ts";
import { alignmentIdentity } from "../../../tools/split/identity.ts";
import { findLeakage } from "../../../tools/split/leakage.ts";
import { clusterByMmseqs } from "../../../tools/split/mmseqs.ts";
import { clusterRecords, type ClusterTool } from "../../../tools/split/cluster_records.ts";
import { readSplitRecords, type SplitRecords } from "../../../tools/split/records.ts";
import { type Split, type SplitOptions, splitRecords } from "../../../tools/split/split.ts";
import { denofold } from "../cli/_run.ts";
import { families } from "./_families.ts";
import { needing, programs } from "../../_needs.ts";

const OPTIONS: SplitOptions = {
  by: "identity",
  names: ["train", "val", "test"],
  fractions: [0.8, 0.1, 0.1],
  seed: 1,
  identity: 0.3,
};

function tableOf(
  rows: readonly { id: string; sequences?: string[]; more?: string }[],
  column = "family",
): SplitRecords {
  const records = rows.map(({ id, sequences = [], more = "" }, row) => {
    return { id, place: `t.csv line ${row + 2}`, sequences, cells: [id, more] };
  });
  return { format: "table", columns: ["id", column], records };
}

/** Makes clusters if they are needed, then splits. */
async function split(table: SplitRecords, options: SplitOptions, tool: ClusterTool = "own"): Promise<Split> {
  const { by, identity } = options;
  const clusters = by === "identity" ? await clusterRecords(table.records, { identity, tool, cpu: 1 }) : undefined;
  return splitRecords(table, { ...options, clusters });
}

function counts(setOf: Int32Array): number[] {
  return [0, 1, 2].map((set) => setOf.filter((one) => one === set).length);
}

Deno.test("assignGroups() gives the largest groups first to the set that lacks most", () => {
  assert.deepEqual([...assignGroups([1, 6, 1, 2], [0.8, 0.1, 0.1], 0)].map((set, g) => g === 1 || g === 3 ? set : -1), [
    ...[-1, 0, -1, 0],
  ]);
  const sizes = Array.from({ length: 100 }, (_, k) => 1 + k % 7);
  const total = sizes.reduce((a, b) => a + b);
  const setOf = assignGroups(sizes, [0.7, 0.2, 0.1], 5);
  [0.7, 0.2, 0.1].forEach((fraction, set) => {
    const rows = sizes.reduce((sum, size, g) => sum + (setOf[g] === set ? size : 0), 0);
    assert.ok(Math.abs(rows - fraction * total) <= 1, `set ${set} has ${rows} of ${total}`);
  });
  assert.deepEqual(setOf, assignGroups(sizes, [0.7, 0.2, 0.1], 5));
  assert.notDeepEqual(setOf, assignGroups(sizes, [0.7, 0.2, 0.1], 6));
  assert.equal(new Set(assignGroups([5, 5, 5], [0.8, 0.1, 0.1], 0)).size, 3);
  assert.equal(new Set(assignGroups([5, 5, 5], [0.9, 0, 0.1], 0)).has(1), false);
});

Deno.test("assignInOrder() cuts where the sizes come nearest to the fractions", () => {
  assert.deepEqual([...assignInOrder([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], [0.8, 0.1, 0.1])], [0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
  assert.deepEqual([...assignInOrder([3, 5, 2], [0.5, 0.5])], [0, 1, 1]);
  assert.deepEqual([...assignInOrder([3, 3, 4], [0.5, 0.5])], [0, 0, 1]);
});

Deno.test("splitRecords() by identity lets no relative cross, and finds the highest identity", async () => {
  const sequences = families(21, { count: 12, size: 5, length: 57, kept: 0.55 });
  const table = tableOf(sequences.map((sequence, k) => ({ id: `p${k}`, sequences: [sequence] })));
  const { setOf, report } = await split(table, OPTIONS);
  const highest = new Map<string, number>();
  sequences.forEach((a, i) =>
    sequences.slice(0, i).forEach((b, j) => {
      if (setOf[i] === setOf[j]) return;
      const key = [setOf[i], setOf[j]].sort().map((set) => OPTIONS.names[set]).join();
      highest.set(key, Math.max(highest.get(key) ?? 0, alignmentIdentity(a, b)));
    })
  );
  assert.equal(report.leakage?.search, "all pairs");
  for (const { sets, highestIdentity, related, pair } of report.leakage?.between ?? []) {
    assert.equal(highestIdentity, highest.get(sets.join()));
    assert.ok(!(highestIdentity >= 0.3) && related === 0);
    const [a, b] = (pair ?? []).map((id) => Number(id.slice(1)));
    assert.equal(alignmentIdentity(sequences[a], sequences[b]), highestIdentity);
    assert.deepEqual([setOf[a], setOf[b]].map((set) => OPTIONS.names[set]), sets);
  }
  assert.deepEqual(counts(setOf).reduce((a, b) => a + b), 60);
  assert.ok(counts(setOf).every((count) => count > 0));
  assert.deepEqual((await split(table, OPTIONS)).setOf, setOf);
});

Deno.test("findLeakage() counts relatives, equal sequences and chains", () => {
  const items = [["MKTAYIAKQRWW"], ["GGSWEDPPLV"], ["PPPPPPPPPP", "MKTAYIAKQLWW"], ["GGSWEDPPLV"], []];
  const { between, links } = findLeakage(items, Int32Array.of(0, 0, 1, 2, 1), 3, 0.5);
  assert.deepEqual(between, [
    { sets: [0, 1], highest: { identity: 11 / 12, items: [0, 2] }, related: 1 },
    { sets: [0, 2], highest: { identity: 1, items: [1, 3] }, related: 1 },
    { sets: [1, 2], highest: { identity: 0.2, items: [2, 3] }, related: 0 },
  ]);
  assert.deepEqual(links.map((pair) => pair.join()).sort(), ["0,2", "1,3"]);
});

Deno.test("splitRecords() at random keeps the rows of one id together and says what leaks", async () => {
  const rows = Array.from({ length: 100 }, (_, k) => ({ id: `p${k % 50}`, sequences: ["MKTAYIAKQRWWGGSWEDPPLV"] }));
  const { setOf, report } = await split(tableOf(rows), { ...OPTIONS, by: "random" });
  assert.deepEqual(counts(setOf), [80, 10, 10]);
  for (let k = 0; k < 50; k++) assert.equal(setOf[k], setOf[k + 50]);
  assert.deepEqual(report.leakage?.between.map(({ highestIdentity, related }) => [highestIdentity, related]), [
    ...[[1, 10], [1, 10], [1, 10]],
  ]);
  assert.match(report.warnings[0], /^10 of the 10 rows of val have a relative in train of 30\.0 % identity or more/);
});

Deno.test("splitRecords() by family and by time", async () => {
  const rows = Array.from({ length: 40 }, (_, k) => ({ id: `p${k}`, more: `f${k % 10}` }));
  const byFamily = await split(tableOf(rows), { ...OPTIONS, by: "family" });
  for (let k = 10; k < 40; k++) assert.equal(byFamily.setOf[k], byFamily.setOf[k - 10]);
  assert.deepEqual(counts(byFamily.setOf), [32, 4, 4]);
  assert.equal(byFamily.report.leakage, undefined);

  const dated = Array.from({ length: 20 }, (_, k) => ({ id: `p${k}`, more: `${2001 + (7 * k) % 20}-05-01` }));
  const byTime = await split(tableOf(dated, "Release_Date"), { ...OPTIONS, by: "time" });
  assert.deepEqual(byTime.report.sets.map(({ rows, dates }) => [rows, dates]), [
    [16, ["2001-05-01", "2016-05-01"]],
    [2, ["2017-05-01", "2018-05-01"]],
    [2, ["2019-05-01", "2020-05-01"]],
  ]);
  assert.equal(byTime.report.column, "Release_Date");

  const fails: [Parameters<typeof tableOf>, Partial<SplitOptions>, RegExp][] = [
    [[[{ id: "a", more: "" }]], { by: "family" }, /^t\.csv line 2: "a" has no family/],
    [[[{ id: "a", more: "2001-02-30" }], "date"], { by: "time" }, /^t\.csv line 2: the date is "2001-02-30", expected/],
    [[[{ id: "a", more: "x" }]], { by: "time" }, /needs a column date or .*; there are id, family$/],
    [[[{ id: "a" }]], { by: "family", column: "clan" }, /needs a column clan; there are id, family$/],
    [[[{ id: "a" }]], { by: "identity" }, /^t\.csv line 2: "a" has no sequence/],
  ];
  for (const [table, options, message] of fails) {
    await assert.rejects(split(tableOf(...table), { ...OPTIONS, ...options }), (error: Error) => {
      return error instanceof InputError && message.test(error.message);
    });
  }
});

Deno.test(
  needing(programs("mmseqs"), {
    name: "splitRecords() takes MMseqs2's clusters, and joins those that are related all the same",
    async fn() {
      const sequences = families(4, { count: 5, size: 4, length: 150, kept: 0.7 });
      // Peptides this short are below MMseqs2's significance.
      sequences.push("MKTAYIAK", "MKTAYLAK", "GGSWEDPP", "GGSWEDPL", "HHCCFFMM", "HHCCFFML");
      const { clusterOf } = await clusterByMmseqs(sequences, 0.4, { threads: 1 });
      assert.deepEqual(
        [...clusterOf.subarray(0, 20)],
        Array.from({ length: 20 }, (_, k) => Math.floor(k / 4)),
      );
      const table = tableOf(sequences.map((sequence, k) => ({ id: `p${k}`, sequences: [sequence] })));
      const { groupOf, report } = await split(
        table,
        { ...OPTIONS, identity: 0.4, fractions: [0.4, 0.3, 0.3] },
        "mmseqs",
      );
      for (let k = 0; k < 20; k++) assert.equal(groupOf[k], Math.floor(k / 4));
      assert.match(`${report.clusters?.tool} ${report.clusters?.version}`, /^MMseqs2 \S+$/);
      assert.ok(report.leakage?.between.every(({ related }) => related === 0));
      const apart = [20, 22, 24].filter((k) => clusterOf[k] !== clusterOf[k + 1]).length;
      assert.ok(apart > 0 && (report.clusters?.joinedAfterwards ?? 0) <= apart);
    },
  }),
);

Deno.test("denofold split writes lists with the table's columns and order", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const sequences = families(3, { count: 6, size: 2, length: 40, kept: 0.8 });
    const lines = sequences.map((sequence, k) => `P${k};"a; ""b"",${k}.5";${sequence}`);
    const table = join(folder, "t.csv");
    await Deno.writeTextFile(table, `\uFEFFID;Some Note;Sequence\r\n${lines.join("\r\n")}\r\n`);
    const out = join(folder, "out");
    const flags = ["--by", "identity", "--fractions", "0.5,0.5", "--clusters", "own", "--out", out];
    const { code, stdout, stderr } = await denofold("split", table, ...flags, "--json");
    assert.deepEqual([code, stderr], [0, ""]);
    const report = JSON.parse(stdout);
    assert.deepEqual(report.sets.map(({ name, rows }: { name: string; rows: number }) => [name, rows]), [
      ["train", 6],
      ["test", 6],
    ]);
    const written = await Promise.all(["train.csv", "test.csv"].map((name) => Deno.readTextFile(join(out, name))));
    const found = written.map((text) => text.trimEnd().split("\n"));
    for (const [head] of found) assert.equal(head, "ID,Some Note,Sequence");
    const expected = sequences.map((sequence, k) => `P${k},"a; ""b"",${k}.5",${sequence}`);
    for (const [, ...rows] of found) assert.deepEqual(rows, expected.filter((row) => rows.includes(row)));
    assert.deepEqual(found.flatMap(([, ...rows]) => rows).sort(), expected.sort());
    const { files: _, ...kept } = report;
    assert.deepEqual(JSON.parse(await Deno.readTextFile(join(out, "split.json"))), kept);
    assert.equal((await readSplitRecords(join(out, "train.csv"))).records.length, 6);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("denofold split of FASTA writes FASTA too, and says what is wrong in one line", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const fasta = join(folder, "s.fasta");
    await Deno.writeTextFile(fasta, ">a first one\nMKTAYIAKQR:GGSWEDPPLV\n>b\nHHCCFFMMWW\n>c\nPPPPQQQQNN\n");
    const flags = ["--by", "random", "--fractions", "0.34,0.33,0.33", "--out", join(folder, "out")];
    const { code, stdout } = await denofold("split", fasta, ...flags);
    assert.equal(code, 0);
    assert.match(stdout, /^3 rows in 3 groups \(ids\), the largest with 1\n/);
    assert.match(stdout, /Highest identity between sets \(all pairs aligned\):/);
    const names = ["train", "val", "test"];
    const texts = await Promise.all(names.map((name) => Deno.readTextFile(join(folder, "out", `${name}.fasta`))));
    assert.deepEqual(texts.sort(), [">a first one\nMKTAYIAKQR:GGSWEDPPLV\n", ">b\nHHCCFFMMWW\n", ">c\nPPPPQQQQNN\n"]);
    const wrong = await denofold("split", fasta, "--by", "random", "--fractions", "0.5,0.4");
    assert.deepEqual([wrong.code, wrong.stdout], [2, ""]);
    assert.match(
      wrong.stderr,
      /^denofold: option '--fractions <list>' argument '0\.5,0\.4' is invalid\. Expected two parts/,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
