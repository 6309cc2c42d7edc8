import type { Tensor } from "../../../core/mod.ts";
import { multiply, softplus, subtract } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { maskedMean } from "./masked_mean.ts";
import { gatedByResolution } from "./resolution_gate.ts";

/** Choices of losses that count examples of good resolution alone. */
export interface ResolvedLossOptions {
  /** Å between which an example's resolution must lie. @default 0.1 to 3 */
  readonly resolutionRange?: { readonly min: number; readonly max: number };
  /** Added to what the sum is divided by. @default 1e-8 */
  readonly eps?: number;
}

/**
 * Binary cross entropy of whether the experiment shows each atom.
 *
 * Source: Jumper et al. (2021), Suppl. 1.9.10, equation 43.
 *
 * @param logits `[batch, N_res, 37]`.
 * @param seen 1 for atoms of the structure, `[batch, N_res, 37]`.
 * @param exists 1 for atoms of the residue types, `[batch, N_res, 37]`.
 * @param resolution Å, `[batch]`.
 * @returns `[batch]`.
 */
export function experimentallyResolvedLoss(
  logits: Tensor,
  seen: Tensor,
  exists: Tensor,
  resolution: Tensor,
  { resolutionRange, eps = 1e-8 }: ResolvedLossOptions = {},
): Tensor {
  const of = "experimentallyResolvedLoss";
  checkShape(of, "logits", logits, ["batch", "N_res", logits.shape[2]]);
  checkShape(of, "seen", seen, logits.shape);
  checkShape(of, "exists", exists, logits.shape);
  checkShape(of, "resolution", resolution, [logits.shape[0]]);
  using scope = logits.device.scope(of);
  const entropy = subtract(softplus(logits), multiply(logits, seen)); // -seen log σ(x) - (1 - seen) log σ(-x)
  return scope.keep(gatedByResolution(maskedMean(entropy, exists, eps), resolution, resolutionRange));
}
