import assert from "node:assert/strict";
import { Device, pullback, type Tensor } from "../../../core/mod.ts";
import {
  alphafoldLoss,
  alphafoldLossConfig,
  backboneFapeLoss,
  betweenResidueBonds,
  betweenResidueClashes,
  distogramLoss,
  experimentallyResolvedLoss,
  frameAlignedPointError,
  lddtCa,
  lddtLoss,
  type LossOutputs,
  type LossTruth,
  maskedMsaLoss,
  renamedGroundTruth,
  structuralViolations,
  supervisedChiLoss,
  tmLoss,
  violationLoss,
  withinResidues,
} from "../../../model/alphafold/losses/mod.ts";
import {
  distance64,
  fapePair64,
  lddt64,
  renamingGain64,
  sameExample,
} from "../../../model/alphafold/losses/_probes.ts";
import { bounds64, junction64, neighbours64 } from "../../../model/alphafold/losses/violations/_probes.ts";
import {
  ATOM14_EXCHANGE,
  ATOM14_EXISTS,
  ATOM14_RADIUS,
  atom14DistanceBounds,
  CHI_IS_PERIODIC,
} from "../../../model/protein/mod.ts";
import { seenFrom } from "../../../ops/_battery/frames.ts";
import { add, framesFromSeven, multiply, reshape, sum } from "../../../ops/mod.ts";
import { assertClose, checkOp, gpuTest, randomArray, type Reference, reference } from "../../_gpu.ts";

const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
const numbers = (device: Device, shape: readonly number[], seed: number, scale = 1) =>
  device.dry ? device.empty(shape) : device.tensor(randomArray(sizeOf(shape), seed).map((x) => x * scale), shape);
const ones = (device: Device, shape: readonly number[]) =>
  device.tensor(new Float32Array(sizeOf(shape)).fill(1), shape);

const row = (x: Reference, width: number, i: number) => x.data.subarray(i * width, (i + 1) * width);

// Frame-aligned point error

for (
  const [rows, batch, F, P, paired] of [[1, 1, 1, 1, false], [4, 2, 3, 70, false], [3, 3, 5, 4, true], [
    2,
    1,
    70,
    3,
    true,
  ]] as const
) {
  gpuTest(
    `frameAlignedPointError() of ${rows} rows in a batch of ${batch}, ${F} frames, ${P} points, ${
      paired ? "with" : "without"
    } a mask of pairs, matches float64`,
    async (device) => {
      const mask = (shape: readonly number[], step: number) =>
        Float32Array.from({ length: sizeOf(shape) }, (_, i) => (i % step === step - 1 && i > 0 ? 0 : 1));
      const frameMask = mask([batch, F], 3), pointMask = mask([batch, P], 4), pairMask = mask([batch, F, P], 5);
      const clamped = Float32Array.from({ length: batch }, (_, b) => [1, 0, 0.25][b % 3]);
      const options = { clampDistance: 1.5, lengthScale: 3, eps: 1e-3 };
      await checkOp(device, {
        inputs: {
          ...{ frames: [rows, F, 3, 4], points: [rows, P, 3] },
          ...{ trueFrames: [batch, F, 3, 4], truePoints: [batch, P, 3] },
        },
        constant: ["trueFrames", "truePoints"],
        gpu: (inputs) =>
          frameAlignedPointError({
            ...inputs,
            frameMask: device.tensor(frameMask, [batch, F]),
            pointMask: device.tensor(pointMask, [batch, P]),
            clamped: device.tensor(clamped, [batch]),
            pairMask: paired ? device.tensor(pairMask, [batch, F, P]) : undefined,
          }, options),
        reference: ({ frames, points, trueFrames, truePoints }) => {
          const out = reference([rows]);
          for (let r = 0; r < rows; r++) {
            const b = r % batch;
            let total = 0, countF = options.eps, countP = options.eps, pairs = options.eps;
            for (let i = 0; i < F; i++) countF += frameMask[b * F + i];
            for (let j = 0; j < P; j++) countP += pointMask[b * P + j];
            for (let i = 0; i < F; i++) {
              for (let j = 0; j < P; j++) {
                const weight = frameMask[b * F + i] * pointMask[b * P + j] *
                  (paired ? pairMask[(b * F + i) * P + j] : 1);
                const seen = [row(frames, 12, r * F + i), row(points, 3, r * P + j)] as const;
                const truth = [row(trueFrames, 12, b * F + i), row(truePoints, 3, b * P + j)] as const;
                const loss = fapePair64(seen, truth, {
                  clamped: clamped[b],
                  clampAt: options.clampDistance,
                  eps: options.eps,
                });
                pairs += weight;
                total += weight * loss / options.lengthScale;
              }
            }
            out.data[r] = total / (paired ? pairs : countF * countP);
          }
          return out;
        },
      });
    },
  );
}

