import type { Tensor } from "../../../core/mod.ts";
import { linear } from "../../../ops/mod.ts";
import type { BackboneUpdateParams } from "./params.ts";

/**
 * How each residue's frame is to move: three numbers b, c, d of a quaternion (1, b, c, d), three of a translation.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 23 "BackboneUpdate", line 1; for the rest see `updateQuaternions` and
 * `updateTranslations`.
 *
 * @param s `[batch, N_res, c_s]`.
 * @returns `[batch, N_res, 6]`.
 */
export function backboneUpdate(params: BackboneUpdateParams, s: Tensor): Tensor {
  return linear(s, params.linear);
}
