import { type Device, type Shape, type Tensor, within } from "../core/mod.ts";
import type { Product } from "./_matmul.ts";

/** Sizes of an outer product mean: a `[nBatch, nSeq, nI, cA]`, b `[nBatch, nSeq, nJ, cB]`, weight `[cOut, cA * cB]`. */
export interface OpmPlan {
  readonly nBatch: number;
  readonly nSeq: number;
  readonly nI: number;
  readonly nJ: number;
  readonly cA: number;
  readonly cB: number;
  readonly cOut: number;
}

/** What an order of the sums computes from. */
export interface OpmInputs {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly weight: Tensor;
  /** Factor of the sum over sequences. */
  readonly scale: number;
}

/** What is done with a pair's mapped sum. */
export interface OpmEpilogue {
  readonly bias?: Tensor;
  /** Multiplies what came of a pair, the bias included, `[nBatch, nI, nJ]`. */
  readonly factor?: Tensor;
  readonly residual?: Tensor;
  /** Whether the sum is added to the residual where that stands. */
  readonly consume: boolean;
}

/**
 * The tensor for the result, and what the last product of a chunk does: the residual itself where that may be overwritten,
 * or has to be copied since there is a factor.
 */
export function opmTarget(
  device: Device,
  { nBatch, nI, nJ, cOut }: OpmPlan,
  { bias, factor, residual, consume }: OpmEpilogue,
): { readonly out: Tensor; readonly ofChunk: (chunk: OpmChunk) => Partial<Product> } {
  const onTop = !!residual && (consume || residual.dtype !== "f32");
  const out = onTop && consume ? residual : device.empty([nBatch, nI, nJ, cOut], residual?.dtype);
  if (onTop && out !== residual) device.copy(residual, out);
  return {
    out,
    ofChunk({ first, nBatch, nI }) {
      const seen = (x: Tensor) => within(x, first * nJ * cOut, nBatch * nI * nJ * cOut);
      const { part, at } = seen(out);
      return {
        ...{ bias, residual: onTop ? undefined : residual && seen(residual).part },
        factor: factor && { values: factor, offset: first * nJ },
        into: { out: part, offset: at, onTop },
      };
    },
  };
}

/** What the way back reads: of the operands, those that a wanted gradient needs. */
export type OpmInputsBack = Partial<OpmInputs> & Pick<OpmInputs, "scale">;

/** Which gradients are asked for. */
export type OpmWanted = { readonly a: boolean; readonly b: boolean; readonly weight: boolean };

/** Gradients of a, b and the weight, where wanted. */
export type OpmGradients = { readonly [K in keyof OpmWanted]?: Tensor };

/** An order in which the sums over channels and over sequences are done. */
export interface OpmOrder {
  forward(device: Device, plan: OpmPlan, inputs: OpmInputs, epilogue: OpmEpilogue): Tensor;
  backward(device: Device, plan: OpmPlan, inputs: OpmInputsBack, dOut: Tensor, wanted: OpmWanted): OpmGradients;
}

/** The sizes, checked. */
export function planOf(a: Shape, b: Shape, weight: Shape): OpmPlan {
  const [nBatch, nSeq, nI, cA] = a;
  const [nBatchB, nSeqB, nJ, cB] = b;
  const [cOut, cIn] = weight;
  if (a.length !== 4 || b.length !== 4 || nBatch !== nBatchB || nSeq !== nSeqB || cIn !== cA * cB) {
    throw new TypeError(
      `Cannot run outerProductMean on a [${a}], b [${b}], weight [${weight}]: they must be [batch, N_seq, N_i, cA], [batch, N_seq, N_j, cB], [cOut, cA * cB]`,
    );
  }
  return { nBatch, nSeq, nI, nJ, cA, cB, cOut };
}

/** A run of rows i of some batch elements, computed at once. */
export interface OpmChunk {
  readonly batch: number;
  readonly nBatch: number;
  /** First row i. */
  readonly begin: number;
  readonly nI: number;
  /** Rows (batch, i) before this chunk. */
  readonly first: number;
}

/**
 * Chunks of rows whose intermediate product stays below a size, which is below what WebGPU lets any kernel see.
 *
 * @param rowSize Elements of one row's intermediate product.
 * @param bytes Bytes of a chunk's, at most.
 * @param together Whether all batch elements may be one chunk.
 */
export function chunksOf(
  { nBatch, nI }: OpmPlan,
  { rowSize, bytes, together }: { readonly rowSize: number; readonly bytes: number; readonly together: boolean },
): OpmChunk[] {
  const most = bytes / 4;
  if (together && nBatch * nI * rowSize <= most) return [{ batch: 0, nBatch, begin: 0, nI, first: 0 }];
  const count = Math.ceil(nI / Math.max(1, Math.floor(most / rowSize)));
  const size = Math.ceil(nI / count);
  const chunks: OpmChunk[] = [];
  for (let batch = 0; batch < nBatch; batch++) {
    for (let begin = 0; begin < nI; begin += size) {
      chunks.push({ batch, nBatch: 1, begin, nI: Math.min(size, nI - begin), first: batch * nI + begin });
    }
  }
  return chunks;
}
