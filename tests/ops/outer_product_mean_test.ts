import assert from "node:assert/strict";
import { outerProductMean } from "../../ops/mod.ts";
import { outerFirst } from "../../ops/_opm_outer_first.ts";
import { planOf } from "../../ops/_opm_plan.ts";
import { weightFirst } from "../../ops/_opm_weight_first.ts";
import { assertClose, familyCheck, gpuTest, randomArray, type Reference, reference } from "../_gpu.ts";

function reference64(
  { a, b, weight, bias, residual }: Record<"a" | "b" | "weight" | "bias" | "residual", Reference>,
  scale?: number,
): Reference {
  const [nBatch, nSeq, nI, cA] = a.shape;
  const [, , nJ, cB] = b.shape;
  const cOut = weight.shape[0];
  const out = reference([nBatch, nI, nJ, cOut], residual.data.map((x, at) => x + bias.data[at % cOut]));
  for (let q = 0; q < nBatch; q++) {
    for (let s = 0; s < nSeq; s++) {
      for (let i = 0; i < nI; i++) {
        for (let j = 0; j < nJ; j++) {
          for (let d = 0; d < cA; d++) {
            for (let e = 0; e < cB; e++) {
              const product = a.data[((q * nSeq + s) * nI + i) * cA + d] * b.data[((q * nSeq + s) * nJ + j) * cB + e];
              const x = product * (scale ?? 1 / nSeq);
              for (let z = 0; z < cOut; z++) {
                out.data[((q * nI + i) * nJ + j) * cOut + z] += x * weight.data[(z * cA + d) * cB + e];
              }
            }
          }
        }
      }
    }
  }
  return out;
}

for (
  const [nBatch, nSeq, nI, nJ, cA, cB, cOut, scale] of [
    [2, 3, 5, 4, 4, 8, 12, undefined],
    [1, 5, 3, 6, 3, 2, 5, undefined],
    [2, 4, 3, 5, 8, 4, 6, 1],
    [1, 1, 1, 1, 1, 1, 1, undefined],
    [2, 60, 3, 5, 4, 8, 12, undefined], // so many sequences that outer products come first
    [1, 70, 4, 3, 3, 5, 7, 1],
  ] as const
) {
  familyCheck(
    `outerProductMean() and its gradients: ${[nBatch, nSeq, nI, nJ, cA, cB, cOut].join(" ")}${
      scale === undefined ? "" : `, scale ${scale}`
    }`,
    {
      inputs: {
        a: [nBatch, nSeq, nI, cA],
        b: [nBatch, nSeq, nJ, cB],
        weight: [cOut, cA * cB],
        bias: [cOut],
        residual: [nBatch, nI, nJ, cOut],
      },
      gpu: (inputs) => outerProductMean(inputs, { scale }),
      reference: (inputs) => reference64(inputs, scale),
      atol: 3e-6,
    },
  );
}

gpuTest(
  "both orders of the sums, in several chunks of rows, agree; few elements are checked against float64",
  async (device) => {
    const [nSeq, nI, nJ, c, cOut] = [120, 100, 60, 32, 64];
    const numbers = {
      a: randomArray(nSeq * nI * c, 1),
      b: randomArray(nSeq * nJ * c, 2),
      w: randomArray(cOut * c * c, 3),
    };
    const inputs = {
      a: device.tensor(numbers.a, [1, nSeq, nI, c]),
      b: device.tensor(numbers.b, [1, nSeq, nJ, c]),
      weight: device.tensor(numbers.w, [cOut, c * c]),
      scale: 1 / nSeq,
    };
    const plan = planOf(inputs.a.shape, inputs.b.shape, inputs.weight.shape);
    const dOut = device.tensor(randomArray(nI * nJ * cOut, 4), [1, nI, nJ, cOut]);
    const [one, other] = await Promise.all([weightFirst, outerFirst].map(async (order) => {
      const out = order.forward(device, plan, inputs, { consume: false });
      const { a, b, weight } = order.backward(device, plan, inputs, dOut, { a: true, b: true, weight: true });
      const found: [string, ArrayLike<number>][] = [];
      for (const [name, tensor] of Object.entries({ out, a, b, weight })) found.push([name, await tensor!.read()]);
      return found;
    }));
    for (const [i, [name, data]] of one.entries()) {
      const largest = Array.from(data).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      assertClose(other[i][1], data, { rtol: 0, atol: 1e-5 * largest }, name);
    }
    for (const [i, j, z] of [[0, 0, 0], [99, 59, 63], [57, 31, 7]]) {
      let expected = 0;
      for (let s = 0; s < nSeq; s++) {
        for (let d = 0; d < c; d++) {
          for (let e = 0; e < c; e++) {
            expected += numbers.a[(s * nI + i) * c + d] * numbers.b[(s * nJ + j) * c + e] *
              numbers.w[(z * c + d) * c + e] / nSeq;
          }
        }
      }
      assertClose([one[0][1][(i * nJ + j) * cOut + z]], [expected], { rtol: 1e-5, atol: 1e-5 });
    }
  },
);

gpuTest("with thousands of sequences, memory for outer products stays that of a chunk", (device) => {
  const [nSeq, n, c, cOut] = [2048, 96, 16, 32];
  const a = device.zeros([1, nSeq, n, c]), weight = device.zeros([cOut, c * c]);
  device.resetPeakMemory();
  const before = device.memory.liveBytes;
  outerProductMean({ a, b: a, weight });
  const products = 4 * n * n * c * c; // 9.4 MB, in one chunk; a chunk of the other order would be of 80 MiB
  assert.ok(device.memory.peakBytes - before < 3 * products + 4 * a.size, `${device.memory.peakBytes - before} bytes`);
});

gpuTest("outerProductMean() refuses shapes that do not fit, naming them", (device) => {
  const a = device.zeros([1, 2, 3, 4]), weight = device.zeros([5, 15]);
  assert.throws(() => outerProductMean({ a, b: a, weight }), /weight \[5,15\]/);
  const fitting = { a, b: a, weight: device.zeros([5, 16]), residual: device.zeros([9, 5]) };
  assert.throws(() => outerProductMean(fitting), /residual \[1,3,3,5\], they are \[none\] and \[9,5\]/);
  const bias = device.zeros([4]);
  assert.throws(() => outerProductMean({ a, b: a, weight: device.zeros([5, 16]), bias }), /bias must be \[5\].*\[4\]/);
});