gpuTest("a masked frame or point may even be NaN", async (device) => {
  const frames = device.tensor([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, ...new Array(12).fill(NaN)], [1, 2, 3, 4]);
  const points = device.tensor([3, 4, 0, NaN, NaN, NaN], [1, 2, 3]);
  const mask = device.tensor([1, 0], [1, 2]);
  const inputs = {
    ...{ trueFrames: frames, truePoints: device.zeros([1, 2, 3]), frameMask: mask, pointMask: mask },
  };
  const back = pullback(
    device,
    (given: { frames: Tensor; points: Tensor }) => frameAlignedPointError({ ...inputs, ...given }),
    { frames, points },
  );
  assertClose(await back.output.read(), [0.5], { rtol: 1e-3 });
  const grads = back.pullLeaves([device.tensor([1], [1])]);
  for (const grad of grads) assert((await grad!.read()).every(Number.isFinite));
});

gpuTest("the backbone's error is 0 for the truth moved as a whole, and the mean over iterations", async (device) => {
  const n = 6;
  const quaternions = randomArray(4 * n, 1), places = randomArray(3 * n, 2);
  const seven = Float32Array.from({ length: 7 * n }, (_, i) => {
    const residue = Math.floor(i / 7), c = i % 7;
    const q = quaternions.subarray(4 * residue, 4 * residue + 4);
    return c < 4 ? q[c] / Math.hypot(...q) : 8 * places[3 * residue + c - 4];
  });
  const truth = { frames: framesFromSeven(device.tensor(seven, [1, n, 7])), mask: ones(device, [1, n]) };
  const turned = seven.slice(); // a quarter turn about x, then a step: (w, x, y, z) → r (1, 1, 0, 0) q
  for (let i = 0; i < n; i++) {
    const [w, x, y, z, a, b, c] = seven.subarray(7 * i, 7 * i + 7);
    turned.set([w - x, w + x, y - z, y + z].map((v) => v * Math.SQRT1_2), 7 * i);
    turned.set([a + 5, -c - 2, b + 1], 7 * i + 4);
  }
  const same = device.tensor(turned, [1, n, 7]), other = device.tensor(seven.map((x, i) => x + (i % 5) / 9), [1, n, 7]);
  const [zero] = await backboneFapeLoss([same], truth).read();
  assertClose([zero], [1e-3], { rtol: 2e-2 }); // √eps / length scale
  const [error] = await backboneFapeLoss([other], truth).read();
  assertClose(await backboneFapeLoss([same, other, other], truth).read(), [(zero + 2 * error) / 3], { rtol: 1e-5 });
});

// Names that may be exchanged

gpuTest("renamedGroundTruth() takes the names that fit, residue by residue", async (device) => {
  // Aspartate, phenylalanine, glycine, glutamate, in one chain of atoms at random places
  const types = [3, 13, 7, 6, 18], n = types.length;
  const places = randomArray(n * 14 * 3, 5).map((x) => 6 * x);
  const exists = Float32Array.from(
    { length: n * 14 },
    (_, i) => ATOM14_EXISTS[types[Math.floor(i / 14)] * 14 + i % 14],
  );
  const partner = (i: number) => i - i % 14 + ATOM14_EXCHANGE[types[Math.floor(i / 14)] * 14 + i % 14];
  const alt = places.map((_, i) => places[3 * partner(Math.floor(i / 3)) + i % 3]);
  const ambiguous = exists.map((_, i) => Number(partner(i) !== i));
  const swapped = [1, 0, 0, 1, 1];
  const predicted = places.map((_, i) => (swapped[Math.floor(i / 42)] ? alt : places)[i] + 0.1 * randomArray(1, i)[0]);
  const batched = (x: Float32Array, rest: number[]) => device.tensor(Float32Array.from([...x, ...x]), [2, n, ...rest]);
  const truth = {
    positions: batched(places, [14, 3]),
    altPositions: batched(alt, [14, 3]),
    exists: batched(exists, [14]),
    altExists: batched(exists, [14]),
    ambiguous: batched(ambiguous, [14]),
  };
  const both = Float32Array.from([...predicted, ...places]); // the second example keeps its names
  const renamed = renamedGroundTruth(device.tensor(both, [2, n, 14, 3]), truth);
  assert.deepEqual([...await renamed.altIsBetter.read()], [...swapped, 0, 0, 0, 0, 0]);
  const positions = await renamed.positions.read();
  positions.forEach((x, i) => {
    const own = i < n * 42 && swapped[Math.floor(i / 42)] ? alt : places;
    assert.equal(x, own[i % (n * 42)]);
  });
});

gpuTest(
  "renamedGroundTruth() compares the distances to atoms whose names are certain, as float64 does",
  async (device) => {
    const [batch, n] = [2, 9];
    const atoms = n * 14;
    const places = (seed: number) => randomArray(batch * atoms * 3, seed).map((x) => 5 * x);
    const [predicted, positions, altPositions] = [places(1), places(2), places(3)];
    const some = (seed: number, share: number) => randomArray(batch * atoms, seed).map((x) => Number(x < share));
    const [exists, ambiguous] = [some(4, 0.6), some(5, -0.2)];
    const inputs = { predicted, expected: positions, renamed: altPositions, exists, ambiguous };
    const sums = new Float64Array(batch * n);
    for (let i = 0; i < batch * atoms; i++) {
      sums[Math.floor(i / 14)] += renamingGain64(inputs, i, sameExample(i, atoms));
    }
    assert(sums.every((x) => Math.abs(x) > 1e-3));
    const wide = (x: Float32Array) => device.tensor(x, [batch, n, 14, 3]);
    const renamed = renamedGroundTruth(wide(predicted), {
      ...{ positions: wide(positions), altPositions: wide(altPositions) },
      exists: device.tensor(exists, [batch, n, 14]),
      altExists: device.tensor(exists.map((x) => 1 - x), [batch, n, 14]),
      ambiguous: device.tensor(ambiguous, [batch, n, 14]),
    });
    const better = Array.from(sums, (x) => Number(x < 0));
    assert(better.includes(0) && better.includes(1));
    assert.deepEqual([...await renamed.altIsBetter.read()], better);
    assert.deepEqual(
      [...await renamed.exists.read()],
      Array.from(exists, (x, i) => (better[Math.floor(i / 14)] ? 1 - x : x)),
    );
  },
);

