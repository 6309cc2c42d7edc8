import type { Tensor } from "../../../core/mod.ts";
import { add, gelu, linear, type LinearParams, reshape, slice } from "../../../ops/mod.ts";
import { crossAttention } from "../../layers/cross_attention.ts";
import { normalize } from "../../layers/layer_norm.ts";
import type { EgnnAttentionParams, EgnnGlobalParams } from "./params.ts";

/**
 * Attention of all nodes to each other by way of a few global tokens: they attend to the nodes, and the nodes to them.
 *
 * Source: Lee et al. (2019), "Set transformer", section 3.1 "ISAB".
 *
 * @param feats `[batch, N, dim]`.
 * @param tokens `[batch, T, dim]`.
 * @param mask 1 for nodes, `[batch, N]`.
 * @returns Owned by the current scope.
 */
export function globalAttention(
  { normSeq, normQueries, attn1, attn2, ff }: EgnnGlobalParams,
  feats: Tensor,
  tokens: Tensor,
  heads: number,
  mask?: Tensor,
): { feats: Tensor; tokens: Tensor } {
  using scope = feats.device.scope("globalAttention");
  const nodes = normalize(normSeq, feats);
  const induced = attend(attn1, normalize(normQueries, tokens), nodes, heads, mask);
  const x = add(feats, attend(attn2, nodes, induced, heads));
  const hidden = gelu(linear(normalize(ff[0], x), ff[1]));
  return scope.keep({ feats: linear(hidden, ff[3], { residual: x }), tokens: add(tokens, induced) });
}

function attend({ toQ, toKv, toOut }: EgnnAttentionParams, x: Tensor, y: Tensor, nHead: number, mask?: Tensor): Tensor {
  const listed = (t: Tensor) => reshape(t, [t.shape[0], 1, ...t.shape.slice(1)]);
  const [rows, columns] = toKv.weight.shape;
  const half = (part: 0 | 1): LinearParams => ({
    weight: slice(toKv.weight, [part * rows / 2, 0], [(part + 1) * rows / 2, columns]),
  });
  const params = { linearQ: toQ, linearK: half(0), linearV: half(1), linearO: toOut };
  const out = crossAttention(params, listed(x), listed(y), { nHead, axis: 2, mask: mask && listed(mask) });
  return reshape(out, x.shape);
}
