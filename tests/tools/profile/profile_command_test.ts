import assert from "node:assert/strict";
import { denofold } from "../cli/_run.ts";

const SMALL = ["--n-seq", "3", "--n-res", "5", "--c-m", "32", "--c-z", "16", "--steps", "1", "--warmup", "1"];

Deno.test("denofold profile evoformer prints a table, writes files, and compare reads them", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { code, stdout, stderr } = await denofold("profile", "evoformer", ...SMALL, "--out", folder, "--top", "3");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^evoformer on .+\nblocks 1, n-seq 3, n-res 5, batch 1, c-m 32, c-z 16, backward false\n/);
    assert.match(stdout, /\nkernel +count +total ms +min ms +median ms +share/);
    assert.match(stdout, /… and \d+ more rows/);
    assert.match(stdout, /profile\.trace\.json/);
    const compared = await denofold("profile", "compare", `${folder}/profile.json`, `${folder}/profile.json`);
    assert.equal(compared.code, 0, compared.stderr);
    assert.match(compared.stdout, /^a step +before +after +ratio\nstep \(median\)/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("denofold profile --json prints the profile alone", async () => {
  const { code, stdout, stderr } = await denofold("profile", "evoformer", ...SMALL, "--no-files", "--json");
  assert.equal(code, 0, stderr);
  const { format, workload, rows } = JSON.parse(stdout);
  assert.deepEqual([format, workload], ["denofold profile 1", "evoformer"]);
  assert.ok(rows.place.length > 10);
});

Deno.test("denofold profile says in one line what is wrong", async () => {
  const sort = await denofold("profile", "train-step", "--sort-by", "speed");
  assert.equal(sort.code, 2);
  assert.match(sort.stderr, /^denofold: .*speed.*time, count, flops, bytes\.\n$/);
  const file = await denofold("profile", "compare", "nowhere.json", "nowhere.json");
  assert.equal(file.code, 1);
  assert.equal(file.stderr, "denofold: Cannot read nowhere.json: there is no such file or folder\n");
  const sizes = await denofold("profile", "train-step", "--msa-dim", "30", "--no-files");
  assert.equal(sizes.code, 1);
  assert.match(sizes.stderr, /denofold: .*msaDim 30/);
});

Deno.test("denofold train --profile profiles some steps, and the flags of its parts print their part", async () => {
  const folder = await Deno.makeTempDir();
  const sizes = ["--msa-dim", "16", "--pair-dim", "16", "--num-blocks", "1", "--num-seqs", "2", "--seq-len", "5"];
  const train = (name: string, ...flags: string[]) =>
    denofold(
      ...["train", "--synthetic", ...sizes, "--batch-size", "1", "--num-steps", "2", "--quiet"],
      ...["--warmup-steps", "5", "--profile-steps", "2", "--out", `${folder}/${name}`, ...flags],
    );
  try {
    const all = await train("all", "--profile", "--sort-by", "count");
    assert.equal(all.code, 0, all.stderr);
    assert.match(all.stdout, /\ntrain on .+\nmsaDim 16, .*batchSize 1\n2 steps after 5 to warm up/);
    assert.match(all.stdout, /\nkernel +count[^]*GPU memory: [^]*profile\.html/);
    const { profiler_config: config } = JSON.parse(await Deno.readTextFile(`${folder}/all/performance_summary.json`));
    assert.deepEqual([config.enable_profiler, config.enable_memory_profiling, config.sort_by], [true, true, "count"]);
    const memory = await train("memory", "--enable-memory-profiling");
    assert.equal(memory.code, 0, memory.stderr);
    assert.match(memory.stdout, /GPU memory: /);
    assert.doesNotMatch(memory.stdout, /\nkernel +count/);
    const wrong = await train("wrong", "--profile", "--leave-one-out");
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /^denofold: .*--leave-one-out/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
