import assert from "node:assert/strict";
import { checkpoint, Device, elementGrid, kernel, Profiler, pullback, type Tensor } from "../../core/mod.ts";
import { attention, matmul, triangleProduct } from "../../ops/mod.ts";
import { gpuTest, randomArray, testDevice } from "../_gpu.ts";
import { need } from "../_needs.ts";

const SPIN = kernel({
  name: "spin",
  bindings: { x: "read vec4f", out: "write f32" },
  uniforms: { n: "u32", turns: "u32" },
  body: `if (index < u.n) {
var v = x[index / 4u];
for (var i = 0u; i < u.turns; i++) { v = fma(v, vec4f(0.999), vec4f(0.001)); }
out[index] = v.x;
}`,
});

/** Without uniforms, whose room would run out first. */
const COUNT_UP = kernel({ name: "countUp", bindings: { x: "write f32" }, body: "x[index] += 1.0;" });

function spin(device: Device, x: Tensor, turns: number): Tensor {
  const out = device.empty(x.shape);
  device.run(SPIN, { bindings: { x, out }, uniforms: { n: x.size, turns }, grid: elementGrid(x.size, 64) });
  return out;
}

const withTimestamps = (await testDevice()).traits.timestamps;
const TIMESTAMPS = need("adapter", withTimestamps, "the adapter has no timestamps");

/** Runs work under a profiler. */
async function profiled(device: Device, run: () => void | Promise<void>) {
  const profiler = Profiler.start(device);
  await run();
  return await profiler.stop();
}

gpuTest("a profile names kernels, places, bytes and operations", async (device) => {
  const x = device.zeros([64, 65]), half = device.zeros([32, 65]);
  const { kernels, adapter } = await profiled(device, () => {
    using _outer = device.scope("evoformer/3");
    using _inner = device.scope("triangleAttentionStarting");
    for (const flops of [123, undefined]) {
      device.run(SPIN, {
        bindings: { x, out: half },
        uniforms: { n: half.size, turns: 1 },
        grid: elementGrid(half.size, 64),
        flops,
      });
    }
  });
  assert.deepEqual(
    kernels.map(({ startMs: _s, ms: _m, ...run }) => run),
    [123, null].map((flops) => ({
      ...{ kernel: "spin", path: "test/evoformer/3/triangleAttentionStarting", flops },
      ...{ bytesRead: 4 * 64 * 65, bytesWritten: 4 * 32 * 65, grid: [33, 1, 1] },
    })),
  );
  assert.equal(adapter, device.traits.description);
});

gpuTest(
  "matrix products, attention and triangle products tell their operations, forward and backward",
  async (device) => {
    const a = device.zeros([12, 20]), b = device.zeros([20, 8]);
    const edges = device.zeros([1, 5, 5, 4]),
      qkv = device.zeros([1, 3, 7, 3 * 2 * 4]),
      bias = device.zeros([1, 2, 7, 7]);
    const flopsOf = async (run: (primals: Record<string, Tensor>) => Tensor, primals: Record<string, Tensor>) => {
      const { kernels } = await profiled(device, () => {
        const { output, pullLeaves } = pullback(device, run, primals);
        pullLeaves([device.zeros(output.shape)]);
      });
      const products = kernels.filter(({ kernel }) => /^(matmul|triangleProduct|attention)/.test(kernel))
        .filter(({ kernel }) => kernel !== "attention.vjp.terms");
      return products.reduce((sum, { flops }) => sum + (flops ?? 0), 0);
    };
    assert.equal(await flopsOf(({ a, b }) => matmul(a, b), { a, b }), 3 * 2 * 12 * 20 * 8);
    assert.equal(
      await flopsOf(({ a, b }) => triangleProduct({ a, b }, { direction: "outgoing" }), { a: edges, b: edges }),
      3 * 2 * 5 ** 3 * 4,
    );
    const product = 2 * 3 * 2 * 7 * 7 * 4; // rows, heads, queries, keys, channels
    const inPassing = device.traits.kernelFamilies[0] !== "workgroup";
    assert.equal(
      await flopsOf(({ qkv, bias }) => attention({ qkv, bias }, { heads: 2, axis: 2, gated: false }), { qkv, bias }),
      (2 + 3 + 4 + (inPassing ? 0 : 2)) * product,
    );
  },
);

