import { noGrad, type Tensor } from "../../../core/mod.ts";
import { reshape, where } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { ATOM14_SLOTS, RIGID_GROUPS } from "../../protein/residue_constants.ts";
import { type FapeOptions, frameAlignedPointError } from "./fape.ts";
import type { RenamedTruth } from "./renamed_ground_truth.ts";

/** The true rigid groups under both names that they may have. */
export type RigidGroupTruth = {
  /** Å, `[batch, N_res, 8, 3, 4]`. */
  readonly frames: Tensor;
  /** Under the other names. */
  readonly altFrames: Tensor;
  /** 1 for groups that are known, `[batch, N_res, 8]`. */
  readonly exists: Tensor;
};

/**
 * Frame-aligned point error of all atoms in the frames of all rigid groups, always clamped.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 20 "StructureModule", line 28.
 *
 * @param frames The last iteration's, `[batch, N_res, 8, 3, 4]`.
 * @param positions Its atoms in Å, `[batch, N_res, 14, 3]`.
 * @param atoms True atoms under the names that fit better.
 * @returns `[batch]`.
 */
export function sidechainFapeLoss(
  frames: Tensor,
  positions: Tensor,
  truth: RigidGroupTruth,
  atoms: RenamedTruth,
  options: FapeOptions = {},
): Tensor {
  const of = "sidechainFapeLoss";
  checkShape(of, "frames", frames, ["batch", "N_res", RIGID_GROUPS, 3, 4]);
  const { device, shape: [batch, nRes] } = frames;
  checkShape(of, "positions", positions, [batch, nRes, ATOM14_SLOTS, 3]);
  checkShape(of, "truth.frames", truth.frames, frames.shape);
  checkShape(of, "truth.altFrames", truth.altFrames, frames.shape);
  using scope = device.scope(of);
  const alt = reshape(atoms.altIsBetter, [batch, nRes, 1, 1, 1]);
  const trueFrames = noGrad(device, () => where(alt, truth.altFrames, truth.frames));
  const [F, P] = [nRes * RIGID_GROUPS, nRes * ATOM14_SLOTS];
  return scope.keep(frameAlignedPointError({
    frames: reshape(frames, [batch, F, 3, 4]),
    points: reshape(positions, [batch, P, 3]),
    trueFrames: reshape(trueFrames, [batch, F, 3, 4]),
    truePoints: reshape(atoms.positions, [batch, P, 3]),
    frameMask: reshape(truth.exists, [batch, F]),
    pointMask: reshape(atoms.exists, [batch, P]),
  }, options));
}
