import assert from "node:assert/strict";
import { MachineWatch, processorsOfOthers, readTicks } from "../../../tools/bench/machine.ts";
import { Stopwatch } from "../../../tools/bench/measure.ts";
import { atLeast, atMost, type BenchRecord, judge, onIdleMachine, timeFields } from "../../../tools/bench/record.ts";
import { formatSuite } from "../../../tools/bench/suite.ts";
import { formatBar, formatDetails, formatKernels, formatPeers, formatTable } from "../../../tools/bench/table.ts";

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
  others: 0,
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

const BLOCK: BenchRecord = {
  ...PRODUCT,
  workload: "evoformer",
  sizes: { n_seq: 2, n_res: 3 },
  mode: "forward",
  peers: [
    { name: "torch-compiled", kind: "torch", engine: "torch-compiled", dtype: "f32", failure: "no clang++" },
    {
      ...{ name: "torch", kind: "torch", engine: "torch 9, cpu", dtype: "f32", ms_min: 5, ms_median: 6, ratio: 2.1 },
      ...{ checksum: [22.5, -2.3], agrees: true },
    },
    { name: "torch-bf16", kind: "torch", engine: "torch 9, cpu", dtype: "bf16", ms_min: 2, ms_median: 3, ratio: 5.3 },
    {
      ...{ name: "jax-wasm", kind: "wasm", engine: "jax 1, wasm", dtype: "f32", ms_min: 9, ms_median: 9, ratio: 1.2 },
      ...{ checksum: [22.5, 2.3], agrees: false },
    },
  ],
  agrees: false,
  roofs: { gflops: 150, gbs: 8.5 },
  product_share: 0.4,
  kernels: [
    ...[{ kernel: "matmul", count: 25, ms: 80, time_share: 0.8, gflops: 60, fma_share: 0.4, bandwidth_share: 0.1 }],
    ...[{ kernel: "sum", count: 2, ms: 20, time_share: 0.2, gflops: null, fma_share: null, bandwidth_share: 0.9 }],
  ],
};

Deno.test("formatPeers() shows the fastest first, who agrees, and why one is missing", () => {
  assert.equal(
    formatPeers([PRODUCT, BLOCK]),
    [
      "workload   sizes            mode     peer            ms min  median  ours/its  checksum            engine, device",
      "─────────  ───────────────  ───────  ──────────────  ──────  ──────  ────────  ──────────────────  ──────────────",
      "evoformer  n_seq 2 n_res 3  forward  torch-bf16           2       3      5.30  not judged in bf16  torch 9, cpu",
      "evoformer  n_seq 2 n_res 3  forward  torch                5       6      2.10  agrees              torch 9, cpu",
      "evoformer  n_seq 2 n_res 3  forward  jax-wasm             9       9      1.20  DISAGREES           jax 1, wasm",
      "evoformer  n_seq 2 n_res 3  forward  torch-compiled                            failed: no clang++",
    ].join("\n"),
  );
  assert.equal(formatPeers([PRODUCT]), "");
  assert.deepEqual(formatDetails(BLOCK), [
    "evoformer n_seq 2 n_res 3, forward: checksum 22.5, -2.3 DISAGREES with jax-wasm",
    "evoformer n_seq 2 n_res 3, forward: matrix products at 40.0 % of the measured FMA rate of 150 GF/s; copies 8.5 GB/s",
  ]);
});

Deno.test("formatKernels() shows what each kernel reaches", () => {
  const [, , matmul, sum] = formatKernels([BLOCK]).split("\n");
  assert.match(matmul, /matmul +25 +80 +80\.0 % +60 +40\.0 % +10\.0 %$/);
  assert.match(sum, /sum +2 +20 +20\.0 % +90\.0 %$/);
  assert.equal(formatKernels([PRODUCT]), "");
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

Deno.test("others are what is left of the processors' time after ours and our ended children's", () => {
  const machine = (user: number, idle: number, stolen: number) =>
    `cpu  ${user} 10 100 ${idle} 5 1 2 ${stolen} 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n`;
  const self = (user: number, children: number) =>
    `77 (deno (x) y) S 1 77 77 0 -1 4194304 1 2 3 4 ${user} 20 ${children} 40 20 0 9 0 1 2 3`;
  const before = readTicks(machine(1000, 3000, 0), self(100, 0));
  assert.deepEqual(before, { busy: 1113, total: 4118, ours: 160 });
  // 400 ticks on 2 processors: 100 nobody's, 300 somebody's, of these 150 ours and 100 our children's
  const after = readTicks(machine(1280, 3100, 20), self(250, 100));
  assert.equal(processorsOfOthers(before, after, 2), 0.25);
  assert.equal(processorsOfOthers(before, before, 2), 0);
  const { busy, others } = new MachineWatch(navigator.hardwareConcurrency).state;
  assert.equal(typeof busy, "boolean");
  assert.equal(others === null, Deno.build.os !== "linux");
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

Deno.test("a suite is one Markdown table, and one JSON that holds all of it", () => {
  const product: BenchRecord = { ...PRODUCT, roofs: { gflops: 70, gbs: 4 }, roof: "bytes", roof_share: 0.584 };
  const result = {
    about: { adapter: "an adapter" },
    records: [product, STEP],
    leftOut: ["evoformer: there was no time"],
  };
  const text = formatSuite(result);
  const rows = text.split("\n").filter((line) => line.startsWith("| "));
  assert.equal(rows.length, 2 + 2);
  assert.match(rows[2], /^\| matmul \| 512×256×128 \| A·B \| 10\.64 \| 58 % of copies \| .* MISSED \|$/);
  assert.match(text, /^- adapter: an adapter\n- multiply-adds: 70 GFLOP\/s; copies: 4 GB\/s\n\n/);
  assert.match(text, /\nLeft out: evoformer: there was no time\.\n/);
  assert.deepEqual(JSON.parse(/```json\n(.*)\n```/.exec(text)![1]), result);
});
