import type { Tensor } from "../../../core/mod.ts";
import { clamp, divide, linear, relu, reshape, sqrt, square, sum } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { TORSION_ANGLES } from "./config.ts";
import type { AngleResnetParams } from "./params.ts";

/** Least squared length of a pair of numbers that is scaled to length 1. */
const LEAST = 1e-8;

/** Torsion angles as pairs (sine, cosine): pre-omega, phi, psi, chi 1 to 4. */
export type TorsionAngles = {
  /** Of length 1, `[batch, N_res, 7, 2]`. */
  readonly angles: Tensor;
  /** As they come out, `[batch, N_res, 7, 2]`; their length is for the loss. */
  readonly unnormalizedAngles: Tensor;
};

/**
 * Torsion angles from the single representation, as it is now and as it was at first.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 20 "StructureModule", lines 11-14.
 *
 * @param s `[batch, N_res, c_s]`.
 * @param sInitial The normalized single representation before the first iteration, `[batch, N_res, c_s]`.
 * @returns Owned by the current scope.
 */
export function angleResnet(params: AngleResnetParams, s: Tensor, sInitial: Tensor): TorsionAngles {
  checkShape("angleResnet", "s", s, ["batch", "N_res", params.linearIn.weight.shape[1]]);
  checkShape("angleResnet", "sInitial", sInitial, s.shape);
  using scope = s.device.scope("angleResnet");
  // DEVIATION(Alg. 20): a relu before both maps, as in the published code.
  let a = linear(relu(s), params.linearIn, { residual: linear(relu(sInitial), params.linearInitial) }); // line 11
  for (const { linear_1, linear_2 } of params.layers) { // lines 12 and 13
    a = linear(linear(relu(a), linear_1, { activation: "relu" }), linear_2, { residual: a });
  }
  const [batch, nRes] = s.shape;
  const raw = reshape(linear(relu(a), params.linearOut), [batch, nRes, TORSION_ANGLES, 2]); // line 14
  const length = sqrt(clamp(sum(square(raw), { axes: [-1], keepDims: true }), LEAST, Infinity));
  return scope.keep({ angles: divide(raw, length), unnormalizedAngles: raw });
}
