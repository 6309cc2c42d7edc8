import type { Tensor } from "../../core/mod.ts";
import {
  add,
  addScalar,
  linear,
  type LinearParams,
  matmul,
  multiplyScalar,
  permute,
  reshape,
  sigmoidGate,
  softmax,
} from "../../ops/mod.ts";

/** Projections of multi-head attention as OpenFold names them; weights `[nHead * cHidden, c]`, the output's `[c, …]`. */
export type AttentionParams = {
  readonly linearQ: LinearParams;
  readonly linearK: LinearParams;
  readonly linearV: LinearParams;
  readonly linearO: LinearParams;
  /** Left out where the output is not gated. */
  readonly linearG?: LinearParams;
};

/** What stands for minus infinity in the logits of masked keys. */
const MASKED = 1e9;

/** The penalty of masked keys: 0 where the mask is 1, -1e9 where it is 0. A row of masked keys alone has equal weights. */
export function maskPenalty(mask: Tensor): Tensor {
  return multiplyScalar(addScalar(mask, -1), MASKED);
}

/**
 * Attention of queries to keys that are theirs alone, batch by batch: softmax(scale · q kᵀ + bias) v.
 *
 * Source: Vaswani et al. (2017), section 3.2.1.
 *
 * @param q `[..., Q, cHidden]`.
 * @param k `[..., K, cHidden]`.
 * @param v `[..., K, cHidden]`.
 * @param biases Broadcast to the logits `[..., Q, K]` and added.
 * @returns `[..., Q, cHidden]`.
 */
export function scaledDotProductAttention(q: Tensor, k: Tensor, v: Tensor, biases: readonly Tensor[] = []): Tensor {
  return matmul(attentionProbabilities(q, k, biases), v);
}

/**
 * What {@linkcode scaledDotProductAttention} weighs values with: softmax(scale · q kᵀ + bias), `[..., Q, K]`.
 *
 * @param scale @default 1 / √cHidden
 */
export function attentionProbabilities(
  q: Tensor,
  k: Tensor,
  biases: readonly Tensor[] = [],
  scale: number = 1 / Math.sqrt(q.shape.at(-1)!),
): Tensor {
  return softmax(biases.reduce(add, matmul(multiplyScalar(q, scale), k, { transposeB: true })));
}

/**
 * Multi-head attention of the elements of one tensor to those of another.
 *
 * Source: Vaswani et al. (2017), section 3.2.2; with a gate as in Jumper et al. (2021), Suppl. Alg. 7.
 *
 * @param x What asks, `[batch, Q, cQ]`.
 * @param y What is attended to, `[batch, K, cK]`.
 * @param options `mask` `[batch, K]` is 0 for elements of `y` that must not be attended to; `bias` is broadcast to
 * `[batch, nHead, Q, K]`.
 * @returns `[batch, Q, cQ]`.
 */
export function crossAttention(
  params: AttentionParams,
  x: Tensor,
  y: Tensor,
  { nHead, mask, bias }: { readonly nHead: number; readonly mask?: Tensor; readonly bias?: Tensor },
): Tensor {
  const [batch, nQuery] = x.shape, nKey = y.shape[1];
  const hidden = params.linearQ.weight.shape[0];
  const heads = (projection: LinearParams, of: Tensor, n: number) =>
    permute(reshape(linear(of, projection), [batch, n, nHead, hidden / nHead]), [0, 2, 1, 3]);
  const q = heads(params.linearQ, x, nQuery);
  const k = heads(params.linearK, y, nKey), v = heads(params.linearV, y, nKey);
  const penalty = mask && reshape(maskPenalty(mask), [batch, 1, 1, nKey]);
  const o = scaledDotProductAttention(q, k, v, [penalty, bias].filter((term) => term !== undefined));
  const joined = reshape(permute(o, [0, 2, 1, 3]), [batch, nQuery, hidden]);
  const gated = params.linearG ? sigmoidGate({ x: joined, gate: linear(x, params.linearG) }) : joined;
  return linear(gated, params.linearO);
}