// Torsions

for (const [batch, n, count] of [[1, 21, 3], [2, 5, 1]]) {
  gpuTest(
    `supervisedChiLoss() of ${batch} × ${n} residues over ${count} iterations matches float64`,
    async (device) => {
      const aatype = Int32Array.from({ length: batch * n }, (_, i) => i % 21);
      const seqMask = Float32Array.from({ length: batch * n }, (_, i) => Number(i % 7 !== 3));
      const chiMask = Float32Array.from({ length: batch * n * 4 }, (_, i) => Number(i % 3 !== 1));
      const truth = randomArray(batch * n * 8, 9);
      await checkOp(device, {
        inputs: { angles: [count, batch, n, 7, 2], raw: [count, batch, n, 7, 2] },
        gpu: ({ angles, raw }) => {
          const parts = (x: Tensor) =>
            Array.from({ length: count }, (_, t) => {
              const own = multiply(
                x,
                device.tensor([...Array(count).keys()].map((k) => Number(k === t)), [count, 1, 1, 1, 1]),
              );
              return sum(own, { axes: [0] });
            });
          return supervisedChiLoss(parts(angles), parts(raw), {
            aatype: device.tensor(aatype, [batch, n], "i32"),
            seqMask: device.tensor(seqMask, [batch, n]),
            chiMask: device.tensor(chiMask, [batch, n, 4]),
            chiAnglesSinCos: device.tensor(truth, [batch, n, 4, 2]),
          });
        },
        reference: ({ angles, raw }) => {
          const out = reference([batch]);
          for (let b = 0; b < batch; b++) {
            let error = 0, errors = 1e-4, norm = 0, norms = 1e-4;
            for (let t = 0; t < count; t++) {
              for (let i = b * n; i < (b + 1) * n; i++) {
                const at = (t * batch * n + i) * 14;
                for (let angle = 0; angle < 7; angle++) {
                  const length = Math.sqrt(1e-8 + raw.data[at + 2 * angle] ** 2 + raw.data[at + 2 * angle + 1] ** 2);
                  norm += seqMask[i] * Math.abs(length - 1);
                  norms += seqMask[i];
                  if (angle < 3) continue;
                  const chi = angle - 3;
                  const own = angles.data.subarray(at + 2 * angle, at + 2 * angle + 2);
                  const to = truth.subarray((i * 4 + chi) * 2, (i * 4 + chi) * 2 + 2);
                  const sign = CHI_IS_PERIODIC[aatype[i] * 4 + chi] ? -1 : 1;
                  const apart = (s: number) => (s * to[0] - own[0]) ** 2 + (s * to[1] - own[1]) ** 2;
                  error += chiMask[i * 4 + chi] * Math.min(apart(1), apart(sign));
                  errors += chiMask[i * 4 + chi];
                }
              }
            }
            out.data[b] = 0.5 * error / errors + 0.01 * norm / norms;
          }
          return out;
        },
      });
    },
  );
}

// Cross entropies

const logOfSum = (x: ArrayLike<number>) => {
  const top = Math.max(...Array.from(x));
  return top + Math.log(Array.from(x).reduce((sum, v) => sum + Math.exp(v - top), 0));
};

gpuTest("distogramLoss() matches float64, there and back", (device) => {
  const [batch, n, bins] = [2, 5, 7];
  const beta = randomArray(batch * n * 3, 3).map((x) => 9 * x);
  const mask = [1, 1, 0, 1, 1, 1, 0, 1, 1, 1];
  return checkOp(device, {
    inputs: { logits: [batch, n, n, bins] },
    gpu: ({ logits }) =>
      distogramLoss(logits, device.tensor(beta, [batch, n, 3]), device.tensor(mask, [batch, n]), {
        range: { min: 3, max: 13 },
      }),
    reference: ({ logits }) => {
      const out = reference([batch]);
      for (let b = 0; b < batch; b++) {
        let loss = 0, count = 1e-8;
        for (let i = 0; i < n; i++) {
          for (let j = 0; j < n; j++) {
            const weight = mask[b * n + i] * mask[b * n + j];
            const d = distance64(beta.subarray(3 * (b * n + i)), beta.subarray(3 * (b * n + j)));
            const bin = [3, 5, 7, 9, 11, 13].filter((edge) => d > edge).length;
            const x = row(logits, bins, (b * n + i) * n + j);
            loss += weight * (logOfSum(x) - x[bin]);
            count += weight;
          }
        }
        out.data[b] = loss / count;
      }
      return out;
    },
  });
});

