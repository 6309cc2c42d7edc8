import assert from "node:assert/strict";
import {
  historyCsv,
  lossCurve,
  packHistory,
  skippedText,
  type StepRecord,
  unpackHistory,
} from "../../../tools/train/history.ts";
import { leaveOneOutCsv, leaveOneOutTable, methodTable, spread } from "../../../tools/train/metric_table.ts";
import { performanceJson, performanceText, stepLine, summarize } from "../../../tools/train/performance.ts";
import { modelText } from "../../../tools/train/summary_text.ts";
import { duration, runFacts } from "../../../tools/train/run_facts.ts";
import { nnxNetwork } from "../../../tools/train/nnx_evoformer.ts";
import { tinyOpenFoldNetwork } from "../../../tools/train/tiny_openfold.ts";
import { toySettings } from "./_toy.ts";
import { DEFAULT_MODEL, NNX_MODEL } from "../../../tools/train/settings.ts";

const MB = 1024 * 1024;

function record(step: number, more: Partial<StepRecord> = {}): StepRecord {
  return {
    ...{ step, loss: 33.06171 + step, gradNorm: 0.1, learningRate: 3e-4, forwardMs: 700, backwardMs: 1490 },
    ...{ optimizerMs: 10.1, totalMs: 2200.1, memoryBytes: 902.1 * MB, peakBytes: 903 * MB, skippedSteps: 0 },
    ...more,
  };
}

Deno.test("stepLine() is the reference recipe's line", () => {
  assert.equal(
    stepLine(record(0), 30, 4),
    "Step   0/30 | Loss: 33.0617 | Speed:   1.8 samples/sec | Memory:  902.1 MB | Time: 2200.1ms",
  );
  assert.equal(
    stepLine(record(7, { loss: 45.2341, totalMs: 470.2, memoryBytes: 102.3 * MB }), 50, 4),
    "Step   7/50 | Loss: 45.2341 | Speed:   8.5 samples/sec | Memory:  102.3 MB | Time: 470.2ms",
  );
});

Deno.test("a skipped step is told in its line, the summary and the report, and spoils neither mean nor curve", () => {
  const history = [
    record(0),
    record(1, { loss: NaN, gradNorm: NaN, skippedSteps: 1 }),
    record(2, { gradNorm: Infinity, skippedSteps: 2 }),
    record(3, { skippedSteps: 2, heldOutLoss: NaN }),
  ];
  assert.match(stepLine(history[1], 30, 4), /^Step {3}1\/30 \| Loss: NaN \| .*ms \| skipped \(1 so far\)$/);
  assert.match(stepLine(history[2], 30, 4), / \| skipped \(2 so far\)$/);
  assert.match(stepLine(history[3], 30, 4), /ms$/);
  const text = "2 of 4 steps were skipped, as loss or gradient was NaN or infinite; the last one was step 2";
  assert.equal(skippedText(history), text);
  assert.equal(skippedText(history.slice(0, 1)), undefined);
  const facts = (history: StepRecord[]) =>
    runFacts({
      ...{ settings: toySettings(), network: tinyOpenFoldNetwork(DEFAULT_MODEL), data: "x", adapter: "y", seconds: 1 },
      history,
    });
  assert.deepEqual(facts(history).filter(({ label }) => label === "Skipped steps"), [{
    label: "Skipped steps",
    value: text,
  }]);
  assert.ok(!facts([record(0)]).some(({ label }) => label === "Skipped steps"));
  assert.ok(Math.abs(summarize(history, 4).avg_loss - (33.06171 + 5 / 3)) < 1e-9);
  const curve = lossCurve(history, "Loss");
  assert.deepEqual(curve.train.step, [0, 2, 3]);
  assert.equal(curve.validation, undefined);
});

Deno.test("performanceText() is the reference recipe's block", () => {
  const summary = summarize([record(0), record(1, { totalMs: 1000, forwardMs: 300, backwardMs: 690 })], 4);
  assert.equal(
    performanceText({ ...summary, total_samples: 1200 }),
    `Performance Summary:
   Total samples processed: 1,200
   Average training speed: 2.9 samples/sec
   Average batch time: 1600.0 ms
   Average forward time: 500.0 ms
   Average backward time: 1090.0 ms
   Average optimizer time: 10.1 ms
   Mean loss: 33.5617
   Final loss: 34.0617
   Peak memory usage: 903.0 MB`,
  );
  assert.equal(summary.total_samples, 8);
});

