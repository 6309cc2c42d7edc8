/** The outer product mean in the order of the text-book: outer products summed over sequences, then the weight. */
import { addInto, type Device, isVisible, mostVisible, type Tensor } from "../core/mod.ts";
import { intermediateType } from "./_intermediate.ts";
import { runMatmul } from "./_matmul.ts";
import { chunksOf, type OpmChunk, type OpmOrder, type OpmPlan, opmTarget } from "./_opm_plan.ts";
import { entryOf, readRegion, writeRegion } from "./_region.ts";
import { cast } from "./cast.ts";
import { multiplyScalar } from "./elementwise.ts";
import { permute } from "./permute.ts";

/** Bytes of the outer products of one chunk. */
const CHUNK_BYTES = 16 * 2 ** 20;

/** For many sequences: their number counts once, with c · c operations a pair; [N_res, N_res, c, c] is never whole. */
export const outerFirst: OpmOrder = {
  forward(device, plan, { a, b, weight, scale }, epilogue) {
    const { nJ, cA, cB, cOut } = plan;
    const scaled = scale === 1 ? weight : multiplyScalar(cast(weight, "f32"), scale);
    const { out, ofChunk } = opmTarget(device, plan, epilogue);
    for (const chunk of rowChunks(device, plan)) {
      using _ = device.scope("chunk");
      const pairs = outerProducts(device, plan, chunk, a, entryOf(b, chunk.batch));
      runMatmul(device, {
        ...{ a: pairs, b: scaled, m: chunk.nI * nJ, n: cOut, k: cA * cB, bTransposed: true },
        ...ofChunk(chunk),
      });
    }
    return out;
  },

  backward(device, plan, { a, b, weight, scale }, dOut, wanted) {
    const { nBatch, nSeq, nJ, cA, cB, cOut } = plan;
    const aShape = [nBatch, nSeq, plan.nI, cA], bShape = [nBatch, nSeq, nJ, cB];
    const scaled = weight && multiplyScalar(cast(weight, "f32"), scale);
    const dA = wanted.a ? device.empty(aShape) : undefined, dB = wanted.b ? device.empty(bShape) : undefined;
    let dWeight: Tensor | undefined, total: Tensor | undefined;
    for (const chunk of rowChunks(device, plan)) {
      using scope = device.scope("chunk");
      const { batch, begin, first, nI } = chunk;
      const rows = nI * nJ, dOffset = first * nJ * cOut;
      const bColumns = b && entryOf(b, batch);
      if (wanted.weight) {
        const part = runMatmul(device, {
          a: dOut,
          b: outerProducts(device, plan, chunk, a!, bColumns!),
          m: cOut,
          n: cA * cB,
          k: rows,
          aTransposed: true,
          aOffset: dOffset,
        }).out;
        if (dWeight) addInto(device, dWeight, part);
        else dWeight = scope.keep(part);
      }
      if (!dA && !dB) continue;
      const dPairs = runMatmul(device, { a: dOut, b: scaled!, m: rows, n: cA * cB, k: cOut, aOffset: dOffset }).out;
      // [(i, cA), (j, cB)] again
      const dOuter = permute(device.view(dPairs, [nI, nJ, cA, cB]), [0, 2, 1, 3]);
      if (dA) {
        const dColumns = runMatmul(device, {
          a: bColumns!,
          b: dOuter,
          m: nSeq,
          n: nI * cA,
          k: nJ * cB,
          bTransposed: true,
        }).out;
        writeRegion(device.view(dColumns, [1, nSeq, nI, cA]), dA, [batch, 0, begin, 0]);
      }
      if (!dB) continue;
      const aColumns = columnsOf(a!, chunk);
      const toB = runMatmul(device, { a: aColumns, b: dOuter, m: nSeq, n: nJ * cB, k: nI * cA }).out;
      if (begin === 0 || !total) total = scope.keep(toB);
      else addInto(device, total, toB);
      if (begin + nI === plan.nI) device.copy(total, dB, { toElement: batch * total.size });
    }
    return { a: dA, b: dB, weight: dWeight && device.view(multiplyScalar(dWeight, scale), [cOut, cA * cB]) };
  },
};

function rowChunks(device: Device, plan: OpmPlan): OpmChunk[] {
  const { nJ, cA, cB } = plan;
  return chunksOf(plan, {
    rowSize: nJ * cA * cB,
    bytes: Math.min(CHUNK_BYTES, 4 * mostVisible(device)),
    together: false,
  });
}

/** The chunk's columns of the MSA, `[1, nSeq, nI, cA]`. */
function columnsOf(a: Tensor, { batch, begin, nI }: OpmChunk): Tensor {
  return readRegion(a, [batch, 0, begin, 0], a.shape.with(0, 1).with(2, nI));
}

/** Sums over sequences of a[s, i] ⊗ b[s, j], `[i, j, cA, cB]`, put there by the product itself. */
function outerProducts(
  device: Device,
  { nSeq, nI: nRows, nJ, cA, cB }: OpmPlan,
  chunk: OpmChunk,
  a: Tensor,
  bColumns: Tensor,
): Tensor {
  const { batch, begin, nI } = chunk;
  const [m, n] = [nI * cA, nJ * cB];
  const dtype = intermediateType(device, m, n);
  const product = { b: bColumns, m, n, k: nSeq, aTransposed: true };
  if (!isVisible(a) || !isVisible(bColumns)) {
    const { out } = runMatmul(device, { ...product, a: columnsOf(a, chunk), dtype });
    return permute(device.view(out, [nI, cA, nJ, cB]), [0, 2, 1, 3]);
  }
  const out = device.empty([nI, nJ, cA, cB], dtype);
  runMatmul(device, {
    ...{ ...product, a, aOffset: (batch * nSeq * nRows + begin) * cA, aLd: nRows * cA },
    into: {
      ...{ out, offset: 0 },
      places: { rows: cA, rowsStep: nJ * cA * cB, rowStep: cB, columns: cB, columnsStep: cA * cB },
    },
  });
  return out;
}
