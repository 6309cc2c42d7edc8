import type { Tensor } from "../../core/mod.ts";
import {
  gatedTriangleProduct,
  isFused,
  linear,
  type LinearParams,
  multiply,
  packedLinear,
  plainLinear,
  reshape,
  type TriangleDirection,
  triangleProduct,
} from "../../ops/mod.ts";
import { inParts, isMadeInParts } from "./in_parts.ts";
import { type LayerNormParams, normalize } from "./layer_norm.ts";

/** The maps of a triangle multiplication, under the names of no system in particular. */
export type TriangleProjections = {
  readonly layerNormIn: LayerNormParams;
  /** Values and gates of both edges, `[c, c_z]`. */
  readonly a: LinearParams;
  readonly aGate: LinearParams;
  readonly b: LinearParams;
  readonly bGate: LinearParams;
  /** Left out where the product is not normalized. */
  readonly layerNormOut?: LayerNormParams;
  /** `[c_z, c]`. */
  readonly out: LinearParams;
  /** `[c_z, c_z]`. */
  readonly outGate: LinearParams;
};

/** Choices of a triangle multiplication. */
export interface TriangleUpdateOptions {
  /** Edges from the corners to the third residue, or from it to the corners. */
  readonly direction: "outgoing" | "incoming";
  /** 1 for pairs that count, 0 for padding: `[batch, N_res, N_res]`. */
  readonly mask?: Tensor;
  /** Added to the update. */
  readonly residual?: Tensor;
  /** Whether the residual is not needed any more: without a gradient the result takes its place. @default false */
  readonly consume?: boolean;
  /** Added to the variances. @default 1e-5 */
  readonly normEps?: number;
}

/**
 * Updates each pair from the two other edges of every triangle it is part of. Values and gates of both edges come from
 * one product.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 11 and 12.
 *
 * @param z `[batch, N_res, N_res, c_z]`.
 * @returns The update (plus the residual), `[batch, N_res, N_res, c_z]`.
 */
export function triangleUpdate(
  { layerNormIn, a, aGate, b, bGate, layerNormOut, out, outGate }: TriangleProjections,
  z: Tensor,
  { direction, mask, residual, normEps }: TriangleUpdateOptions,
): Tensor {
  const x = normalize(layerNormIn, z, normEps); // line 1
  const [c, cZ] = a.weight.shape;
  const channels = { axis: 3, inputAxis: 0, count: c, size: x.size / cZ * 7 * c, unit: 4 }; // whole vec4s
  // An adapter is of all channels: where there are parts of them, it is in the weights.
  const cutUp = isMadeInParts(z.device, channels, [x, a, aGate, b, bGate]);
  const cut = (map: LinearParams) => (cutUp && map.adapter ? plainLinear(map) : map);
  const product = inParts(
    z.device,
    channels,
    { split: { a: cut(a), aGate: cut(aGate), b: cut(b), bGate: cut(bGate) }, whole: { x, mask } },
    ({ split: { a, aGate, b, bGate }, whole: { x, mask } }) =>
      isFused(z.device, "triangle")
        ? gatedTriangleProduct(
          { packed: projected(x, [a, aGate, b, bGate], a.weight.shape[0] === c), mask },
          { direction },
        ) // lines 2 and 4
        : edgeByEdge(x, [[a, aGate], [b, bGate]], mask, direction),
  );
  // What is normalized is read twice; where it is read in parts the second time, it is normalized again, not kept.
  const plan = { axis: 1, count: z.shape[1], size: 4 * z.size }; // four tensors like it side by side
  const parts = isMadeInParts(z.device, plan, [z, product, outGate, out]);
  const split = { x: parts ? z : x, product, residual };
  if (parts) x.dispose();
  return inParts(
    z.device,
    plan,
    { split, whole: { layerNormIn: parts ? layerNormIn : undefined, outGate, layerNormOut, out } },
    ({ split: { x: given, product, residual }, whole: { layerNormIn, outGate, layerNormOut, out } }) => {
      const x = layerNormIn ? normalize(layerNormIn, given, normEps) : given;
      const gate = linear(x, outGate, { intermediate: true }); // line 3
      const normed = layerNormOut ? normalize(layerNormOut, product, normEps) : product;
      return linear(normed, out, { gate, residual }); // line 4
    },
  );
}

/** Values and gates of both edges side by side; results of some of the channels are joined, so they stay in 32 bits. */
function projected(x: Tensor, parts: readonly LinearParams[], all: boolean): Tensor {
  const whole = parts[0].weight.shape[0] % 4 === 0; // else the gating kernels read single numbers
  return packedLinear(x, parts, { intermediate: all && whole });
}

/** Lines 2 and 4 step by step: a product for each edge's values and for its gate, then the product of edges. */
function edgeByEdge(
  x: Tensor,
  edges: readonly [values: LinearParams, gate: LinearParams][],
  mask: Tensor | undefined,
  direction: TriangleDirection,
): Tensor {
  using scope = x.device.scope("edgeByEdge");
  const [a, b] = edges.map(([values, gate]) => {
    const edge = linear(x, values, { gate: linear(x, gate) });
    return mask ? multiply(edge, reshape(mask, [...mask.shape, 1])) : edge;
  });
  return scope.keep(triangleProduct({ a, b }, { direction }));
}
