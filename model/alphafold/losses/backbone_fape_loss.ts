import type { Tensor } from "../../../core/mod.ts";
import { concat, mean, reshape, slice } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { backboneFrames } from "../structure/_pose.ts";
import { type FapeInputs, type FapeOptions, frameAlignedPointError } from "./fape.ts";

/** The true backbones. */
export type BackboneTruth = {
  /** Frames in Å, `[batch, N_res, 3, 4]`. */
  readonly frames: Tensor;
  /** 1 for frames that are known, `[batch, N_res]`. */
  readonly mask: Tensor;
};

/**
 * Frame-aligned point error of C-alphas in backbone frames, on average over the iterations.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 20 "StructureModule", line 17, and 1.9.2 for clamping in most examples alone.
 *
 * @param frames Each iteration's, `[batch, N_res, 7]`: quaternion and translation in Å; or `[batch, N_res, 3, 4]`.
 * @param options Besides those of the error: `clamped` `[batch]` and `pairMask` `[batch, N_res, N_res]`.
 * @returns `[batch]`.
 */
export function backboneFapeLoss(
  frames: readonly Tensor[],
  truth: BackboneTruth,
  { clamped, pairMask, ...options }: FapeOptions & Pick<FapeInputs, "clamped" | "pairMask"> = {},
): Tensor {
  const { device, shape: [batch, nRes] } = frames[0];
  const item = frames[0].shape.length === 3 ? [7] : [3, 4];
  checkShape("backboneFapeLoss", "frames", frames[0], ["batch", "N_res", ...item]);
  using scope = device.scope("backboneFapeLoss");
  const all = backboneFrames(concat(frames, 0));
  const origins = (x: Tensor) => reshape(slice(x, [0, 0, 0, 3], [x.shape[0], nRes, 3, 4]), [x.shape[0], nRes, 3]);
  const errors = frameAlignedPointError({
    frames: all,
    points: origins(all),
    trueFrames: truth.frames,
    truePoints: origins(truth.frames),
    frameMask: truth.mask,
    pointMask: truth.mask,
    clamped,
    pairMask,
  }, options);
  return scope.keep(mean(reshape(errors, [frames.length, batch]), { axes: [0] }));
}
