import type { Tensor } from "../../core/mod.ts";
import { axialAttention, axialPlan, pairBias } from "../layers/attention.ts";
import type { AttentionTap } from "../layers/attention_capture.ts";
import { checkRepresentation } from "../layers/check_shape.ts";
import { isMadeInParts } from "../layers/in_parts.ts";
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
  /** Whether the residual is not needed any more: without a gradient the result takes its place. @default false */
  readonly consume?: boolean;
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
  return triangleAttention(params, z, options, 2);
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
  return triangleAttention(params, z, options, 1);
}

/** Either attention: along rows the bias is that of the pair (query, key), along columns that of (key, query). */
function triangleAttention(
  { layerNorm, linear, mha }: TriangleAttentionParams,
  z: Tensor,
  options: TriangleAttentionOptions,
  axis: 1 | 2,
): Tensor {
  const projections = projectionsOf(mha);
  const { device } = z;
  using scope = device.scope("triangleAttention");
  // What is normalized is read twice; where it is read in parts it is normalized twice, and never there as a whole.
  const parts = !options.capture && isMadeInParts(device, axialPlan(projections, z, axis), [z, mha, layerNorm, linear]);
  const x = parts ? z : normalize(layerNorm, z); // line 1
  const norm = parts ? layerNorm : undefined;
  const bias = linear && pairBias(linear, x, { transposed: axis === 1, layerNorm: norm }); // line 3
  const attention = { ...options, axis, bias, layerNorm: norm, spendable: !parts };
  return scope.keep(axialAttention(projections, x, attention)); // lines 2 and 4-7
}
