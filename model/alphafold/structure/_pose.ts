/** Where residues stand while the structure module runs: quaternions in a single chain, matrices in complexes. */
import { type Device, stopGradient, type Tensor } from "../../../core/mod.ts";
import {
  concat,
  framesFromQuaternions,
  framesFromSeven,
  multiplyScalar,
  updateQuaternions,
  updateTranslations,
} from "../../../ops/mod.ts";
import { moveFrames, scaleTranslations, stopRotations } from "../../multimer/structure/rigid_update.ts";
import type { StructureConfig } from "./config.ts";

/** Backbone frames, translations in units of `transScale` Å. */
export type Pose =
  | {
    /** `[batch, N_res, 4]` */
    readonly quaternions: Tensor;
    /** `[batch, N_res, 3]` */
    readonly translations: Tensor;
  }
  | {
    /** `[batch, N_res, 3, 4]` */
    readonly frames: Tensor;
  };

/** All frames where they begin: at the origin, not turned. */
export function restingPose(device: Device, batch: number, nRes: number, { multimer }: StructureConfig): Pose {
  if (multimer) {
    const frames = Float32Array.from({ length: 12 * batch * nRes }, (_, i) => (i % 12 % 5 === 0 ? 1 : 0));
    return { frames: device.tensor(frames, [batch, nRes, 3, 4]) };
  }
  const quaternions = Float32Array.from({ length: 4 * batch * nRes }, (_, i) => (i % 4 === 0 ? 1 : 0));
  return {
    quaternions: device.tensor(quaternions, [batch, nRes, 4]),
    translations: device.zeros([batch, nRes, 3]),
  };
}

/** `[batch, N_res, 3, 4]` */
export function framesOfPose(pose: Pose): Tensor {
  return "frames" in pose ? pose.frames : framesFromQuaternions(pose.quaternions, pose.translations);
}

/** The pose after an update `[batch, N_res, 6]`. */
export function movedPose(pose: Pose, updates: Tensor): Pose {
  if ("frames" in pose) return { frames: moveFrames(pose.frames, updates) };
  const { quaternions, translations } = pose;
  return {
    translations: updateTranslations(translations, quaternions, updates),
    quaternions: updateQuaternions(quaternions, updates),
  };
}

/** The pose, through whose rotations no gradient flows back. */
export function withoutRotationGradient(pose: Pose): Pose {
  if ("frames" in pose) return { frames: stopRotations(pose.frames) };
  return { ...pose, quaternions: stopGradient(pose.quaternions) };
}

/** The pose in Å: its frames, and as the structure module gives them. */
export function poseInAngstrom(pose: Pose, transScale: number): { readonly backbone: Tensor; readonly frames: Tensor } {
  if ("frames" in pose) {
    const backbone = scaleTranslations(pose.frames, transScale);
    return { backbone, frames: backbone };
  }
  const inAngstrom = multiplyScalar(pose.translations, transScale);
  return {
    backbone: framesFromQuaternions(pose.quaternions, inAngstrom),
    frames: concat([pose.quaternions, inAngstrom], -1),
  };
}

/** Frames `[…, 3, 4]` of what the structure module gives: `[batch, N_res, 7]`, or frames already. */
export function backboneFrames(frames: Tensor): Tensor {
  return frames.shape.length === 3 ? framesFromSeven(frames) : frames;
}
