import assert from "node:assert/strict";
import { Device, Profiler, pullback, type Tensor } from "../../core/mod.ts";
import { layerNorm, linear, matmul, relu } from "../../ops/mod.ts";
import { FAMILIES, gpuTest, ofFamily } from "../_gpu.ts";
import { KINDS } from "../kernels/traits.ts";

/** Work that takes memory, gives it back and takes it again, with copies and uploads between. */
function work(device: Device, rows: number): void {
  using _ = device.scope("work");
  const x = device.tensor(device.dry ? { length: rows * 33 } : new Float32Array(rows * 33), [rows, 33]);
  const weight = device.zeros([40, 33]), gamma = device.zeros([33]);
  for (let i = 0; i < 3; i++) {
    using _step = device.scope(`step/${i}`);
    const back = pullback(device, ({ x, weight }: { x: Tensor; weight: Tensor }) => {
      const y = relu(linear(layerNorm(x, { gamma }), { weight }));
      return matmul(y, y, { transposeB: true });
    }, { x, weight });
    const [d] = back.pullLeaves([device.empty(back.output.shape)]);
    device.copy(d!, x);
  }
}

gpuTest("a device for plans counts memory and kernels as one that runs", async (opened) => {
  for (const family of FAMILIES) {
    const device = ofFamily(opened, family);
    device.resetPeakMemory();
    const dry = Device.dry(device.traits);
    for (const each of [device, dry]) {
      const before = each.dispatches;
      for (const rows of [37, 101, 53]) work(each, rows);
      await each.finish();
      if (each === device) each.dispatches -= before;
    }
    assert.deepEqual({ ...dry.memory }, { ...device.memory }, family);
    assert.equal(dry.dispatches, device.dispatches, family);
  }
});

gpuTest("a device for plans holds no numbers, and says so", async ({ traits }) => {
  const dry = Device.dry(traits);
  using x = dry.tensor([1, 2], [2]);
  await assert.rejects(x.read(), {
    name: "TypeError",
    message: "A tensor [2] of a device for plans holds no numbers to read",
  });
  assert.throws(() => dry.tensor([1], [2]), TypeError, "shapes are checked all the same");
});

gpuTest("a device for plans has its adapter's limits, and takes far more than the machine has", async ({ traits }) => {
  const small = Device.dry({ ...traits, maxBufferBytes: 1 << 20, maxBindingBytes: 1 << 16 });
  assert.throws(() => small.empty([2 ** 19]), RangeError);
  using scope = small.scope("limits");
  const x = small.empty([2 ** 8, 2 ** 8]);
  assert.throws(() => matmul(x, x), RangeError);
  void scope;
  const large = Device.dry({ ...traits, maxBufferBytes: Infinity, maxBindingBytes: Infinity });
  const profiler = Profiler.start(large);
  {
    using _ = large.scope("huge");
    const x = large.empty([2 ** 20, 2 ** 20]);
    matmul(x, x);
  }
  const { kernels, clock } = await profiler.stop();
  assert.equal(clock, "none");
  assert.equal(kernels.reduce((sum, { flops }) => sum + flops!, 0), 2 * 2 ** 60); // sums in parts
  assert.ok(large.memory.peakBytes >= 2 * 2 ** 42);
});

Deno.test("textures that mirror many tensors, one after the other, take the room of a few; those read again stay", () => {
  const device = Device.dry(KINDS[1]);
  const MIB = 2 ** 20;
  using _ = device.scope("mirrors");
  const tensors = Array.from({ length: 60 }, () => device.empty([512, 512]));
  const vectors = device.empty([512]);
  const read = (weight: Tensor) => {
    using _step = device.scope("step");
    linear(device.empty([1, 512]), { weight, bias: vectors });
  };
  device.resetPeakMemory();
  const before = device.memory.allocatedBytes;
  for (const tensor of tensors) read(tensor);
  const grown = (device.memory.peakAllocatedBytes - before) / MIB;
  assert.ok(grown > 10 && grown < 20, `60 weights of 1 MiB took ${grown.toFixed(1)} MiB of textures`);
  const [weight] = tensors;
  read(weight);
  const { mirrors } = weight.storage;
  assert.equal(mirrors.length, 1);
  for (let i = 0; i < 9; i++) read(weight);
  assert.equal(weight.storage.mirrors[0], mirrors[0], "what is read again keeps its texture");
});

gpuTest("what would hold a GPU for long is submitted in pieces, and a processor's work at once", ({ traits }) => {
  const submitsOf = (software: boolean, set: Partial<Pick<Device, "submitMs" | "speed">> = {}) => {
    using device = Device.dry({ ...traits, software });
    Object.assign(device, set);
    let submits = 0;
    device.gpu.queue.submit = () => void submits++;
    using _ = device.scope("work");
    const x = device.empty([1000, 1000]); // a product takes 2 GFLOP: 8 ms
    for (let i = 0; i < 60; i++) matmul(x, x);
    device.flush();
    return submits;
  };
  assert.equal(submitsOf(true), 1);
  assert.equal(submitsOf(false), 3); // of 25 products each
  assert.equal(submitsOf(false, { submitMs: 80 }), 6);
  assert.equal(submitsOf(false, { speed: { gflops: 2500, gbs: 250 } }), 1);
  assert.equal(submitsOf(false, { submitMs: 1 }), 60); // what takes longer goes by itself
});
