import assert from "node:assert/strict";
import { pullback, type Shape, sizeOf, stridesOf, type Tensor } from "../../core/mod.ts";
import { concat, split } from "../../ops/concat.ts";
import { assertClose, checkOp, gpuTest, randomArray, type Reference, reference } from "../_gpu.ts";
import { eachPlace } from "./_reference.ts";

function concatReference(parts: readonly Reference[], axis: number): Reference {
  const length = parts.reduce((sum, { shape }) => sum + shape[axis], 0);
  const out = reference(parts[0].shape.with(axis, length));
  const strides = stridesOf(out.shape);
  let before = 0;
  for (const { shape, data } of parts) {
    eachPlace(shape, (at, flat) => {
      out.data[strides.reduce((sum, s, i) => sum + s * (at[i] + (i === axis ? before : 0)), 0)] = data[flat];
    });
    before += shape[axis];
  }
  return out;
}

const CASES: [Shape[], number][] = [
  [[[3], [5], [1]], 0],
  [[[3, 7], [5, 7]], 0],
  [[[5, 7], [5, 3], [5, 2]], 1],
  [[[5, 8], [5, 4], [5, 12]], 1], // vec4s
  [[[2, 3, 4], [2, 5, 4]], 1],
  [[[4, 6]], 1],
  [[[3, 8], [3, 4], [3, 12], [3, 4], [3, 16], [3, 8]], 1], // more than a dispatch joins
  [[[16, 8], [3, 8], [8, 8]], 0], // windows on the way back, but for the last
];

for (const [shapes, axis] of CASES) {
  gpuTest(`concat() of [${shapes.join("], [")}] along axis ${axis}`, (device) =>
    checkOp(device, {
      inputs: Object.fromEntries(shapes.map((shape, i) => [`part${i}`, shape])),
      gpu: (parts) => concat(Object.values(parts), axis),
      reference: (parts) => concatReference(Object.values(parts), axis),
      rtol: 0,
      atol: 1e-30,
    }));
}

gpuTest(
  "concat() keeps the order of more than ten tensors, and gives the same tensor both gradients",
  async (device) => {
    const parts = Array.from({ length: 13 }, (_, i) => device.tensor([i, i + 0.5], [2, 1]));
    const out = await concat(parts, -1).read();
    assert.deepEqual([...out], [...Array(13).keys(), ...Array.from({ length: 13 }, (_, i) => i + 0.5)]);
    const x = device.tensor([1, 2], [2]);
    const [dx] = pullback(device, (x: Tensor) => concat([x, x, x], 0), x)
      .pullLeaves([device.tensor([1, 2, 10, 20, 100, 200], [6])]);
    assert.deepEqual([...await dx!.read()], [111, 222]);
  },
);

gpuTest("concat() of more than 65,535 rows and of integers", async (device) => {
  const xs = randomArray(70_001 * 3, 1), ys = randomArray(70_001 * 2, 2);
  const out = await concat([device.tensor(xs, [70_001, 3]), device.tensor(ys, [70_001, 2])], 1).read();
  const expected = concatReference([reference([70_001, 3], xs), reference([70_001, 2], ys)], 1);
  assertClose(out, expected.data, { rtol: 0, atol: 1e-30 });
  const integers = concat([device.tensor([1, 2], [2], "i32"), device.tensor([-3], [1], "i32")], 0);
  assert.deepEqual([...await integers.read()], [1, 2, -3]);
});

gpuTest("concat() refuses what does not fit", (device) => {
  const x = device.tensor(randomArray(6, 1), [2, 3]);
  assert.throws(() => concat([], 0), TypeError);
  assert.throws(() => concat([x, device.tensor([1, 2], [1, 2])], 0), TypeError);
  assert.throws(() => concat([x, device.tensor([1, 2, 3], [1, 3], "i32")], 0), TypeError);
  assert.throws(() => concat([x], 2), RangeError);
});

gpuTest("concat() of up to four tensors, its way back, and split() are one dispatch each", async (device) => {
  const count = async (f: () => unknown) => {
    await device.finish();
    const before = device.dispatches;
    f();
    return device.dispatches - before;
  };
  const [x, y, z] = [3, 4, 9].map((n, i) => device.tensor(randomArray(5 * n, i), [5, n]));
  assert.equal(await count(() => concat([x, y, z], 1)), 1);
  assert.equal(await count(() => concat([x, y, z, x, y], 1)), 2);
  const back = pullback(device, (parts: Tensor[]) => concat(parts, 1), [x, y, z]);
  assert.equal(await count(() => back.pullLeaves([device.zeros([5, 16])])), 1);
  assert.equal(await count(() => split(device.zeros([5, 16]), [3, 4, 9], 1)), 1);
});

const SPLITS: [Shape, number[], number][] = [
  [[5, 16], [3, 4, 9], 1],
  [[5, 20, 3], [4, 16], 1],
  [[7], [1, 6], -1],
];

for (const [shape, sizes, axis] of SPLITS) {
  gpuTest(`split() of [${shape}] along axis ${axis} into [${sizes}]`, async (device) => {
    const x = randomArray(sizeOf(shape), 1);
    await checkOp(device, {
      inputs: { x: shape },
      gpu: ({ x }) => concat(split(x, sizes, axis).toReversed(), axis),
      reference({ x }) {
        const strides = stridesOf(shape), along = axis < 0 ? axis + shape.length : axis;
        let begin = 0;
        const parts = sizes.map((size) => {
          const part = reference(shape.with(along, size));
          eachPlace(part.shape, (at, flat) => {
            part.data[flat] = x.data[strides.reduce((sum, s, i) => sum + s * (at[i] + (i === along ? begin : 0)), 0)];
          });
          begin += size;
          return part;
        });
        return concatReference(parts.toReversed(), along);
      },
      rtol: 0,
      atol: 1e-30,
    });
    assert.throws(() => split(device.tensor(x, shape), [1, ...sizes], axis), TypeError);
  });
}

gpuTest("split() gives a part without gradient zeros", async (device) => {
  const x = device.tensor(randomArray(15, 1), [3, 5]);
  const [dx] = pullback(device, (x: Tensor) => split(x, [2, 3], 1)[1], x).pullLeaves([
    device.tensor(Array(9).fill(1), [3, 3]),
  ]);
  assert.deepEqual([...await dx!.read()], [0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1]);
});
