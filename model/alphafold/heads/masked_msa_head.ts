import type { Tensor } from "../../../core/mod.ts";
import { linear } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import type { LinearHeadParams } from "./params.ts";

/**
 * What stands at every place of the MSA, as logits of letters.
 *
 * Source: Jumper et al. (2021), Suppl. 1.9.9.
 *
 * @param m `[batch, N_seq, N_res, c_m]`, without rows of templates.
 * @returns `[batch, N_seq, N_res, letters]`.
 */
export function maskedMsaHead(params: LinearHeadParams, m: Tensor): Tensor {
  checkShape("maskedMsaHead", "m", m, ["batch", "N_seq", "N_res", params.linear.weight.shape[1]]);
  return linear(m, params.linear);
}
