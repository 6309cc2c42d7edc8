import { noGrad, type Tensor } from "../../core/mod.ts";
import { clamp, digitize, divide, multiply, sparseCrossEntropy, sum } from "../../ops/mod.ts";
import { checkShape } from "../layers/check_shape.ts";

/** Å between which the bins of the distogram have equal widths; the first one begins at 0. */
export const TRUNK_2021_RANGE = { min: 2, max: 20 } as const;

/**
 * Upper edges of the distogram's bins but the last one, which is open: 2 Å, 2.5 Å, … 19.5 Å.
 *
 * @param bins Number of bins. @default 37
 */
export function trunk2021Edges(bins = 37): Float64Array {
  const { min, max } = TRUNK_2021_RANGE;
  return Float64Array.from({ length: bins - 1 }, (_, k) => min + (max - min) * k / (bins - 1));
}

/**
 * Cross entropy of the distogram: the mean over all pairs of known distance.
 *
 * Source: Wang (2021), alphafold2-pytorch 0.0.19, training script.
 *
 * @param logits `[batch, N_res, N_res, bins]`.
 * @param distances Å, `[batch, N_res, N_res]`; without gradient.
 * @param mask 1 where the distance is known, `[batch, N_res, N_res]`. @default all are
 * @returns A scalar, owned by the current scope; 0 where no distance is known.
 * @throws {TypeError} If the shapes do not fit.
 */
export function trunk2021DistogramLoss(logits: Tensor, distances: Tensor, mask?: Tensor): Tensor {
  const { device, shape: [batch, n, , bins] } = logits;
  checkShape("trunk2021DistogramLoss", "logits", logits, ["batch", "N_res", "N_res", bins]);
  checkShape("trunk2021DistogramLoss", "distances", distances, [batch, n, n]);
  if (mask) checkShape("trunk2021DistogramLoss", "mask", mask, [batch, n, n]);
  using scope = device.scope("trunk2021DistogramLoss");
  const { classes, known } = noGrad(device, () => ({
    classes: digitize(distances, trunk2021Edges(bins)),
    known: clamp(mask ? sum(mask) : device.tensor([distances.size], []), 1, Infinity),
  }));
  const each = sparseCrossEntropy(logits, classes);
  return scope.keep(divide(sum(mask ? multiply(each, mask) : each), known));
}
