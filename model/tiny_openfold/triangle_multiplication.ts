import type { Tensor } from "../../core/mod.ts";
import { triangleUpdate, type TriangleUpdateOptions } from "../layers/triangle_multiplication.ts";
import type { TriangleMultiplicationParams } from "./params.ts";

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
  options: TriangleUpdateOptions,
): Tensor {
  const { layerNorm, leftProj, leftGate, rightProj, rightGate, outputProj, outputGate } = params;
  // DEVIATION(Alg. 11, 12): no layer normalization of the product
  const edges = { a: leftProj, aGate: leftGate, b: rightProj, bGate: rightGate };
  return triangleUpdate({ layerNormIn: layerNorm, ...edges, out: outputProj, outGate: outputGate }, z, options);
}