gpuTest("maskedMsaLoss() and experimentallyResolvedLoss() match float64, there and back", async (device) => {
  const [batch, s, n, letters] = [2, 3, 5, 23];
  const msa = Int32Array.from({ length: batch * s * n }, (_, i) => (7 * i) % letters);
  const counted = Float32Array.from({ length: batch * s * n }, (_, i) => Number(i % 3 === 0));
  await checkOp(device, {
    inputs: { logits: [batch, s, n, letters] },
    gpu: ({ logits }) =>
      maskedMsaLoss(logits, device.tensor(msa, [batch, s, n], "i32"), device.tensor(counted, [batch, s, n])),
    reference: ({ logits }) => {
      const out = reference([batch]);
      for (let b = 0; b < batch; b++) {
        let loss = 0, count = 1e-8;
        for (let i = b * s * n; i < (b + 1) * s * n; i++) {
          const x = row(logits, letters, i);
          loss += 0.5 * counted[i] * (logOfSum(x) - x[msa[i]]);
          count += 0.5 * counted[i];
        }
        out.data[b] = loss / count;
      }
      return out;
    },
  });
  const seen = Float32Array.from({ length: batch * n * 37 }, (_, i) => Number(i % 4 === 0));
  const exists = Float32Array.from({ length: batch * n * 37 }, (_, i) => Number(i % 5 !== 0));
  await checkOp(device, {
    inputs: { logits: [batch, n, 37] },
    gpu: ({ logits }) =>
      experimentallyResolvedLoss(
        ...[logits, device.tensor(seen, [batch, n, 37]), device.tensor(exists, [batch, n, 37])] as const,
        device.tensor([3, 3.01], [batch]), // the second example does not count
      ),
    reference: ({ logits }) => {
      const out = reference([batch]);
      let loss = 0, count = 1e-8;
      for (let i = 0; i < n * 37; i++) {
        const p = 1 / (1 + Math.exp(-logits.data[i]));
        loss -= exists[i] * (seen[i] * Math.log(p) + (1 - seen[i]) * Math.log(1 - p));
        count += exists[i];
      }
      out.data[0] = loss / count;
      return out;
    },
  });
});

gpuTest("lddtCa() and lddtLoss() match float64, bins by whole numbers", async (device) => {
  const [batch, n] = [2, 26];
  const expected = randomArray(batch * n * 3, 3).map((x) => 14 * x);
  const predicted = expected.map((x, i) => x + randomArray(1, i)[0]);
  const mask = Float32Array.from({ length: batch * n }, (_, i) => Number(i % 9 !== 4));
  const ca = (x: Float32Array) => device.tensor(x, [batch, n, 3]);
  for (const bins of [50, 7]) {
    const own = lddtCa(ca(predicted), ca(expected), device.tensor(mask, [batch, n]), { bins });
    const [scores, classes] = [await own.scores.read(), await own.bins.read()];
    for (let i = 0; i < batch * n; i++) {
      const { pairs, kept } = lddt64({ predicted, expected, mask }, i, sameExample(i, n));
      assertClose([scores[i]], [pairs ? kept / 4 / pairs : 1]);
      assert.equal(classes[i], pairs ? Math.min(bins - 1, Math.floor(bins * kept / (4 * pairs))) : bins - 1);
    }
    const wide = (x: Float32Array, width: number) =>
      Float32Array.from({ length: batch * n * 37 * width }, (_, at) => {
        const c = at % width, slot = Math.floor(at / width) % 37, i = Math.floor(at / width / 37);
        return slot === 1 ? x[i * width + c] : 99 * slot;
      });
    const read = [...classes];
    await checkOp(device, {
      inputs: { logits: [batch, n, bins] },
      gpu: ({ logits }) =>
        lddtLoss(
          logits,
          device.tensor(wide(predicted, 3), [batch, n, 37, 3]),
          device.tensor(wide(expected, 3), [batch, n, 37, 3]),
          device.tensor(wide(mask, 1), [batch, n, 37]),
          device.tensor([0.1, 0], [batch]),
        ),
      reference: ({ logits }) => {
        const out = reference([batch]);
        let loss = 0, count = 1e-8;
        for (let i = 0; i < n; i++) {
          const x = row(logits, bins, i);
          loss += mask[i] * (logOfSum(x) - x[read[i]]);
          count += mask[i];
        }
        out.data[0] = loss / count;
        return out;
      },
    });
  }
});

