import type { Key, Tensor } from "../../../core/mod.ts";
import { dropout, linear } from "../../../ops/mod.ts";
import { normalize } from "../../layers/layer_norm.ts";
import type { StructureTransitionParams } from "./params.ts";

/**
 * Updates every residue on its own, then normalizes.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 20 "StructureModule", lines 8 and 9.
 *
 * @param s `[batch, N_res, c_s]`.
 * @param drop Dropout before the normalization. @default none
 * @returns `[batch, N_res, c_s]`.
 */
export function structureTransition(
  params: StructureTransitionParams,
  s: Tensor,
  drop?: { readonly rate: number; readonly key: Key },
): Tensor {
  for (const { linear_1, linear_2, linear_3 } of params.layers) {
    const a = linear(linear(s, linear_1, { activation: "relu" }), linear_2, { activation: "relu" });
    s = linear(a, linear_3, { residual: s });
  }
  return normalize(params.layerNorm, drop ? dropout(s, drop) : s);
}
