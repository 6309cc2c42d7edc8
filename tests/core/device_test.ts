import assert from "node:assert/strict";
import { Device, DeviceLostError, elementGrid, kernel, kernelText, type Tensor } from "../../core/mod.ts";
import { multiplyScalar } from "../../ops/elementwise.ts";
import { ensureAdapter } from "../../tools/platform/driver.ts";
import { assertClose, gpuTest, randomArray } from "../_gpu.ts";

const ADD_NUMBER = kernel({
  name: "addNumber",
  bindings: { x: "read f32", out: "write f32" },
  uniforms: { n: "u32", number: "f32" },
  body: "if (index < u.n) { out[index] = x[index] + u.number; }",
});

function addNumber(device: Device, x: Tensor, number: number): Tensor {
  const out = device.empty(x.shape);
  device.run(ADD_NUMBER, { bindings: { x, out }, uniforms: { n: x.size, number }, grid: elementGrid(x.size, 64) });
  return out;
}

gpuTest("tensors go to the device and come back, of any dtype and size", async (device) => {
  for (const size of [1, 3, 4, 257, 65_537]) {
    const data = randomArray(size, size);
    assert.deepEqual(await device.tensor(data, [size]).read(), data);
    assert.deepEqual(await device.zeros([size]).read(), new Float32Array(size));
  }
  assert.deepEqual(await device.tensor([-1, 2], [2], "i32").read(), Int32Array.of(-1, 2));
  assert.deepEqual(await device.tensor([2 ** 32 - 1], [], "u32").read(), Uint32Array.of(2 ** 32 - 1));
  assert.equal(await device.tensor([7.5], []).item(), 7.5);
  await assert.rejects(() => device.tensor([1, 2], [2]).item(), TypeError);
  assert.throws(() => device.tensor([1, 2], [3]), { name: "TypeError", message: /3 elements, the data has 2/ });
  assert.throws(() => device.view(device.zeros([4]), [3]), TypeError);
  assert.throws(() => device.write(device.zeros([4]), [1]), TypeError);
});

gpuTest("copy() refuses what the GPU could not copy, or would copy elsewhere", async (device) => {
  const x = device.tensor([1, 2, 3, 4], [4]), y = device.zeros([4]);
  for (
    const range of [{ fromElement: -1 }, { count: 5 }, { count: -1 }, { count: 1.5 }, { toElement: 1 }, { count: NaN }]
  ) {
    assert.throws(() => device.copy(x, y, range), { name: "RangeError", message: /Cannot copy .* out of range/ });
  }
  assert.throws(() => device.copy(x, device.zeros([4], "i32")), {
    name: "TypeError",
    message: /of f32 \[4\] to 0 of i32 \[4\]: they must be of one type/,
  });
  assert.throws(() => device.copy(device.view(x, [2, 2]), x, { count: 1 }), {
    name: "TypeError",
    message: /they share their memory/,
  });
  device.copy(x, y, { count: 0 });
  assert.deepEqual([...await y.read()], [0, 0, 0, 0]);
});

gpuTest("16-bit elements are written and copied without touching their neighbours", async (device) => {
  const n = 261;
  const numbers = Float32Array.from({ length: n }, (_, i) => i - 100);
  const x = device.tensor(numbers, [n], "f16");
  assert.deepEqual([...await x.read()], [...numbers], "an odd number of elements");
  assert.throws(() => device.write(device.window(x, 128, [3]), [7, 8, 9]), {
    name: "RangeError",
    message: /Cannot write a window \[3\] of f16: the GPU writes whole words/,
  });
  device.write(device.window(x, 128, [2]), [7, 8]);
  device.write(device.window(x, 256, [5]), [1, 2, 3, 4, 5]); // only padding follows
  numbers.set([7, 8], 128);
  numbers.set([1, 2, 3, 4, 5], 256);
  assert.deepEqual([...await x.read()], [...numbers]);
  const y = device.zeros([n], "f16");
  for (const range of [{ count: 3 }, { fromElement: 1, count: 2 }, { toElement: 3, count: 2 }]) {
    assert.throws(() => device.copy(x, y, range), { name: "RangeError", message: /must be even/ });
  }
  device.copy(x, y);
  assert.deepEqual([...await y.read()], [...numbers]);
});

gpuTest("a write does not overtake the commands recorded before it", async (device) => {
  const x = device.tensor([1, 2, 3], [3]);
  const y = addNumber(device, x, 10);
  device.write(x, [4, 5, 6]);
  assert.deepEqual([...await y.read()], [11, 12, 13]);
  assert.deepEqual([...await x.read()], [4, 5, 6]);
});

