import type { Tensor } from "../../core/mod.ts";
import { concat, gatedTriangleProduct, linear } from "../../ops/mod.ts";
import { normalize } from "../layers/layer_norm.ts";
import type { TriangleMultiplicationParams } from "./params.ts";

/** Choices of a triangle multiplication. */
export interface TriangleMultiplicationOptions {
  /** Edges from the corners to the third residue, or from it to the corners. */
  readonly direction: "outgoing" | "incoming";
  /** 1 for pairs that count, 0 for padding: `[batch, N_res, N_res]`. */
  readonly mask?: Tensor;
  /** Added to the update. */
  readonly residual?: Tensor;
  /** Added to the variance in the layer normalization. */
  readonly normEps?: number;
}

/**
 * Updates each pair from the two other edges of every triangle it is part of.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 11 and 12.
 *
 * @param z `[batch, N_res, N_res, c_z]`.
 * @returns The update (plus the residual), `[batch, N_res, N_res, c_z]`.
 */
export function triangleMultiplication(
  params: TriangleMultiplicationParams,
  z: Tensor,
  { direction, mask, residual, normEps }: TriangleMultiplicationOptions,
): Tensor {
  const x = normalize(params.layerNorm, z, normEps); // line 1
  const weight = concat([params.leftProj, params.leftGate, params.rightProj, params.rightGate].map((p) => p.weight), 0);
  const packed = linear(x, { weight });
  const product = gatedTriangleProduct({ packed, mask }, { direction }); // lines 2 and 4
  const gate = linear(x, params.outputGate); // line 3
  // DEVIATION(Alg. 11, 12): no layer normalization of the product
  return linear(product, params.outputProj, { gate, residual }); // line 4
}
