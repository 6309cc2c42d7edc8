import assert from "node:assert/strict";
import { Device, inWindows, Key, pullback, readable, type Tensor, within } from "../../core/mod.ts";
import { Optimizer } from "../../finetune/mod.ts";
import {
  add,
  attention,
  concat,
  dropout,
  embedding,
  layerNorm,
  linear,
  matmul,
  max,
  mean,
  multiply,
  oneHot,
  permute,
  sigmoidGate,
  slice,
  softmax,
  sum,
  triangleProduct,
} from "../../ops/mod.ts";
import { assertClose, FAMILIES, gpuTest, ofFamily, randomArray } from "../_gpu.ts";

/** The same device, but its kernels see little at once. */
function narrow({ gpu, traits }: Device, maxBindingBytes: number, maxBufferBytes = traits.maxBufferBytes): Device {
  return new Device(gpu, { ...traits, maxBindingBytes, maxBufferBytes });
}

gpuTest("a window shares its tensor's elements, from a multiple of 128 on", async (device) => {
  const x = device.tensor(randomArray(300, 1), [3, 100]);
  const all = await x.read();
  const window = device.window(x, 128, [2, 40]);
  assert.deepEqual(await window.read(), all.slice(128, 208));
  assert.deepEqual(await device.view(window, [80]).read(), all.slice(128, 208));
  device.write(window, new Float32Array(80).fill(7));
  const written = await x.read();
  assert.deepEqual([written[127], written[128], written[207], written[208]], [all[127], 7, 7, all[208]]);
  assert.throws(() => device.window(x, 10, [2]), /\[3,100\] has no window \[2\] from element 10 on/);
  assert.throws(() => device.window(x, 256, [45]), RangeError);
  assert.deepEqual(await readable(x, 10, [5]).read(), written.slice(10, 15));
  const { part, at } = within(x, 70, 5);
  assert.deepEqual([part, at], [x, 70]);
});

gpuTest("windows of rows follow each other, at multiples of a unit, and come back in their places", async (device) => {
  const small = narrow(device, 1024);
  using scope = small.scope("test");
  void scope;
  for (const [rows, width, unit] of [[100, 7, 1], [100, 64, 1], [33, 20, 5], [700, 1, 1]] as const) {
    const numbers = randomArray(rows * width, rows);
    const x = small.tensor(numbers, [rows, width]);
    const out = small.empty([rows, width]);
    let next = 0;
    inWindows(small, rows, { reads: { x }, writes: { out }, unit }, (tensors, count, first) => {
      assert.equal(first, next);
      assert.equal(first % unit, 0);
      assert.ok(4 * tensors.x.size <= 1024);
      small.copy(tensors.x, tensors.out);
      next += count;
    });
    assert.equal(next, rows);
    assert.deepEqual(await out.read(), numbers);
  }
});

gpuTest("a tensor that no buffer of the adapter holds is refused: what limit, what was asked, what fits", (device) => {
  const small = narrow(device, 65536, 1_000_000);
  assert.throws(
    () => small.empty([1024, 512]),
    (error: Error) =>
      error instanceof RangeError && /\[1024,512\] takes 2097152 bytes/.test(error.message) &&
      /at most 1000000, 250000 of the 524288 elements/.test(error.message),
  );
});

gpuTest("what a kernel must see whole is refused: what limit, what was asked, what fits", (device) => {
  const small = narrow(device, 16384);
  using scope = small.scope("test");
  void scope;
  const pairs = small.zeros([1, 40, 40, 4]);
  assert.throws(
    () => triangleProduct({ a: pairs, b: pairs }, { direction: "outgoing" }),
    (error: Error) =>
      error instanceof RangeError && /\[1,40,40,4\]/.test(error.message) &&
      /at most 16384 \(maxStorageBufferBindingSize\), enough for about \d\d residues/.test(error.message),
  );
  const weight = small.zeros([100, 100]);
  assert.throws(
    () => linear(small.zeros([8, 100]), { weight }),
    (error: Error) =>
      error instanceof RangeError &&
      /Kernel matmul needs all of b \[100,100\] at once, 40000 bytes/.test(error.message) &&
      /see 16384 .* 4096 of the 10000 elements/.test(error.message),
  );
});

type Run = (x: Tensor) => Tensor;
const more = (x: Tensor, seed: number, shape = x.shape) =>
  x.device.tensor(randomArray(shape.reduce((a, b) => a * b, 1), seed), shape);

