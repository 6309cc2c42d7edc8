import assert from "node:assert/strict";
import { type Dtype, type Shape, sizeOf, stridesOf, type Tensor } from "../../core/mod.ts";
import { permute, transpose } from "../../ops/permute.ts";
import { reshape } from "../../ops/reshape.ts";
import { assertClose, checkOp, gpuTest, randomArray, type Reference, reference } from "../_gpu.ts";
import { eachPlace } from "./_reference.ts";

function permuteReference({ shape, data }: Reference, axes: readonly number[]): Reference {
  const out = reference(axes.map((axis) => shape[axis]));
  const strides = stridesOf(shape);
  eachPlace(out.shape, (at, flat) => {
    out.data[flat] = data[axes.reduce((sum, axis, i) => sum + strides[axis] * at[i], 0)];
  });
  return out;
}

const CASES: [Shape, number[]][] = [
  [[], []],
  [[5], [0]],
  [[13, 7], [1, 0]],
  [[8, 12], [1, 0]], // 4×4 blocks
  [[3, 8, 12], [0, 2, 1]],
  [[3, 8, 12], [2, 0, 1]],
  [[8, 3, 12], [2, 1, 0]],
  [[4, 5, 8], [1, 0, 2]], // vec4 rows
  [[4, 5, 6], [1, 0, 2]],
  [[2, 3, 4, 5], [3, 1, 0, 2]],
  [[2, 4, 1, 8], [0, 3, 2, 1]],
  [[2, 3, 2, 3, 2, 3], [5, 3, 1, 4, 2, 0]],
  [[2, 3, 4, 5, 2, 2, 2], [0, 1, 3, 2, 4, 5, 6]], // rank 7, but few axes once merged
];

for (const [shape, axes] of CASES) {
  gpuTest(`permute() [${shape}] by [${axes}]`, (device) =>
    checkOp(device, {
      inputs: { x: shape },
      gpu: ({ x }) => permute(x, axes),
      reference: ({ x }) => permuteReference(x, axes),
      rtol: 0,
      atol: 1e-30,
    }));
}

for (const [shape, axes] of [[[70_001, 5], [1, 0]], [[66_000, 3, 2], [0, 2, 1]], [[1028, 516], [1, 0]]]) {
  gpuTest(`permute() of a large [${shape}] by [${axes}] moves every element`, async (device) => {
    const data = randomArray(sizeOf(shape), 1);
    const expected = permuteReference(reference(shape, data), axes).data;
    const out = await permute(device.tensor(data, shape), axes).read();
    assertClose(out, expected, { rtol: 0, atol: 1e-30 });
  });
}

gpuTest("permute() that moves no element in memory is a view", (device) => {
  const x = device.tensor(randomArray(15, 1), [1, 3, 1, 5]);
  assert.equal(permute(x, [1, 0, 3, 2]).storage, x.storage);
});

gpuTest("permute() and reshape() take integers bit by bit", async (device) => {
  for (const dtype of ["i32", "u32"] satisfies Dtype[]) {
    const data = [1, 2, 3, 2 ** 24 + 1, 5, 2 ** 31 - 1];
    const x = device.tensor(data, [2, 3], dtype);
    const y = permute(x, [1, 0]);
    assert.equal(y.dtype, dtype);
    assert.deepEqual([...await y.read()], [1, 2 ** 24 + 1, 2, 5, 3, 2 ** 31 - 1]);
    assert.deepEqual([...await reshape(x, [3, 2]).read()], data);
  }
});

gpuTest("transpose() swaps the last two axes", (device) =>
  checkOp(device, {
    inputs: { x: [2, 3, 5] },
    gpu: ({ x }) => transpose(x),
    reference: ({ x }) => permuteReference(x, [0, 2, 1]),
  }));

gpuTest("reshape() shares memory, resolves -1 and carries gradients", async (device) => {
  await checkOp(device, {
    inputs: { x: [2, 6, 5] },
    gpu: ({ x }) => transpose(reshape(x, [-1, 4])),
    reference: ({ x }) => permuteReference(reference([15, 4], x.data), [1, 0]),
  });
  const x = device.tensor(randomArray(12, 1), [3, 4]);
  const y: Tensor = reshape(x, [2, -1]);
  assert.deepEqual(y.shape, [2, 6]);
  assert.equal(y.storage, x.storage);
  assert.throws(() => reshape(x, [5, -1]), TypeError);
  assert.throws(() => reshape(x, [-1, -1]), TypeError);
  assert.throws(() => reshape(x, [13]), TypeError);
});

gpuTest("permute() refuses what is no permutation", (device) => {
  const x = device.tensor(randomArray(6, 1), [2, 3]);
  assert.throws(() => permute(x, [0, 0]), TypeError);
  assert.throws(() => permute(x, [0]), TypeError);
  assert.throws(() => permute(x, [0, 2]), RangeError);
  assert.throws(() => transpose(device.tensor([1], [1])), TypeError);
});
