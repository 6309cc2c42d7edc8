import type { Tensor } from "../../core/mod.ts";
import { layerNorm } from "../../ops/mod.ts";

/** Scale and shift `[c]` of a layer normalization, as PyTorch names them. */
export type LayerNormParams = { readonly weight: Tensor; readonly bias?: Tensor };

/**
 * Layer normalization of the last axis with a parameter tree in PyTorch's names.
 *
 * @param x `[..., c]`.
 * @param eps Added to the variance. @default 1e-5
 */
export function normalize(params: LayerNormParams, x: Tensor, eps = 1e-5): Tensor {
  return layerNorm(x, { gamma: params.weight, beta: params.bias }, { eps });
}
