import type { Tensor } from "../../core/mod.ts";
import { checkRepresentation } from "../layers/check_shape.ts";
import { halvesOf } from "../layers/linear_rows.ts";
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
  return updated(params, z, options, "outgoing");
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
  return updated(params, z, options, "incoming");
}

function updated(
  params: TriangleMultiplicationParams,
  z: Tensor,
  options: TriangleMultiplicationOptions,
  direction: TriangleUpdateOptions["direction"],
): Tensor {
  const of = direction === "outgoing" ? "triangleMultiplicationOutgoing" : "triangleMultiplicationIncoming";
  const { layerNormIn, layerNormOut, linearZ: out, linearG: outGate } = params;
  checkRepresentation(of, "z", z, ["N_res", "N_res"], layerNormIn.weight.size, options);
  const rest = { layerNormIn, layerNormOut, out, outGate };
  if (!("linearAbP" in params)) {
    const { linearAP: a, linearAG: aGate, linearBP: b, linearBG: bGate } = params;
    return triangleUpdate({ ...rest, a, aGate, b, bGate }, z, { ...options, direction });
  }
  using scope = z.device.scope("fusedEdges");
  const [a, b] = halvesOf(params.linearAbP), [aGate, bGate] = halvesOf(params.linearAbG);
  return scope.keep(triangleUpdate({ ...rest, a, aGate, b, bGate }, z, { ...options, direction }));
}