gpuTest("more than 1024 dispatches in one list keep their uniforms apart", async (device) => {
  const outs: Tensor[] = [];
  const x = device.tensor([0], [1]);
  for (let i = 0; i < 2500; i++) outs.push(addNumber(device, x, i));
  const sum = device.zeros([2500]);
  for (const [i, out] of outs.entries()) assert.equal(await out.item(), i, `dispatch ${i}`);
  assert.ok((await sum.read()).every((value) => value === 0));
});

gpuTest("a chain of 3000 dispatches runs in order", async (device) => {
  let x = device.tensor([0], [1]);
  for (let i = 0; i < 3000; i++) {
    const next = addNumber(device, x, i % 7);
    x.dispose();
    x = next;
  }
  let expected = 0;
  for (let i = 0; i < 3000; i++) expected += i % 7;
  assert.equal(await x.item(), expected);
});

gpuTest("buffers are used again: memory stays flat over 100 iterations", async (device) => {
  const iterate = async (steps: number) => {
    for (let i = 0; i < steps; i++) {
      using _ = device.scope("iteration");
      const x = device.tensor(randomArray(10_000, i), [10_000]);
      const y = addNumber(device, addNumber(device, x, 1), 2);
      addNumber(device, device.zeros([333]), 1);
      await y.read();
    }
  };
  device.resetPeakMemory();
  await iterate(3);
  const { allocatedBytes, peakBytes, liveBytes } = device.memory;
  await iterate(100);
  assert.equal(device.memory.allocatedBytes, allocatedBytes);
  assert.equal(device.memory.peakBytes, peakBytes);
  assert.equal(device.memory.liveBytes, liveBytes);
});

gpuTest("buffers that nothing uses any more make room for others", async (device) => {
  device.resetPeakMemory();
  const start = device.memory.allocatedBytes;
  for (let i = 1; i <= 20; i++) {
    using _ = device.scope("iteration");
    await addNumber(device, device.zeros([i * 25_600]), 1).read(); // sizes that never repeat
  }
  const most = 2 * 20 * 25_600 * 4;
  assert.ok(device.memory.peakAllocatedBytes - start <= most, `${device.memory.peakAllocatedBytes - start} > ${most}`);
});

gpuTest("batches of varied length share buffers, and trim() gives them back", async (opened) => {
  const device = Device.dry(opened.traits);
  let created = 0;
  const create = device.gpu.createBuffer.bind(device.gpu);
  device.gpu.createBuffer = (descriptor) => (created++, create(descriptor));
  const batch = (n: number) => {
    using _ = device.scope("batch");
    let x = device.zeros([n, 64]);
    for (let i = 0; i < 10; i++) x = addNumber(device, x, 1); // eleven tensors of n, none of them free before the end
    device.zeros([n, n]);
  };
  for (let n = 100; n <= 140; n++) batch(n);
  device.trim();
  assert.equal(device.memory.allocatedBytes, 0);
  for (const n of [140, 100, 131]) batch(n);
  created = 0;
  for (let i = 0; i < 100; i++) batch(100 + 37 * i % 41);
  assert.ok(created <= 100, `${created} buffers were created in 100 batches that use 1,200`);
  const { allocatedBytes, peakAllocatedBytes, peakBytes } = device.memory;
  assert.ok(peakAllocatedBytes <= 17 / 16 * peakBytes, `${peakAllocatedBytes} bytes for ${peakBytes}`);
  assert.ok(allocatedBytes > 0);
  device.trim();
  assert.equal(device.memory.allocatedBytes, 0);
  assert.equal(device.memory.peakAllocatedBytes, peakAllocatedBytes, "what there was stays told");
  const using = opened.tensor([1, 2], [2]);
  opened.trim();
  assert.deepEqual([...await addNumber(opened, using, 1).read()], [2, 3], "what is in use stays");
});

