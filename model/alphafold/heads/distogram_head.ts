import type { Tensor } from "../../../core/mod.ts";
import { add, linear, permute } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import type { LinearHeadParams } from "./params.ts";

/** Å between which the distogram's boundaries lie. */
export const DISTOGRAM_RANGE: { readonly min: number; readonly max: number } = { min: 2.3125, max: 21.6875 };

/**
 * Boundaries between the distogram's bins in Å: evenly spaced, the first and the last bin are open.
 *
 * Source: Jumper et al. (2021), Suppl. 1.9.8.
 */
export function distogramBoundaries(bins: number, { min, max } = DISTOGRAM_RANGE): Float64Array {
  return Float64Array.from({ length: bins - 1 }, (_, k) => min + (max - min) * k / (bins - 2));
}

/**
 * Distances between C-betas as logits of bins, the same for (i, j) and (j, i).
 *
 * Source: Jumper et al. (2021), Suppl. 1.9.8. The bias counts twice, as in the published code.
 *
 * @param z `[batch, N_res, N_res, c_z]`.
 * @returns `[batch, N_res, N_res, bins]`.
 */
export function distogramHead(params: LinearHeadParams, z: Tensor): Tensor {
  checkShape("distogramHead", "z", z, ["batch", "N_res", "N_res", params.linear.weight.shape[1]]);
  using scope = z.device.scope("distogramHead");
  const half = linear(z, params.linear);
  return scope.keep(add(half, permute(half, [0, 2, 1, 3])));
}
