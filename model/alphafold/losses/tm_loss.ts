import { noGrad, type Tensor } from "../../../core/mod.ts";
import {
  digitize,
  invertApplyFrames,
  multiply,
  reshape,
  slice,
  sparseCrossEntropy,
  square,
  subtract,
  sum,
} from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { MAX_ALIGNED_ERROR_BIN } from "../heads/tm_head.ts";
import { backboneFrames } from "../structure/_pose.ts";
import type { ResolvedLossOptions } from "./experimentally_resolved_loss.ts";
import { maskedMean } from "./masked_mean.ts";
import { gatedByResolution } from "./resolution_gate.ts";

/** Choices of {@linkcode tmLoss}. */
export interface TmLossOptions extends ResolvedLossOptions {
  /** Å at which the last bin begins. @default 31 */
  readonly maxBin?: number;
}

/**
 * Cross entropy of aligned errors against those of the predicted structure, which gets no gradient.
 *
 * Source: Jumper et al. (2021), Suppl. 1.9.7.
 *
 * @param logits `[batch, N_res, N_res, bins]`.
 * @param frames The prediction, `[batch, N_res, 7]` or `[batch, N_res, 3, 4]`, Å.
 * @param truth True backbone frames, `[batch, N_res, 3, 4]`.
 * @param mask 1 for true frames, `[batch, N_res]`.
 * @param resolution Å, `[batch]`.
 * @returns `[batch]`.
 */
export function tmLoss(
  logits: Tensor,
  frames: Tensor,
  truth: Tensor,
  mask: Tensor,
  resolution: Tensor,
  { maxBin = MAX_ALIGNED_ERROR_BIN, resolutionRange, eps = 1e-8 }: TmLossOptions = {},
): Tensor {
  const { device, shape: [batch, nRes, , bins] } = logits;
  checkShape("tmLoss", "logits", logits, ["batch", "N_res", "N_res", bins]);
  checkShape("tmLoss", "frames", frames, frames.shape.length === 3 ? [batch, nRes, 7] : [batch, nRes, 3, 4]);
  checkShape("tmLoss", "truth", truth, [batch, nRes, 3, 4]);
  checkShape("tmLoss", "mask", mask, [batch, nRes]);
  checkShape("tmLoss", "resolution", resolution, [batch]);
  using scope = device.scope("tmLoss");
  const { classes, pairs } = noGrad(device, () => {
    /** Every origin as every frame sees it. */
    const seen = (frames: Tensor) => {
      const origins = slice(frames, [0, 0, 0, 3], [batch, nRes, 3, 4]);
      return invertApplyFrames(reshape(frames, [batch, nRes, 1, 3, 4]), reshape(origins, [batch, 1, nRes, 3]));
    };
    const errors = sum(square(subtract(seen(backboneFrames(frames)), seen(truth))), { axes: [-1] });
    const boundaries = Float64Array.from({ length: bins - 1 }, (_, k) => (maxBin * k / (bins - 2)) ** 2);
    return {
      classes: digitize(errors, boundaries),
      pairs: multiply(reshape(mask, [batch, nRes, 1]), reshape(mask, [batch, 1, nRes])),
    };
  });
  const loss = maskedMean(sparseCrossEntropy(logits, classes), pairs, 2 * eps);
  return scope.keep(gatedByResolution(loss, resolution, resolutionRange));
}