gpuTest("byte offsets beyond 2³¹ are exact", ({ traits }) => {
  const device = Device.dry({
    ...traits,
    maxBufferBytes: 2 ** 40,
    maxBindingBytes: 2 ** 32 - 4,
    loadPaths: ["buffers"],
  });
  const seen: GPUBufferBinding[] = [], copied: number[][] = [];
  device.gpu.createBindGroup = ({ entries }) => {
    seen.push([...entries][0].resource as GPUBufferBinding);
    return {} as GPUBindGroup;
  };
  const encoder = device.gpu.createCommandEncoder();
  encoder.copyBufferToBuffer = (...args: unknown[]) => {
    copied.push(args.filter((arg) => typeof arg === "number"));
    return undefined;
  };
  using _ = device.scope("large");
  const rows = 3 * 2 ** 20 + 1, x = device.empty([rows, 1024]); // 12 GiB
  multiplyScalar(x, 2);
  let next = 0;
  for (const { offset = 0, size = 0 } of seen) {
    assert.equal(offset, next, "a window begins where the one before ended");
    assert.ok(size <= 2 ** 32 - 4 && offset % 256 === 0, `${size} bytes from ${offset} on`);
    next += size;
  }
  assert.equal(next, 4 * x.size);
  assert.ok(seen.length >= 4 && seen[seen.length - 1].offset! > 2 ** 33, `${seen.length} windows`);
  const half = device.empty([2 ** 31 + 128], "f16");
  device.copy(x, device.empty([4]), { fromElement: 2 ** 31 + 3, count: 4 });
  device.copy(half, device.empty([2], "f16"), { fromElement: 2 ** 30 + 2, count: 2 });
  device.copy(device.window(half, 2 ** 31, [64]), device.empty([64], "f16"));
  assert.deepEqual(copied.slice(-3), [[2 ** 33 + 12, 0, 16], [2 ** 31 + 4, 0, 4], [2 ** 32, 0, 128]]);
});

gpuTest("memory counts live and peak bytes", (device) => {
  device.resetPeakMemory();
  const { liveBytes, liveTensors } = device.memory;
  const x = device.zeros([1000]);
  const y = device.zeros([64]);
  assert.equal(device.memory.liveBytes, liveBytes + 4096 + 256);
  assert.equal(device.memory.liveTensors, liveTensors + 2);
  x.dispose();
  y.dispose();
  assert.equal(device.memory.liveBytes, liveBytes);
  assert.equal(device.memory.peakBytes, liveBytes + 4096 + 256);
});

gpuTest("load bindings see what was written last", async (device) => {
  const double = kernel({
    name: "double",
    bindings: { x: "load vec4f", out: "write vec4f" },
    uniforms: { n: "u32" },
    body: "if (index < u.n) { out[index] = 2.0 * x_at(index); }",
  });
  const n = 70_001;
  const run = (x: Tensor) => {
    const out = device.empty([n]);
    const units = Math.ceil(n / 4);
    device.run(double, { bindings: { x, out }, uniforms: { n: units }, grid: elementGrid(units, 64) });
    return out;
  };
  const first = randomArray(n, 1), second = randomArray(n, 2);
  const x = device.tensor(first, [n]);
  const [a, b] = [run(x), run(x)];
  device.write(x, second);
  const c = run(x);
  device.copy(addNumber(device, x, 1), x);
  const d = run(x);
  device.run(ADD_NUMBER, {
    bindings: { x: device.tensor(first, [n]), out: x },
    uniforms: { n, number: 0 },
    grid: elementGrid(n, 64),
  });
  const e = run(x);
  assertClose(await a.read(), first.map((value) => 2 * value), { rtol: 0, atol: 1e-30 });
  assertClose(await b.read(), await a.read(), { rtol: 0, atol: 1e-30 });
  assertClose(await c.read(), second.map((value) => 2 * value), { rtol: 0, atol: 1e-30 });
  assertClose(await d.read(), second.map((value) => 2 * (value + 1)));
  assertClose(await e.read(), await a.read(), { rtol: 0, atol: 1e-30 });
});

gpuTest("run() refuses grids out of range, missing bindings and missing uniforms", (device) => {
  const x = device.zeros([4]);
  const out = device.zeros([4]);
  const given = { bindings: { x, out }, uniforms: { n: 4, number: 1 }, grid: [1, 1, 1] as const };
  for (const grid of [[0, 1, 1], [65_536, 1, 1], [1.5, 1, 1]] as const) {
    assert.throws(() => device.run(ADD_NUMBER, { ...given, grid }), {
      name: "RangeError",
      message: /addNumber: a grid/,
    });
  }
  assert.throws(() => device.run(ADD_NUMBER, { ...given, bindings: { x } }), /addNumber: the binding out is missing/);
  assert.throws(
    () => device.run(ADD_NUMBER, { ...given, uniforms: { n: 4 } }),
    /addNumber: the uniform number is missing/,
  );
});

