import assert from "node:assert/strict";
import { tinyOpenFoldConfig } from "../../../model/tiny_openfold/mod.ts";
import { trainStepFlops } from "../../../tools/bench/workloads/tiny_train.ts";
import { runDeno } from "../cli/_run.ts";

const bench = (...args: string[]) => runDeno(["run", "-A", "tools/bench/main.ts", ...args]);

Deno.test("--help tells the names and flags", async () => {
  const { code, stdout } = await bench("--help");
  assert.equal(code, 0);
  assert.match(stdout, /^Usage: deno task bench \[options\] \[NAME\.\.\.\]/);
  for (const word of ["matmul", "tiny-train", "readback", "mds", "data", "--json", "--no-peers"]) {
    assert.ok(stdout.includes(word), word);
  }
});

Deno.test("wrong usage ends with exit code 2 and one line", async () => {
  const wrong: [string[], RegExp][] = [
    [["matmull"], /^denofold: .*'matmull' is invalid.*Allowed choices are matmul, tiny-train, [^\n]*\n$/],
    [["--jsn"], /^denofold: unknown option '--jsn' \(Did you mean --json\?\)\n$/],
    [["--rounds", "0"], /^denofold: .*'0' is invalid\. Expected a positive integer\.\n$/],
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
        .concat("gflops_per_cpu_s", "peak_bytes", "bars", "load_before", "load_after", "busy")
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
