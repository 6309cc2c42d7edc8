import assert from "node:assert/strict";
import { denofold } from "../cli/_run.ts";

const SMALL = ["--n-seq", "3", "--n-res", "5", "--c-m", "32", "--c-z", "16", "--steps", "1", "--warmup", "1"];

Deno.test("denofold profile evoformer prints a table, writes files, and compare reads them", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { code, stdout, stderr } = await denofold("profile", "evoformer", ...SMALL, "--out", folder, "--top", "3");
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      /^evoformer on .+\nblocks 1, n-seq 3, n-res 5, batch 1, c-m 32, c-z 16, .*backward false, .*fusion all\n/,
    );
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

Deno.test("denofold profile has the flags of training too, and looks at what they say", async () => {
  const { code, stdout, stderr } = await denofold(
    ...["profile", "nnx", "--n-seq", "3", "--n-res", "4", "--batch", "1", "--no-files", "--json"],
    ...["--warmup-steps", "0", "--profile-steps", "2", "--enable-memory-profiling"],
  );
  assert.equal(code, 0, stderr);
  const { parts, warmup, stepMs, memory, gpuMs } = JSON.parse(stdout);
  assert.deepEqual([parts, warmup, stepMs.length, gpuMs], [{ kernels: false, memory: true }, 0, 2, 0]);
  assert.ok(memory.peakBytes > 0);
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
  const unheeded = await denofold("profile", "evoformer", "--ablation", "--fusion", "qkv");
  assert.equal(unheeded.code, 2);
  assert.match(unheeded.stderr, /^denofold: option '--ablation' cannot be used with option '--fusion <list>'\n$/);
});

Deno.test("the help of each thing to profile, and of comparing, ends with an example", async () => {
  for (const name of ["train-step", "nnx-train-step", "evoformer", "tiny", "nnx", "compare"]) {
    const { code, stdout } = await denofold("profile", name, "--help");
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`\\nExample:\\n {2}denofold profile ${name} `));
  }
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
    assert.match(all.stdout, /\ntrain on .+\n.*msa-dim 16, .*batch-size 1\n2 steps after 5 to warm up/);
    assert.match(all.stdout, /\nkernel +count[^]*GPU memory: [^]*profile\.html/);
    const { profiler_config: whole } = JSON.parse(await Deno.readTextFile(`${folder}/all/performance_summary.json`));
    assert.deepEqual([whole.enable_pytorch_profiler, whole.enable_memory_profiling, whole.sort_by], [
      true,
      true,
      "count",
    ]);
    const memory = await train("memory", "--enable-memory-profiling");
    assert.equal(memory.code, 0, memory.stderr);
    assert.match(memory.stdout, /GPU memory: /);
    assert.doesNotMatch(memory.stdout, /\nkernel +count/);
    const profileOf = async (name: string) => JSON.parse(await Deno.readTextFile(`${folder}/${name}/profile.json`));
    const { parts, gpuMs, memory: seen } = await profileOf("memory");
    assert.deepEqual([parts, gpuMs], [{ kernels: false, memory: true }, 0]);
    assert.ok(seen.atPeak.length > 5);
    const kernels = await train("kernels", "--enable-profiler", "--top", "3", "--sort-by", "bytes");
    assert.equal(kernels.code, 0, kernels.stderr);
    assert.match(kernels.stdout, /\nkernel +count(.*\n){4}… and \d+ more rows/);
    assert.doesNotMatch(kernels.stdout, /GPU memory: /);
    const { curve, atPeak } = (await profileOf("kernels")).memory;
    assert.deepEqual([curve.atMs, atPeak.length], [[], 1]);
    const config = async (name: string) =>
      JSON.parse(await Deno.readTextFile(`${folder}/${name}/performance_summary.json`)).profiler_config;
    assert.deepEqual(
      [await config("memory"), await config("kernels")].map((
        c,
      ) => [c.enable_pytorch_profiler, c.enable_memory_profiling]),
      [[false, true], [true, false]],
    );
    const wrong = await train("wrong", "--profile", "--leave-one-out");
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /^denofold: .*--leave-one-out/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("denofold mds --profile profiles the command as one step", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const points = Array.from({ length: 12 }, (_, i) => [3 * Math.cos(i), 3 * Math.sin(i), i]);
    const rows = points.map((a) => points.map((b) => Math.hypot(...a.map((x, k) => x - b[k]))).join());
    await Deno.writeTextFile(`${folder}/helix.csv`, `${rows.join("\n")}\n`);
    const { code, stdout, stderr } = await denofold(
      ...["mds", `${folder}/helix.csv`, "--out", `${folder}/folded`, "--profile", "--top", "2"],
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^\nmds on .+\npoints 12, starts 8, iterations 500\n1 step after 0 to warm up: /);
    const { workload, rows: seen, parts } = JSON.parse(await Deno.readTextFile(`${folder}/folded/profile.json`));
    assert.deepEqual([workload, parts], ["mds", { kernels: true, memory: true }]);
    assert.ok(seen.kernel.some(({ kernel }: { kernel: string }) => kernel === "mdsPull"));
    for (const name of ["profile.trace.json", "profile.html"]) await Deno.stat(`${folder}/folded/${name}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("--check-numerics names the scope, kernel and tensor of the first NaN or infinity", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const sizes = ["--msa-dim", "16", "--pair-dim", "16", "--num-blocks", "1", "--num-seqs", "2", "--seq-len", "5"];
    const train = (...flags: string[]) =>
      denofold("train", "--synthetic", ...sizes, "--batch-size", "1", "--num-steps", "3", "--out", folder, ...flags);
    const wrong = await train("--learning-rate", "1e20", "--check-numerics");
    assert.equal(wrong.code, 1);
    assert.match(
      wrong.stderr,
      /\ndenofold: Scope train\/step\/\S+: output \w+ \[[\d,]+\] of kernel \w+ is the first to hold NaN or infinity\n$/,
    );
    const right = await train("--check-numerics", "--quiet");
    assert.equal(right.code, 0, right.stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
