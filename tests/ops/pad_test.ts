import assert from "node:assert/strict";
import { type Shape, stridesOf } from "../../core/mod.ts";
import { pad } from "../../ops/pad.ts";
import { checkOp, gpuTest, type Reference, reference } from "../_gpu.ts";
import { eachPlace } from "./_reference.ts";

function padReference({ shape, data }: Reference, before: readonly number[], after: readonly number[]): Reference {
  const out = reference(shape.map((n, axis) => before[axis] + n + after[axis]));
  const strides = stridesOf(out.shape);
  eachPlace(shape, (at, flat) => {
    out.data[strides.reduce((sum, stride, axis) => sum + stride * (at[axis] + before[axis]), 0)] = data[flat];
  });
  return out;
}

const CASES: [Shape, number[], number[]][] = [
  [[5], [2], [0]],
  [[13, 7], [0, 0], [0, 0]],
  [[13, 7], [1, 2], [3, 0]],
  [[3, 8], [1, 4], [0, 8]], // vec4s
  [[3, 8], [1, 3], [0, 1]],
  [[2, 3, 4, 5], [0, 1, 0, 2], [1, 0, 3, 0]],
];

for (const [shape, before, after] of CASES) {
  gpuTest(`pad() [${shape}] by [${before}] and [${after}]`, (device) =>
    checkOp(device, {
      inputs: { x: shape },
      gpu: ({ x }) => pad(x, before, after),
      reference: ({ x }) => padReference(x, before, after),
      rtol: 0,
      atol: 1e-30,
    }));
}

gpuTest("pad() takes integers and empty tensors, and refuses negative numbers", async (device) => {
  const x = device.tensor([1, 2], [2], "i32");
  assert.deepEqual([...await pad(x, [1], [2]).read()], [0, 1, 2, 0, 0]);
  assert.deepEqual([...await pad(device.zeros([0]), [1], [2]).read()], [0, 0, 0]);
  assert.throws(() => pad(x, [-1], [0]), RangeError);
  assert.throws(() => pad(x, [1, 1], [0, 0]), TypeError);
});
