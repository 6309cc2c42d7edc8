import type { Tensor } from "../../core/mod.ts";
import { linear, type LinearParams } from "../../ops/mod.ts";

/** Two linear maps with a relu between them. */
export type TransitionParams = { readonly linear1: LinearParams; readonly linear2: LinearParams };

/**
 * Maps every element on its own to more channels and back: W₂ relu(W₁ x).
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 9 and 15, lines 2-3 (the layer normalization is the caller's).
 *
 * @param x `[..., c]`.
 * @param residual Added to the update, `[..., c]`.
 */
export function transition(params: TransitionParams, x: Tensor, residual?: Tensor): Tensor {
  const a = linear(x, params.linear1, { activation: "relu" }); // line 2
  return linear(a, params.linear2, { residual }); // line 3
}
