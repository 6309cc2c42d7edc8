import assert from "node:assert/strict";
import { Key, type Tensor } from "../../../core/mod.ts";
import {
  distogramBoundaries,
  headsConfig,
  headsShapes,
  initHeads,
  pairErrors,
  plddt,
  plddtHead,
  predictedTmScore,
  predictPairErrors,
  tmHead,
} from "../../../model/alphafold/heads/mod.ts";
import { countParams } from "../../../model/layers/params.ts";
import { assertClose, checkOp, gpuTest, randomArray, type Reference, reference } from "../../_gpu.ts";

const numbers = (device: Tensor["device"], shape: readonly number[], seed: number, scale = 1) =>
  device.tensor(randomArray(shape.reduce((a, b) => a * b, 1), seed).map((x) => x * scale), shape);

/** Suppl. 1.9.7 in float64: PAE of every pair, pTM of every example. */
function confidence64(logits: Reference, weights: Float64Array, maxBin: number): { pae: number[]; ptm: number[] } {
  const [batch, n, , bins] = logits.shape;
  const step = maxBin / (bins - 2);
  const pae: number[] = [], ptm: number[] = [];
  for (let b = 0; b < batch; b++) {
    const own = weights.subarray(b * n, (b + 1) * n);
    const count = own.reduce((x, y) => x + y, 0);
    const scale = 1.24 * (Math.max(count, 19) - 15) ** (1 / 3) - 1.8;
    let best = [-1, -1];
    for (let i = 0; i < n; i++) {
      let tm = 0;
      for (let j = 0; j < n; j++) {
        const row = logits.data.subarray(((b * n + i) * n + j) * bins, ((b * n + i) * n + j + 1) * bins);
        const top = Math.max(...row);
        const whole = row.reduce((sum, x) => sum + Math.exp(x - top), 0);
        let error = 0, term = 0;
        row.forEach((x, k) => {
          const p = Math.exp(x - top) / whole, center = (k + 0.5) * step;
          error += p * center;
          term += p / (1 + (center / scale) ** 2);
        });
        pae.push(error);
        tm += term * own[j] / (1e-8 + count);
      }
      if (tm * own[i] > best[0]) best = [tm * own[i], tm];
    }
    ptm.push(best[1]);
  }
  return { pae, ptm };
}

for (const [batch, n, bins, maxBin] of [[1, 5, 7, 31], [2, 23, 64, 31], [3, 1, 5, 15]] as const) {
  gpuTest(`aligned errors and pTM of logits [${batch}, ${n}, ${n}, ${bins}] match float64`, async (device) => {
    const logits = numbers(device, [batch, n, n, bins], 1, 6);
    const weights = Float32Array.from({ length: batch * n }, (_, i) => (i % n === 0 || i % 3 ? 1 : 0));
    const residueWeights = device.tensor(weights, [batch, n]);
    const given = reference(logits.shape, await logits.read());
    for (const own of [residueWeights, undefined]) {
      const used = own ? weights : new Float32Array(batch * n).fill(1);
      const expected = confidence64(given, Float64Array.from(used), maxBin);
      const errors = pairErrors(logits, { residueWeights: own, maxBin });
      assertClose(await errors.alignedErrors.read(), expected.pae, { rtol: 1e-5 }, "aligned errors");
      assertClose(await predictedTmScore(errors.tmTerms, own).read(), expected.ptm, { rtol: 2e-5 }, "pTM");
    }
  });
}

gpuTest("pTM has a gradient: that of the best alignment", (device) =>
  checkOp(device, {
    inputs: { logits: [1, 4, 4, 7] },
    fill: { logits: (i) => 4 * randomArray(1, i)[0] },
    gpu: ({ logits }) => predictedTmScore(pairErrors(logits).tmTerms),
    reference: ({ logits }) => reference([1], confidence64(logits, new Float64Array(4).fill(1), 31).ptm),
  }));

gpuTest("predictPairErrors() makes the same numbers in parts", async (device) => {
  const nRes = 300; // 218 rows of logits are 16 MiB
  for (const batch of [1, 2]) {
    const z = numbers(device, [batch, nRes, nRes, 4], 5);
    const params = { linear: { weight: numbers(device, [64, 4], 6), bias: numbers(device, [64], 7) } };
    const residueWeights = device.tensor(Float32Array.from({ length: batch * nRes }, (_, i) => i % 5 ? 1 : 0), [
      batch,
      nRes,
    ]);
    const whole = pairErrors(tmHead(params, z), { residueWeights });
    const parts = predictPairErrors(params, z, { residueWeights });
    assert.deepEqual(await parts.alignedErrors.read(), await whole.alignedErrors.read());
    assert.deepEqual(await parts.tmTerms.read(), await whole.tmTerms.read());
  }
});

gpuTest("fresh heads are undecided: pLDDT is 50 and all logits are 0", async (device) => {
  const config = headsConfig({ cM: 8, cZ: 6, cS: 10, plddtHidden: 5, tm: true });
  const params = initHeads(device, config, Key.fromSeed(3));
  const values = await plddt(plddtHead(params.plddt, numbers(device, [2, 3, 10], 4))).read();
  assertClose(values, new Array(6).fill(50), { rtol: 1e-6 });
  const { alignedErrors } = predictPairErrors(params.tm!, numbers(device, [1, 3, 3, 6], 5));
  assertClose(await alignedErrors.read(), new Array(9).fill(16), { rtol: 1e-6 });
});

Deno.test("the heads have AlphaFold's number of parameters", () => {
  assert.equal(countParams(headsShapes(headsConfig())), 768 + 49_280 + 16_512 + 6_450 + 8_256 + 5_911 + 14_245);
  const withTm = countParams(headsShapes(headsConfig({ tm: true })));
  assert.equal(withTm - countParams(headsShapes(headsConfig())), 8_256); // 93,237,338 - 93,229,082
});

Deno.test("boundaries of the distogram are 0.3125 Å apart", () => {
  const boundaries = distogramBoundaries(64);
  assert.equal(boundaries.length, 63);
  boundaries.forEach((edge, k) => assert(Math.abs(edge - (2.3125 + 0.3125 * k)) < 1e-12));
});

Deno.test("a size of a head that is no positive integer is refused", () => {
  assert.throws(() => headsConfig({ tmBins: 0 }), /The heads' tmBins must be a positive integer, got 0/);
});
