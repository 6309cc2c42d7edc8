import assert from "node:assert/strict";
import { type Shape, stridesOf } from "../../core/mod.ts";
import { slice } from "../../ops/slice.ts";
import { assertClose, checkOp, gpuTest, randomArray, type Reference, reference } from "../_gpu.ts";
import { eachPlace } from "./_reference.ts";

function sliceReference({ shape, data }: Reference, begin: readonly number[], end: readonly number[]): Reference {
  const out = reference(end.map((n, axis) => n - begin[axis]));
  const strides = stridesOf(shape);
  eachPlace(out.shape, (at, flat) => {
    out.data[flat] = data[strides.reduce((sum, stride, axis) => sum + stride * (at[axis] + begin[axis]), 0)];
  });
  return out;
}

const CASES: [Shape, number[], number[]][] = [
  [[7], [2], [6]],
  [[13, 7], [0, 0], [13, 7]],
  [[13, 7], [3, 2], [11, 5]],
  [[5, 12], [1, 4], [4, 12]], // vec4s
  [[5, 12], [1, 3], [4, 11]],
  [[4, 5, 8], [1, 0, 0], [3, 5, 8]],
  [[2, 3, 4, 5, 6], [0, 1, 2, 0, 3], [2, 2, 4, 5, 6]],
];

for (const [shape, begin, end] of CASES) {
  gpuTest(`slice() [${shape}] from [${begin}] to [${end}]`, (device) =>
    checkOp(device, {
      inputs: { x: shape },
      gpu: ({ x }) => slice(x, begin, end),
      reference: ({ x }) => sliceReference(x, begin, end),
      rtol: 0,
      atol: 1e-30,
    }));
}

gpuTest("slice() of more than 65,535 rows", async (device) => {
  const data = randomArray(140_002 * 3, 1);
  const out = await slice(device.tensor(data, [140_002, 3]), [1, 1], [140_001, 2]).read();
  const expected = sliceReference(reference([140_002, 3], data), [1, 1], [140_001, 2]);
  assertClose(out, expected.data, { rtol: 0, atol: 1e-30 });
});

gpuTest("slice() takes integers and empty parts, and refuses what is outside", async (device) => {
  const x = device.tensor([1, 2, 3, 4, 5, 6], [2, 3], "i32");
  assert.deepEqual([...await slice(x, [0, 1], [2, 2]).read()], [2, 5]);
  assert.deepEqual(slice(x, [1, 1], [1, 3]).shape, [0, 2]);
  assert.throws(() => slice(x, [0], [2]), TypeError);
  for (const [begin, end] of [[[0, 0], [3, 3]], [[-1, 0], [1, 1]], [[1, 2], [2, 1]], [[0.5, 0], [1, 1]]]) {
    assert.throws(() => slice(x, begin, end), RangeError);
  }
});
