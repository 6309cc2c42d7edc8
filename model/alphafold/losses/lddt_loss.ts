import { elementGrid, noGrad, type Tensor } from "../../../core/mod.ts";
import { reshape, slice, sparseCrossEntropy } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { SLOT } from "../../protein/residues.ts";
import type { ResolvedLossOptions } from "./experimentally_resolved_loss.ts";
import { lddtCountsKernel, lddtScoresKernel, LONGEST_WAY } from "./lddt_ca.wgsl.ts";
import { maskedMean } from "./masked_mean.ts";
import { gatedByResolution } from "./resolution_gate.ts";

/** What the distances between C-alphas have in common with the truth. */
export type LddtCa = {
  /** lDDT of each residue, 0 … 1, `[batch, N_res]`; 1 where it has no neighbours. */
  readonly scores: Tensor;
  /** Distances to neighbours that it counts, `[batch, N_res]`. */
  readonly pairs: Tensor;
  /** Its bin, i32 `[batch, N_res]`. */
  readonly bins: Tensor;
};

/**
 * lDDT of C-alphas, residue by residue, as the loss of pLDDT needs it on the device; no gradient. Of whole structures see
 * the metrics in `model/protein`.
 *
 * Source: Mariani et al. (2013), "lDDT: a local superposition-free score"; Jumper et al. (2021), Suppl. Alg. 29.
 *
 * @param predicted Å, `[batch, N_res, 3]`.
 * @param expected Å, `[batch, N_res, 3]`.
 * @param mask 1 where the truth is known, `[batch, N_res]`.
 * @param options `bins` between 0 and 1 (@default 50); `cutoff` of true distances in Å (@default 15).
 */
export function lddtCa(
  predicted: Tensor,
  expected: Tensor,
  mask: Tensor,
  { bins: count = 50, cutoff = 15 }: { readonly bins?: number; readonly cutoff?: number } = {},
): LddtCa {
  checkShape("lddtCa", "predicted", predicted, ["batch", "N_res", 3]);
  checkShape("lddtCa", "expected", expected, predicted.shape);
  checkShape("lddtCa", "mask", mask, predicted.shape.slice(0, 2));
  const { device } = predicted;
  const n = mask.size, residues = mask.shape[1];
  using scope = device.scope("lddtCa");
  const scores = device.empty(mask.shape), pairs = device.empty(mask.shape), bins = device.empty(mask.shape, "i32");
  const counts = device.empty([2, n], "i32");
  for (let begin = 0; begin < residues; begin += LONGEST_WAY) {
    const end = Math.min(begin + LONGEST_WAY, residues);
    device.run(lddtCountsKernel, {
      bindings: { predicted, expected, mask, counts },
      uniforms: { n, residues, cutoff, begin, end },
      grid: elementGrid(n, 64),
      flops: 26 * n * (end - begin),
    });
  }
  device.run(lddtScoresKernel, {
    bindings: { counts, scores, pairs, bins },
    uniforms: { n, count },
    grid: elementGrid(n, 64),
    flops: n,
  });
  return scope.keep({ scores, pairs, bins });
}

/** Choices of {@linkcode lddtLoss}. */
export interface LddtLossOptions extends ResolvedLossOptions {
  /** Å within which true distances count. @default 15 */
  readonly cutoff?: number;
}

/**
 * Cross entropy of pLDDT against the lDDT of the predicted structure, which gets no gradient.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 29, lines 5-8, and 1.9.6.
 *
 * @param logits `[batch, N_res, bins]`.
 * @param predicted Atoms of the prediction in Å, `[batch, N_res, 37, 3]`.
 * @param expected True atoms, `[batch, N_res, 37, 3]`.
 * @param mask 1 for atoms that are known, `[batch, N_res, 37]`.
 * @param resolution Å, `[batch]`.
 * @returns `[batch]`.
 */
export function lddtLoss(
  logits: Tensor,
  predicted: Tensor,
  expected: Tensor,
  mask: Tensor,
  resolution: Tensor,
  { cutoff, resolutionRange, eps = 1e-8 }: LddtLossOptions = {},
): Tensor {
  const { device, shape: [batch, nRes, bins] } = logits;
  checkShape("lddtLoss", "logits", logits, ["batch", "N_res", bins]);
  checkShape("lddtLoss", "predicted", predicted, [batch, nRes, 37, 3]);
  checkShape("lddtLoss", "expected", expected, predicted.shape);
  checkShape("lddtLoss", "mask", mask, [batch, nRes, 37]);
  checkShape("lddtLoss", "resolution", resolution, [batch]);
  using scope = device.scope("lddtLoss");
  const { ca, classes } = noGrad(device, () => {
    const alpha = (x: Tensor) => {
      const part = slice(x, x.shape.map((_, axis) => (axis === 2 ? SLOT.CA : 0)), x.shape.with(2, SLOT.CA + 1));
      return reshape(part, [batch, nRes, ...x.shape.slice(3)]);
    };
    const ca = alpha(mask);
    return { ca, classes: lddtCa(alpha(predicted), alpha(expected), ca, { bins, cutoff }).bins };
  });
  const loss = maskedMean(sparseCrossEntropy(logits, classes), ca, eps);
  return scope.keep(gatedByResolution(loss, resolution, resolutionRange));
}
