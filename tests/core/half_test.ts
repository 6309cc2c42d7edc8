import assert from "node:assert/strict";
import { Device, elementGrid, kernel, pullback, type Tensor } from "../../core/mod.ts";
import { linear, matmul, multiplyScalar, permute, slice } from "../../ops/mod.ts";
import { ensureAdapter } from "../../tools/platform/driver.ts";
import { FAMILIES, gpuTest, ofFamily, randomArray, testDevice } from "../_gpu.ts";

const DOUBLE = kernel({
  name: "double",
  bindings: { x: "load vec4f", out: "store vec4f" },
  uniforms: { n: "u32" },
  body: "if (index < u.n) { out_put(index, 2.0 * x_at(index)); }",
});

function double(x: Tensor, dtype: "f32" | "f16"): Tensor {
  const { device } = x;
  const out = device.empty(x.shape, dtype);
  const n = Math.ceil(x.size / 4);
  device.run(DOUBLE, { bindings: { x, out }, uniforms: { n }, grid: elementGrid(n, 64) });
  return out;
}

gpuTest("tensors of 16-bit floats go to the device and back, also of odd sizes and of none", async (device) => {
  for (const size of [0, 1, 3, 6, 1001]) {
    const numbers = randomArray(size, size + 1).map((x) => 100 * x);
    const x = device.tensor(numbers, [size], "f16");
    assert.equal(x.bytes, 2 * size);
    assert.deepEqual(await x.read(), Float16Array.from(numbers));
  }
  assert.deepEqual(await device.zeros([5], "f16").read(), new Float16Array(5));
});

gpuTest("a kernel loads and stores either type, rounded to the nearest, on every family", async (shared) => {
  const size = 1024 * 4 * 3 + 5; // a mirror of several rows
  const numbers = randomArray(size, 3).map((x, i) => x * 10 ** (i % 5));
  numbers.set([0, -0, 32_752, -32_752, 2 ** -20, 1 / 3]);
  for (const family of FAMILIES) {
    const device = ofFamily(shared, family);
    using scope = device.scope("types");
    void scope;
    const x32 = device.tensor(numbers, [size]), x16 = device.tensor(numbers, [size], "f16");
    const halves = Float16Array.from(numbers);
    const twice = (of: ArrayLike<number>) => Array.from(of, (x) => 2 * x);
    assert.deepEqual(await double(x32, "f16").read(), Float16Array.from(twice(numbers)), `${family}: f32 to f16`);
    assert.deepEqual(await double(x16, "f32").read(), Float32Array.from(twice(halves)), `${family}: f16 to f32`);
    assert.deepEqual(await double(x16, "f16").read(), Float16Array.from(twice(halves)), `${family}: f16 to f16`);
  }
});

gpuTest("half the memory is counted", (device) => {
  const before = device.memory.liveBytes;
  device.empty([1024], "f16");
  assert.equal(device.memory.liveBytes - before, 2048);
});

gpuTest("a window of 16-bit floats begins where WebGPU can bind it, and copies keep the type", async (device) => {
  const numbers = randomArray(700, 5);
  const x = device.tensor(numbers, [700], "f16");
  const halves = Float16Array.from(numbers);
  assert.deepEqual(await double(device.window(x, 256, [300]), "f16").read(), halves.slice(256, 556).map((v) => 2 * v));
  assert.throws(() => device.window(x, 64, [300]), RangeError);
  const to = device.zeros([10], "f16");
  device.copy(x, to, { fromElement: 4, toElement: 2, count: 6 });
  assert.deepEqual([...await to.read()], [0, 0, ...halves.slice(4, 10), 0, 0]);
});

gpuTest("a kernel that takes single numbers refuses 16-bit floats by name", (device) => {
  const x = device.tensor([1, 2, 3], [3], "f16");
  assert.throws(
    () => slice(x, [1], [2]),
    /TypeError: Kernel \w+: \w+ \[.*\] is f16, this kernel takes f32 there/,
  );
});

Deno.test({
  name: "16 bits are stored on adapters whose kernels cannot compute in them",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const { traits } = await testDevice();
    for (const loads of traits.loadPaths) {
      const { adapter } = await ensureAdapter(); // Dawn's are good for one device
      const gpu = await adapter.requestDevice(); // without any feature
      const bare = { shaderF16: false, timestamps: false, subgroupSize: 0, maxBindingBytes: 2 ** 27 };
      using device = new Device(gpu, { ...traits, ...bare, kernelFamilies: ["plain"], loadPaths: [loads] });
      using _ = device.scope("test");
      const numbers = randomArray(5 * 8, 1), factors = randomArray(12 * 8, 2);
      const x = device.tensor(numbers, [5, 8]), weight = device.tensor(factors, [12, 8]);
      device.intermediates = "f16";
      const y = linear(x, { weight }, { intermediate: true });
      assert.equal(y.dtype, "f16");
      device.intermediates = "f32";
      const whole = await linear(x, { weight }).read();
      assert.deepEqual([...await y.read()], [...whole].map(Math.f16round));
    }
  },
});

gpuTest("16 bits are refused for gradients", (device) => {
  const x = device.tensor([1, 2, 3, 4], [2, 2]);
  device.intermediates = "f16";
  try {
    assert.throws(
      () => pullback(device, ({ x }: { x: Tensor }) => multiplyScalar(matmul(x, x), 2), { x }),
      /Cannot record gradients as the device keeps intermediates in f16: .*inference/,
    );
  } finally {
    device.intermediates = "f32";
  }
});

gpuTest("whole vec4s of 16-bit floats are permuted, along rows and across them", async (device) => {
  const [a, b, c] = [3, 8, 12];
  const numbers = randomArray(a * b * c, 9);
  const x = device.tensor(numbers, [a, b, c], "f16"), whole = device.tensor(Float16Array.from(numbers), [a, b, c]);
  for (const axes of [[1, 0, 2], [0, 2, 1]]) {
    assert.deepEqual([...await permute(x, axes).read()], [...await permute(whole, axes).read()], `${axes}`);
  }
});
