import { defineOp, type Device, elementGrid, kernel, type Shape, type Tensor } from "../core/mod.ts";
import { sumRows } from "./_reduce.ts";
import { type Product, runMatmul } from "./_matmul.ts";
import { add, multiplyScalar } from "./elementwise.ts";
import { pad } from "./pad.ts";
import { permute } from "./permute.ts";
import { sum } from "./reduce.ts";
import { reshape } from "./reshape.ts";
import { slice } from "./slice.ts";

/** What {@linkcode outerProductMean} takes. */
export type OuterProductMeanInputs = {
  /** Projection of the first residue's column, `[batch, N_seq, N_i, cA]`. */
  readonly a: Tensor;
  /** Projection of the second residue's column, `[batch, N_seq, N_j, cB]`. */
  readonly b: Tensor;
  /** `[cOut, cA * cB]`, row-major over (cA, cB). */
  readonly weight: Tensor;
  /** Added after the scale, `[cOut]`. */
  readonly bias?: Tensor;
  /** Added last, `[batch, N_i, N_j, cOut]`. */
  readonly residual?: Tensor;
};

/** How {@linkcode outerProductMean} goes about it. */
export interface OuterProductMeanOptions {
  /** Factor of the sum over sequences. @default 1 / N_seq */
  readonly scale?: number;
}

/** Bytes of the intermediate product of one chunk. */
const CHUNK_BYTES = 64 * 2 ** 20;

const op = defineOp<
  OuterProductMeanInputs,
  "a" | "b" | "weight",
  Record<never, never>,
  Required<OuterProductMeanOptions>
>({
  name: "outerProductMean",
  needs: ["a", "b", "weight"],
  forward({ a, b, weight, bias, residual }, { scale }, { device }) {
    const plan = planOf(a.shape, b.shape, weight.shape);
    const [nBatch, nI, nJ] = [plan.nBatch, plan.nI, plan.nJ];
    const { aRows, bRows, mixed } = operands(plan, a, b, weight, scale);
    const out = device.empty([nBatch, nI, nJ, plan.cOut]);
    for (const chunk of chunksOf(plan)) {
      using _chunk = device.scope("chunk");
      const t = halfProduct(device, plan, chunk, aRows, mixed);
      runMatmul(device, {
        ...contraction(plan, chunk, bRows, t),
        bias,
        residual,
        into: { out, offset: chunk.first * nJ * plan.cOut },
      });
    }
    return { out };
  },
  vjp({ device, inputs: { a, b, weight }, attributes: { scale }, wanted }, dOut) {
    const plan = planOf(a.shape, b.shape, weight.shape);
    const { nJ, nSeq, cA, cB, cOut } = plan;
    const { aRows, bRows, mixed } = operands(plan, a, b, weight, scale);
    const dA = device.empty([plan.nBatch, plan.nI, nSeq, cA]);
    const dB = device.zeros([plan.nBatch, nJ, nSeq, cB]);
    let dMixed: Tensor | undefined;
    for (const chunk of chunksOf(plan)) {
      using scope = device.scope("chunk");
      const rows = chunk.nBatch * chunk.nI * nSeq;
      const batch = { outer: chunk.nBatch, inner: chunk.nI };
      const dOffset = chunk.first * nJ * cOut;
      const dT = runMatmul(device, {
        ...{ a: bRows, b: dOut, m: nSeq * cB, n: cOut, k: nJ, aTransposed: true },
        ...{ aOffset: chunk.batch * nJ * nSeq * cB, bOffset: dOffset, batch: { ...batch, aShared: "inner" } },
      }).out;
      if (wanted.b) {
        const t = halfProduct(device, plan, chunk, aRows, mixed);
        const parts = runMatmul(device, {
          ...{ a: dOut, b: t, m: nJ, n: nSeq * cB, k: cOut, bTransposed: true, aOffset: dOffset, batch },
        }).out;
        const summed = sum(device.view(parts, [chunk.nBatch, chunk.nI, nJ * nSeq * cB]), { axes: [1] });
        addAt(device, dB, summed, chunk.batch * nJ * nSeq * cB);
      }
      runMatmul(device, {
        ...{ a: dT, b: mixed, m: rows, n: cA, k: cB * cOut },
        into: { out: dA, offset: chunk.first * nSeq * cA },
      });
      const part = runMatmul(device, {
        ...{ a: dT, b: aRows, m: cB * cOut, n: cA, k: rows, aTransposed: true, bOffset: chunk.first * nSeq * cA },
      }).out;
      dMixed = scope.keep(dMixed ? add(dMixed, part) : part);
    }
    return {
      a: permute(dA, [0, 2, 1, 3]),
      b: permute(dB, [0, 2, 1, 3]),
      weight: device.view(
        multiplyScalar(permute(device.view(dMixed!, [cB, cOut, cA]), [1, 2, 0]), scale),
        weight.shape,
      ),
      bias: wanted.bias ? sumRows(dOut, cOut) : undefined,
      residual: dOut,
    };
  },
});

/**
 * Mean over sequences of the outer product of two projections, mapped to pair channels and added to a residual:
 * out[i, j] = residual[i, j] + bias + W · flatten(mean over s of a[s, i] ⊗ b[s, j]); with `scale`, its multiple of the
 * sum instead of the mean.
 *
 * The weight is applied to `a` first and the sequences are summed last, so neither the product [N_res, N_res, c, c]
 * nor the sum over sequences of full outer products is ever made.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 10 "OuterProductMean", lines 2-4 (one normalization for all pairs).
 *
 * @returns `[batch, N_i, N_j, cOut]`.
 * @throws {TypeError} If shapes do not fit.
 */