gpuTest("the way back is known by the place of the way there, recomputation included", async (device) => {
  const a = device.zeros([8, 8]), b = device.zeros([8, 8]);
  const { kernels } = await profiled(device, () => {
    const { output, pullLeaves } = pullback(device, (inputs: { a: Tensor; b: Tensor }) => {
      using scope = device.scope("block/0");
      return scope.keep(checkpoint(device, "product", ({ a, b }) => matmul(a, b), inputs));
    }, { a, b });
    pullLeaves([device.zeros(output.shape)]);
  });
  assert.deepEqual([...new Set(kernels.map(({ path }) => path))], [
    "test/forward/block/0/product/matmul",
    "test/backward/block/0/product.vjp/forward/matmul",
    "test/backward/block/0/product.vjp/backward/matmul.vjp",
  ]);
  const plain = await profiled(device, () => {
    const { output, pullLeaves } = pullback(device, (inputs: { a: Tensor; b: Tensor }) => {
      using scope = device.scope("block/0");
      return scope.keep(matmul(inputs.a, inputs.b));
    }, { a, b });
    pullLeaves([device.zeros(output.shape)]);
  });
  assert.deepEqual([...new Set(plain.kernels.map(({ path }) => path))], [
    "test/forward/block/0/matmul",
    "test/backward/block/0/matmul.vjp",
  ]);
});

gpuTest("numbers are the same to the bit with a profiler and without", async (device) => {
  const a = device.tensor(randomArray(33 * 65, 1), [33, 65]), b = device.tensor(randomArray(65 * 17, 2), [65, 17]);
  const expected = await matmul(a, b).read();
  await profiled(device, async () => assert.deepEqual(await matmul(a, b).read(), expected));
  assert.deepEqual(await matmul(a, b).read(), expected);
});

gpuTest("more kernels than a query set has room for are all measured, in order", async (device) => {
  const x = device.zeros([64]);
  const { kernels, clock, host } = await profiled(device, () => {
    for (let i = 0; i < 2500; i++) {
      using scope = device.scope(`${i}`);
      device.run(COUNT_UP, { bindings: { x }, grid: [1, 1, 1] });
      void scope;
    }
  });
  assert.equal(clock, "timestamps");
  assert.deepEqual(await x.read(), new Float32Array(64).fill(2500));
  assert.deepEqual(kernels.map(({ path }) => path), Array.from({ length: 2500 }, (_, i) => `test/${i}`));
  let end = 0;
  for (const { startMs, ms } of kernels) {
    assert.ok(startMs >= end - 1e-6 && ms >= 0, `begins at ${startMs}, the one before ends at ${end}`);
    end = startMs + ms;
  }
  assert.ok(host.filter(({ kind }) => kind === "submit").length >= 3);
}, TIMESTAMPS);

gpuTest("times of the device grow with the work and fit into the wall-clock time", async (device) => {
  const x = device.zeros([4096]);
  spin(device, x, 10);
  const { kernels, wallMs } = await profiled(device, () => {
    for (let i = 0; i < 3; i++) {
      spin(device, x, 2_000);
      spin(device, x, 200_000);
    }
  });
  const least = (odd: number) => Math.min(...kernels.filter((_, i) => i % 2 === odd).map(({ ms }) => ms));
  assert.ok(least(1) > 5 * least(0), `${least(1)} ms, ${least(0)} ms`);
  const last = kernels.at(-1)!;
  assert.ok(
    kernels[0].startMs >= 0 && last.startMs + last.ms < wallMs + 1,
    `${last.startMs + last.ms} of ${wallMs} ms`,
  );
}, TIMESTAMPS);

gpuTest("memory is followed by place, also what was taken before", async (device) => {
  const before = device.empty([1000]);
  const { memory, startBytes } = await profiled(device, () => {
    using scope = device.scope("a");
    const x = device.empty([64]);
    x.dispose();
    scope.keep(device.empty([128]));
    before.dispose();
  });
  assert.deepEqual(memory.map(({ bytes, path, taken }) => [bytes, path, taken]), [
    [256, "test/a", 0],
    [-256, "test/a", 0],
    [512, "test/a", 2],
    [-4096, "", -1],
  ]);
  assert.equal(startBytes + memory.reduce((sum, { bytes }) => sum + bytes, 0), device.memory.liveBytes);
  assert.ok(memory.every(({ allocatedBytes }) => allocatedBytes >= 256));
});

