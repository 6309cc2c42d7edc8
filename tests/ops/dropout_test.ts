import assert from "node:assert/strict";
import { Key, pullback, type Shape, sizeOf, stridesOf, type Tensor } from "../../core/mod.ts";
import { dropout } from "../../ops/dropout.ts";
import { assertClose, gpuTest, randomArray } from "../_gpu.ts";
import { eachPlace } from "./_reference.ts";

const seed = 2 ** 40 + 17;

/** What each element is multiplied by. */
function factors(shape: Shape, rate: number, axes: readonly number[]): Float64Array {
  const shared = shape.map((n, axis) => (axes.includes(axis) ? 1 : n));
  const strides = stridesOf(shared);
  const uniform = Key.fromSeed(seed).uniform(sizeOf(shared));
  const out = new Float64Array(sizeOf(shape));
  eachPlace(shape, (at, flat) => {
    const e = strides.reduce((sum, stride, axis) => sum + (axes.includes(axis) ? 0 : stride * at[axis]), 0);
    out[flat] = uniform[e] >= rate ? 1 / (1 - rate) : 0;
  });
  return out;
}

const CASES: [Shape, number, number[]][] = [
  [[13, 7], 0.25, []],
  [[1], 0.5, []],
  [[], 0.5, []],
  [[70_001, 5], 0.1, []],
  [[5, 7, 8], 0.3, [0]], // row-wise
  [[5, 7, 8], 0.3, [1]], // column-wise
  [[3, 5, 7, 3], 0.6, [-1, 1]],
  [[4, 6], 0.5, [0, 1]],
];

for (const [shape, rate, axes] of CASES) {
  gpuTest(`dropout() of [${shape}] at rate ${rate}, shared along [${axes}], as the CPU draws`, async (device) => {
    const resolved = axes.map((axis) => (axis < 0 ? axis + shape.length : axis));
    const expected = factors(shape, rate, resolved);
    const xs = randomArray(expected.length, 1), ds = randomArray(expected.length, 2);
    const { output, heldBytes, pullLeaves } = pullback(
      device,
      (x: Tensor) => dropout(x, { rate, key: Key.fromSeed(seed), axes }),
      device.tensor(xs, shape),
    );
    assert.equal(heldBytes, 0);
    assertClose(await output.read(), expected.map((factor, i) => factor * xs[i]));
    const [dx] = pullLeaves([device.tensor(ds, shape)]);
    assertClose(await dx!.read(), expected.map((factor, i) => factor * ds[i]));
  });
}

gpuTest("dropout() drops the share it is asked to, and keeps the mean", async (device) => {
  const n = 200_000;
  const out = await dropout(device.tensor(new Float32Array(n).fill(1), [n]), { rate: 0.2, key: Key.fromSeed(1) })
    .read();
  const dropped = out.filter((x) => x === 0).length / n;
  assert.ok(Math.abs(dropped - 0.2) < 0.005, `${dropped}`);
});

gpuTest("dropout() at rate 0 changes nothing, and uses the key up", async (device) => {
  const x = device.tensor([1, 2, 3], [3]);
  const key = Key.fromSeed(3);
  assert.deepEqual([...await dropout(x, { rate: 0, key }).read()], [1, 2, 3]);
  assert.throws(() => dropout(x, { rate: 0.5, key }), RangeError);
});

gpuTest("dropout() refuses rates outside [0, 1) and axes that are not there", (device) => {
  const x = device.tensor([1, 2, 3], [3]);
  for (const rate of [-0.1, 1, NaN]) assert.throws(() => dropout(x, { rate, key: Key.fromSeed(3) }), RangeError);
  assert.throws(() => dropout(x, { rate: 0.5, key: Key.fromSeed(3), axes: [1] }), RangeError);
});