gpuTest("tmLoss() matches float64, there and back", (device) => {
  const [batch, n, bins, maxBin] = [2, 5, 9, 14];
  const seven = (seed: number) => randomArray(batch * n * 7, seed).map((x, i) => (i % 7 < 4 ? x : 12 * x));
  const [mine, truth] = [seven(1), seven(2)];
  const frames = (x: Float32Array) => framesFromSeven(device.tensor(x, [batch, n, 7]));
  const mask = [1, 1, 0, 1, 1, 1, 0, 1, 1, 1];
  return (async () => {
    const [F, T] = [await frames(mine).read(), await frames(truth).read()];
    await checkOp(device, {
      inputs: { logits: [batch, n, n, bins] },
      gpu: ({ logits }) =>
        tmLoss(
          ...[logits, device.tensor(mine, [batch, n, 7]), frames(truth), device.tensor(mask, [batch, n])] as const,
          ...[device.tensor([2, 1], [batch]), { maxBin }] as const,
        ),
      reference: ({ logits }) => {
        const out = reference([batch]);
        for (let b = 0; b < batch; b++) {
          let loss = 0, count = 1e-8;
          for (let i = 0; i < n; i++) {
            for (let j = 0; j < n; j++) {
              const weight = mask[b * n + i] * mask[b * n + j] / 2;
              const seen = (x: ArrayLike<number>) => {
                const own = Array.from(x).slice(12 * (b * n + i), 12 * (b * n + i + 1));
                const at = 12 * (b * n + j);
                return seenFrom(own, [x[at + 3], x[at + 7], x[at + 11]]);
              };
              const error = distance64(seen(F), seen(T));
              const bin = [...Array(bins - 1).keys()].filter((k) => error > 2 * k).length;
              const x = row(logits, bins, (b * n + i) * n + j);
              loss += weight * (logOfSum(x) - x[bin]);
              count += weight;
            }
          }
          out.data[b] = loss / count;
        }
        return out;
      },
    });
  })();
});

// Violations

/** Atoms of residues that follow each other, near to where bonds are right, then shaken. */
function backbones(batch: number, n: number, shake: number): Float32Array {
  return Float32Array.from({ length: batch * n * 42 }, (_, i) => {
    const axis = i % 3, slot = Math.floor(i / 3) % 14, residue = Math.floor(i / 42) % n;
    const along = 3.8 * residue + [0, 1.46, 2.43, 2.4, 1.9][slot] + 0;
    const place = slot < 5 ? [along, [0, 0, 0.9, 2.1, -1.4][slot], slot === 4 ? 0.7 : 0] : [along + slot, slot, -slot];
    return place[axis] + shake * randomArray(1, i)[0];
  });
}

