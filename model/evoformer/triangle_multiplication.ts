import type { Tensor } from "../../core/mod.ts";
import { checkRepresentation } from "../layers/check_shape.ts";
import { triangleUpdate, type TriangleUpdateOptions } from "../layers/triangle_multiplication.ts";
import type { TriangleMultiplicationParams } from "./params.ts";

/** Choices of a triangle multiplication besides its direction. */
export type TriangleMultiplicationOptions = Omit<TriangleUpdateOptions, "direction">;

/**
 * Updates each pair (i, j) from the edges (i, k) and (j, k) of all triangles.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 11 "TriangleMultiplicationOutgoing".
 *
 * @param z `[batch, N_res, N_res, c_z]`.
 * @returns The update (plus the residual), `[batch, N_res, N_res, c_z]`.
 */
export function triangleMultiplicationOutgoing(
  params: TriangleMultiplicationParams,
  z: Tensor,
  options: TriangleMultiplicationOptions = {},
): Tensor {
  checkRepresentation(
    "triangleMultiplicationOutgoing",
    "z",
    z,
    ["N_res", "N_res"],
    params.layerNormIn.weight.size,
    options,
  );
  return triangleUpdate(projectionsOf(params), z, { ...options, direction: "outgoing" });
}

/**
 * Updates each pair (i, j) from the edges (k, i) and (k, j) of all triangles.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 12 "TriangleMultiplicationIncoming".
 *
 * @param z `[batch, N_res, N_res, c_z]`.
 * @returns The update (plus the residual), `[batch, N_res, N_res, c_z]`.
 */
export function triangleMultiplicationIncoming(
  params: TriangleMultiplicationParams,
  z: Tensor,
  options: TriangleMultiplicationOptions = {},
): Tensor {
  checkRepresentation(
    "triangleMultiplicationIncoming",
    "z",
    z,
    ["N_res", "N_res"],
    params.layerNormIn.weight.size,
    options,
  );
  return triangleUpdate(projectionsOf(params), z, { ...options, direction: "incoming" });
}

function projectionsOf(params: TriangleMultiplicationParams) {
  const { linearAP: a, linearAG: aGate, linearBP: b, linearBG: bGate, linearZ: out, linearG: outGate } = params;
  return { layerNormIn: params.layerNormIn, layerNormOut: params.layerNormOut, a, aGate, b, bGate, out, outGate };
}
