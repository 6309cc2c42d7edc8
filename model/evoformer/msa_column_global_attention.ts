import type { Tensor } from "../../core/mod.ts";
import {
  addScalar,
  attention,
  divide,
  isFused,
  linear,
  type LinearParams,
  multiply,
  multiplyScalar,
  permute,
  reshape,
  slice,
  sum,
} from "../../ops/mod.ts";
import { channelsOfHead, wholeChannels, widenColumns, widenHeads } from "../layers/_whole_heads.ts";
import { checkRepresentation } from "../layers/check_shape.ts";
import { explicitAttention } from "../layers/explicit_attention.ts";
import { isMadeInParts, linearInParts } from "../layers/in_parts.ts";
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
  { nHead, mask, residual, consume, capture, eps = 1e-8 }: MsaGlobalAttentionOptions,
): Tensor {
  const besides = { mask, residual };
  checkRepresentation("msaColumnGlobalAttention", "m", m, ["N_seq", "N_res"], layerNormM.weight.size, besides);
  const [batch, nSeq, nRes] = m.shape;
  const cHidden = channelsOfHead(linearQ.weight.shape[0], nHead);
  const fused = isFused(m.device, "attention");
  const width = fused ? wholeChannels(cHidden) : cHidden;
  const widen = (map: LinearParams) => (fused ? widenHeads(map, cHidden) : map);
  const x = normalize(layerNormM, m); // line 1
  const query = linear(columnMean(x, mask, eps), widen(linearQ)); // lines 2 and 3
  const q = reshape(query, [batch, nRes, nHead, width]); // a column's heads are its queries
  const k = linear(x, widen(linearK)), v = linear(x, widen(linearV)); // line 2
  const scale = 1 / Math.sqrt(cHidden);
  capture?.({
    ...{ device: m.device, batch, nHead, rows: nRes, queries: 1, keys: nSeq, scale },
    mask: mask && (() => permute(mask, [0, 2, 1])),
    part: (head, from, to) => ({
      q: slice(q, [0, from, head, 0], [batch, to, head + 1, width]),
      k: permute(slice(k, [0, 0, from, 0], [batch, nSeq, to, width]), [0, 2, 1, 3]),
    }),
  });
  const o = fused // lines 5 and 6
    ? attention({ q, k, v, mask }, { heads: 1, axis: 2, keyAxis: 1, scale })
    : explicitAttention({ q, k, v, mask }, { nHead: 1, axis: 2, keyAxis: 1 });
  const heads = reshape(o, [batch, 1, nRes, nHead * width]);
  const size = nSeq * heads.size;
  const plan = { axis: 1, count: nSeq, size: 2 * size }; // the gate, and what it lets pass
  // What is normalized is read once more; where it is read in parts it is normalized again, not kept.
  const parts = isMadeInParts(m.device, plan, [m, layerNormM, linearG, linearO, heads]);
  if (parts) x.dispose();
  return linearInParts(
    m.device,
    plan,
    {
      ...(parts ? { x: m, layerNorm: layerNormM } : { x, spendable: true }),
      ...{ residual, consume, split: [], whole: { linearG, linearO, heads } },
    },
    ({ x, spend, whole: { linearG, linearO, heads } }) => {
      const gate = linear(x, widen(linearG), { activation: "sigmoid" }); // line 4
      spend();
      const map = fused ? widenColumns(linearO, cHidden) : linearO;
      return { x: multiply(gate, heads), map }; // lines 6 and 7
    },
  );
}

/** Mean over the sequences of an MSA, of those that the mask counts: `[batch, N_res, c_m]`. */
function columnMean(x: Tensor, mask: Tensor | undefined, eps: number): Tensor {
  if (!mask) return multiplyScalar(sum(x, { axes: [1] }), 1 / (x.shape[1] + eps));
  using scope = x.device.scope("columnMean");
  const weights = reshape(mask, [...mask.shape, 1]);
  return scope.keep(divide(sum(multiply(x, weights), { axes: [1] }), addScalar(sum(weights, { axes: [1] }), eps)));
}
