import assert from "node:assert/strict";
import { softmax } from "../../ops/softmax.ts";
import { assertClose, checkOp, FAMILIES, gpuTest, ofFamily, randomArray, type Reference, reference } from "../_gpu.ts";

function referenceOf(x: Reference, axis: number): Reference {
  const length = x.shape[axis];
  const stride = x.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const out = reference(x.shape);
  for (let start = 0; start < x.data.length; start++) {
    if (Math.floor(start / stride) % length) continue;
    const places = Array.from({ length }, (_, i) => start + i * stride);
    const top = Math.max(...places.map((i) => x.data[i]));
    const sum = places.reduce((sum, i) => sum + Math.exp(x.data[i] - top), 0);
    for (const i of places) out.data[i] = Math.exp(x.data[i] - top) / sum;
  }
  return out;
}

const CASES = [
  [[5, 7], -1],
  [[1], 0],
  [[3, 64], 1],
  [[2, 3, 20], -1],
  [[2, 9, 5], 1],
  [[2, 9, 12], 1],
  [[11, 3, 4], 0],
  [[2, 1, 3], -2],
] as const;

for (const family of FAMILIES) {
  for (const [shape, axis] of CASES) {
    gpuTest(`softmax() matches float64 for [${shape}] along axis ${axis}, ${family} kernels`, async (shared) => {
      const device = ofFamily(shared, family);
      using _ = device.scope("test");
      await checkOp(device, {
        inputs: { x: shape },
        fill: { x: (i) => 8 * Math.sin(i * 78.233) },
        gpu: ({ x }) => softmax(x, { axis }),
        reference: ({ x }) => referenceOf(x, (axis + shape.length) % shape.length),
        rtol: 1e-5,
        atol: 1e-7,
      });
    });
  }
}

for (const family of FAMILIES) {
  gpuTest(`softmax() is right for long lines, many lines and large numbers, ${family} kernels`, async (shared) => {
    const device = ofFamily(shared, family);
    using _ = device.scope("test");
    for (const shape of [[2, 65_536], [70_001, 5], [3, 4097]]) {
      const data = randomArray(shape[0] * shape[1], 5).map((v) => v * 3 + 1e3);
      const out = softmax(device.tensor(data, shape));
      const expected = referenceOf(reference(shape, data), 1).data;
      assertClose(await out.read(), expected, { rtol: 5e-5, atol: 1e-9 }, `[${shape}]`);
    }
    const masked = softmax(device.tensor([-1e9, 0, -1e9, 0, -1e9, -1e9, -1e9, -1e9], [2, 4]));
    assert.deepEqual([...await masked.read()], [0, 0.5, 0, 0.5, 0.25, 0.25, 0.25, 0.25]);
  });
}

gpuTest("softmax() refuses an axis that is not there", (device) => {
  assert.throws(() => softmax(device.zeros([2, 3]), { axis: 2 }), RangeError);
  assert.throws(() => softmax(device.zeros([])), RangeError);
});
