import type { Tensor } from "../../core/mod.ts";
import { geglu, linear } from "../../ops/mod.ts";
import { inParts } from "../layers/in_parts.ts";
import { type LayerNormParams, normalize } from "../layers/layer_norm.ts";
import type { Trunk2021FeedForwardParams } from "./params.ts";

/**
 * Maps every element on its own to more channels, gates them, and maps back: W₂ (a · gelu(g)) + b₂ with a and g the
 * halves of W₁ x + b₁.
 *
 * Source: Shazeer (2020), "GLU variants improve transformer", equation 6.
 *
 * @param x `[batch, I, J, dim]`.
 * @param options `residual`: added to the update, of x's shape; `layerNorm`: normalizes what is read, as it is read.
 * @returns The update (plus the residual), of x's shape.
 */
export function gegluFeedForward(
  { net }: Trunk2021FeedForwardParams,
  x: Tensor,
  { residual, layerNorm }: { readonly residual?: Tensor; readonly layerNorm?: LayerNormParams } = {},
): Tensor {
  const [wide, dim] = net[0].weight.shape;
  return inParts(
    x.device,
    { axis: 1, count: x.shape[1], size: x.size / dim * wide },
    { split: { x, residual }, whole: { net, layerNorm } },
    ({ split: { x, residual }, whole: { net, layerNorm } }) => {
      const normed = layerNorm ? normalize(layerNorm, x) : x;
      return linear(geglu(linear(normed, net[0])), net[3], { residual });
    },
  );
}
