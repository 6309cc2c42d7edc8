import assert from "node:assert/strict";
import { pullback, type Tensor } from "../../core/mod.ts";
import { layerNorm } from "../../ops/layer_norm.ts";
import {
  assertClose,
  checkOp,
  familyCheck,
  familyTest,
  gpuTest,
  randomArray,
  type Reference,
  reference,
} from "../_gpu.ts";

function referenceOf(
  { x, gamma, beta }: { x: Reference; gamma?: Reference; beta?: Reference },
  eps = 1e-5,
): Reference {
  const c = x.shape[x.shape.length - 1];
  const out = reference(x.shape);
  for (let from = 0; from < x.data.length; from += c) {
    const row = x.data.subarray(from, from + c);
    const mean = row.reduce((sum, v) => sum + v, 0) / c;
    const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / c;
    row.forEach((v, i) => {
      const normal = (v - mean) / Math.sqrt(variance + eps);
      out.data[from + i] = normal * (gamma?.data[i] ?? 1) + (beta?.data[i] ?? 0);
    });
  }
  return out;
}

for (const shape of [[13, 7], [1, 1], [3, 300], [2, 5, 24], [5, 64], [70, 3, 32]] as const) {
  const c = shape[shape.length - 1];
  familyCheck(`layerNorm() matches float64 for x [${shape}]`, {
    inputs: { x: shape, gamma: [c], beta: [c] },
    gpu: ({ x, gamma, beta }) => layerNorm(x, { gamma, beta }),
    reference: (inputs) => referenceOf(inputs),
    rtol: 1e-5,
    atol: 1e-5,
  });
  familyCheck(`layerNorm() without scale and offset matches float64 for x [${shape}]`, {
    inputs: { x: shape },
    gpu: ({ x }) => layerNorm(x, {}, { eps: 1e-2 }),
    reference: (inputs) => referenceOf(inputs, 1e-2),
    rtol: 1e-5,
    atol: 1e-5,
  });
}

gpuTest("layerNorm() has exact parameter gradients over 70,001 rows", async (device) => {
  const rows = 70_001, c = 5;
  const data = randomArray(rows * c, 1), cotangent = randomArray(rows * c, 2);
  const x = device.tensor(data, [rows, c]), gamma = device.tensor([1, 2, 3, 4, 5], [c]), beta = device.zeros([c]);
  const back = pullback<{ gamma: Tensor; beta: Tensor }, Tensor>(device, (affine) => layerNorm(x, affine), {
    gamma,
    beta,
  });
  const normal = referenceOf({ x: reference([rows, c], data) }).data;
  assertClose(await back.output.read(), normal.map((v, i) => v * (i % c + 1)), { rtol: 1e-5, atol: 2e-5 });
  const { gamma: dGamma, beta: dBeta } = back.pull([device.tensor(cotangent, [rows, c])]);
  const expected = { gamma: new Float64Array(c), beta: new Float64Array(c) };
  cotangent.forEach((d, i) => {
    expected.gamma[i % c] += d * normal[i];
    expected.beta[i % c] += d;
  });
  assertClose(await dGamma!.read(), expected.gamma, { rtol: 1e-5, atol: 2e-3 }, "gamma"); // sums of 70,001 terms up to 2
  assertClose(await dBeta!.read(), expected.beta, { rtol: 1e-5, atol: 1e-3 }, "beta");
});

gpuTest("layerNorm() gives beta for constant rows, and finite gradients", async (device) => {
  for (const c of [7, 64]) {
    const x = device.tensor(new Float32Array(3 * c).fill(1234.567), [3, c]);
    const gamma = device.tensor(randomArray(c, 1), [c]), beta = device.tensor(randomArray(c, 2), [c]);
    const back = pullback<{ x: Tensor }, Tensor>(device, (inputs) => layerNorm(inputs.x, { gamma, beta }), { x });
    assert.deepEqual([...await back.output.read()], [0, 1, 2].flatMap(() => [...randomArray(c, 2)]));
    const { x: dx } = back.pull([device.tensor(randomArray(3 * c, 3), [3, c])]);
    assert((await dx!.read()).every(Number.isFinite));
  }
});

familyTest(`layerNorm() loses no digits to an offset of 10,000`, async (device) => {
  for (const shape of [[9, 128], [4, 4096], [3, 33]] as const) {
    await checkOp(device, {
      inputs: { x: shape },
      fill: { x: (i) => 1e4 + Math.sin(i * 12.9898) },
      gpu: ({ x }) => layerNorm(x),
      reference: (inputs) => referenceOf(inputs),
      rtol: 1e-5,
      atol: 1e-5,
      gradTolerance: 2e-3, // the differences of the reference lose digits to the offset
    });
  }
});