Deno.test("performanceJson() has the reference recipe's fields", () => {
  const { sizes } = tinyOpenFoldNetwork(DEFAULT_MODEL);
  const data = JSON.parse(performanceJson({
    ...{ sizes, profileDir: "runs", summary: summarize([record(0)], 4), numSteps: 30, batchSize: 4 },
    ...{ learningRate: 3e-4, adapter: "llvmpipe", version: "0.1.0", now: new Date("2026-01-31T12:34:56.789Z") },
  }));
  assert.deepEqual(Object.keys(data), [
    ...["version", "timestamp", "config", "profiler_config", "performance_summary", "training_params", "system_info"],
  ]);
  assert.equal(data.timestamp, "20260131_123456");
  assert.deepEqual(data.config, {
    ...{ vocab_size: 21, msa_dim: 64, pair_dim: 128, n_evoformer_blocks: 4, n_heads_msa: 4, n_heads_pair: 4 },
    ...{ msa_intermediate_dim: 256, pair_intermediate_dim: 512, outer_product_dim: 32, max_seq_len: 64, n_seqs: 16 },
    ...{ pair_input_dim: 65, dropout: 0, norm_eps: 1e-5 },
  });
  assert.equal(Object.keys(data.profiler_config).length, 9);
  assert.deepEqual(Object.keys(data.performance_summary), [
    ...["total_samples", "avg_training_speed", "avg_loss", "final_loss", "avg_batch_time"],
    ...["avg_forward_time", "avg_backward_time", "avg_optimizer_time", "peak_memory_mb", "avg_memory_mb"],
  ]);
  assert.equal(data.performance_summary.avg_batch_time, 2.2001);
  assert.deepEqual(data.training_params, { num_steps: 30, batch_size: 4, learning_rate: 3e-4, use_amp: false });
  assert.equal(data.system_info.timestamp_iso, "2026-01-31T12:34:56.789Z");
});

Deno.test("modelText() shows both counts of parameters", () => {
  const text = modelText({ ...toySettings(), model: DEFAULT_MODEL }, tinyOpenFoldNetwork(DEFAULT_MODEL));
  assert.match(text, /Total parameters: 2,653,760\n/);
  assert.match(text, /By the documented formula: 2,641,728 \(it leaves out/);
  assert.match(text, /Model size: 10\.6 MB \(FP32\)/);
  const notebook = modelText({ ...toySettings(), model: NNX_MODEL }, nnxNetwork(NNX_MODEL));
  assert.match(notebook, /Total parameters: 251,744\n {3}Model size: 1\.0 MB \(FP32\)$/);
});

Deno.test("a history goes through a checkpoint's JSON to the bit, and into CSV", () => {
  const history = [record(0, { loss: Math.fround(33.0617) }), record(1, { heldOutLoss: 0.1 })];
  assert.deepEqual(unpackHistory(JSON.parse(JSON.stringify(packHistory(history)))), history);
  const skipped = [record(0, { loss: NaN, gradNorm: -Infinity, skippedSteps: 1 })];
  assert.deepEqual(unpackHistory(JSON.parse(JSON.stringify(packHistory(skipped)))), skipped);
  const older = packHistory(history).map((row) => row.toSpliced(10, 1)); // of before steps could be skipped
  assert.deepEqual(unpackHistory(older), history);
  const bad = [null, [1], [[1]], [packHistory(history)[0].map(() => null)], [packHistory(history)[0].map(String)]];
  for (const packed of bad) assert.equal(unpackHistory(packed), undefined);
  const lines = historyCsv(history).split("\n");
  assert.match(lines[0], /^step,loss,grad_norm,learning_rate,forward_ms,/);
  assert.equal(lines.length, 4);
  assert.equal(lines[1].split(",").length, lines[0].split(",").length);
  assert.equal(Number(lines[1].split(",")[1]), history[0].loss);
  assert.ok(lines[1].endsWith(",") && lines[2].endsWith(",0.1"));
  const curve = lossCurve(history, "Loss");
  assert.equal(curve.label, "Loss");
  assert.deepEqual(curve.train.step, [0, 1]);
  assert.deepEqual(curve.validation, { step: [1], loss: [0.1] });
  assert.equal(lossCurve([record(0)], "Loss").validation, undefined);
});

Deno.test("tables show a missing measure as a dash, and the spread of the others", () => {
  const values = (lddt: number | null) => ({ caRmsd: 1.234, lddt, meanDistanceError: 0.5, cbRmsd: 2 });
  const text = methodTable("1znf", [{ label: "Prediction", values: values(0.75) }, {
    label: "Mean",
    values: values(null),
  }]);
  assert.match(text, /^1znf +Cα RMSD \(Å\) /);
  assert.match(text, /\nPrediction +1\.23 +2\.00 +0\.50 +0\.750 +- /);
  assert.match(text, /\nMean +1\.23 +2\.00 +0\.50 +- +- /);
  assert.deepEqual(spread([1, null, 3, undefined]), { mean: 2, sd: Math.SQRT2 });
  assert.equal(spread([null]), null);
  const table = {
    methods: ["Prediction", "Mean"],
    rows: [0.5, 0.7].map((lddt, i) => ({ id: `s${i}`, residues: 25, values: [values(lddt), values(null)] })),
  };
  assert.match(leaveOneOutTable(table), /\nmean±sd .* 0\.600±0\.141 +-\n\(a = Prediction, b = Mean\)$/);
  const csv = leaveOneOutCsv(table).trimEnd().split("\n");
  assert.equal(csv.length, 1 + 4 + 2 + 2);
  assert.equal(csv[1], 's0,25,"Prediction",1.234,2,0.5,0.5,,,');
  assert.match(csv[5], /^mean,,"Prediction",1\.234,2,0\.5,0\.6,,,$/);
});

Deno.test("duration() in words", () => {
  assert.deepEqual([3.4, 75, 3600, 7322].map(duration), ["3 s", "1 min 15 s", "1 h 0 min 0 s", "2 h 2 min 2 s"]);
});
