import assert from "node:assert/strict";
import { parseStructure } from "../../../tools/data/read_structure.ts";
import { confidenceJson, paeJson } from "../../../tools/predict/confidence.ts";
import { ranking, scoreOf } from "../../../tools/predict/prediction.ts";
import { doneName, targetFiles, type TargetOutput } from "../../../tools/predict/target_files.ts";
import { madeUp, NAMING } from "./_prediction.ts";

const OUTPUT: TargetOutput = {
  id: "query",
  predictions: [
    madeUp("model_1_ptm", { confidence: 60 }),
    madeUp("model_2_ptm", { confidence: 90, ptm: 0.4 }),
    madeUp("model_1_ptm", { seed: 7, confidence: 70 }),
  ],
  naming: NAMING,
  alignment: ["GAWM", "GA-M", "G-YM"],
  rankBy: "plddt",
  format: "both",
  weights: () => "params.npz, SHA-256 00ff",
  adapter: "a GPU",
  version: "1.2.3",
  config: { maxMsa: 512 },
  featureSeconds: 1.5,
  warnings: ["shallow"],
};
const text = (files: ReadonlyMap<string, Uint8Array | string>, name: string) => {
  const found = files.get(name);
  assert(typeof found === "string", `${name} is missing; there are ${[...files.keys()].join(", ")}`);
  return found;
};

Deno.test("targetFiles() in AlphaFold's layout: names, ranks, confidence, errors, times; the done-marker comes last", () => {
  const files = targetFiles({ ...OUTPUT, format: "alphafold" });
  const models = ["model_1_ptm_pred_0", "model_2_ptm_pred_0", "model_1_ptm_pred_1"];
  const expected = [
    ...models.flatMap((m) => [`unrelaxed_${m}.pdb`, `unrelaxed_${m}.cif`, `confidence_${m}.json`, `pae_${m}.json`]),
    ...[0, 1, 2].flatMap((i) => [`ranked_${i}.pdb`, `ranked_${i}.cif`]),
    ..."ranking_debug.json timings.json config.json query.done.txt".split(" "),
  ];
  assert.deepEqual([...files.keys()].sort(), expected.sort());
  assert.equal([...files.keys()].at(-1), doneName("query"));
  const rank = JSON.parse(text(files, "ranking_debug.json"));
  assert.deepEqual(rank.order, ["model_2_ptm_pred_0", "model_1_ptm_pred_1", "model_1_ptm_pred_0"]);
  assert.equal(rank.plddts.model_2_ptm_pred_0, 91.5);
  assert.equal(text(files, "ranked_0.pdb"), text(files, "unrelaxed_model_2_ptm_pred_0.pdb"));
  assert.deepEqual(JSON.parse(text(files, "timings.json")), {
    features: 1.5,
    ...Object.fromEntries(models.flatMap((m) => [[`process_features_${m}`, 0.5], [`predict_and_compile_${m}`, 2]])),
  });
});

Deno.test("targetFiles() in ColabFold's layout, with its ranks, seeds and scores", () => {
  const files = targetFiles({ ...OUTPUT, format: "colabfold" });
  const scores = JSON.parse(text(files, "query_scores_rank_002_alphafold2_model_1_ptm_seed_007.json"));
  assert.deepEqual(scores.plddt, [70, 71, 72, 73]);
  assert.deepEqual([scores.ptm, scores.max_pae, scores.pae[1]], [0.5, 15.26, [4.26, 5.26, 6.26, 7.26]]);
  assert(files.has("query_unrelaxed_rank_001_alphafold2_model_2_ptm_seed_000.pdb"));
  const pae = JSON.parse(text(files, "query_predicted_aligned_error_v1.json"));
  assert.equal(pae.max_predicted_aligned_error, 15.26);
  for (const name of ["query_pae.png", "query_plddt.png", "query_coverage.png"]) {
    assert.deepEqual([...(files.get(name) as Uint8Array).subarray(1, 4)], [0x50, 0x4e, 0x47], name);
  }
  assert.match(text(files, "log.txt"), /^warning: shallow\nrank_001 model_2_ptm seed_000 pLDDT=91\.5 pTM=0\.400\n/);
});

Deno.test("the structure files keep names, numbers, insertion codes and pLDDT, and say what made them", async () => {
  const files = targetFiles(OUTPUT);
  for (const name of ["ranked_0.pdb", "ranked_0.cif"]) {
    const { chains } = await parseStructure(new TextEncoder().encode(text(files, name)), name);
    assert.equal(chains.length, 1);
    const [chain] = chains;
    assert.equal(chain.id, "B");
    assert.equal(chain.sequence, "GAWM");
    assert.deepEqual(chain.residueNumbers, NAMING.residueNumbers);
    assert.deepEqual([...chain.insertionCodes], [...NAMING.insertionCodes]);
    assert.equal(chain.bFactors[37 * 2 + 1], 92);
    assert(Math.abs(chain.atomPositions[3 * (37 + 1)] - (3.8 + 0.25)) < 1e-3);
  }
  const pdb = text(files, "ranked_0.pdb");
  assert.match(pdb, /^HEADER {4}COMPUTED MODEL/);
  assert.match(pdb, /^CRYST1 {4}1\.000/m);
  assert.match(pdb, /^SEQRES {3}1 B {4}4 {2}GLY ALA TRP MET/m);
  assert(pdb.split("\n").every((line) => line.length <= 80));
  assert.match(text(files, "ranked_0.cif"), /params\.npz, SHA-256 00ff/);
  assert.match(text(files, "ranked_0.cif"), /_ma_qa_metric_local/);
});

Deno.test("ranking() keeps the order of equals; ranking by pTM needs a network that predicts it", () => {
  const predictions = [madeUp("a"), madeUp("b"), madeUp("c", { confidence: 81 })];
  assert.deepEqual(ranking(predictions, "plddt"), [2, 0, 1]);
  assert.throws(() => scoreOf(madeUp("model_3", { ptm: null }), "ptm"), /model_3 predicts none/);
});

Deno.test("confidence and aligned errors have AlphaFold's shapes", () => {
  assert.deepEqual(JSON.parse(confidenceJson(Float32Array.of(49.996, 50, 69.99, 70, 89.999, 90, 97.126))), {
    residueNumber: [1, 2, 3, 4, 5, 6, 7],
    confidenceScore: [50, 50, 69.99, 70, 90, 90, 97.13],
    confidenceCategory: ["L", "L", "L", "M", "H", "H", "H"],
  });
  assert.deepEqual(JSON.parse(paeJson(Float32Array.of(0.25, 12.34, 31.7, 1), 2, 31.75)), [{
    predicted_aligned_error: [[0.3, 12.3], [31.7, 1]],
    max_predicted_aligned_error: 31.75,
  }]);
});
