import type { Tensor } from "../../core/mod.ts";
import { checkRepresentation } from "../layers/check_shape.ts";
import { normalizedTransition, type TransitionOptions } from "../layers/transition.ts";
import type { NormalizedTransitionParams } from "./params.ts";

/**
 * Updates every residue of the MSA on its own.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 9 "MSATransition".
 *
 * @param m `[batch, N_seq, N_res, c_m]`.
 * @param options A mask is `[batch, N_seq, N_res]`; AlphaFold 2 uses none here.
 * @returns The update (plus the residual), `[batch, N_seq, N_res, c_m]`.
 */
export function msaTransition(
  { layerNorm, linear_1, linear_2 }: NormalizedTransitionParams,
  m: Tensor,
  options?: TransitionOptions,
): Tensor {
  checkRepresentation("msaTransition", "m", m, ["N_seq", "N_res"], layerNorm.weight.size, options);
  return normalizedTransition({ layerNorm, linear1: linear_1, linear2: linear_2 }, m, options);
}
