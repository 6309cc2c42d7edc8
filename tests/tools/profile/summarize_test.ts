import assert from "node:assert/strict";
import { moduleOf, splitPath, summarize } from "../../../tools/profile/summarize.ts";
import { profileText, sorted } from "../../../tools/profile/table.ts";
import { SAMPLE_FACTS, sampleProfile } from "./sample_profile.ts";

Deno.test("splitPath() tells the place and the way", () => {
  const cases: [string, string, string][] = [
    ["train/step/forward/evoformer/3/attention", "evoformer/3/attention", "forward"],
    ["train/step/backward/evoformer/3/attention.vjp", "evoformer/3/attention", "backward"],
    ["step/backward/evoformer/3.vjp/forward/attention", "evoformer/3/attention", "recompute"],
    ["step/backward/evoformer/3.vjp/backward/attention.vjp", "evoformer/3/attention", "backward"],
    ["train/step/adamw", "train/step/adamw", ""],
    ["", "", ""],
  ];
  for (const [path, place, phase] of cases) assert.deepEqual(splitPath(path), { place, phase }, path);
  assert.equal(moduleOf("evoformer/31/a2/0"), "evoformer/*/a2/*");
});

Deno.test("summarize() adds up by kernel, module and place", () => {
  const { rows, gpuMs, stepMs, host, compilations, copies } = summarize(sampleProfile(), SAMPLE_FACTS);
  assert.equal(gpuMs, 15.25);
  assert.deepEqual(stepMs, [10.5, 12]);
  assert.deepEqual(host, { encodeMs: 1.5, submitMs: 0.35, submits: 2, waitMs: 19, waits: 2 });
  assert.deepEqual(compilations, { count: 1, totalMs: 0.75, slowest: [{ kernel: "matmul", ms: 0.75 }] });
  assert.deepEqual(copies, { count: 3, bytes: 300 });
  assert.deepEqual(rows.kernel.map(({ kernel, count, totalMs }) => [kernel, count, totalMs]), [
    ["matmul", 10, 14.25],
    ["adamw", 2, 1],
  ]);
  const [forward] = rows.module;
  const place = "evoformer/*/pairTransition/linear";
  const gflops = 32e6 / 4.25 / 1e6;
  assert.deepEqual(forward, {
    ...{ kernel: "matmul", place, phase: "forward", count: 4, totalMs: 4.25, minMs: 1, medianMs: 1 },
    ...{ share: 4.25 / 15.25, flops: 32e6, bytesRead: 12e6, bytesWritten: 4e6, gflops, gbs: 16e6 / 4.25 / 1e6 },
    ...{ intensity: 2, roofShare: gflops / 10 }, // at 2 FLOP/B the copies' 5 GB/s allow 10 GFLOP/s
  });
  assert.deepEqual(rows.place.map(({ place, phase }) => [place, phase]), [
    ["evoformer/1/block/pairTransition/linear", "backward"],
    ["evoformer/0/pairTransition/linear", "backward"],
    ["evoformer/0/pairTransition/linear", "forward"],
    ["evoformer/1/pairTransition/linear", "forward"],
    ["evoformer/1/block/pairTransition/linear", "recompute"],
    ["step/optimizer", ""],
  ]);
  const adamw = rows.kernel[1];
  assert.deepEqual([adamw.flops, adamw.gflops, adamw.intensity, adamw.gbs], [null, null, null, 80]);
});

Deno.test("a kernel that only moves numbers is measured against the roof of copies", () => {
  const profile = sampleProfile();
  const kernels = profile.kernels.map((run) => run.kernel === "adamw" ? { ...run, kernel: "copy", flops: 0 } : run);
  const [, copy] = summarize({ ...profile, kernels }, SAMPLE_FACTS).rows.kernel;
  assert.deepEqual([copy.kernel, copy.flops, copy.gflops, copy.intensity, copy.gbs], ["copy", 0, 0, 0, 80]);
  assert.equal(copy.roofShare, 80 / SAMPLE_FACTS.roofs.gbs);
});

