import type { Tensor } from "../../core/mod.ts";
import { linear, type LinearParams } from "../../ops/mod.ts";
import { linearInParts } from "./in_parts.ts";
import type { LayerNormParams } from "./layer_norm.ts";

/** Two linear maps with a relu between them. */
export type TransitionParams = { readonly linear1: LinearParams; readonly linear2: LinearParams };

/** Choices of a transition with its layer normalization. */
export interface TransitionOptions {
  /** The update is multiplied by it, `[...]`: x's shape without the channels. @default no mask */
  readonly mask?: Tensor;
  /** Added to the update, `[..., c]`. */
  readonly residual?: Tensor;
  /** Whether the residual is not needed any more: without a gradient the result takes its place. @default false */
  readonly consume?: boolean;
  /** Added to the variance. @default 1e-5 */
  readonly normEps?: number;
}

/**
 * Maps every element on its own to more channels and back: W₂ relu(W₁ x).
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 9 and 15, lines 2-3 (the layer normalization is the caller's).
 *
 * @param x `[..., c]`.
 * @param residual Added to the update, `[..., c]`.
 */
export function transition({ linear1, linear2 }: TransitionParams, x: Tensor, residual?: Tensor): Tensor {
  return widened({ linear1, linear2 }, x, { residual });
}

/** The same of something that is normalized as it is read, or not at all. */
function widened(
  { layerNorm, ...maps }: TransitionParams & { readonly layerNorm?: LayerNormParams },
  x: Tensor,
  { mask, residual, consume, normEps }: TransitionOptions,
): Tensor {
  const axis = Math.max(0, x.shape.length - 3); // of the rows
  const [cHidden, c] = maps.linear1.weight.shape;
  return linearInParts(
    x.device,
    { axis, count: x.shape[axis], size: x.size / c * cHidden },
    { x, layerNorm, normEps, residual, consume, split: { mask }, whole: maps }, // line 1
    ({ x, spend, split: { mask }, whole: { linear1, linear2 } }) => {
      const hidden = linear(x, linear1, { activation: "relu", intermediate: true }); // line 2
      spend();
      return { x: hidden, map: linear2, factor: mask }; // line 3
    },
  );
}

/**
 * {@linkcode transition} of a representation that it normalizes first.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 9 and 15.
 *
 * @param x `[..., c]`.
 * @returns The update (plus the residual), `[..., c]`.
 */
export function normalizedTransition(
  params: TransitionParams & { readonly layerNorm: LayerNormParams },
  x: Tensor,
  options: TransitionOptions = {},
): Tensor {
  return widened(params, x, options);
}
