import { noGrad, type Tensor } from "../../../core/mod.ts";
import { digitize, multiply, reshape, sparseCrossEntropy, square, subtract, sum } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { DISTOGRAM_RANGE, distogramBoundaries } from "../heads/distogram_head.ts";
import { maskedMean } from "./masked_mean.ts";

/** Choices of {@linkcode distogramLoss}. */
export interface DistogramLossOptions {
  /** Å between which the boundaries lie. @default 2.3125 to 21.6875 */
  readonly range?: { readonly min: number; readonly max: number };
  /** Added to the number of pairs. @default 1e-8 */
  readonly eps?: number;
}

/**
 * Cross entropy of the distogram against the distances of C-betas (C-alphas of glycine).
 *
 * Source: Jumper et al. (2021), Suppl. 1.9.8, equation 41.
 *
 * @param logits `[batch, N_res, N_res, bins]`.
 * @param pseudoBeta Å, `[batch, N_res, 3]`; without gradient.
 * @param mask `[batch, N_res]`.
 * @returns `[batch]`.
 */
export function distogramLoss(
  logits: Tensor,
  pseudoBeta: Tensor,
  mask: Tensor,
  { range = DISTOGRAM_RANGE, eps = 1e-8 }: DistogramLossOptions = {},
): Tensor {
  const { device, shape: [batch, nRes, , bins] } = logits;
  checkShape("distogramLoss", "logits", logits, ["batch", "N_res", "N_res", bins]);
  checkShape("distogramLoss", "pseudoBeta", pseudoBeta, [batch, nRes, 3]);
  checkShape("distogramLoss", "mask", mask, [batch, nRes]);
  using scope = device.scope("distogramLoss");
  const { classes, pairs } = noGrad(device, () => {
    const rows = reshape(pseudoBeta, [batch, nRes, 1, 3]), columns = reshape(pseudoBeta, [batch, 1, nRes, 3]);
    const squared = sum(square(subtract(rows, columns)), { axes: [-1] });
    return {
      classes: digitize(squared, distogramBoundaries(bins, range).map((edge) => edge * edge)),
      pairs: multiply(reshape(mask, [batch, nRes, 1]), reshape(mask, [batch, 1, nRes])),
    };
  });
  return scope.keep(maskedMean(sparseCrossEntropy(logits, classes), pairs, eps));
}
