import assert from "node:assert/strict";
import { isBusy } from "../../../tools/bench/machine.ts";
import { Stopwatch } from "../../../tools/bench/measure.ts";
import { atLeast, atMost, type BenchRecord, judge, onIdleMachine, timeFields } from "../../../tools/bench/record.ts";
import { formatBar, formatDetails, formatTable } from "../../../tools/bench/table.ts";

const PRODUCT: BenchRecord = {
  engine: "denofold 0.1.0",
  adapter: "an adapter",
  workload: "matmul",
  sizes: { m: 512, n: 256, k: 128 },
  dtype: "f32",
  mode: "A·B",
  ms_min: 10.64,
  ms_median: 117.3,
  gflops: 25.3,
  gflops_per_cpu_s: null,
  peak_bytes: null,
  checksum: [22.5, -2.3],
  peer: "torch 9",
  peer_ms_min: 5.32,
  ratio: 2,
  agrees: true,
  bars: [atLeast("GF/s", 25.3, 45)],
  load_before: 0,
  load_after: 1,
  busy: false,
};
const STEP: BenchRecord = {
  ...PRODUCT,
  workload: "tiny-train",
  sizes: { batch: 4, blocks: 2 },
  mode: "train-step",
  ms_min: 0.1234,
  peak_bytes: 1.1e9,
  counted_bytes: 1e9,
  parameter_bytes: 4e8,
  saved_bytes: 6e8,
  losses: [3, 2.5],
  agrees: false,
  bars: [],
};

Deno.test("formatTable() lines up columns and leaves out what was not measured", () => {
  assert.equal(
    formatTable([PRODUCT, { ...STEP, peer: undefined, ratio: undefined, ms_median: null, gflops: null }]),
    [
      "workload    sizes             mode        ms min  median  GF/s  GF/cpu-s  peak MB  peer             ratio  bar",
      "──────────  ────────────────  ──────────  ──────  ──────  ────  ────────  ───────  ───────────────  ─────  ──────────────────────",
      "matmul      512×256×128       A·B           10.6     117  25.3                     torch 9 5.32 ms      2  ≥ 45 GF/s: 25.3 MISSED",
      "tiny-train  batch 4 blocks 2  train-step   0.123                           1100.0",
    ].join("\n"),
  );
});

Deno.test("formatDetails() tells agreement and the count of bytes", () => {
  assert.deepEqual(formatDetails(PRODUCT), ["matmul 512×256×128, A·B: checksum 22.5, -2.3 agrees with torch 9"]);
  assert.deepEqual(formatDetails(STEP), [
    "tiny-train batch 4 blocks 2, train-step: losses 3, 2.5 DISAGREES with torch 9",
    "tiny-train batch 4 blocks 2: peak 1100.0 MB; counted 1000.0 MB = 400.0 MB of parameters, moments and gradients + " +
    "600.0 MB of saved activations",
  ]);
});

Deno.test("a bar is met at its limit, missed beyond it or with NaN, and wall-clock bars are not judged on a busy machine", () => {
  assert.equal(formatBar(atLeast("GF/cpu-s", 24, 24)), "≥ 24 GF/cpu-s: 24 met");
  assert.equal(formatBar(atMost("ms", 1.001, 1)), "≤ 1 ms: 1.00 MISSED");
  assert.equal(atMost("ms", NaN, 1).met, false);
  assert.equal(atLeast("ms", NaN, 1).met, false);
  const bars = [atMost("ms", 1, 1), onIdleMachine(atMost("times PyTorch", 2.6, 2.5))];
  assert.deepEqual(judge(bars, false), bars);
  assert.deepEqual(judge(bars, true).map(({ met }) => met), [true, null]);
  assert.equal(formatBar(judge(bars, true)[1]), "≤ 2.5 times PyTorch: 2.60 (busy machine: not judged)");
});

Deno.test("a machine is busy when others were at work before, or more ran than our own threads", () => {
  assert.equal(isBusy(0.5, 3, 2), false);
  assert.equal(isBusy(0.6, 1, 2), true);
  assert.equal(isBusy(0, 3.1, 2), true);
});

Deno.test("Stopwatch gives the least and the middle time; rates follow from the least", async () => {
  const watch = new Stopwatch();
  assert.throws(() => watch.times, RangeError);
  for (const ms of [30, 5, 60]) await watch.time(() => new Promise((done) => setTimeout(done, ms)), 2);
  const { msMin, msMedian, cpuMsMin, repeats } = watch.times;
  assert.equal(repeats, 3);
  assert.ok(msMin >= 2 && msMin < msMedian && msMedian >= 14, `${msMin} ${msMedian}`);
  assert.ok(cpuMsMin >= 0);
  const times = { msMin: 2, msMedian: 3, cpuMsMin: 4, repeats: 1 };
  assert.deepEqual(timeFields(times, { flops: 8e6, software: true }), {
    ms_min: 2,
    ms_median: 3,
    gflops: 4,
    gflops_per_cpu_s: 2,
    cpu_ms_min: 4,
    repeats: 1,
  });
  assert.equal(timeFields(times, { flops: 8e6, software: false }).gflops_per_cpu_s, null);
  assert.equal(timeFields(times, { software: true }).gflops, null);
});
