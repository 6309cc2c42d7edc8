import type { Tensor } from "../../core/mod.ts";
import { attention, concat, linear, type LinearParams, pad, reshape } from "../../ops/mod.ts";

/** Projections of multi-head self-attention: weights `[nHead * cHidden, c]`, and `[c, nHead * cHidden]` for the output. */
export type SelfAttentionParams = {
  readonly qProj: LinearParams;
  readonly kProj: LinearParams;
  readonly vProj: LinearParams;
  readonly oProj: LinearParams;
};

/** How self-attention runs. */
export interface SelfAttentionOptions {
  /** Number of heads. */
  readonly nHead: number;
  /** Axis of `[batch, I, J, c]` along which elements attend to each other: 1 or 2. */
  readonly axis: 1 | 2;
  /** Added to the logits: `[batch, nHead, L, L]`, L the size of that axis. */
  readonly bias?: Tensor;
  /** 1 for elements that may be attended to, 0 for others: `[batch, I, J]`. */
  readonly mask?: Tensor;
  /** Added to the update: `[batch, I, J, c]`. */
  readonly residual?: Tensor;
}

/**
 * Multi-head self-attention along one axis of a two-dimensional representation, without gate and without biases in
 * its projections. Queries, keys and values come from one product.
 *
 * @param x `[batch, I, J, c]`.
 * @returns The update (plus the residual), `[batch, I, J, c]`.
 */
export function selfAttention(params: SelfAttentionParams, x: Tensor, options: SelfAttentionOptions): Tensor {
  const { nHead, axis, bias, mask, residual } = options;
  const [hidden, c] = params.qProj.weight.shape;
  const cHidden = hidden / nHead;
  if (!Number.isInteger(cHidden)) {
    throw new TypeError(`Cannot run attention: ${hidden} channels do not divide into ${nHead} heads`);
  }
  // Heads of whole vec4s: channels of zeros change neither logits nor output.
  const more = Math.ceil(cHidden / 4) * 4 - cHidden;
  const wide = nHead * (cHidden + more);
  const rows = (weight: Tensor) =>
    more ? reshape(pad(reshape(weight, [nHead, cHidden, c]), [0, 0, 0], [0, more, 0]), [wide, c]) : weight;
  const columns = (weight: Tensor) =>
    more ? reshape(pad(reshape(weight, [c, nHead, cHidden]), [0, 0, 0], [0, 0, more]), [c, wide]) : weight;
  const packed = concat([params.qProj, params.kProj, params.vProj].map(({ weight }) => rows(weight)), 0);
  const qkv = linear(x, { weight: packed });
  const o = attention({ qkv, bias, mask }, { heads: nHead, axis, gated: false, scale: 1 / Math.sqrt(cHidden) });
  return linear(o, { weight: columns(params.oProj.weight) }, { residual });
}