export function outerProductMean(inputs: OuterProductMeanInputs, options: OuterProductMeanOptions = {}): Tensor {
  const { a, b, weight, bias, residual } = inputs;
  const { nBatch, nSeq, nI, nJ, cA, cB, cOut } = planOf(a.shape, b.shape, weight.shape);
  const attributes = { scale: options.scale ?? 1 / nSeq };
  if ((bias && bias.size !== cOut) || (residual && residual.size !== nBatch * nI * nJ * cOut)) {
    throw new TypeError(
      `Cannot run outerProductMean: bias must be [${cOut}] and residual [${[nBatch, nI, nJ, cOut]}], they are [${
        bias?.shape ?? "none"
      }] and [${residual?.shape ?? "none"}]`,
    );
  }
  const widen = (n: number) => Math.ceil(n / 4) * 4 - n;
  const [moreA, moreB, moreOut] = [widen(cA), widen(cB), widen(cOut)];
  if (!moreA && !moreB && !moreOut) return op({ a, b, weight, bias, residual }, attributes);
  // Channels of zeros change nothing; rows of whole vec4s are what the kernels read.
  const wide = pad(reshape(weight, [cOut, cA, cB]), [0, 0, 0], [moreOut, moreA, moreB]);
  const out = op({
    a: pad(a, [0, 0, 0, 0], [0, 0, 0, moreA]),
    b: pad(b, [0, 0, 0, 0], [0, 0, 0, moreB]),
    weight: reshape(wide, [cOut + moreOut, (cA + moreA) * (cB + moreB)]),
    bias: bias && pad(bias, [0], [moreOut]),
    residual: residual && pad(residual, [0, 0, 0, 0], [0, 0, 0, moreOut]),
  }, attributes);
  return slice(out, [0, 0, 0, 0], [nBatch, nI, nJ, cOut]);
}

interface Plan {
  readonly nBatch: number;
  readonly nSeq: number;
  readonly nI: number;
  readonly nJ: number;
  readonly cA: number;
  readonly cB: number;
  readonly cOut: number;
}

function planOf(a: Shape, b: Shape, weight: Shape): Plan {
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
interface Chunk {
  readonly batch: number;
  readonly nBatch: number;
  readonly nI: number;
  /** Rows (batch, i) before this chunk. */
  readonly first: number;
}

function chunksOf({ nBatch, nSeq, nI, cB, cOut }: Plan): Chunk[] {
  const rowBytes = nSeq * cB * cOut * 4;
  if (nBatch * nI * rowBytes <= CHUNK_BYTES * 1.25) return [{ batch: 0, nBatch, nI, first: 0 }];
  const size = Math.max(1, Math.floor(CHUNK_BYTES / rowBytes));
  const chunks: Chunk[] = [];
  for (let batch = 0; batch < nBatch; batch++) {
    for (let i = 0; i < nI; i += size) {
      chunks.push({ batch, nBatch: 1, nI: Math.min(size, nI - i), first: batch * nI + i });
    }
  }
  return chunks;
}

/** `a` as [batch, i, s, cA], `b` as [batch, j, s, cB], the weight as [cB, cOut, cA] times the scale. */
function operands({ cA, cB, cOut }: Plan, a: Tensor, b: Tensor, weight: Tensor, scale: number) {
  return {
    aRows: permute(a, [0, 2, 1, 3]),
    bRows: permute(b, [0, 2, 1, 3]),
    mixed: multiplyScalar(permute(reshape(weight, [cOut, cA, cB]), [2, 0, 1]), scale),
  };
}

/** T[(b, i, s), (cB, cOut)] = sum over cA of a[b, i, s, cA] W[cOut, cA, cB], times the scale. */
function halfProduct(device: Device, plan: Plan, chunk: Chunk, aRows: Tensor, mixed: Tensor): Tensor {
  const { nSeq, cA, cB, cOut } = plan;
  return runMatmul(device, {
    ...{ a: aRows, b: mixed, m: chunk.nBatch * chunk.nI * nSeq, n: cB * cOut, k: cA, bTransposed: true },
    aOffset: chunk.first * nSeq * cA,
  }).out;
}

/** out[b, i][j, cOut] = sum over (s, cB) of b[b, j, (s, cB)] T[b, i, (s, cB), cOut]. */
function contraction({ nSeq, nJ, cB, cOut }: Plan, chunk: Chunk, bRows: Tensor, t: Tensor): Product {
  return {
    ...{ a: bRows, b: t, m: nJ, n: cOut, k: nSeq * cB, aOffset: chunk.batch * nJ * nSeq * cB },
    batch: { outer: chunk.nBatch, inner: chunk.nI, aShared: "inner" },
  };
}

const ADD_AT = kernel({
  name: "addAt",
  bindings: { part: "read vec4f", total: "write vec4f" },
  uniforms: { n: "u32", offset: "u32" },
  body: "if (index < u.n) { total[u.offset + index] += part[index]; }",
});

/** Adds `part` to the elements of `total` from `offset` on; both are whole vec4s. */
function addAt(device: Device, total: Tensor, part: Tensor, offset: number): void {
  const n = part.size / 4;
  device.run(ADD_AT, { bindings: { part, total }, uniforms: { n, offset: offset / 4 }, grid: elementGrid(n, 64) });
}
