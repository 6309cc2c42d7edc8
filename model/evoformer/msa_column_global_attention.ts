import type { Tensor } from "../../core/mod.ts";
import { addScalar, divide, linear, multiply, multiplyScalar, permute, reshape, slice, sum } from "../../ops/mod.ts";
import { checkRepresentation } from "../layers/check_shape.ts";
import { maskPenalty, scaledDotProductAttention } from "../layers/cross_attention.ts";
import { normalize } from "../layers/layer_norm.ts";
import type { MsaAttentionOptions } from "./msa_row_attention.ts";
import type { MsaColumnGlobalAttentionParams } from "./params.ts";

/** How global column attention runs. */
export interface MsaGlobalAttentionOptions extends MsaAttentionOptions {
  /** Added to the number of residues that a column's query is the mean of. @default 1e-8 */
  readonly eps?: number;
}

/**
 * Lets each column of the MSA attend to itself with one query a head: the mean of the column. Keys and values are the
 * same for all heads, so that thousands of sequences are affordable.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 19 "MSAColumnGlobalAttention".
 *
 * @param m `[batch, N_seq, N_res, c_m]`.
 * @returns The update (plus the residual), `[batch, N_seq, N_res, c_m]`.
 */
export function msaColumnGlobalAttention(
  { layerNormM, globalAttention: { linearQ, linearK, linearV, linearG, linearO } }: MsaColumnGlobalAttentionParams,
  m: Tensor,
  { nHead, mask, residual, capture, eps = 1e-8 }: MsaGlobalAttentionOptions,
): Tensor {
  const besides = { mask, residual };
  checkRepresentation("msaColumnGlobalAttention", "m", m, ["N_seq", "N_res"], layerNormM.weight.size, besides);
  const [batch, nSeq, nRes] = m.shape;
  const hidden = linearQ.weight.shape[0];
  const x = normalize(layerNormM, m); // line 1
  const query = linear(columnMean(x, mask, eps), linearQ); // lines 2 and 3
  const cHidden = hidden / nHead;
  const q = reshape(query, [batch, nRes, nHead, cHidden]);
  const byColumn = (t: Tensor) => permute(t, [0, 2, 1, 3]);
  const k = byColumn(linear(x, linearK)), v = byColumn(linear(x, linearV)); // line 2
  capture?.({
    ...{ device: m.device, batch, nHead, rows: nRes, queries: 1, keys: nSeq, scale: 1 / Math.sqrt(cHidden) },
    mask: mask && (() => permute(mask, [0, 2, 1])),
    part: (head, from, to) => ({
      q: slice(q, [0, from, head, 0], [batch, to, head + 1, cHidden]),
      k: slice(k, [0, from, 0, 0], [batch, to, nSeq, cHidden]),
    }),
  });
  const penalty = mask && reshape(permute(maskPenalty(mask), [0, 2, 1]), [batch, nRes, 1, nSeq]);
  const o = scaledDotProductAttention(q, k, v, penalty && [penalty]); // lines 5 and 6
  const gate = linear(x, linearG, { activation: "sigmoid" }); // line 4
  return linear(multiply(gate, reshape(o, [batch, 1, nRes, hidden])), linearO, { residual }); // lines 6 and 7
}

/** Mean over the sequences of an MSA, of those that the mask counts: `[batch, N_res, c_m]`. */
function columnMean(x: Tensor, mask: Tensor | undefined, eps: number): Tensor {
  if (!mask) return multiplyScalar(sum(x, { axes: [1] }), 1 / (x.shape[1] + eps));
  const weights = reshape(mask, [...mask.shape, 1]);
  return divide(sum(multiply(x, weights), { axes: [1] }), addScalar(sum(weights, { axes: [1] }), eps));
}