gpuTest("run() refuses uniforms that their type does not hold, by name", async (device) => {
  const x = device.tensor([1, 2, 3, 4], [4]), out = device.zeros([4]);
  const source = { bindings: { x: "read f32", out: "write f32" }, body: "out[0] = x[0];" } as const;
  const each = kernel({ ...source, name: "ranges", uniforms: { u: "u32", i: "i32", f: "f32" } });
  const run = (uniforms: Record<string, number>) =>
    device.run(each, { bindings: { x, out }, uniforms: { u: 0, i: 0, f: 0, ...uniforms }, grid: [1, 1, 1] });
  for (const u of [-1, 2 ** 32, 0.5, NaN, Infinity]) {
    assert.throws(() => run({ u }), {
      name: "RangeError",
      message: `Kernel ranges: the uniform u is ${u}, it must be a whole number from 0 to 4294967295`,
    });
  }
  for (const i of [-(2 ** 31) - 1, 2 ** 31, 0.5]) assert.throws(() => run({ i }), /the uniform i is/);
  run({ u: 2 ** 32 - 1, i: -(2 ** 31), f: NaN });
  run({ i: 2 ** 31 - 1, f: -1e30 });
  for (let n = 0; n < 3000; n++) assert.throws(() => run({ u: -n - 1 }), RangeError); // takes no place in the block
  assert.deepEqual([...await addNumber(device, x, 1).read()], [2, 3, 4, 5]);
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`u${i}`, "u32" as const]));
  assert.throws(() => kernel({ ...source, name: "many", uniforms: many }), {
    name: "RangeError",
    message: "Kernel many has 65 uniforms; there is room for 64",
  });
});

gpuTest("a kernel that does not compile surfaces at the next read, by its name, once", async (device) => {
  const broken = kernel({ name: "brokenKernel", bindings: { out: "write f32" }, body: "out[0] = not_a_name;" });
  const x = device.tensor([1], [1]);
  device.run(broken, { bindings: { out: device.zeros([4]) }, grid: [1, 1, 1] });
  await assert.rejects(() => x.read(), /A GPU command failed: [^]*brokenKernel/);
  assert.deepEqual([...await x.read()], [1]);
  assert.deepEqual([...await addNumber(device, x, 1).read()], [2]);
});

gpuTest("a wrong command surfaces at finish() too", async (device) => {
  const broken = kernel({ name: "brokenAgain", bindings: { out: "write f32" }, body: "out[0] = vec2f(1.0);" });
  device.run(broken, { bindings: { out: device.zeros([4]) }, grid: [1, 1, 1] });
  await assert.rejects(() => device.finish(), /brokenAgain/);
  await device.finish();
});

Deno.test({
  name: "a device lost in the middle gives a DeviceLostError, and goes on giving it",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const device = await Device.open((await ensureAdapter()).adapter);
    const x = device.tensor([1, 2, 3], [3]);
    const y = addNumber(device, x, 1);
    assert.deepEqual([...await y.read()], [2, 3, 4]);
    const z = addNumber(device, y, 1);
    device.gpu.destroy();
    await assert.rejects(() => z.read(), DeviceLostError);
    await assert.rejects(() => y.read(), DeviceLostError);
    await assert.rejects(async () => {
      addNumber(device, y, 1);
      await device.finish();
    }, DeviceLostError);
  },
});

Deno.test("kernelText() serves load bindings from textures or buffers", () => {
  const load = kernel({ name: "loads", bindings: { x: "load vec4f" }, subgroups: true, body: "_ = x_at(0u);" });
  const texture = kernelText(load, { textures: true, enableSubgroups: false });
  const buffer = kernelText(load, { textures: false, enableSubgroups: true });
  assert.match(texture, /texture_storage_2d<rgba32float, read>/);
  assert.match(buffer, /^enable subgroups;[^]*var<storage, read> x: array<vec4f>/);
  for (const text of [texture, buffer]) assert.match(text, /fn x_at\(i: u32\) -> vec4f/);
});

Deno.test({
  name: "a device closes itself at the end of the block that declares it with using",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const { adapter } = await ensureAdapter();
    let kept: Tensor;
    {
      using device = await Device.open(adapter);
      kept = device.tensor([1, 2], [2]);
      assert.deepEqual([...await kept.read()], [1, 2]);
    }
    await assert.rejects(async () => await kept.read());
  },
});

gpuTest("a shape with negative, broken or missing axes is refused", (device) => {
  const x = device.zeros([2, 3]);
  const told = { name: "TypeError", message: /axes of a tensor are whole numbers of at least 0, got the shape \[/ };
  for (const shape of [[-2, -3], [1.5, 4], [NaN], [Infinity], [2, -1]]) {
    assert.throws(() => device.empty(shape), told);
    assert.throws(() => device.zeros(shape), told);
    assert.throws(() => device.tensor([1, 2, 3, 4, 5, 6], shape), TypeError);
    assert.throws(() => device.view(x, shape), told);
    assert.throws(() => device.window(x, 0, shape), told);
  }
});
