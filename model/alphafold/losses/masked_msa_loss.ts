import type { Tensor } from "../../../core/mod.ts";
import { sparseCrossEntropy } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { maskedMean } from "./masked_mean.ts";

/**
 * Cross entropy of the letters at the places of the MSA that were masked, or might have been.
 *
 * Source: Jumper et al. (2021), Suppl. 1.9.9, equation 42.
 *
 * @param logits `[batch, N_seq, N_res, letters]`.
 * @param trueMsa Letters before masking, i32 `[batch, N_seq, N_res]`.
 * @param bertMask 1 where a letter counts, `[batch, N_seq, N_res]`.
 * @param eps Added to half the number of letters. @default 1e-8
 * @returns `[batch]`.
 */
export function maskedMsaLoss(logits: Tensor, trueMsa: Tensor, bertMask: Tensor, eps = 1e-8): Tensor {
  checkShape("maskedMsaLoss", "logits", logits, ["batch", "N_seq", "N_res", logits.shape[3]]);
  const places = logits.shape.slice(0, 3);
  checkShape("maskedMsaLoss", "trueMsa", trueMsa, places, "i32");
  checkShape("maskedMsaLoss", "bertMask", bertMask, places);
  using scope = logits.device.scope("maskedMsaLoss");
  return scope.keep(maskedMean(sparseCrossEntropy(logits, trueMsa), bertMask, 2 * eps));
}
