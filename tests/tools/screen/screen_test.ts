import assert from "node:assert/strict";
import { join } from "node:path";
import { planModels } from "../../../tools/predict/models.ts";
import { ChainStore } from "../../../tools/screen/chain_store.ts";
import { forecastScreen } from "../../../tools/screen/forecast.ts";
import { planScreen } from "../../../tools/screen/pairs.ts";
import { screenReport } from "../../../tools/screen/report.ts";
import { runScreen, type ScreenOptions } from "../../../tools/screen/screen.ts";
import { pairScores, ranked, screenCsv, type ScreenRow } from "../../../tools/screen/table.ts";
import { gpuTest } from "../../_gpu.ts";
import { SMALL } from "../predict/_small.ts";

async function temporary(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Lists of a chain and a complex, and of that chain and two others. */
async function writeLists(folder: string): Promise<{ baits: string; preys: string; msa: string }> {
  const [baits, preys, msa] = ["baits.fasta", "preys.fasta", "msa"].map((name) => join(folder, name));
  await Deno.writeTextFile(baits, ">a1\nKLMKLMW\n>cx\nACDEF:GHIK:ACDEF\n");
  await Deno.writeTextFile(preys, ">p|2\nWWYWW\n>a1\nKLMKLMW\n");
  const rows = (name: string, ...texts: string[]) =>
    texts.map((text, k) => `>${k ? `tr|${name}0000${k}|${name}0000${k}_HUMAN` : "q"}\n${text}\n`).join("");
  for (const [name, query, relative] of [["a1", "KLMKLMW", "KLNKLMW"], ["p_2", "WWYWW", "WWYWF"]]) {
    await Deno.mkdir(join(msa, name), { recursive: true });
    await Deno.writeTextFile(join(msa, name, "uniref90_hits.a3m"), rows("A0A", query));
    await Deno.writeTextFile(join(msa, name, "uniprot_hits.a3m"), rows("Q9Z", query, relative));
  }
  return { baits, preys, msa };
}

gpuTest(
  "a screen prepares each chain once, predicts each pair once, and goes on where it was broken off",
  (device) =>
    temporary(async (folder) => {
      const { baits, preys, msa } = await writeLists(folder), out = join(folder, "out");
      const plan = await planScreen(baits, preys, { files: [msa] });
      assert.deepEqual(plan.chains.map(({ id }) => id), ["a1", "p|2", "cx_A", "cx_B"]);
      assert.deepEqual(plan.pairs.map(({ name, residues }) => [name, residues]), [
        ["a1_and_p_2", 12],
        ["a1_and_a1", 14],
        ["cx_and_p_2", 19],
        ["cx_and_a1", 21],
      ]);
      assert.deepEqual(plan.notes, []);
      const models = await planModels("random:3", ["model_1_multimer_v3"], SMALL, { complexes: true });
      const alive: number[] = [], begun: string[] = [];
      const options: ScreenOptions = {
        ...{ out, seeds: [1], rankBy: "multimer", format: "alphafold", overwrite: false, version: "0.0.0" },
        maxRecycles: 0,
        tell: { target: (id) => begun.push(id) },
        onPair: () => alive.push(device.memory.liveBytes),
      };
      const makeStore = () =>
        ChainStore.make(join(out, "chains"), plan.chains, {
          ...{ jobs: 1, strict: false, maxTemplates: 4, templates: plan.templates, memoryBytes: 2 ** 24 },
        });
      const store = await makeStore();
      assert.deepEqual([store.prepared, store.unchanged], [4, 0]);
      const rows = await runScreen(device, plan.pairs, store, models, options);
      assert.deepEqual(rows.map(({ status, reason }) => reason ?? status), new Array(4).fill("done"));
      assert.equal(store.reads, 4);
      assert.equal(new Set(alive).size, 1); // the weights alone stay on the device
      assert.ok(!("data" in rows[0]));
      for (const { score, iptm, pdockq, contacts } of rows) {
        assert.ok(score! > 0 && score! < 1 && iptm! > 0 && pdockq! >= 0 && contacts! >= 0);
      }

      // A pair that is half written and one whose chain has changed are predicted again, the others kept.
      await Deno.remove(join(out, "a1_and_a1", "pair.json"));
      await Deno.writeTextFile(join(msa, "p_2", "uniprot_hits.a3m"), ">q\nWWYWW\n>tr|Q9Z00001|Q9Z00001_HUMAN\nWWYFW\n");
      begun.length = 0;
      const again = await runScreen(device, plan.pairs.slice(0, 2), await makeStore(), models, options);
      assert.deepEqual(again.map(({ status }) => status), ["done", "done"]);
      begun.length = 0;
      const kept = await runScreen(device, [plan.pairs[0], plan.pairs[3]], await makeStore(), models, options);
      assert.deepEqual([kept.map(({ status }) => status), begun], [["kept", "kept"], []]);
      assert.deepEqual({ ...kept[1], status: "done" }, rows[3]);

      const best = ranked(rows, "score");
      const facts = { models, adapter: "test", seconds: 1, version: "0.0.0", held: new Map() };
      const report = await screenReport(out, best, 1, facts);
      assert.deepEqual([report.targets.length, report.screen!.map(({ target }) => target)], [1, [0, null, null, null]]);
      assert.match(screenCsv(best), /^rank,bait,prey,score,.*\n1,/);
    }),
);

gpuTest(
  "a screen is forecast by sizes, without features, memory and time of every pair",
  (device) =>
    temporary(async (folder) => {
      const { baits, preys } = await writeLists(folder);
      const { pairs } = await planScreen(baits, preys, { self: false });
      assert.deepEqual(pairs.map(({ name }) => name), ["a1_and_p_2", "cx_and_p_2", "cx_and_a1"]);
      const models = await planModels("random:3", ["model_1_multimer_v3"], SMALL, { complexes: true });
      const told: number[] = [];
      const options = {
        ...{ seeds: 2, maxRecycles: 1, maxMsaClusters: 8, maxExtraMsa: 8, weightsDtype: "f32" as const },
        roofs: { gflops: 1, gbs: 1 },
        memoryBytes: 1,
        onSizes: (done: number, all: number) => told.push(done, all),
      };
      const [first, ...others] = forecastScreen(device, pairs, models, options);
      assert.deepEqual(told, [1, 1]); // all are padded to 48 residues
      assert.ok(
        first.peakBytes > 1e6 && first.flops > 1e6 && first.seconds! >= first.flops / 1e9 && first.fits === false,
      );
      assert.ok(others.every(({ peakBytes, flops }) => peakBytes === first.peakBytes && flops === first.flops));
      const [once] = forecastScreen(device, pairs, models, {
        ...options,
        seeds: 1,
        maxRecycles: 0,
        memoryBytes: 2 ** 40,
      });
      assert.deepEqual([4 * once.flops, once.fits], [first.flops, true]);
    }),
);

Deno.test("names with two sequences, chains without a partner and other files are refused; what is in memory is bounded", () =>
  temporary(async (folder) => {
    const { baits, preys } = await writeLists(folder), one = join(folder, "one.fasta");
    await Deno.writeTextFile(one, ">a1\nKLM\n");
    await assert.rejects(
      () => planScreen(baits, one),
      /The id "a1" is not unique: "a1" \(.*baits\.fasta line 1\).*one/,
    );
    await assert.rejects(() => planScreen(one, one, { self: false }), /make no pair: the only chain is in both/);
    const all = await planScreen(preys, preys);
    assert.deepEqual(all.pairs.map(({ name }) => name), ["p_2_and_p_2", "p_2_and_a1", "a1_and_a1"]);
    await Deno.writeTextFile(join(folder, "x.a3m"), ">q\nAC\n");
    await assert.rejects(
      () => planScreen(join(folder, "x.a3m"), one),
      /x\.a3m is no list of chains: expected sequences/,
    );
    const { chains, templates } = await planScreen(baits, preys);
    const store = await ChainStore.make(join(folder, "chains"), chains, {
      ...{ jobs: 1, strict: false, maxTemplates: 4, templates, memoryBytes: 1 },
    });
    for (const { id } of chains) await store.get(id);
    const last = store.heldBytes;
    assert.ok(last > 0);
    assert.equal(await store.get(chains.at(-1)!.id), await store.get(chains.at(-1)!.id));
    assert.deepEqual([store.reads, store.heldBytes], [4, last]);
    await store.get(chains[0].id);
    assert.equal(store.reads, 5);
  }));

Deno.test("20 baits and 20 preys are 400 pairs of 40 chains, whose features are made and read once each", () =>
  temporary(async (folder) => {
    const [baits, preys] = ["b", "p"].map((kind) => join(folder, `${kind}.fasta`));
    const letters = "ACDEFGHIKLMNPQRSTVWY";
    const list = (kind: string) => Array.from(letters, (letter, k) => `>${kind}${k}\nGG${letter}\n`).join("");
    await Deno.writeTextFile(baits, list("b"));
    await Deno.writeTextFile(preys, list("p"));
    const { chains, pairs, templates } = await planScreen(baits, preys);
    assert.deepEqual([chains.length, pairs.length], [40, 400]);
    const options = { jobs: 1, strict: false, maxTemplates: 4, templates, memoryBytes: 2 ** 24 };
    const store = await ChainStore.make(join(folder, "chains"), chains, options);
    for (const { sources } of pairs) for (const { id } of sources) await store.get(id);
    assert.deepEqual([store.prepared, store.reads], [40, 40]);
    const again = await ChainStore.make(join(folder, "chains"), chains, options);
    assert.deepEqual([again.prepared, again.unchanged], [0, 40]);
  }));

Deno.test("scores are those between bait and prey, the best ones; pairs that failed come last", () => {
  const between = (chains: [string, string], iptm: number, meanPae: number, contacts: number) => ({
    ...{ chains, iptm, meanPae, contacts, residues: 0, plddt: null, pdockq: iptm / 2, pdockq2: null, clashes: 1 },
  });
  const interfaces = [
    between(["A", "B"], 0.9, 1, 9),
    between(["A", "C"], 0.3, 8, 2),
    between(["B", "C"], 0.6, 9, 3),
  ];
  const scores = pairScores({ meanPlddt: 70, ptm: 0.5, iptm: 0.4, interfaces }, ["A", "B", "C"], 2);
  assert.deepEqual(scores, {
    ...{ score: 0.8 * 0.4 + 0.2 * 0.5, iptm: 0.6, ptm: 0.5, meanPlddt: 70, pae: 8, pdockq: 0.3, pdockq2: null },
    ...{ contacts: 5, clashes: 2 },
  });
  const row = (pair: string, more: Partial<ScreenRow>): ScreenRow => ({
    ...{ bait: "b", prey: pair, pair, residues: 2, status: "done", seconds: 1, ...more },
  });
  const rows = [
    row("x", { status: "failed", reason: "too, large" }),
    row("y", { score: null, pae: 3 }),
    row("z", { score: 0.2, pae: 9 }),
    row("w", { score: 0.7, pae: 5 }),
  ];
  assert.deepEqual(ranked(rows, "score").map(({ pair }) => pair), ["w", "z", "y", "x"]);
  assert.deepEqual(ranked(rows, "pae").map(({ pair }) => pair), ["y", "w", "z", "x"]);
  assert.match(screenCsv(ranked(rows, "score")), /\n4,b,x(,)+2,failed,1\.0,x,"too, large"\n$/);
});