for (const [batch, n, chains] of [[1, 5, false], [2, 7, true], [1, 1, false], [1, 2, false]] as const) {
  const aatype = Int32Array.from({ length: batch * n }, (_, i) => (i % 3 === 1 ? 14 : i % 20)); // prolines among them
  const index = Int32Array.from({ length: batch * n }, (_, i) => i % n + (i % n > 3 ? 5 : 0)); // a gap
  const chain = Int32Array.from({ length: batch * n }, (_, i) => (i % n > 1 ? 2 : 1));
  const exists = Float32Array.from({ length: batch * n * 14 }, (_, i) => (i % 17 === 3 ? 0 : ATOM14_EXISTS[i % 280]));
  const facts = (device: Device) => ({
    exists: device.tensor(exists, [batch, n, 14]),
    aatype: device.tensor(aatype, [batch, n], "i32"),
    residueIndex: device.tensor(index, [batch, n], "i32"),
    asymId: chains ? device.tensor(chain, [batch, n], "i32") : undefined,
  });
  const bonded = (i: number) =>
    i % n + 1 < n && index[i + 1] - index[i] === 1 && (!chains || chain[i] === chain[i + 1]);
  const shaken = backbones(batch, n, 0.35);
  const title = `of ${batch} × ${n} residues${chains ? " in chains" : ""}`;

  for (const angleDeviation of ["bond", "cosine"] as const) {
    gpuTest(`betweenResidueBonds() ${title}, angles by the ${angleDeviation}, matches float64`, async (device) => {
      const cosCaCNStddev = angleDeviation === "bond" ? 0.014 : 0.0311;
      /** Of junction i: how far it passes twice the deviation, whether it counts, whether it passes three times it. */
      const junctions = (data: Float64Array) =>
        Array.from({ length: batch * n }, (_, i) => {
          if (i % n + 1 === n) return { loss: [0, 0, 0], counts: [0, 0, 0], violates: [0, 0, 0] };
          const at = (r: number, slot: number) => data.subarray(3 * (r * 14 + slot), 3 * (r * 14 + slot) + 3);
          const atoms = { ca: at(i, 1), c: at(i, 2), n: at(i + 1, 0), nextCa: at(i + 1, 1) };
          const { errors, deviations } = junction64(atoms, aatype[i + 1] === 14, { eps: 1e-6, cosCaCNStddev });
          const bond = bonded(i) ? exists[i * 14 + 2] * exists[(i + 1) * 14] : 0;
          const counts = [bond, bond * exists[i * 14 + 1], bond * exists[(i + 1) * 14 + 1]];
          return {
            loss: errors.map((x, k) => Math.max(0, x - 2 * deviations[k])),
            counts,
            violates: errors.map((x, k) => (x > 3 * deviations[k] ? counts[k] : 0)),
          };
        });
      const means = (data: Float64Array) =>
        Array.from({ length: batch * 3 }, (_, i) => {
          const own = junctions(data).slice(Math.floor(i / 3) * n, (Math.floor(i / 3) + 1) * n);
          const count = own.reduce((sum, { counts }) => sum + counts[i % 3], 1e-6);
          return own.reduce((sum, { loss, counts }) => sum + loss[i % 3] * counts[i % 3], 0) / count;
        });
      const options = { toleranceSoft: 2, toleranceHard: 3, angleDeviation };
      await checkOp(device, {
        inputs: { positions: [batch, n, 14, 3] },
        fill: { positions: (i) => shaken[i] },
        gpu: ({ positions }) => {
          const { cnLoss, caCNLoss, cNCaLoss, perResidueLoss } = betweenResidueBonds(positions, facts(device), options);
          const whole = add(add(cnLoss, multiply(caCNLoss, device.tensor([2], []))), cNCaLoss);
          return add(reshape(whole, [batch, 1]), perResidueLoss);
        },
        reference: ({ positions }) => {
          const own = junctions(positions.data), mean = means(positions.data);
          const of = (i: number) => own[i].loss.reduce((a, b) => a + b);
          return reference(
            [batch, n],
            Array.from({ length: batch * n }, (_, i) => {
              const b = Math.floor(i / n), before = i % n ? of(i - 1) : 0;
              return mean[3 * b] + 2 * mean[3 * b + 1] + mean[3 * b + 2] + (of(i) + before) / 2;
            }),
          );
        },
      });
      const found = betweenResidueBonds(device.tensor(shaken, [batch, n, 14, 3]), facts(device), options);
      const own = junctions(Float64Array.from(shaken));
      const any = (i: number) => Math.max(...own[i].violates);
      assert.deepEqual(
        [...await found.perResidueViolation.read()],
        Array.from({ length: batch * n }, (_, i) => Math.max(any(i), i % n ? any(i - 1) : 0)),
      );
    });
  }

  gpuTest(`betweenResidueClashes() ${title} matches float64`, async (device) => {
    const radii = Float32Array.from({ length: batch * n * 14 }, (_, i) => 1.5 + (i % 4) / 10);
    const crowded = randomArray(batch * n * 42, 6).map((x) => 3 * x);
    /** Calls `pair` for every two atoms that count, both ways. */
    const eachPair = (pair: (i: number, j: number) => void) => {
      const known = { exists: (i: number) => exists[i] > 0, residueIndex: index, ...(chains && { asymId: chain }) };
      for (let i = 0; i < batch * n * 14; i++) {
        for (const j of neighbours64(i, n, known)) pair(i, j);
      }
    };
    const clashesOf = (data: Float64Array, tolerance: number) => {
      const found = { loss: new Float64Array(batch * n * 14), clashes: new Float64Array(batch * n * 14), pairs: 0 };
      eachPair((i, j) => {
        const d = distance64(data.subarray(3 * i, 3 * i + 3), data.subarray(3 * j, 3 * j + 3), 1e-10);
        found.loss[i] += Math.max(0, radii[i] + radii[j] - 1 - d);
        found.clashes[i] += Number(d < radii[i] + radii[j] - tolerance);
      });
      return found;
    };
    const options = { toleranceSoft: 1, toleranceHard: 1.2 };
    await checkOp(device, {
      inputs: { positions: [batch, n, 14, 3] },
      fill: { positions: (i) => crowded[i] },
      gpu: ({ positions }) => {
        const own = betweenResidueClashes(
          ...[positions, device.tensor(radii, [batch, n, 14]), facts(device), options] as const,
        );
        return add(own.perAtomLoss, reshape(own.meanLoss, [batch, 1, 1]));
      },
      reference: ({ positions }) => {
        const { loss } = clashesOf(positions.data, 1.2);
        const out = reference([batch, n, 14], loss);
        const totals = new Float64Array(batch), pairs = new Float64Array(batch).fill(1e-6);
        eachPair((i) => (pairs[Math.floor(i / 14 / n)] += 0.5));
        loss.forEach((x, i) => (totals[Math.floor(i / 14 / n)] += x / 2));
        out.data.forEach((_, i) => (out.data[i] += totals[Math.floor(i / 14 / n)] / pairs[Math.floor(i / 14 / n)]));
        return out;
      },
    });
    const found = betweenResidueClashes(
      ...[device.tensor(crowded, [batch, n, 14, 3]), device.tensor(radii, [batch, n, 14]), facts(device)] as const,
      options,
    );
    const { clashes } = clashesOf(Float64Array.from(crowded), 1.2);
    assert.deepEqual([...await found.perAtomClashes.read()], [...clashes]);
    assert.deepEqual([...await found.perAtomViolation.read()], [...clashes].map((x) => Number(x > 0)));
  });

  gpuTest(`withinResidues() ${title} matches float64`, async (device) => {
    const bound = (at: number, seed: number) =>
      Float32Array.from({ length: batch * n * 196 }, (_, i) => at + randomArray(1, i + seed)[0] / 4); // not symmetric
    const [lower, upper] = [bound(2, 0), bound(3, 7)];
    const places = randomArray(batch * n * 42, 8).map((x) => 2 * x);
    const of = (data: Float64Array) => {
      const out = { loss: new Float64Array(batch * n * 14), count: new Float64Array(batch * n * 14) };
      for (let r = 0; r < batch * n; r++) {
        for (let a = 0; a < 14; a++) {
          for (let b = 0; b < 14; b++) {
            const [i, j, at] = [r * 14 + a, r * 14 + b, (r * 14 + a) * 14 + b];
            if (a === b || !exists[i] || !exists[j]) continue;
            const d = distance64(data.subarray(3 * i, 3 * i + 3), data.subarray(3 * j, 3 * j + 3), 1e-10);
            const { loss, passed: count } = bounds64(d, lower[at], upper[at], 0.1);
            for (const k of [i, j]) [out.loss[k], out.count[k]] = [out.loss[k] + loss, out.count[k] + count];
          }
        }
      }
      return out;
    };
    const run = (positions: Tensor) =>
      withinResidues(
        positions,
        facts(device).exists,
        { lower: device.tensor(lower, [batch, n, 14, 14]), upper: device.tensor(upper, [batch, n, 14, 14]) },
        0.1,
      );
    await checkOp(device, {
      inputs: { positions: [batch, n, 14, 3] },
      fill: { positions: (i) => places[i] },
      gpu: ({ positions }) => run(positions).perAtomLoss,
      reference: ({ positions }) => reference([batch, n, 14], of(positions.data).loss),
    });
    const { count } = of(Float64Array.from(places));
    const found = run(device.tensor(places, [batch, n, 14, 3]));
    assert.deepEqual([...await found.perAtomClashes.read()], [...count]);
    assert.deepEqual([...await found.perAtomViolation.read()], [...count].map((x) => Number(x > 0)));
  });
}

