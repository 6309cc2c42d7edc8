import type { Tensor } from "../../core/mod.ts";
import { axialAttention, pairBias } from "../layers/attention.ts";
import type { AttentionTap } from "../layers/attention_capture.ts";
import { checkRepresentation } from "../layers/check_shape.ts";
import { normalize } from "../layers/layer_norm.ts";
import { projectionsOf } from "./attention_projections.ts";
import type { TriangleAttentionParams } from "./params.ts";

/** How triangle attention runs. */
export interface TriangleAttentionOptions {
  /** Number of heads. */
  readonly nHead: number;
  /** 1 for pairs that count, 0 for padding: `[batch, N_res, N_res]`. @default all do */
  readonly mask?: Tensor;
  /** Added to the update: `[batch, N_res, N_res, c_z]`. */
  readonly residual?: Tensor;
  /** Told of the attention, for its probabilities. @default nobody */
  readonly capture?: AttentionTap;
}

/**
 * Lets the edges (i, j) that start at the same residue attend to each other, biased by the third edge (j, k).
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 13 "TriangleAttentionStartingNode".
 *
 * @param z `[batch, N_res, N_res, c_z]`.
 * @returns The update (plus the residual), `[batch, N_res, N_res, c_z]`.
 */
export function triangleAttentionStartingNode(
  params: TriangleAttentionParams,
  z: Tensor,
  options: TriangleAttentionOptions,
): Tensor {
  checkRepresentation(
    "triangleAttentionStartingNode",
    "z",
    z,
    ["N_res", "N_res"],
    params.layerNorm.weight.size,
    options,
  );
  const x = normalize(params.layerNorm, z); // line 1
  const bias = params.linear && pairBias(params.linear, x); // line 3
  return axialAttention(projectionsOf(params.mha), x, { ...options, axis: 2, bias }); // lines 2 and 4-7
}

/**
 * Lets the edges (i, j) that end at the same residue attend to each other, biased by the third edge (k, i).
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 14 "TriangleAttentionEndingNode".
 *
 * @param z `[batch, N_res, N_res, c_z]`.
 * @returns The update (plus the residual), `[batch, N_res, N_res, c_z]`.
 */
export function triangleAttentionEndingNode(
  params: TriangleAttentionParams,
  z: Tensor,
  options: TriangleAttentionOptions,
): Tensor {
  checkRepresentation("triangleAttentionEndingNode", "z", z, ["N_res", "N_res"], params.layerNorm.weight.size, options);
  const x = normalize(params.layerNorm, z); // line 1
  const bias = params.linear && pairBias(params.linear, x, true); // line 3
  return axialAttention(projectionsOf(params.mha), x, { ...options, axis: 1, bias }); // lines 2 and 4-7
}
