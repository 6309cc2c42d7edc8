import assert from "node:assert/strict";
import { pullback, sizeOf, type Tensor } from "../../core/mod.ts";
import { softmax } from "../../ops/softmax.ts";
import { assertClose, familyCheck, familyTest, gpuTest, randomArray, type Reference, reference } from "../_gpu.ts";

function referenceOf(x: Reference, axis: number): Reference {
  const length = x.shape[axis];
  const stride = x.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const out = reference(x.shape);
  for (let start = 0; start < x.data.length; start++) {
    if (Math.floor(start / stride) % length) continue;
    const places = Array.from({ length }, (_, i) => start + i * stride);
    const top = places.reduce((top, i) => Math.max(top, x.data[i]), -Infinity);
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

for (const [shape, axis] of CASES) {
  familyCheck(`softmax() matches float64 for [${shape}] along axis ${axis}`, {
    inputs: { x: shape },
    fill: { x: (i) => 8 * Math.sin(i * 78.233) },
    gpu: ({ x }) => softmax(x, { axis }),
    reference: ({ x }) => referenceOf(x, (axis + shape.length) % shape.length),
    rtol: 1e-5,
    atol: 1e-7,
  });
}

familyTest(`softmax() is right for long lines, many lines and large numbers`, async (device) => {
  for (const shape of [[2, 65_536], [70_001, 5], [3, 4097]]) {
    const data = randomArray(shape[0] * shape[1], 5).map((v) => v * 3 + 1e3);
    const out = softmax(device.tensor(data, shape));
    const expected = referenceOf(reference(shape, data), 1).data;
    assertClose(await out.read(), expected, { rtol: 5e-5, atol: 1e-9 }, `[${shape}]`);
  }
  const masked = softmax(device.tensor([-1e9, 0, -1e9, 0, -1e9, -1e9, -1e9, -1e9], [2, 4]));
  assert.deepEqual([...await masked.read()], [0, 0.5, 0, 0.5, 0.25, 0.25, 0.25, 0.25]);
});

/** Past the lengths from which an invocation of lavapipe would stop early. */
const LONG = [[1, 16_385], [2, 21_847], [1, 131_074], [1, 1_000_003]];

familyTest(`softmax() of long lines is right to the last element, gradients included`, async (device) => {
  const shapes: [number[], number][] = LONG.map((shape) => [shape, 1]);
  shapes.push([[21_847, 3], 0], [[21_847, 4], 0], [[2, 16_385, 1], 1], [[16_384, 1], 0], [[3, 16_384], 1]);
  for (const [shape, axis] of shapes) {
    const data = randomArray(sizeOf(shape), 5).map((v) => 4 * v);
    const { output, pullLeaves } = pullback(
      device,
      (x: Tensor) => softmax(x, { axis }),
      device.tensor(data, shape),
    );
    const expected = referenceOf(reference(shape, data), axis).data;
    assertClose(await output.read(), expected, { rtol: 5e-5, atol: 0 }, `[${shape}]`);
    const cotangent = randomArray(data.length, 6);
    const [dx] = pullLeaves([device.tensor(cotangent, shape)]);
    const stride = sizeOf(shape.slice(axis + 1)),
      lineOf = (i: number) => Math.floor(i / stride / shape[axis]) * stride + i % stride;
    const dots = new Float64Array(data.length / shape[axis]);
    expected.forEach((y, i) => (dots[lineOf(i)] += y * cotangent[i]));
    const slopes = expected.map((y, i) => y * (cotangent[i] - dots[lineOf(i)]));
    const scale = expected.reduce((most, y) => Math.max(most, y));
    assertClose(await dx!.read(), slopes, { rtol: 1e-4, atol: 1e-5 * scale }, `gradient of [${shape}]`);
  }
});

familyTest(`softmax() of NaN and infinities is that of PyTorch`, async (device) => {
  const [N, I] = [NaN, Infinity];
  for (const width of [4, 5, 64, 16_386]) {
    const rows = [[1, N, 2], [-I, -I, -I], [-I, 1, 1], [I, 1, 2]].map((
      row,
    ) => [...row, ...new Array(width - 3).fill(row[0])]);
    const out = await softmax(device.tensor(rows.flat(), [4, width])).read();
    const [nan, none, some, all] = rows.map((_, i) => [...out.slice(i * width, (i + 1) * width)]);
    assert.ok([...nan, ...none, ...all.slice(3)].every(Number.isNaN), `${width}: ${[nan, none, all]}`);
    assert.deepEqual([all[1], all[2]], [N, N]);
    assert.deepEqual(some, rows[2].map((x) => x === 1 ? 0.5 : 0));
  }
});

gpuTest("softmax() of nothing is nothing", async (device) => {
  for (const shape of [[3, 0], [0, 3], [0]]) {
    for (const axis of shape.keys()) {
      const { output, pullLeaves } = pullback(device, (x: Tensor) => softmax(x, { axis }), device.zeros(shape));
      assert.deepEqual([output.shape, (await output.read()).length], [shape, 0]);
      assert.deepEqual(pullLeaves([device.zeros(shape)])[0]!.shape, shape);
    }
  }
});

gpuTest("softmax() refuses an axis that is not there", (device) => {
  assert.throws(() => softmax(device.zeros([2, 3]), { axis: 2 }), RangeError);
  assert.throws(() => softmax(device.zeros([])), RangeError);
});
