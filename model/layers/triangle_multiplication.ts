import type { Tensor } from "../../core/mod.ts";
import { gatedTriangleProduct, linear, type LinearParams } from "../../ops/mod.ts";
import { type LayerNormParams, normalize } from "./layer_norm.ts";
import { packLinear } from "./packed_linear.ts";

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
  const packed = linear(x, packLinear([a, aGate, b, bGate]));
  const product = gatedTriangleProduct({ packed, mask }, { direction }); // lines 2 and 4
  const gate = linear(x, outGate); // line 3
  const normed = layerNormOut ? normalize(layerNormOut, product, normEps) : product;
  return linear(normed, out, { gate, residual }); // line 4
}