gpuTest("layerNorm() is right where the first element lies far away", async (device) => {
  const c = 256;
  const data = randomArray(5 * c, 4).map((v, i) => (i % c === 0 ? 1e4 : v));
  const out = layerNorm(device.tensor(data, [5, c]));
  assertClose(await out.read(), referenceOf({ x: reference([5, c], data) }).data, { rtol: 1e-5, atol: 2e-6 });
});

familyTest(`layerNorm() of long rows is right to the last element, gradients included`, async (device) => {
  for (const [rows, c] of [[2, 16_384], [3, 16_385], [2, 32_769], [1, 131_076], [1, 400_001]]) {
    const data = randomArray(rows * c, 1).map((v) => v + 100), cotangent = randomArray(rows * c, 2);
    const weights = randomArray(c, 3), offsets = randomArray(c, 4);
    const back = pullback<{ x: Tensor; gamma: Tensor; beta: Tensor }, Tensor>(
      device,
      ({ x, ...affine }) => layerNorm(x, affine),
      {
        x: device.tensor(data, [rows, c]),
        gamma: device.tensor(weights, [c]),
        beta: device.tensor(offsets, [c]),
      },
    );
    const inputs = { x: reference([rows, c], data), gamma: reference([c], weights), beta: reference([c], offsets) };
    const atol = 1e-5; // float32 has five digits less of the numbers around 100
    assertClose(await back.output.read(), referenceOf(inputs).data, { rtol: 1e-5, atol }, `[${rows}, ${c}]`);
    const { x: dx, gamma: dGamma, beta: dBeta } = back.pull([device.tensor(cotangent, [rows, c])]);
    const slopes = new Float64Array(rows * c), gammas = new Float64Array(c), betas = new Float64Array(c);
    const normal = referenceOf({ x: inputs.x }).data;
    for (let from = 0; from < rows * c; from += c) {
      const row = inputs.x.data.subarray(from, from + c);
      const mean = row.reduce((sum, v) => sum + v, 0) / c;
      const rstd = 1 / Math.sqrt(row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / c + 1e-5);
      let meanG = 0, meanGn = 0;
      for (let i = 0; i < c; i++) {
        const d = cotangent[from + i], n = normal[from + i];
        meanG += d * weights[i] / c;
        meanGn += d * weights[i] * n / c;
        gammas[i] += d * n;
        betas[i] += d;
      }
      for (let i = 0; i < c; i++) {
        slopes[from + i] = rstd * (cotangent[from + i] * weights[i] - meanG - normal[from + i] * meanGn);
      }
    }
    assertClose(await dx!.read(), slopes, { rtol: 1e-4, atol: 2e-5 }, `gradient of x [${rows}, ${c}]`);
    assertClose(await dGamma!.read(), gammas, { rtol: 1e-5, atol: 2e-5 }, `gradient of gamma [${c}]`);
    assertClose(await dBeta!.read(), betas, { rtol: 1e-5, atol: 1e-6 }, `gradient of beta [${c}]`);
  }
});

gpuTest("layerNorm() of nothing is nothing", async (device) => {
  for (const shape of [[3, 0], [0, 3], [0, 0]]) {
    const affine = { gamma: device.zeros([shape[1]]), beta: device.zeros([shape[1]]) };
    const { output, pull } = pullback(
      device,
      ({ x, ...affine }: Record<"x" | "gamma" | "beta", Tensor>) => layerNorm(x, affine),
      { x: device.zeros(shape), ...affine },
    );
    assert.deepEqual([output.shape, (await output.read()).length], [shape, 0]);
    assert.deepEqual(pull([device.zeros(shape)]).x!.shape, shape);
  }
});

gpuTest("a NaN in a row makes all of its layer norm NaN, and no other row", async (device) => {
  for (const c of [3, 64, 16_388]) {
    const out = await layerNorm(device.tensor(randomArray(2 * c, 1).map((v, i) => i === c + 1 ? NaN : v), [2, c]))
      .read();
    assert.ok(out.subarray(0, c).every(Number.isFinite) && out.subarray(c).every(Number.isNaN), `C = ${c}`);
  }
});

gpuTest("layerNorm() names the shapes that do not fit", (device) => {
  const x = device.zeros([2, 3]), gamma = device.zeros([2]), beta = device.zeros([3, 1]);
  assert.throws(() => layerNorm(x, { gamma }), { name: "TypeError", message: /x is \[2,3\], gamma is \[2\]/ });
  assert.throws(() => layerNorm(x, { beta }), { name: "TypeError", message: /beta is \[3,1\]/ });
  assert.throws(() => layerNorm(device.zeros([])), TypeError);
});
