import type { Tensor } from "../../core/mod.ts";
import { linear, outerProductMean } from "../../ops/mod.ts";
import { axialAttention, pairBias, type SelfAttentionOptions } from "../layers/attention.ts";
import { checkRepresentation, checkShape } from "../layers/check_shape.ts";
import { normalize } from "../layers/layer_norm.ts";
import { triangleUpdate, type TriangleUpdateOptions } from "../layers/triangle_multiplication.ts";
import type { NnxGatedMhaParams, NnxOuterProductMeanParams, NnxTriangleParams } from "./params.ts";

/** How the notebook's attention runs. */
export interface NnxAttentionOptions extends Omit<SelfAttentionOptions, "bias" | "gateInput"> {
  /** Biases the logits if the parameters say how: `[batch, L, L, c_z]`. */
  readonly z?: Tensor;
  /** Added to the variances. */
  readonly normEps: number;
}

/**
 * The notebook's gated multi-head attention.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 7, 8, 13 and 14.
 *
 * @param m `[batch, I, J, c]`.
 * @returns The update (plus the residual), `[batch, I, J, c]`.
 */
export function nnxGatedMha(
  { gateProj, layerNormM, layerNormZ, outputProj, pairBiasProj, qkvProj }: NnxGatedMhaParams,
  m: Tensor,
  { z, normEps, ...options }: NnxAttentionOptions,
): Tensor {
  checkRepresentation("nnxGatedMha", "m", m, ["I", "J"], layerNormM.weight.size, options);
  if (z && layerNormZ) {
    const length = m.shape[options.axis];
    checkShape("nnxGatedMha", "z", z, [m.shape[0], length, length, layerNormZ.weight.size]);
  }
  const x = normalize(layerNormM, m, normEps); // line 1
  const biased = z && layerNormZ && pairBiasProj;
  // DEVIATION(Alg. 14): the ending node's bias is that of the pair (i, k), not (k, i)
  const bias = biased ? pairBias(pairBiasProj, normalize(layerNormZ, z, normEps)) : undefined; // line 3
  // DEVIATION(Alg. 7): the gate reads the representation before its normalization
  const projections = { qkv: [qkvProj], gate: gateProj, out: outputProj };
  return axialAttention(projections, x, { ...options, bias, gateInput: m }); // lines 2 and 4-7
}

/**
 * The notebook's outer product mean: over all sequences, without a mask.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 10.
 *
 * @param m `[batch, N_seq, N_res, c_m]`.
 * @returns The update (plus the residual), `[batch, N_res, N_res, c_z]`.
 */
export function nnxOuterProductMean(
  { layerNorm, linearA, linearB, linearOut }: NnxOuterProductMeanParams,
  m: Tensor,
  { residual, normEps }: { readonly residual?: Tensor; readonly normEps: number },
): Tensor {
  checkRepresentation("nnxOuterProductMean", "m", m, ["N_seq", "N_res"], layerNorm.weight.size);
  const [batch, , nRes] = m.shape;
  if (residual) {
    checkShape("nnxOuterProductMean", "residual", residual, [batch, nRes, nRes, linearOut.weight.shape[0]]);
  }
  const x = normalize(layerNorm, m, normEps); // line 1
  return outerProductMean({ a: linear(x, linearA), b: linear(x, linearB), ...linearOut, residual }); // lines 2-4
}

/**
 * The notebook's triangle multiplication.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 11 and 12.
 *
 * @param z `[batch, N_res, N_res, c_z]`.
 * @returns The update (plus the residual), `[batch, N_res, N_res, c_z]`.
 */
export function nnxTriangleUpdate(params: NnxTriangleParams, z: Tensor, options: TriangleUpdateOptions): Tensor {
  const { linearAVal: a, linearAGate: aGate, linearBVal: b, linearBGate: bGate, linearOut: out, linearG } = params;
  const { layerNormIn, layerNormOut } = params;
  checkRepresentation("nnxTriangleUpdate", "z", z, ["N_res", "N_res"], layerNormIn.weight.size, options);
  return triangleUpdate({ layerNormIn, a, aGate, b, bGate, layerNormOut, out, outGate: linearG }, z, options);
}
