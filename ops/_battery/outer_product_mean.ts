/** The outer product mean, which is made of other ops' kernels, against float64. */
import { compare, type Device, noise, type ProbeOutcome, pullback, type Tensor } from "../../core/mod.ts";
import { outerProductMean } from "../outer_product_mean.ts";

const I = 7, J = 6, C_A = 8, C_B = 12, OUT = 20;

/** Numbers of sequences for which the op goes about it in either order. */
const SEQUENCES = [3, 40];

type Inputs = { a: Tensor; b: Tensor; weight: Tensor; bias: Tensor; residual: Tensor };

/** Runs the op or its way back, in both orders or in one, and compares the output or the gradients. */
export async function checkOuterProductMean(
  device: Device,
  pass: "forward" | "gradient",
  whole: boolean,
): Promise<ProbeOutcome> {
  let largestError = 0;
  for (const sequences of whole ? SEQUENCES : SEQUENCES.slice(0, 1)) {
    using scope = device.scope("outerProductMean");
    void scope;
    const shapes = { a: [1, sequences, I, C_A], b: [1, sequences, J, C_B], weight: [OUT, C_A * C_B], bias: [OUT] };
    const data = {
      a: noise(sequences * I * C_A, 1),
      b: noise(sequences * J * C_B, 2),
      weight: noise(OUT * C_A * C_B, 3),
      ...{ bias: noise(OUT, 4), residual: noise(I * J * OUT, 5) },
    };
    const dOut = noise(I * J * OUT, 6);
    const inputs: Inputs = {
      a: device.tensor(data.a, shapes.a),
      b: device.tensor(data.b, shapes.b),
      weight: device.tensor(data.weight, shapes.weight),
      bias: device.tensor(data.bias, shapes.bias),
      residual: device.tensor(data.residual, [1, I, J, OUT]),
    };
    const expected = reference(sequences, data, dOut);
    const results: [string, Tensor | null][] = [];
    if (pass === "forward") {
      results.push(["out", outerProductMean(inputs)]);
    } else {
      const { output, pullLeaves } = pullback<Inputs, Tensor>(device, outerProductMean, inputs);
      const gradients = pullLeaves([device.tensor(dOut, output.shape)]);
      (["a", "b", "weight", "bias"] as const).forEach((name, i) => results.push([name, gradients[i]]));
    }
    for (const [name, tensor] of results) {
      const found = compare(name, await tensor!.read(), expected[name], 1e-4);
      largestError = Math.max(largestError, found.largestError);
      if (!found.right) return { ...found, reason: `${found.reason} (${sequences} sequences)` };
    }
  }
  return { right: true, largestError, reason: "" };
}

function reference(
  sequences: number,
  { a, b, weight, bias, residual }: Readonly<Record<keyof Inputs, Float32Array>>,
  dOut: Float32Array,
): Record<string, Float64Array> {
  const out = Float64Array.from(residual, (x, at) => x + bias[at % OUT]);
  const [da, db, dWeight, dBias] = [a.length, b.length, weight.length, OUT].map((size) => new Float64Array(size));
  for (let i = 0; i < I; i++) {
    for (let j = 0; j < J; j++) {
      for (let o = 0; o < OUT; o++) {
        const at = (i * J + j) * OUT + o;
        dBias[o] += dOut[at];
        for (let s = 0; s < sequences; s++) {
          for (let p = 0; p < C_A; p++) {
            for (let q = 0; q < C_B; q++) {
              const atA = (s * I + i) * C_A + p, atB = (s * J + j) * C_B + q, atW = (o * C_A + p) * C_B + q;
              out[at] += weight[atW] * a[atA] * b[atB] / sequences;
              const d = dOut[at] / sequences;
              da[atA] += d * weight[atW] * b[atB];
              db[atB] += d * weight[atW] * a[atA];
              dWeight[atW] += d * a[atA] * b[atB];
            }
          }
        }
      }
    }
  }
  return { out, a: da, b: db, weight: dWeight, bias: dBias };
}