Deno.test("summarize() finds the peak of memory and what was held then", () => {
  const { memory } = summarize(sampleProfile(), SAMPLE_FACTS);
  assert.equal(memory.peakBytes, 2048 + 4096 - 1024 + 8192);
  assert.equal(memory.peakAllocatedBytes, 65536);
  assert.deepEqual(memory.atPeak, [
    { place: "evoformer/1/pairTransition/linear", bytes: 8192, count: 1 },
    { place: "evoformer/0/pairTransition/linear", bytes: 4096, count: 1 },
    { place: "", bytes: 1024, count: 0 },
  ]);
  assert.deepEqual(memory.curve.liveBytes, [6144, 5120, 13312, 9216, 10240, 12288, 4096]);
  const many = sampleProfile();
  const long = Array.from({ length: 9001 }, (_, i) => ({
    ...{ atMs: i, bytes: i % 2 ? -256 : 256, path: "a", taken: i - i % 2, allocatedBytes: 512 },
  }));
  const { curve } = summarize({ ...many, memory: long, startBytes: 0 }, SAMPLE_FACTS).memory;
  assert.ok(curve.atMs.length <= 1500 && curve.liveBytes.every((bytes) => bytes === 256), `${curve.atMs.length}`);
  assert.equal(curve.atMs.at(-1), 9000);
});

Deno.test("the timeline is that of the last step, from its first kernel", () => {
  const { timeline, rows } = summarize(sampleProfile(), SAMPLE_FACTS);
  assert.deepEqual(timeline.map(([place, startMs, ms]) => [rows.place[place].place, startMs, ms]), [
    ["evoformer/0/pairTransition/linear", 0, 1.25],
    ["evoformer/1/pairTransition/linear", 2, 1],
    ["evoformer/1/block/pairTransition/linear", 3, 1],
    ["evoformer/1/block/pairTransition/linear", 4, 2],
    ["evoformer/0/pairTransition/linear", 6, 2],
    ["step/optimizer", 8, 0.5],
  ]);
});

Deno.test("rows are sorted by any key, and an unknown one lists the keys", () => {
  const { rows } = summarize(sampleProfile(), SAMPLE_FACTS);
  const first = (key: string) => sorted(rows.module, key).map(({ phase }) => phase)[0];
  assert.deepEqual(["time", "count", "flops", "bytes"].map(first), ["forward", "forward", "backward", ""]);
  assert.throws(() => sorted(rows.module, "speed"), {
    name: "InputError",
    message: 'Cannot sort a profile by "speed": expected one of time, count, flops, bytes',
  });
});

Deno.test("the text says how times were taken", () => {
  const options = { by: "module", sortBy: "time", top: 2 } as const;
  const text = profileText(summarize(sampleProfile(), SAMPLE_FACTS), options);
  assert.match(text, /^sample <b> on a made-up adapter\nn-res 32, backward true\n2 steps after 1 to warm up: 11\.3 ms/);
  assert.match(text, /forward evoformer\/\*\/pairTransition\/linear: matmul +4 +4\.250 +1\.000 +1\.000 +27\.9 %/);
  assert.match(text, /… and 3 more rows/);
  assert.doesNotMatch(text, /no timestamps/);
  const only = (kernels: boolean) => {
    const profile = kernels ? sampleProfile() : { ...sampleProfile(), clock: "none" as const };
    return profileText(summarize(profile, { ...SAMPLE_FACTS, parts: { kernels, memory: !kernels } }), options);
  };
  assert.match(only(false), /GPU memory: 0\.0 MiB in tensors/);
  assert.doesNotMatch(only(false), /more rows|Pipelines made|timestamps|kernels |roofs/);
  assert.match(only(true), /more rows[^]*Pipelines made/);
  assert.doesNotMatch(only(true), /GPU memory/);
  const wall = profileText(summarize({ ...sampleProfile(), clock: "wall" }, SAMPLE_FACTS), options);
  assert.match(wall, /no timestamps: each kernel was submitted alone/);
  assert.match(wall, /total ms \(CPU's clock\) +min ms \(CPU's clock\)/);
  const none = profileText(summarize({ ...sampleProfile(), clock: "none" }, SAMPLE_FACTS), options);
  assert.match(none, /times are missing/);
  assert.match(none, /linear: matmul +4 +– +– +– +–/);
});
