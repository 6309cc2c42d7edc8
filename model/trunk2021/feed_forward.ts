import type { Tensor } from "../../core/mod.ts";
import { linear, type LinearParams, multiply, slice } from "../../ops/mod.ts";
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
    { axis: 1, count: x.shape[1], size: x.size / dim * wide / 2 },
    { split: { x, residual }, whole: { net, layerNorm } },
    ({ split: { x, residual }, whole: { net, layerNorm } }) => {
      const normed = layerNorm ? normalize(layerNorm, x) : x;
      const a = linear(normed, rows(net[0], 0));
      const gate = linear(normed, rows(net[0], 1), { activation: "gelu" });
      return linear(multiply(a, gate), net[3], { residual });
    },
  );
}

/** The first or the second half of a map's outputs. */
function rows({ weight, bias }: LinearParams, part: 0 | 1): LinearParams {
  const [count, columns] = [weight.shape[0] / 2, weight.shape[1]];
  return {
    weight: slice(weight, [part * count, 0], [(part + 1) * count, columns]),
    bias: bias && slice(bias, [part * count], [(part + 1) * count]),
  };
}
