import type { Tensor } from "../../core/mod.ts";
import { checkRepresentation } from "../layers/check_shape.ts";
import { normalizedTransition, type TransitionOptions } from "../layers/transition.ts";
import type { NormalizedTransitionParams } from "./params.ts";

/**
 * Updates every pair of residues on its own.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 15 "PairTransition".
 *
 * @param z `[batch, N_res, N_res, c_z]`.
 * @param options A mask is `[batch, N_res, N_res]`; AlphaFold 2 uses none here.
 * @returns The update (plus the residual), `[batch, N_res, N_res, c_z]`.
 */
export function pairTransition(
  { layerNorm, linear_1, linear_2 }: NormalizedTransitionParams,
  z: Tensor,
  options?: TransitionOptions,
): Tensor {
  checkRepresentation("pairTransition", "z", z, ["N_res", "N_res"], layerNorm.weight.size, options);
  return normalizedTransition({ layerNorm, linear1: linear_1, linear2: linear_2 }, z, options);
}
