import type { Tensor } from "../../../core/mod.ts";
import { reshape } from "../../../ops/mod.ts";
import { axialAttention } from "../../layers/attention.ts";
import { checkShape } from "../../layers/check_shape.ts";
import type { SingleAttentionParams } from "./params.ts";

/** What plain attention reads besides the single representation. */
export interface SingleAttentionInputs {
  /** Biases of the heads, `pairBias` of the pair representation: `[batch, nHead, N_res, N_res]`. */
  readonly bias: Tensor;
  /** 1 for residues that are there, 0 for padding: `[batch, N_res]`. @default all are */
  readonly mask?: Tensor;
  /** Added to the update: `[batch, N_res, c_s]`. */
  readonly residual?: Tensor;
}

/**
 * Lets residues attend to each other by their representations and pairs alone: what stands in for invariant point
 * attention in a network without it.
 *
 * Source: Jumper et al. (2021), Suppl. 1.13, the ablation of invariant point attention; the attention is that of Alg. 7
 * without a gate.
 *
 * @param s `[batch, N_res, c_s]`.
 * @returns The update (plus the residual), `[batch, N_res, c_s]`.
 */
export function singleAttention(
  { linearQ, linearK, linearV, linearOut }: SingleAttentionParams,
  s: Tensor,
  { bias, mask, residual }: SingleAttentionInputs,
  nHead: number,
): Tensor {
  checkShape("singleAttention", "s", s, ["batch", "N_res", linearQ.weight.shape[1]]);
  const row = (x: Tensor) => reshape(x, [x.shape[0], 1, ...x.shape.slice(1)]);
  const options = { nHead, axis: 2, bias, mask: mask && row(mask), residual: residual && row(residual) } as const;
  using scope = s.device.scope("singleAttention");
  const update = axialAttention({ qkv: [linearQ, linearK, linearV], out: linearOut }, row(s), options);
  return scope.keep(reshape(update, s.shape));
}
