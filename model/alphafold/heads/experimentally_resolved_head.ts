import type { Tensor } from "../../../core/mod.ts";
import { linear } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import type { LinearHeadParams } from "./params.ts";

/**
 * Whether an experiment of high resolution would show each atom, as logits.
 *
 * Source: Jumper et al. (2021), Suppl. 1.9.10.
 *
 * @param s The Evoformer's single representation, `[batch, N_res, c_s]`.
 * @returns `[batch, N_res, 37]`.
 */
export function experimentallyResolvedHead(params: LinearHeadParams, s: Tensor): Tensor {
  checkShape("experimentallyResolvedHead", "s", s, ["batch", "N_res", params.linear.weight.shape[1]]);
  return linear(s, params.linear);
}
