import type { Tensor } from "../../core/mod.ts";
import { multiply, permute, reshape, sigmoid } from "../../ops/mod.ts";
import { maskPenalty, scaledDotProductAttention } from "./cross_attention.ts";

/** What explicit attention takes: each part `[batch, I, J, nHead * cHidden]`. */
export type ExplicitAttentionInputs = {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  /** The gate before the sigmoid. */
  readonly gate?: Tensor;
  /** `[batch, nHead, L, L]`. */
  readonly bias?: Tensor;
  /** `[batch, I, J]`. */
  readonly mask?: Tensor;
};

/**
 * What the op `attention` computes in one kernel, step by step: logits and probabilities are stored.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 7, 8, 13 and 14, lines 5-6.
 *
 * @param axis 2 attends along J, 1 along I.
 * @returns `[batch, I, J, nHead * cHidden]`, owned by the current scope.
 */
export function explicitAttention(
  { q, k, v, gate, bias, mask }: ExplicitAttentionInputs,
  { nHead, axis }: { readonly nHead: number; readonly axis: 1 | 2 },
): Tensor {
  using scope = q.device.scope("explicitAttention");
  const [batch, I, J, hidden] = q.shape;
  const [R, L] = axis === 2 ? [I, J] : [J, I];
  const order = axis === 2 ? [0, 1, 3, 2, 4] : [0, 2, 3, 1, 4]; // to [batch, R, nHead, L, cHidden]
  const heads = (x: Tensor) => permute(reshape(x, [batch, I, J, nHead, hidden / nHead]), order);
  const biases: Tensor[] = [];
  if (bias) biases.push(reshape(bias, [batch, 1, nHead, L, L]));
  if (mask) {
    const penalty = maskPenalty(axis === 2 ? mask : permute(mask, [0, 2, 1]));
    biases.push(reshape(penalty, [batch, R, 1, 1, L]));
  }
  const o = scaledDotProductAttention(heads(q), heads(k), heads(v), biases);
  const back = axis === 2 ? order : [0, 3, 1, 2, 4];
  const joined = reshape(permute(o, back), q.shape);
  return scope.keep(gate ? multiply(joined, sigmoid(gate)) : joined);
}