/** Ops on tensors of odd sizes, larger than 8 KiB. */
const OPS: Readonly<Record<string, { readonly shape: readonly number[]; readonly run: Run }>> = {
  add: { shape: [37, 101], run: (x) => add(x, more(x, 2)) },
  "multiply, a row for each": { shape: [3, 29, 53], run: (x) => multiply(x, more(x, 2, [3, 1, 53])) },
  "multiply, a number for each row": { shape: [41, 71], run: (x) => multiply(x, more(x, 2, [41, 1])) },
  "add to a smaller one": { shape: [53], run: (x) => add(x, more(x, 2, [67, 53])) },
  permute: { shape: [13, 17, 19], run: (x) => permute(x, [2, 0, 1]) },
  "permute vec4s": { shape: [12, 20, 16], run: (x) => permute(x, [1, 0, 2]) },
  "permute blocks": { shape: [48, 68], run: (x) => permute(x, [1, 0]) },
  slice: { shape: [61, 59], run: (x) => slice(x, [3, 5], [60, 58]) },
  concat: { shape: [61, 59], run: (x) => concat([x, more(x, 2, [61, 7])], 1) },
  "sum of rows": { shape: [61, 59], run: (x) => sum(x, { axes: [1] }) },
  "sum of columns": { shape: [61, 60], run: (x) => sum(x, { axes: [0] }) },
  "sum of the middle": { shape: [3, 61, 23], run: (x) => sum(x, { axes: [1] }) },
  max: { shape: [61, 59], run: (x) => max(x, { axes: [0] }) },
  softmax: { shape: [61, 59], run: (x) => softmax(x) },
  "softmax across": { shape: [31, 12, 16], run: (x) => softmax(x, { axis: 1 }) },
  layerNorm: { shape: [61, 60], run: (x) => layerNorm(x, { gamma: more(x, 2, [60]), beta: more(x, 3, [60]) }) },
  sigmoidGate: { shape: [61, 59], run: (x) => sigmoidGate({ x, gate: more(x, 2), residual: more(x, 3) }) },
  linear: {
    shape: [251, 20],
    run: (x) => linear(x, { weight: more(x, 2, [24, 20]), bias: more(x, 3, [24]) }, { gate: more(x, 4, [251, 24]) }),
  },
  "linear to odd channels": { shape: [251, 13], run: (x) => linear(x, { weight: more(x, 2, [11, 13]) }) },
  matmul: { shape: [9, 31, 20], run: (x) => matmul(x, more(x, 2, [9, 20, 28])) },
  "matmul, shared": { shape: [9, 31, 20], run: (x) => matmul(x, more(x, 2, [20, 28])) },
  attention: {
    shape: [2, 9, 11, 48],
    run: (x) => attention({ qkv: x, bias: more(x, 2, [2, 3, 11, 11]) }, { heads: 3, axis: 2, gated: true }),
  },
  "attention of columns": {
    shape: [1, 11, 13, 36],
    run: (x) =>
      attention(
        { qkv: x, bias: more(x, 2, [1, 3, 11, 11]), mask: more(x, 3, [1, 11, 13]) },
        { heads: 3, axis: 1, gated: false },
      ),
  },
  triangleProduct: {
    shape: [2, 15, 15, 11],
    run: (x) => triangleProduct({ a: x, b: more(x, 2) }, { direction: "incoming" }),
  },
  mean: { shape: [61, 59], run: (x) => mean(x) },
  dropout: { shape: [61, 59], run: (x) => dropout(x, { rate: 0.3, key: Key.fromSeed(5) }) },
  "dropout, shared": { shape: [3, 61, 29], run: (x) => dropout(x, { rate: 0.3, key: Key.fromSeed(5), axes: [1] }) },
};

/** Sums over more than a kernel sees are made of the sums of its windows. */
const ROUNDED = new Set(["mean"]);

for (const family of FAMILIES) {
  gpuTest(`ops give the same numbers in windows, forward and backward: ${family}`, async (device) => {
    const whole = ofFamily(device, family);
    const small = new Device(device.gpu, { ...whole.traits, maxBindingBytes: 8192 });
    for (const [name, { shape, run }] of Object.entries(OPS)) {
      if (name === "triangleProduct" && family === "subgroup") continue; // its operands are padded to more than this
      const results = [];
      for (const on of [whole, small]) {
        using scope = on.scope(name);
        void scope;
        const x = on.tensor(randomArray(shape.reduce((a, b) => a * b), 1), shape);
        const back = pullback(on, run, x);
        const [dx] = back.pullLeaves([on.tensor(randomArray(back.output.size, 9), back.output.shape)]);
        results.push([await back.output.read(), await dx!.read()]);
      }
      for (const i of [0, 1]) {
        if (ROUNDED.has(name)) assertClose(results[1][i], results[0][i], { rtol: 1e-5 }, name);
        else assert.deepEqual(results[1][i], results[0][i], `${name}, ${i ? "gradient" : "output"}`);
      }
    }
    assert.equal(small.memory.liveTensors, 0);
  });
}

gpuTest("gradients of tables, and steps of an optimizer, are the same in windows", async (device) => {
  const results = [];
  for (const on of [device, narrow(device, 8192)]) {
    using scope = on.scope("test");
    void scope;
    const indices = on.tensor(Float32Array.from({ length: 900 }, (_, i) => i * i % 7), [900], "i32");
    const table = on.tensor(randomArray(7 * 12, 1), [7, 12]);
    const back = pullback(on, (table: Tensor) => embedding(table, indices), table);
    const [d] = back.pullLeaves([on.tensor(randomArray(900 * 12, 2), [900, 12])]);
    const params = { a: on.tensor(randomArray(3000, 3), [3000]), b: on.tensor(randomArray(2501, 4), [2501]) };
    using optimizer = new Optimizer(on, params, { maxNorm: 1 });
    const { norm } = optimizer.step(params, { a: on.tensor(randomArray(3000, 5), [3000]), b: null });
    const found = [];
    for (const x of [back.output, d!, oneHot(indices, 13), params.a, params.b, norm]) found.push(await x.read());
    results.push(found);
  }
  assert.deepEqual(results[1], results[0]);
});
