import type { Tensor } from "../../../core/mod.ts";
import { broadcastTo, reshape } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { crossAttention } from "../../layers/cross_attention.ts";
import type { TemplatePointwiseAttentionParams } from "./params.ts";

/** How pairs attend to their templates. */
export interface TemplatePointwiseAttentionOptions {
  /** Number of heads. */
  readonly nHead: number;
  /** 1 for templates that are there, 0 for padding: `[batch, T]`. @default all are */
  readonly mask?: Tensor;
  /** Added to the update: `[batch, N_res, N_res, c_z]`. */
  readonly residual?: Tensor;
  /** Whether the residual is not needed any more: without a gradient the result takes its place. @default false */
  readonly consume?: boolean;
}

/**
 * Lets each pair of residues attend to the same pair of all templates.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 17 "TemplatePointwiseAttention".
 *
 * @param z `[batch, N_res, N_res, c_z]`.
 * @param t `[batch, T, N_res, N_res, c_t]`, or tensors of some templates each, one behind the other.
 * @returns The update (plus the residual), `[batch, N_res, N_res, c_z]`. Where no template is there it has no meaning.
 */
export function templatePointwiseAttention(
  { mha }: TemplatePointwiseAttentionParams,
  z: Tensor,
  t: Tensor | readonly Tensor[],
  { nHead, mask, residual, consume }: TemplatePointwiseAttentionOptions,
): Tensor {
  const of = "templatePointwiseAttention";
  checkShape(of, "z", z, ["batch", "N_res", "N_res", mha.linearQ.weight.shape[1]]);
  const { device, shape: [batch, nRes, , cZ] } = z;
  const templates = t instanceof Array ? t : [t as Tensor];
  for (const some of templates) {
    checkShape(of, "t", some, [batch, some.shape[1], nRes, nRes, mha.linearK.weight.shape[1]]);
  }
  const T = templates.reduce((sum, { shape }) => sum + shape[1], 0);
  if (mask) checkShape(of, "mask", mask, [batch, T]);
  if (residual) checkShape(of, "residual", residual, z.shape);
  using scope = device.scope(of);
  const pairs = (x: Tensor, rows: number) => reshape(x, [batch, rows, nRes * nRes, x.shape.at(-1)!]);
  const update = crossAttention(mha, pairs(z, 1), templates.map((some) => pairs(some, some.shape[1])), {
    ...{ nHead, axis: 1, residual: residual && pairs(residual, 1), consume },
    mask: mask && broadcastTo(reshape(mask, [batch, T, 1]), [batch, T, nRes * nRes]),
  });
  return scope.keep(reshape(update, [batch, nRes, nRes, cZ]));
}