gpuTest("residues that do not touch violate nothing but their bonds", async (device) => {
  const n = 3;
  const positions = numbers(device, [1, n, 14, 3], 1, 0); // all atoms of a residue in one place: too near
  const aatype = device.tensor([0, 7, 20], [1, n], "i32"); // alanine, glycine, unknown
  const exists = device.tensor(
    Float32Array.from({ length: n * 14 }, (_, i) => ATOM14_EXISTS[[0, 7, 20][Math.floor(i / 14)] * 14 + i % 14]),
    [1, n, 14],
  );
  const facts = { exists, aatype, residueIndex: device.tensor([0, 10, 20], [1, n], "i32") };
  const violations = structuralViolations(positions, facts);
  assert.deepEqual([...await violations.perResidue.read()], [1, 1, 0]); // an unknown residue has no atoms
  const { lower_bound } = atom14DistanceBounds(1.5, 12);
  const within = await violations.within.perAtomLoss.read();
  const expected = Array.from(
    { length: 14 },
    (_, a) => 2 * lower_bound.subarray(14 * a, 14 * a + 14).reduce((x, y) => x + y),
  );
  assertClose(within.slice(0, 14), expected, { rtol: 1e-4, atol: 1e-3 });
  const clash = await violations.clashes.perAtomLoss.read();
  assertClose([clash[0]], [
    [0, 1, 2, 3].reduce((sum, slot) => sum + ATOM14_RADIUS[0] + ATOM14_RADIUS[7 * 14 + slot] - 1.5, 0),
  ], { rtol: 1e-4, atol: 1e-3 });
  const loss = await violationLoss(violations, exists).read();
  const averaged = await violationLoss(violations, exists, { averageClashes: true }).read();
  assert(loss[0] > averaged[0] && averaged[0] > 0);
});

// The whole

/** Outputs and truth of a batch of random examples. */
function example(device: Device, batch: number, n: number, seed: number) {
  let next = seed;
  const own = (...shape: number[]) => numbers(device, [batch, n, ...shape], next++, 3);
  const yes = (...shape: number[]) => ones(device, [batch, n, ...shape]);
  const iteration = () => ({
    ...{ frames: own(7), sidechainFrames: own(8, 3, 4), angles: own(7, 2), unnormalizedAngles: own(7, 2) },
    positions: own(14, 3),
  });
  const outputs: LossOutputs = {
    trajectory: [iteration(), iteration()],
    atomPositions: own(37, 3),
    plddtLogits: own(50),
    distogramLogits: own(n, 64),
    maskedMsaLogits: numbers(device, [batch, 2, n, 23], next++),
    experimentallyResolvedLogits: own(37),
    tmLogits: own(n, 64),
  };
  const aatype = device.tensor(Int32Array.from({ length: batch * n }, (_, i) => i % 20), [batch, n], "i32");
  const truth: LossTruth = {
    aatype,
    residueIndex: device.tensor(Int32Array.from({ length: batch * n }, (_, i) => i % n), [batch, n], "i32"),
    ...{ seqMask: yes(), chiAnglesSinCos: own(4, 2), chiMask: yes(4) },
    backbone: { frames: own(3, 4), mask: yes() },
    atoms: { positions: own(14, 3), altPositions: own(14, 3), exists: yes(14), altExists: yes(14), ambiguous: yes(14) },
    rigidGroups: { frames: own(8, 3, 4), altFrames: own(8, 3, 4), exists: yes(8) },
    ...{ allAtomPositions: own(37, 3), allAtomMask: yes(37), atom14Exists: yes(14), atom37Exists: yes(37) },
    ...{ pseudoBeta: own(3), pseudoBetaMask: yes() },
    trueMsa: device.tensor(Int32Array.from({ length: batch * 2 * n }, (_, i) => i % 21), [batch, 2, n], "i32"),
    bertMask: ones(device, [batch, 2, n]),
    resolution: device.tensor(new Float32Array(batch).fill(2), [batch]),
    seqLength: device.tensor(Float32Array.from({ length: batch }, (_, b) => (b ? 3 : 1000)), [batch]),
  };
  return { outputs, truth };
}

