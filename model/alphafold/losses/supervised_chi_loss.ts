import { noGrad, type Tensor } from "../../../core/mod.ts";
import {
  abs,
  add,
  addScalar,
  broadcastTo,
  embedding,
  minimum,
  multiply,
  multiplyScalar,
  reshape,
  slice,
  sqrt,
  square,
  subtract,
  sum,
} from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { CHI_ANGLES, CHI_IS_PERIODIC, RESIDUE_TYPES } from "../../protein/residue_constants.ts";
import { TORSION_ANGLES } from "../structure/config.ts";
import { maskedMean } from "./masked_mean.ts";

/** The true side chains' torsions. */
export type ChiTruth = {
  /** Residue types, i32 `[batch, N_res]`. */
  readonly aatype: Tensor;
  /** 1 for residues that are there, `[batch, N_res]`. */
  readonly seqMask: Tensor;
  /** Sine and cosine of chi 1 to 4, `[batch, N_res, 4, 2]`. */
  readonly chiAnglesSinCos: Tensor;
  /** 1 for chis that are known, `[batch, N_res, 4]`. */
  readonly chiMask: Tensor;
};

/** Choices of {@linkcode supervisedChiLoss}. */
export interface SupervisedChiOptions {
  /** Weight of the angles. @default 0.5 */
  readonly chiWeight?: number;
  /** Weight of how far pairs of sine and cosine are from length 1. @default 0.01 */
  readonly angleNormWeight?: number;
  /** Added to squared lengths. @default 1e-8 */
  readonly eps?: number;
}

/** Added to the denominators of means. */
const MEAN_EPS = 1e-4;

/**
 * Squared errors of side chains' torsions on the unit circle, over all iterations; where half a turn of a chi changes
 * nothing, the nearer of both counts. Pairs of sine and cosine are drawn to length 1.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 27 "torsionAngleLoss", and 1.9.1.
 *
 * @param angles Each iteration's, `[batch, N_res, 7, 2]`.
 * @param unnormalizedAngles The same before they were scaled.
 * @returns `[batch]`.
 */
export function supervisedChiLoss(
  angles: readonly Tensor[],
  unnormalizedAngles: readonly Tensor[],
  { aatype, seqMask, chiAnglesSinCos, chiMask }: ChiTruth,
  { chiWeight = 0.5, angleNormWeight = 0.01, eps = 1e-8 }: SupervisedChiOptions = {},
): Tensor {
  const of = "supervisedChiLoss";
  checkShape(of, "angles", angles[0], ["batch", "N_res", TORSION_ANGLES, 2]);
  const { device, shape: [batch, nRes] } = angles[0];
  checkShape(of, "aatype", aatype, [batch, nRes], "i32");
  checkShape(of, "seqMask", seqMask, [batch, nRes]);
  checkShape(of, "chiAnglesSinCos", chiAnglesSinCos, [batch, nRes, CHI_ANGLES, 2]);
  checkShape(of, "chiMask", chiMask, [batch, nRes, CHI_ANGLES]);
  using scope = device.scope(of);
  const count = angles.length;
  const shifted = noGrad(device, () => { // line 3: the same pair half a turn on, where that is as good
    const signs = device.tensor(CHI_IS_PERIODIC.map((periodic) => 1 - 2 * periodic), [RESIDUE_TYPES, CHI_ANGLES]);
    return multiply(chiAnglesSinCos, reshape(embedding(signs, aatype), [batch, nRes, CHI_ANGLES, 1]));
  });
  const first = TORSION_ANGLES - CHI_ANGLES;
  const errors = angles.map((own) => {
    const chis = slice(own, [0, 0, first, 0], [batch, nRes, TORSION_ANGLES, 2]);
    const error = (to: Tensor) => sum(square(subtract(to, chis)), { axes: [-1] });
    return minimum(error(chiAnglesSinCos), error(shifted)); // line 4
  });
  const lengths = unnormalizedAngles.map((own) =>
    abs(addScalar(sqrt(addScalar(sum(square(own), { axes: [-1] }), eps)), -1)) // line 5
  );
  /** Mean over all iterations; a mask counts once for each. */
  const mean = (values: readonly Tensor[], mask: Tensor) => {
    const [, , width] = values[0].shape;
    const all = multiplyScalar(values.reduce(add), 1 / count);
    return maskedMean(all, broadcastTo(mask, [batch, nRes, width]), MEAN_EPS / count);
  };
  return scope.keep(add(
    multiplyScalar(mean(errors, chiMask), chiWeight),
    multiplyScalar(mean(lengths, reshape(seqMask, [batch, nRes, 1])), angleNormWeight),
  ));
}
