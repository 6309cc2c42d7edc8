import assert from "node:assert/strict";
import { pullback, type Shape, sizeOf, type Tensor } from "../../core/mod.ts";
import { embedding, oneHot, reorderRows } from "../../ops/gather.ts";
import { assertClose, checkOp, gpuTest, randomArray, reference } from "../_gpu.ts";

const indexAt = (i: number, rows: number) => (i * 7919 + (i >> 3)) % rows;

const CASES: [Shape, Shape][] = [
  [[21, 32], [5, 7]],
  [[21, 7], [300]],
  [[1, 4], [3]],
  [[5, 2, 3], []],
  [[3], [11]],
];

for (const [table, positions] of CASES) {
  gpuTest(`embedding() of [${positions}] in a table [${table}]`, (device) => {
    const count = sizeOf(positions);
    const width = sizeOf(table.slice(1));
    const picked = Array.from({ length: count }, (_, i) => indexAt(i, table[0]));
    const indices = device.tensor(picked, positions, "i32");
    return checkOp(device, {
      inputs: { table },
      gpu: ({ table }) => embedding(table, indices),
      reference({ table }) {
        const out = reference([...positions, ...table.shape.slice(1)]);
        out.data.forEach((_, i) => {
          out.data[i] = table.data[picked[Math.floor(i / width)] * width + i % width];
        });
        return out;
      },
    });
  });
}

for (const [rows, channels, positions] of [[21, 32, 100_003], [21, 5, 70_001], [3000, 12, 5000]]) {
  gpuTest(
    `embedding() of ${positions} positions in [${rows}, ${channels}], gradient the same each time`,
    async (device) => {
      const data = randomArray(rows * channels, 1), d = randomArray(positions * channels, 2);
      const picked = Array.from({ length: positions }, (_, i) => indexAt(i, rows));
      const indices = device.tensor(picked, [positions], "i32");
      const table = device.tensor(data, [rows, channels]);
      const dOut = device.tensor(d, [positions, channels]);
      const grads: ArrayLike<number>[] = [];
      for (let time = 0; time < 2; time++) {
        const { output, pullLeaves } = pullback(device, (table: Tensor) => embedding(table, indices), table);
        const expected = new Float32Array(positions * channels);
        for (let i = 0; i < expected.length; i++) {
          expected[i] = data[picked[Math.floor(i / channels)] * channels + i % channels];
        }
        assertClose(await output.read(), expected, { rtol: 0, atol: 1e-30 });
        grads.push(await pullLeaves([dOut])[0]!.read());
      }
      const expected = new Float64Array(rows * channels);
      d.forEach((value, i) => (expected[picked[Math.floor(i / channels)] * channels + i % channels] += value));
      assertClose(grads[0], expected, { rtol: 1e-5, atol: 1e-4 });
      assertClose(grads[1], grads[0], { rtol: 0, atol: 1e-30 });
    },
  );
}

gpuTest("embedding() of a table so large that all positions are one chunk", async (device) => {
  const rows = 2 ** 22 + 5, positions = 70_001; // more positions than an invocation walks through
  const d = randomArray(positions, 2), expected = new Float64Array(rows);
  const picked = Array.from({ length: positions }, (_, i) => Math.floor(indexAt(i, 7) * (rows - 1) / 6));
  const indices = device.tensor(picked, [positions], "i32");
  const { pullLeaves } = pullback(device, (table: Tensor) => embedding(table, indices), device.zeros([rows, 1]));
  const before = device.dispatches;
  const grad = await pullLeaves([device.tensor(d, [positions, 1])])[0]!.read();
  assert.equal(device.dispatches - before, 3);
  d.forEach((value, i) => (expected[picked[i]] += value));
  assertClose(grad, expected, { rtol: 1e-5, atol: 2e-3 }); // sums of 10,000 numbers
});

gpuTest("embedding() moves indices outside the table to its ends", async (device) => {
  const table = device.tensor([1, 2, 3], [3, 1]);
  const indices = device.tensor([-1, -(2 ** 31), 3, 2 ** 31 - 1, 1], [5], "i32");
  assert.deepEqual([...await embedding(table, indices).read()], [1, 1, 3, 3, 2]);
});

gpuTest("oneHot() sets the element of the index, none where it is outside", async (device) => {
  const indices = device.tensor([2, 0, -1, 3, 1, 2], [2, 3], "i32");
  const out = oneHot(indices, 3);
  assert.deepEqual(out.shape, [2, 3, 3]);
  assert.deepEqual([...await out.read()], [0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
  const many = Array.from({ length: 70_001 }, (_, i) => i % 23);
  const large = await oneHot(device.tensor(many, [70_001], "i32"), 23).read();
  assert.ok(large.every((value, i) => value === (many[Math.floor(i / 23)] === i % 23 ? 1 : 0)));
});

gpuTest("embedding() and oneHot() refuse what does not fit", (device) => {
  const table = device.tensor([1, 2, 3], [3, 1]);
  const floats = device.tensor([0, 1], [2]);
  assert.throws(() => embedding(table, floats), { name: "TypeError", message: /i32 indices, got f32 \[2\]/ });
  assert.throws(() => embedding(device.zeros([0, 4]), device.tensor([0], [1], "i32")), TypeError);
  assert.throws(() => oneHot(floats, 3), TypeError);
  assert.throws(() => oneHot(device.tensor([0], [1], "i32"), 0), RangeError);
});

gpuTest("reorderRows() puts rows in another order, and its gradient back", async (device) => {
  const order = [3, 0, 4, 1, 2], inverse = [1, 3, 4, 0, 2];
  const numbers = (list: readonly number[]) => device.tensor(Int32Array.from(list), [5], "i32");
  await checkOp(device, {
    inputs: { x: [5, 3] },
    gpu: ({ x }) => reorderRows(x, numbers(order), numbers(inverse)),
    reference: ({ x }) => reference([5, 3], order.flatMap((row) => [...x.data.slice(3 * row, 3 * row + 3)])),
  });
  assert.throws(() => reorderRows(device.zeros([4, 3]), numbers(order), numbers(inverse)), {
    name: "TypeError",
    message: /x is f32 \[4,3\], order \[5\]/,
  });
});
