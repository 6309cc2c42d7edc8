import type { Tensor } from "../../core/mod.ts";
import { axialAttention } from "../layers/attention.ts";
import { checkRepresentation } from "../layers/check_shape.ts";
import { projectionsOf } from "./attention_projections.ts";
import type { MsaAttentionOptions } from "./msa_row_attention.ts";
import type { MsaColumnAttentionParams } from "./params.ts";

/**
 * Lets the residues of each column of the MSA attend to each other.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 8 "MSAColumnAttention".
 *
 * @param m `[batch, N_seq, N_res, c_m]`.
 * @returns The update (plus the residual), `[batch, N_seq, N_res, c_m]`.
 */
export function msaColumnAttention(
  { _msaAtt: params }: MsaColumnAttentionParams,
  m: Tensor,
  options: MsaAttentionOptions,
): Tensor {
  checkRepresentation("msaColumnAttention", "m", m, ["N_seq", "N_res"], params.layerNormM.weight.size, options);
  return axialAttention(projectionsOf(params.mha), m, { ...options, axis: 1, layerNorm: params.layerNormM });
}