gpuTest("alphafoldLoss() weighs its terms, by stage, and scales by the root of the length", async (device) => {
  const n = 5;
  const { outputs, truth } = example(device, 2, n, 1);
  const config = alphafoldLossConfig("finetuning", { tm: true });
  const { loss, unscaled, terms } = alphafoldLoss(outputs, truth, config);
  const values: Record<string, Float32Array> = {};
  for (const [name, term] of Object.entries(terms)) values[name] = Float32Array.from(await term.read());
  const weighed = Object.entries(config).filter(([, { weight }]) => weight > 0).map(([name]) => name);
  assert.deepEqual(Object.keys(values).sort(), weighed.sort());
  assert.equal(config.chainCenterOfMass.weight, 0);
  const total = [0, 1].map((b) =>
    Object.entries(values).reduce((sum, [name, x]) => sum + config[name as keyof typeof config].weight * x[b], 0)
  );
  assertClose([await unscaled.item()], [(total[0] + total[1]) / 2], { rtol: 1e-5 });
  assertClose([await loss.item()], [(total[0] * Math.sqrt(n) + total[1] * Math.sqrt(3)) / 2], { rtol: 1e-5 });

  const initial = alphafoldLossConfig("initial");
  const { tmLogits: _, ...without } = outputs;
  const few = alphafoldLoss(without, truth, initial);
  assert.deepEqual(Object.keys(few.terms), ["fape", "supervisedChi", "distogram", "maskedMsa", "plddt"]);
  const structureAlone = alphafoldLossConfig("finetuning", { tm: true, auxiliary: false });
  assert.deepEqual(Object.keys(alphafoldLoss(outputs, truth, structureAlone).terms), [
    "fape",
    "supervisedChi",
    "violation",
  ]);
  const reported = alphafoldLoss(without, truth, initial, { report: true });
  assert.deepEqual(Object.keys(reported.terms).length, 7);
  assert.equal(await reported.loss.item(), await few.loss.item());
  for (const name of ["violation", "experimentallyResolved"] as const) {
    assert.deepEqual(await reported.terms[name]!.read(), values[name]);
  }
});

gpuTest("alphafoldLoss() of a batch is the mean of its examples'", async (device) => {
  const { outputs, truth } = example(device, 1, 5, 1);
  const config = alphafoldLossConfig("finetuning", { tm: true });
  const one = await alphafoldLoss(outputs, truth, config).loss.item();
  const twice = <T>(tree: T): T =>
    (tree && typeof tree === "object" && "storage" in tree
      ? (() => {
        const x = tree as unknown as Tensor;
        const both = device.empty([2, ...x.shape.slice(1)], x.dtype);
        device.copy(x, both);
        device.copy(x, both, { toElement: x.size });
        return both;
      })()
      : Array.isArray(tree)
      ? tree.map(twice)
      : tree && typeof tree === "object"
      ? Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, twice(value)]))
      : tree) as T;
  const both = await alphafoldLoss(twice(outputs), twice(truth), config).loss.item();
  assertClose([both], [one], { rtol: 1e-5 });
});

gpuTest("alphafoldLoss() refuses what it cannot weigh", (device) => {
  const { outputs, truth } = example(device, 1, 3, 1);
  const config = alphafoldLossConfig("initial", { tm: true });
  const { tmLogits: _, ...without } = outputs;
  assert.throws(() => alphafoldLoss(without, truth, config), /tm\.weight.*no tmLogits/);
  assert.throws(() => alphafoldLoss({ ...outputs, trajectory: [] }, truth, config), /at least one iteration/);
  const nothing = Object.fromEntries(Object.entries(config).map(([name, term]) => [name, { ...term, weight: 0 }]));
  assert.throws(() => alphafoldLoss(outputs, truth, nothing as unknown as typeof config), /no term/);
  assert.throws(
    () => distogramLoss(outputs.distogramLogits, device.zeros([1, 4, 3]), truth.pseudoBetaMask),
    /distogramLoss: pseudoBeta must be \[1, 3, 3\], it is f32 \[1, 4, 3\]/,
  );
  assert.throws(
    () => maskedMsaLoss(outputs.maskedMsaLogits, device.zeros([1, 2, 3]), truth.bertMask),
    /numbers are f32 instead of i32/,
  );
});

gpuTest("the pairs of atoms of a long chain are never held", (device) => {
  const n = 384;
  const { outputs, truth } = (() => {
    const dry = Device.dry({ ...device.traits, maxBufferBytes: 2 ** 40, maxBindingBytes: 2 ** 40 });
    return example(dry, 1, n, 1);
  })();
  const dry = outputs.atomPositions.device;
  const config = alphafoldLossConfig("finetuning", { tm: true });
  dry.resetPeakMemory();
  const before = dry.memory.liveBytes;
  const back = pullback(
    dry,
    (outputs: LossOutputs) => alphafoldLoss(outputs, truth, config).loss,
    outputs,
  );
  back.pullLeaves([dry.tensor([1], [])]);
  const mebibytes = (dry.memory.peakBytes - before) / 2 ** 20;
  // 14 N × 14 N numbers would be 110 MiB; the gradients of two [N, N, 64] are 72 MiB.
  assert(mebibytes < 90, `${mebibytes} MiB`);
});
