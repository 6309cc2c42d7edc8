import assert from "node:assert/strict";
import { evoformerFlops, pairBlockFlops } from "../../../tools/bench/flops.ts";
import { tinyOpenFoldConfig } from "../../../model/tiny_openfold/mod.ts";
import { agree } from "../../../tools/bench/hashed.ts";
import { trainStepFlops } from "../../../tools/bench/workloads/tiny_train.ts";
import { runDeno } from "../cli/_run.ts";

const bench = (...args: string[]) => runDeno(["run", "-A", "tools/bench/main.ts", ...args]);

Deno.test("--help tells the names and flags", async () => {
  const { code, stdout } = await bench("--help");
  assert.equal(code, 0);
  assert.match(stdout, /^Usage: deno task bench \[options\] \[NAME\.\.\.\]/);
  for (
    const word of [
      "matmul",
      "evoformer",
      "pair-block",
      "triangle",
      "structure",
      "cold-start",
      "tiny-train",
      "readback",
      "mds",
      "data",
      "--json",
      "--no-peers",
      "--peers",
      "--sizes",
    ]
  ) {
    assert.ok(stdout.includes(word), word);
  }
});

Deno.test("wrong usage ends with exit code 2 and one line", async () => {
  const wrong: [string[], RegExp][] = [
    [["matmull"], /^denofold: .*'matmull' is invalid.*Allowed choices are matmul, kernels, evoformer, [^\n]*\n$/],
    [["--jsn"], /^denofold: unknown option '--jsn' \(Did you mean --json\?\)\n$/],
    [["--rounds", "0"], /^denofold: .*'0' is invalid\. Expected a positive integer\.\n$/],
    [["--sizes", "32x"], /^denofold: .*Expected sizes such as 32x64,64x128\.\n$/],
    [["--peers", "torch,numpy"], /^denofold: .*There is no peer numpy; there are torch, torch-compiled, [^\n]*\n$/],
    [["--suite", "gpu", "matmul"], /^denofold: --suite gpu says what is measured: give no names\n$/],
    [["--kit"], /^denofold: .*argument missing\n$/],
  ];
  for (const [args, message] of wrong) {
    const { code, stdout, stderr } = await bench(...args);
    assert.deepEqual([code, stdout], [2, ""], args.join(" "));
    assert.match(stderr, message);
  }
});

Deno.test("--json prints one object a line; a training step waits once", async () => {
  const { code, stdout, stderr } = await bench("readback", "--json", "--no-peers");
  assert.equal(code, 0, stderr);
  const records = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.equal(records.length, 2);
  for (const record of records) {
    assert.equal(record.workload, "readback");
    for (
      const field of ["engine", "adapter", "sizes", "dtype", "mode", "ms_min", "ms_median", "gflops"]
        .concat("gflops_per_cpu_s", "peak_bytes", "bars", "load_before", "load_after", "others", "busy")
    ) {
      assert.ok(field in record, field);
    }
  }
  assert.ok(records[0].ms_min > 0 && records[0].ms_min <= records[0].ms_median);
  assert.equal(records[1].awaits_per_step, 1);
});

Deno.test("trainStepFlops() counts as the peer does", () => {
  // tiny_flops() of torch_peer.py, which that script checks against PyTorch's own counter
  assert.equal(trainStepFlops(tinyOpenFoldConfig(), 4), 266_107_617_280);
  assert.equal(trainStepFlops(tinyOpenFoldConfig({ nSeqs: 4, maxSeqLen: 16, nBlocks: 1 }), 1), 967_573_504);
});

Deno.test("a block's FLOPs are counted as the peer does", () => {
  // evoformer_flops() and pair_flops() of torch_peer.py
  assert.equal(evoformerFlops(32, 64), 10_888_413_184);
  assert.equal(evoformerFlops(5, 7), 146_395_648);
  assert.equal(pairBlockFlops(64), 2_755_657_728);
});

Deno.test("evoformer and pair-block measure there and back, with the peers' checksums", async () => {
  const { code, stdout, stderr } = await bench(
    "evoformer",
    "pair-block",
    "--json",
    "--no-peers",
    "--rounds",
    "1",
    "--sizes",
    "3x5",
  );
  assert.equal(code, 0, stderr);
  const records = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  // torch_peer.py's, PyTorch 2.13.0
  const expected: [string, string, number[]][] = [
    ["evoformer", "forward", [1.360208, 1.610442, 1.637249, 0.5715909]],
    ["evoformer", "forward+backward", [2.092666, 0.6699071, 1.893396, -1.307548]],
    ["pair-block", "forward", [1.411712, 0.7350291]],
    ["pair-block", "forward+backward", [1.70078, -0.02272666]],
  ];
  assert.deepEqual(records.map(({ workload, mode }) => [workload, mode]), expected.map(([name, mode]) => [name, mode]));
  for (const [i, [, , sums]] of expected.entries()) {
    assert.ok(agree(records[i].checksum, sums), `${records[i].checksum} ${sums}`);
    assert.ok(records[i].product_share > 0 && records[i].kernels.length > 5);
    assert.ok(records[i].ms_min > 0 && records[i].peak_bytes > 0);
  }
});
