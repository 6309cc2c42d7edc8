import assert from "node:assert/strict";
import { denofold } from "../cli/_run.ts";

const SMALL = ["--blocks", "2", "--n-seq", "5", "--n-res", "9", "--c-m", "32", "--c-z", "32"];

Deno.test("denofold plan prints memory, kernels and other ways", async () => {
  const { code, stdout, stderr } = await denofold("plan", "--model", "evoformer", ...SMALL, "--train", "--top", "4");
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /^evoformer on .+, planned without running\nblocks 2, n-seq 5, n-res 9, .*train true.*\n\nIt fits\./,
  );
  assert.match(stdout, /\nPeak GPU memory: \S+ [MG]iB \(tensors .*\nLimits: a buffer .*\nA step: .*FLOP.*\nTime: /);
  assert.match(stdout, /\ntensors at the peak, by scope .*\n(evoformer|model).*\n/);
  assert.match(stdout, /\nkernels of a step .*\nmatmul /);
  assert.match(stdout, /… and \d+ more rows \(--top\)/);
  assert.match(
    stdout,
    /\nforward .*\ntraining, --recompute module .*\ntraining, --recompute block .*\ntraining, --recompute nested .*yes\n$/,
  );
});

Deno.test("denofold plan --json says whether it fits and what would", async () => {
  const { code, stdout, stderr } = await denofold(
    ...["plan", "--model", "tiny", "--n-res", "64", "--batch", "2", "--memory", "0.4", "--train", "--json"],
  );
  assert.equal(code, 0, stderr);
  const plan = JSON.parse(stdout);
  assert.deepEqual([plan.format, plan.workload, plan.fits], ["denofold plan 1", "train-step", false]);
  assert.ok(plan.mostResidues > 0 && plan.mostResidues < 64, `${plan.mostResidues}`);
  assert.ok(plan.memory.peakAllocatedBytes > 0.1 * 2 ** 30 && plan.step.flops > 1e9);
  assert.deepEqual(plan.ways.map(({ name }: { name: string }) => name), ["forward"]);
});

Deno.test("denofold plan says in one line what is wrong", async () => {
  const cases: [string[], number, RegExp][] = [
    [[], 2, /--model/],
    [["--model", "gpt"], 2, /tiny, nnx, evoformer, alphafold/],
    [["--model", "nnx", "--blocks", "2"], 2, /--blocks does not go with --model nnx/],
    [["--model", "tiny", "--storage", "f16", "--train"], 2, /--storage does not go with --model tiny --train/],
    [["--model", "evoformer", "--storage", "f16", "--train"], 2, /--storage f16 is for inference alone/],
    [["--model", "tiny", "--c-m", "30"], 1, /msaDim 30/],
    [["--model", "tiny", "--like", "nowhere.json"], 1, /nowhere\.json: there is no such file/],
  ];
  for (const [flags, expected, message] of cases) {
    const { code, stderr } = await denofold("plan", ...flags);
    assert.equal(code, expected, stderr);
    assert.match(stderr, /^denofold: .*\n$/m);
    assert.match(stderr, message);
  }
});
