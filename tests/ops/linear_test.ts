import assert from "node:assert/strict";
import { pullback, type Tensor } from "../../core/mod.ts";
import { linear } from "../../ops/mod.ts";
import { assertClose, checkOp, gpuTest, randomArray, type Reference, reference } from "../_gpu.ts";

const erf = (x: number) => { // series, good to 1e-15 for the small arguments of these tests
  let sum = x, term = x;
  for (let n = 1; n < 60; n++) sum += (term *= -x * x / n) / (2 * n + 1);
  return 2 / Math.sqrt(Math.PI) * sum;
};
const ACTIVATIONS = {
  none: (x: number) => x,
  relu: (x: number) => Math.max(0, x),
  sigmoid: (x: number) => 1 / (1 + Math.exp(-x)),
  gelu: (x: number) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
};

type Operands = { x: Reference; weight: Reference; bias?: Reference; gate?: Reference; residual?: Reference };

function reference64({ x, weight, bias, gate, residual }: Operands, activation: keyof typeof ACTIVATIONS): Reference {
  const [n, k] = weight.shape;
  const rows = x.data.length / k;
  const out = reference([...x.shape.slice(0, -1), n]);
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < n; j++) {
      let sum = bias?.data[j] ?? 0;
      for (let t = 0; t < k; t++) sum += x.data[r * k + t] * weight.data[j * k + t];
      sum = ACTIVATIONS[activation](sum);
      if (gate) sum *= ACTIVATIONS.sigmoid(gate.data[r * n + j]);
      out.data[r * n + j] = sum + (residual?.data[r * n + j] ?? 0);
    }
  }
  return out;
}

for (const [rows, k, n] of [[13, 8, 12], [6, 7, 5], [1, 1, 1], [150, 16, 1]]) {
  for (const activation of Object.keys(ACTIVATIONS) as (keyof typeof ACTIVATIONS)[]) {
    gpuTest(`linear() with bias and ${activation}: [2, ${rows}, ${k}] to ${n}`, (device) =>
      checkOp(device, {
        inputs: { x: [2, rows, k], weight: [n, k], bias: [n] },
        gpu: ({ x, weight, bias }) => linear(x, { weight, bias }, { activation }),
        reference: (inputs) => reference64(inputs, activation),
        atol: 3e-6,
      }));
  }
  gpuTest(`linear() with gate and residual: [${rows}, ${k}] to ${n}`, (device) =>
    checkOp(device, {
      inputs: { x: [rows, k], weight: [n, k], gate: [rows, n], residual: [rows, n] },
      gpu: ({ x, weight, gate, residual }) => linear(x, { weight }, { gate, residual }),
      reference: (inputs) => reference64(inputs, "none"),
      atol: 3e-6,
    }));
}

gpuTest("linear() with and without bias or relu runs one kernel, whose compile time is paid once", async (device) => {
  const arrays = { x: randomArray(5 * 8, 1), weight: randomArray(12 * 8, 2), bias: randomArray(12, 3) };
  const x = device.tensor(arrays.x, [5, 8]), weight = device.tensor(arrays.weight, [12, 8]);
  const bias = device.tensor(arrays.bias, [12]);
  const given = {
    x: reference([5, 8], arrays.x),
    weight: reference([12, 8], arrays.weight),
    bias: reference([12], arrays.bias),
  };
  const kernels = new Set<string>();
  const run = device.run;
  device.run = (kernel, dispatch) => {
    kernels.add(kernel.source.body);
    run.call(device, kernel, dispatch);
  };
  try {
    for (const activation of ["none", "relu"] as const) {
      const plain = await linear(x, { weight }, { activation }).read();
      assertClose(plain, reference64({ ...given, bias: undefined }, activation).data, { atol: 3e-6 }, activation);
      const biased = await linear(x, { weight, bias }, { activation }).read();
      assertClose(biased, reference64(given, activation).data, { atol: 3e-6 }, `bias, ${activation}`);
    }
    assert.equal(kernels.size, 1);
  } finally {
    device.run = run;
  }
});

gpuTest("the way back of linear() is a product for the input and one for weight and bias", async (device) => {
  const inputs = {
    x: device.tensor(randomArray(37 * 8, 1), [37, 8]),
    weight: device.tensor(randomArray(12 * 8, 2), [12, 8]),
    bias: device.tensor(randomArray(12, 3), [12]),
  };
  const back = pullback(device, ({ x, ...params }: typeof inputs) => linear(x, params), inputs);
  await device.finish();
  const before = device.dispatches;
  back.pullLeaves([device.zeros([37, 12])]);
  assert.equal(device.dispatches - before, 2);
});

gpuTest("linear() refuses shapes that do not fit, naming them", (device) => {
  const x: Tensor = device.zeros([2, 3]), weight = device.zeros([5, 4]);
  assert.throws(() => linear(x, { weight }), /x \[2,3\] with weight \[5,4\]/);
  const fitting = { weight: device.zeros([5, 3]) };
  assert.throws(() => linear(x, fitting, { residual: device.zeros([2, 4]) }), /residual \[2,4\]/);
  assert.throws(() => linear(x, fitting, { residual: device.zeros([10]) }), /to \[2,5\] with .* residual \[10\]/);
  assert.throws(() => linear(x, fitting, { gate: device.zeros([5, 2]) }), /to \[2,5\] with gate \[5,2\]/);
  const residual = device.zeros([2, 5]);
  assert.throws(() => linear(x, fitting, { residual, activation: "relu" }), /choose one/);
});
