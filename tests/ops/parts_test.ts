import assert from "node:assert/strict";
import { type Device, pullback, type Tensor } from "../../core/mod.ts";
import { layerNorm, layerNormOfPart, linear, linearInto, type Part, readPart, shapeOfPart } from "../../ops/mod.ts";
import { assertClose, familyTest, gpuTest, randomArray } from "../_gpu.ts";

const SHAPE = [2, 7, 9, 12];

/** Parts of a tensor of that shape: rows, columns, all. */
const PARTS: readonly Part[] = [{ axis: 1, from: 2, to: 5 }, { axis: 2, from: 1, to: 8 }, { axis: 1, from: 0, to: 7 }];

function random(device: Device, shape: readonly number[], seed: number): Tensor {
  return device.tensor(randomArray(shape.reduce((a, b) => a * b, 1), seed), shape);
}

familyTest("layerNormOfPart() is layerNorm() of the part", async (device) => {
  const x = random(device, SHAPE, 1), gamma = random(device, [12], 2), beta = random(device, [12], 3);
  for (const part of PARTS) {
    const got = layerNormOfPart(x, part, { gamma, beta }, { eps: 1e-3 });
    assert.deepEqual(got.shape, shapeOfPart(SHAPE, part));
    assertClose(await got.read(), await layerNorm(readPart(x, part), { gamma, beta }, { eps: 1e-3 }).read());
  }
});

/** Places of a tensor's elements that are in a part. */
function inside({ axis, from, to }: Part): boolean[] {
  const inner = SHAPE.slice(axis + 1).reduce((a, b) => a * b, 1);
  return Array.from({ length: SHAPE.reduce((a, b) => a * b, 1) }, (_, i) => {
    const at = Math.floor(i / inner) % SHAPE[axis];
    return at >= from && at < to;
  });
}

const check = async (device: Device, dtype: "f32" | "f16", part: Part, onTop: boolean) => {
  const weight = random(device, [12, 8], 1), bias = random(device, [12], 2);
  const shape = shapeOfPart(SHAPE, part);
  const x = random(device, [...shape.slice(0, 3), 8], 3), gate = random(device, shape, 4);
  const factor = random(device, shape.slice(0, 3), 5);
  const out = device.tensor(randomArray(2 * 7 * 9 * 12, 6), SHAPE, dtype);
  const was = await out.read(), factors = await factor.read();
  const expected = await linear(x, { weight, bias }, { gate }).read();
  linearInto(x, { weight, bias }, out, part, { gate, factor, onTop });
  let next = 0;
  const wanted = inside(part).map((within, at) => {
    if (!within) return was[at];
    const update = expected[next] * factors[Math.floor(next++ / 12)];
    return update + (onTop ? was[at] : 0);
  });
  assertClose(await out.read(), wanted, dtype === "f16" ? { rtol: 1e-3, atol: 1e-3 } : {});
};

familyTest("linearInto() adds to a part of a tensor and leaves the rest", async (device) => {
  for (const part of PARTS) await check(device, "f32", part, true);
});

gpuTest("linearInto() overwrites a part, and takes tensors of 16-bit floats", async (device) => {
  await check(device, "f32", PARTS[1], false);
  await check(device, "f16", PARTS[0], true);
});

gpuTest("linearInto() of odd channels is the same, by copies", async (device) => {
  const x = random(device, [1, 3, 2, 5], 1), weight = random(device, [7, 5], 2), out = random(device, [1, 3, 4, 7], 3);
  const part = { axis: 2, from: 1, to: 3 };
  const residual = readPart(out, part);
  const expected = await linear(x, { weight }, { residual }).read();
  linearInto(x, { weight }, out, part, { onTop: true });
  assertClose(await readPart(out, part).read(), expected);
});

gpuTest("parts refuse gradients", (device) => {
  const x = random(device, [2, 4, 4], 1), weight = random(device, [4, 4], 2);
  const part = { axis: 0, from: 0, to: 1 };
  const { output, pullLeaves } = pullback(device, (x: Tensor) => {
    assert.throws(() => layerNormOfPart(x, part), /No gradient flows/);
    assert.throws(() => linearInto(readPart(weight, part), { weight }, x, part), TypeError);
    return linear(x, { weight });
  }, x);
  pullLeaves([output]);
});
