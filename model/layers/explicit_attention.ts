import type { Tensor } from "../../core/mod.ts";
import { add, addScalar, matmul, multiply, multiplyScalar, permute, reshape, sigmoid, softmax } from "../../ops/mod.ts";

/** What stands for minus infinity in the logits of masked keys. */
const MASKED = 1e9;

/** The penalty of masked keys: 0 where the mask is 1, -1e9 where it is 0. A row of masked keys alone has equal weights. */
export function maskPenalty(mask: Tensor): Tensor {
  return multiplyScalar(addScalar(mask, -1), MASKED);
}

/**
 * What attention weighs values with: softmax(scale · q kᵀ + bias), `[..., Q, K]`.
 *
 * Source: Vaswani et al. (2017), section 3.2.1.
 *
 * @param q `[..., Q, cHidden]`.
 * @param k `[..., K, cHidden]`.
 * @param biases Broadcast to the logits `[..., Q, K]` and added.
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

/** What explicit attention takes: each of q, k, v and gate `[batch, I, J, nHead * cHidden]`. */
export type ExplicitAttentionInputs = {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  /** The gate before the sigmoid, of the queries' shape. */
  readonly gate?: Tensor;
  /** `[batch, nHead, Lq, Lk]`. */
  readonly bias?: Tensor;
  /** `[batch, I, J]` of the keys. */
  readonly mask?: Tensor;
};

/** How explicit attention runs. */
export interface ExplicitAttentionOptions {
  /** Heads. */
  readonly nHead: number;
  /** Axis attended along: 2 along J, 1 along I. */
  readonly axis: 1 | 2;
  /** The same of keys and values. @default axis */
  readonly keyAxis?: 1 | 2;
}

/**
 * What the op `attention` computes in one kernel, step by step: logits and probabilities are stored.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 7, 8, 13 and 14, lines 5-6.
 *
 * @returns Of the queries' shape, owned by the current scope.
 */
export function explicitAttention(
  { q, k, v, gate, bias, mask }: ExplicitAttentionInputs,
  { nHead, axis, keyAxis = axis }: ExplicitAttentionOptions,
): Tensor {
  using scope = q.device.scope("explicitAttention");
  const orders = { 1: [0, 2, 3, 1, 4], 2: [0, 1, 3, 2, 4] } as const; // to [batch, R, nHead, L, cHidden]
  const heads = (x: Tensor, axis: 1 | 2) =>
    permute(reshape(x, [...x.shape.slice(0, 3), nHead, x.shape[3] / nHead]), orders[axis]);
  const biases: Tensor[] = [];
  if (bias) biases.push(reshape(bias, [bias.shape[0], 1, ...bias.shape.slice(1)]));
  if (mask) {
    const penalty = maskPenalty(keyAxis === 2 ? mask : permute(mask, [0, 2, 1]));
    const [batch, R, Lk] = penalty.shape;
    biases.push(reshape(penalty, [batch, R, 1, 1, Lk]));
  }
  const o = matmul(attentionProbabilities(heads(q, axis), heads(k, keyAxis), biases), heads(v, keyAxis));
  const joined = reshape(permute(o, axis === 2 ? orders[2] : [0, 3, 1, 2, 4]), q.shape);
  return scope.keep(gate ? multiply(joined, sigmoid(gate)) : joined);
}
