import assert from "node:assert/strict";
import { smallest } from "../../ops/mod.ts";
import { gpuTest, randomArray } from "../_gpu.ts";

gpuTest("smallest() finds the smallest numbers of every row, of equal ones the first", async (device) => {
  for (const shape of [[2, 3, 7], [5, 1], [3, 70]]) {
    const [rows, n] = shape.slice(-2), k = Math.min(n, 4);
    const x = randomArray(shape.reduce((a, b) => a * b), 1).map((x, i) => i % 5 ? x : -0.25);
    if (n > 2) x[1] = NaN;
    const { places, items } = smallest(device.tensor(x, shape), k);
    assert.deepEqual([...places.shape], [...shape.slice(0, -1), k]);
    const expected = Array.from({ length: x.length / n }, (_, row) => {
      const own = x.subarray(row * n, (row + 1) * n);
      const value = (j: number) => Number.isNaN(own[j]) ? Infinity : own[j];
      return [...own.keys()].sort((a, b) => value(a) - value(b) || a - b).slice(0, k);
    });
    assert.deepEqual([...await places.read()], expected.flatMap((list, row) => list.map((j) => row * n + j)));
    assert.deepEqual(
      [...await items.read()],
      expected.flatMap((list, row) => list.map((j) => Math.floor(row / rows) * n + j)),
    );
  }
});

gpuTest("smallest() refuses what has no rows, and more numbers than a row has", (device) => {
  assert.throws(() => smallest(device.zeros([3]), 1), { name: "TypeError" });
  assert.throws(() => smallest(device.zeros([2, 3], "i32"), 1), { name: "TypeError" });
  assert.throws(() => smallest(device.zeros([1, 16_385]), 1), { name: "RangeError" });
  for (const k of [0, 4, 1.5]) assert.throws(() => smallest(device.zeros([2, 3]), k), { name: "RangeError" });
});