gpuTest("compilations, submissions, waits, copies and marks are noted", async (device) => {
  const fresh = kernel({ ...SPIN.source, name: `spin${Date.now()}` });
  const x = device.zeros([4]);
  const { host, copies, marks, encodeMs, wallMs } = await profiled(device, async () => {
    device.profiler!.mark("step 0");
    device.run(fresh, { bindings: { x, out: device.empty([4]) }, uniforms: { n: 4, turns: 1 }, grid: [1, 1, 1] });
    device.profiler!.mark("step 1");
    device.copy(x, device.zeros([4]));
    await x.read();
  });
  assert.deepEqual(host.filter(({ kind }) => kind === "compile").map(({ name }) => name), [fresh.name]);
  assert.deepEqual(new Set(host.map(({ kind }) => kind)), new Set(["compile", "submit", "wait"]));
  assert.deepEqual(copies, { count: 2, bytes: 32 });
  assert.deepEqual(marks.map(({ name, kernels }) => [name, kernels]), [["step 0", 0], ["step 1", 1]]);
  assert.ok(encodeMs > 0 && host.reduce((sum, { ms }) => sum + ms, encodeMs) <= wallMs);
});

gpuTest("without timestamps a device that blocks has every kernel timed by the clock on the wall", async (device) => {
  const blind = new Device(device.gpu, { ...device.traits, timestamps: false });
  const x = blind.zeros([4096]);
  const { clock, kernels } = await profiled(blind, () => {
    spin(blind, x, 10).dispose();
    spin(blind, x, 10).dispose();
    spin(blind, x, 200_000).dispose();
  });
  x.dispose();
  const times = kernels.map(({ ms }) => ms);
  if (device.blocking) {
    assert.equal(clock, "wall");
    assert.ok(times[1] > 0 && times[2] > 3 * times[1], JSON.stringify(times));
  } else {
    assert.equal(clock, "none");
    assert.deepEqual(times, [0, 0, 0]);
  }
});

gpuTest("kernels can be handed over as they are recorded, and are not kept", async (device) => {
  const seen: string[] = [];
  const profiler = Profiler.start(device, {
    onKernel: ({ kernel, path, flops }) => seen.push(`${path} ${kernel} ${flops}`),
  });
  {
    using _ = device.scope("work");
    const x = device.zeros([8, 8]);
    matmul(x, x);
  }
  const { kernels, clock, memory } = await profiler.stop();
  assert.deepEqual(seen, ["test/work/matmul matmul 1024"]);
  assert.deepEqual([kernels, clock], [[], "none"]);
  assert.ok(memory.length > 0);
  const refusing = Profiler.start(device, {
    onKernel() {
      throw new RangeError("enough");
    },
  });
  const x = device.zeros([8]);
  assert.throws(() => spin(device, x, 1), { name: "RangeError", message: "enough" });
  refusing.cancel();
});

gpuTest("without times kernels share a pass, and without memory none is followed", async (device) => {
  const dry = Device.dry(device.traits);
  const encoder = dry.gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  let passes = 0;
  encoder.beginComputePass = () => (passes++, pass);
  const profiler = Profiler.start(dry, { kernels: false });
  {
    using _ = dry.scope("work");
    const x = dry.empty([64]);
    for (let i = 0; i < 3; i++) spin(dry, x, 1);
  }
  const { kernels, memory, clock } = await profiler.stop();
  assert.deepEqual([clock, passes, kernels.length, memory.length], ["none", 1, 3, 8]);

  const timed = Profiler.start(device, { memory: false });
  spin(device, device.zeros([64]), 1);
  const seen = await timed.stop();
  assert.deepEqual([seen.memory.length, seen.kernels.length], [0, 1]);
  if (withTimestamps) assert.ok(seen.kernels[0].ms > 0);
});

gpuTest("a device has one profiler at a time", async (device) => {
  const profiler = Profiler.start(device);
  assert.throws(() => Profiler.start(device), { name: "TypeError", message: /has a profiler already/ });
  const stopping = profiler.stop();
  spin(device, device.zeros([4]), 1); // it measures no more, though its results are not there yet
  assert.deepEqual((await stopping).kernels, []);
  await Profiler.start(device).stop();
  Profiler.start(device).cancel();
  assert.equal(device.profiler, null);
});
