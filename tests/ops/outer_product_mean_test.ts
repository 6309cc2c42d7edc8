import assert from "node:assert/strict";
import { outerProductMean } from "../../ops/mod.ts";
import { assertClose, checkOp, gpuTest, randomArray, type Reference, reference } from "../_gpu.ts";

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
  ] as const
) {
  gpuTest(
    `outerProductMean() and its gradients: ${[nBatch, nSeq, nI, nJ, cA, cB, cOut].join(" ")}${
      scale === undefined ? "" : `, scale ${scale}`
    }`,
    (device) =>
      checkOp(device, {
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
      }),
  );
}

gpuTest("outerProductMean() in chunks of rows gives what it gives at once", async (device) => {
  const [nSeq, n, c, cOut] = [700, 3, 32, 512]; // one row's intermediate product is 46 MB: every row is a chunk
  const a = randomArray(nSeq * n * c, 1), weight = randomArray(cOut * c * c, 2);
  const x = device.tensor(a, [1, nSeq, n, c]);
  const out = await outerProductMean({ a: x, b: x, weight: device.tensor(weight, [cOut, c * c]) }).read();
  for (const [i, j, z] of [[0, 0, 0], [2, 1, 511], [1, 2, 77]]) {
    let expected = 0;
    for (let s = 0; s < nSeq; s++) {
      for (let d = 0; d < c; d++) {
        for (let e = 0; e < c; e++) {
          expected += a[(s * n + i) * c + d] * a[(s * n + j) * c + e] * weight[(z * c + d) * c + e] / nSeq;
        }
      }
    }
    assertClose([out[(i * n + j) * cOut + z]], [expected], { rtol: 1e-4, atol: 1e-4 });
  }
});

gpuTest("outerProductMean() refuses shapes that do not fit, naming them", (device) => {
  const a = device.zeros([1, 2, 3, 4]), weight = device.zeros([5, 15]);
  assert.throws(() => outerProductMean({ a, b: a, weight }), /weight \[5,15\]/);
  const bias = device.zeros([4]);
  assert.throws(() => outerProductMean({ a, b: a, weight: device.zeros([5, 16]), bias }), /bias must be \[5\].*\[4\]/);
});
