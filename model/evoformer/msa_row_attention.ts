import type { Tensor } from "../../core/mod.ts";
import { axialAttention, pairBias } from "../layers/attention.ts";
import type { AttentionTap } from "../layers/attention_capture.ts";
import { checkRepresentation, checkShape } from "../layers/check_shape.ts";
import { projectionsOf } from "./attention_projections.ts";
import type { MsaRowAttentionParams } from "./params.ts";

/** How attention in the MSA runs. */
export interface MsaAttentionOptions {
  /** Number of heads. */
  readonly nHead: number;
  /** 1 for residues that are there, 0 for padding: `[batch, N_seq, N_res]`. @default all are */
  readonly mask?: Tensor;
  /** Added to the update: `[batch, N_seq, N_res, c_m]`. */
  readonly residual?: Tensor;
  /** Whether the residual is not needed any more: without a gradient the result takes its place. @default false */
  readonly consume?: boolean;
  /** Told of the attention, for its probabilities. @default nobody */
  readonly capture?: AttentionTap;
}

/**
 * Lets the residues of each sequence attend to each other, biased by the pair representation.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 7 "MSARowAttentionWithPairBias".
 *
 * @param m `[batch, N_seq, N_res, c_m]`.
 * @param z `[batch, N_res, N_res, c_z]`.
 * @returns The update (plus the residual), `[batch, N_seq, N_res, c_m]`.
 */
export function msaRowAttentionWithPairBias(
  params: MsaRowAttentionParams,
  m: Tensor,
  z: Tensor,
  options: MsaAttentionOptions,
): Tensor {
  const of = "msaRowAttentionWithPairBias";
  checkRepresentation(of, "m", m, ["N_seq", "N_res"], params.layerNormM.weight.size, options);
  const [batch, , nRes] = m.shape;
  checkShape(of, "z", z, [batch, nRes, nRes, params.layerNormZ.weight.size]);
  using scope = m.device.scope(of);
  const bias = pairBias(params.linearZ, z, { layerNorm: params.layerNormZ }); // line 3
  const attention = { ...options, axis: 2, bias, layerNorm: params.layerNormM } as const;
  return scope.keep(axialAttention(projectionsOf(params.mha), m, attention)); // lines 1, 2 and 4-7
}
