import assert from "node:assert/strict";
import { join } from "node:path";
import { readProfile } from "../../../tools/profile/compare.ts";
import { profileWorkload } from "../../../tools/profile/profile.ts";
import { cachedRoofs } from "../../../tools/profile/roofs.ts";
import { gpuTest, testDevice } from "../../_gpu.ts";
import { need } from "../../_needs.ts";

const TRAIN_STEP = { "blocks": 2, "n-seq": 3, "n-res": 7, "batch": 2, "msa-dim": 16, "pair-dim": 32 };
const EVOFORMER = { "blocks": 1, "n-seq": 3, "n-res": 7, "batch": 1, "c-m": 32, "c-z": 16, "backward": true };
const RUN = { steps: 2, warmup: 1, sortBy: "time" };

gpuTest("a profiled training step is known by block, module and op, and writes its files", async (device) => {
  const out = await Deno.makeTempDir();
  try {
    const request = { ...RUN, workload: "train-step", values: TRAIN_STEP, out };
    const { data, files } = await profileWorkload(device, request);
    assert.deepEqual(
      files,
      ["profile.json", "profile.trace.json", "profile.html", "performance_summary.json"].map((name) => join(out, name)),
    );
    assert.deepEqual(await readProfile(files[0]), data);
    const places = new Set(data.rows.place.map(({ phase, place }) => `${phase} ${place}`));
    for (const block of [0, 1]) {
      for (const phase of ["forward", "backward"]) {
        assert.ok(places.has(`${phase} evoformer/${block}/msaRowAttention/attention`), [...places].join("\n"));
      }
    }
    assert.equal(data.stepMs.length, 2);
    const counts = data.rows.place.map(({ count }) => count);
    assert.ok(counts.every((count) => count % 2 === 0), "two equal steps run every kernel equally often");
    const inTrees = (rows: { count: number; totalMs: number }[]) => rows.reduce((sum, { count }) => sum + count, 0);
    assert.equal(inTrees(data.rows.kernel), inTrees(data.rows.place));
    assert.equal(inTrees(data.rows.module), inTrees(data.rows.place));
    assert.equal(data.timeline.length, inTrees(data.rows.place) / 2);
    assert.ok(data.memory.peakBytes >= data.memory.startBytes);
    const atPeak = data.memory.atPeak.reduce((sum, { bytes }) => sum + bytes, 0);
    assert.equal(atPeak, data.memory.peakBytes);
    assert.equal(data.memory.curve.liveBytes.at(-1), data.memory.startBytes, "a step leaves nothing behind");
    const trace: { traceEvents: { cat?: string }[] } = JSON.parse(await Deno.readTextFile(files[1]));
    const kernels = trace.traceEvents.filter(({ cat }) => cat === "kernels");
    assert.equal(kernels.length, inTrees(data.rows.place));
    assert.match(await Deno.readTextFile(files[2]), /<title>Profile of train-step<\/title>/);
    const summary = JSON.parse(await Deno.readTextFile(files[3]));
    assert.equal(summary.profiler_config.profile_steps, 2);
    assert.equal(summary.profiler_config.warmup_steps, 1);
    assert.equal(summary.training_params.num_steps, 2);
    assert.equal(summary.performance_summary.total_samples, 4);
  } finally {
    await Deno.remove(out, { recursive: true });
  }
});

gpuTest("a profiled Evoformer tells forward from backward and the operations of its products", async (device) => {
  const { data, files } = await profileWorkload(device, { ...RUN, workload: "evoformer", values: EVOFORMER });
  assert.deepEqual(files, []);
  assert.deepEqual(new Set(data.rows.place.map(({ phase }) => phase)), new Set(["forward", "backward"]));
  const flops = (phase: string) =>
    data.rows.place.filter((row) => row.phase === phase).reduce((sum, row) => sum + (row.flops ?? 0), 0);
  const ratio = flops("backward") / flops("forward");
  assert.ok(ratio > 1.9 && ratio < 3, `the way back makes ${ratio} times the operations`);
  const forwardOnly = { ...EVOFORMER, backward: false };
  const { data: forward } = await profileWorkload(device, { ...RUN, workload: "evoformer", values: forwardOnly });
  assert.deepEqual(new Set(forward.rows.place.map(({ phase }) => phase)), new Set(["forward"]));
  await assert.rejects(
    profileWorkload(device, { ...RUN, workload: "train-step", values: { ...TRAIN_STEP, "msa-dim": 30 } }),
    { name: "InputError", message: /msaDim 30/ },
  );
  assert.equal(device.profiler, null);
});

gpuTest("the roofs are measured once and kept", async (device) => {
  const folder = await Deno.makeTempDir();
  const before = Deno.env.get("DENOFOLD_CACHE");
  Deno.env.set("DENOFOLD_CACHE", folder);
  try {
    const roofs = await cachedRoofs(device);
    assert.ok(roofs && roofs.gflops > 1 && roofs.gbs > 0.1, JSON.stringify(roofs));
    const [{ name }] = [...Deno.readDirSync(folder)];
    const { dispatches } = device;
    assert.deepEqual(await cachedRoofs(device), roofs);
    assert.equal(device.dispatches, dispatches, "they were measured again");
    const again = await cachedRoofs(device, { again: true });
    assert.ok(again && again.gflops >= roofs.gflops && again.gbs >= roofs.gbs, "the best ever seen counts");
    await Deno.writeTextFile(join(folder, name), "{");
    assert.ok((await cachedRoofs(device))!.gflops > 1);
  } finally {
    if (before === undefined) Deno.env.delete("DENOFOLD_CACHE");
    else Deno.env.set("DENOFOLD_CACHE", before);
    await Deno.remove(folder, { recursive: true });
  }
}, need("adapter", (await testDevice()).traits.timestamps, "the adapter has no timestamps"));
