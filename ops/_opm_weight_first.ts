/** The outer product mean with the weight applied to one side first and the sequences summed last. */
import { addInto, type Device, type Tensor } from "../core/mod.ts";
import { intermediateType } from "./_intermediate.ts";
import { type Product, runMatmul } from "./_matmul.ts";
import { chunksOf, type OpmChunk, type OpmInputsBack, type OpmOrder, type OpmPlan, opmTarget } from "./_opm_plan.ts";
import { cast } from "./cast.ts";
import { multiplyScalar } from "./elementwise.ts";
import { permute } from "./permute.ts";
import { sum } from "./reduce.ts";
import { reshape } from "./reshape.ts";

/** Bytes of the intermediate product of one chunk; larger ones are no faster. */
const CHUNK_BYTES = 16 * 2 ** 20;

/** For few sequences: neither the product [N_res, N_res, c, c] nor the sum over sequences of outer products is made. */
export const weightFirst: OpmOrder = {
  forward(device, plan, inputs, epilogue) {
    const { aRows, bRows, mixed } = operands(plan, inputs);
    const { out, ofChunk } = opmTarget(device, plan, epilogue);
    for (const chunk of rowChunks(plan)) {
      using _ = device.scope("chunk");
      const t = halfProduct(device, plan, chunk, aRows!, mixed!);
      runMatmul(device, { ...contraction(plan, chunk, bRows!, t), ...ofChunk(chunk) });
    }
    return out;
  },

  backward(device, plan, inputs, dOut, wanted) {
    const { nBatch, nI, nJ, nSeq, cA, cB, cOut } = plan;
    const { aRows, bRows, mixed } = operands(plan, inputs);
    const dA = wanted.a ? device.empty([nBatch, nI, nSeq, cA]) : undefined;
    const dB = wanted.b ? device.empty([nBatch, nJ, nSeq, cB]) : undefined;
    let dMixed: Tensor | undefined, total: Tensor | undefined;
    for (const chunk of rowChunks(plan)) {
      using scope = device.scope("chunk");
      const rows = chunk.nBatch * chunk.nI * nSeq;
      const batch = { outer: chunk.nBatch, inner: chunk.nI };
      const dOffset = chunk.first * nJ * cOut;
      if (dB) {
        const t = halfProduct(device, plan, chunk, aRows!, mixed!);
        const parts = runMatmul(device, {
          ...{ a: dOut, b: t, m: nJ, n: nSeq * cB, k: cOut, bTransposed: true, aOffset: dOffset, batch },
        }).out;
        const summed = sum(device.view(parts, [chunk.nBatch, chunk.nI, nJ * nSeq * cB]), { axes: [1] });
        if (chunk.begin === 0 || !total) total = scope.keep(summed);
        else addInto(device, total, summed);
        if (chunk.begin + chunk.nI === nI) device.copy(total, dB, { toElement: chunk.batch * nJ * nSeq * cB });
      }
      if (!dA && !wanted.weight) continue;
      const dT = runMatmul(device, {
        ...{ a: bRows!, b: dOut, m: nSeq * cB, n: cOut, k: nJ, aTransposed: true },
        ...{ aOffset: chunk.batch * nJ * nSeq * cB, bOffset: dOffset, batch: { ...batch, aShared: "inner" } },
      }).out;
      if (dA) {
        runMatmul(device, {
          ...{ a: dT, b: mixed!, m: rows, n: cA, k: cB * cOut },
          into: { out: dA, offset: chunk.first * nSeq * cA },
        });
      }
      if (!wanted.weight) continue;
      const part = runMatmul(device, {
        ...{ a: dT, b: aRows!, m: cB * cOut, n: cA, k: rows, aTransposed: true, bOffset: chunk.first * nSeq * cA },
      }).out;
      if (dMixed) addInto(device, dMixed, part);
      else dMixed = scope.keep(part);
    }
    const dWeight = dMixed && permute(device.view(dMixed, [cB, cOut, cA]), [1, 2, 0]);
    return {
      a: dA && permute(dA, [0, 2, 1, 3]),
      b: dB && permute(dB, [0, 2, 1, 3]),
      weight: dWeight && device.view(multiplyScalar(dWeight, inputs.scale), [cOut, cA * cB]),
    };
  },
};

function rowChunks(plan: OpmPlan): OpmChunk[] {
  return chunksOf(plan, { rowSize: plan.nSeq * plan.cB * plan.cOut, bytes: CHUNK_BYTES, together: true });
}

/** `a` as [batch, i, s, cA], `b` as [batch, j, s, cB], the weight as [cB, cOut, cA] times the scale; of those given. */
function operands({ cA, cB, cOut }: OpmPlan, { a, b, weight, scale }: OpmInputsBack) {
  return {
    aRows: a && permute(a, [0, 2, 1, 3]),
    bRows: b && permute(b, [0, 2, 1, 3]),
    mixed: weight && multiplyScalar(permute(reshape(cast(weight, "f32"), [cOut, cA, cB]), [2, 0, 1]), scale),
  };
}

/** T[(b, i, s), (cB, cOut)] = sum over cA of a[b, i, s, cA] W[cOut, cA, cB], times the scale. */
function halfProduct(device: Device, plan: OpmPlan, chunk: OpmChunk, aRows: Tensor, mixed: Tensor): Tensor {
  const { nSeq, cA, cB, cOut } = plan;
  const [m, n] = [chunk.nBatch * chunk.nI * nSeq, cB * cOut];
  return runMatmul(device, {
    ...{ a: aRows, b: mixed, m, n, k: cA, bTransposed: true, dtype: intermediateType(device, m, n) },
    aOffset: chunk.first * nSeq * cA,
  }).out;
}

/** out[b, i][j, cOut] = sum over (s, cB) of b[b, j, (s, cB)] T[b, i, (s, cB), cOut]. */
function contraction({ nSeq, nJ, cB, cOut }: OpmPlan, chunk: OpmChunk, bRows: Tensor, t: Tensor): Product {
  return {
    ...{ a: bRows, b: t, m: nJ, n: cOut, k: nSeq * cB, aOffset: chunk.batch * nJ * nSeq * cB },
    batch: { outer: chunk.nBatch, inner: chunk.nI, aShared: "inner" },
  };
}
