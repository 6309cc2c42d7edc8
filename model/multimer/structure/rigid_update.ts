import { stopGradient, type Tensor } from "../../../core/mod.ts";
import {
  composeFrames,
  concat,
  framesFromQuaternions,
  multiplyScalar,
  slice,
  updateQuaternions,
} from "../../../ops/mod.ts";

/**
 * Frames by which others are moved on: the rotation of the quaternion (1, b, c, d) at length 1, and a translation.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 23 "BackboneUpdate"; the published code's `QuatRigid`.
 *
 * @param updates b, c, d, and a translation: `[…, 6]`.
 * @returns `[…, 3, 4]`.
 */
export function quatRigid(updates: Tensor): Tensor {
  const { device, shape } = updates;
  using scope = device.scope("quatRigid");
  const lead = shape.slice(0, -1);
  const quaternions = updateQuaternions(device.tensor([1, 0, 0, 0], [...lead.map(() => 1), 4]), updates);
  const translations = slice(updates, shape.map(() => 0).with(-1, 3), shape);
  return scope.keep(framesFromQuaternions(quaternions, translations));
}

/** Frames moved on in their own axes: composed with {@linkcode quatRigid}. Rotations stay matrices, which are not renormalized. */
export function moveFrames(frames: Tensor, updates: Tensor): Tensor {
  return composeFrames(frames, quatRigid(updates));
}

/** Frames `[…, 3, 4]` through whose rotations no gradient flows back; through their translations it does. */
export function stopRotations(frames: Tensor): Tensor {
  const [rotations, translations] = apart(frames);
  return concat([stopGradient(rotations), translations], -1);
}

/** Frames `[…, 3, 4]` whose translations are multiplied by a number. */
export function scaleTranslations(frames: Tensor, factor: number): Tensor {
  const [rotations, translations] = apart(frames);
  return concat([rotations, multiplyScalar(translations, factor)], -1);
}

function apart(frames: Tensor): [rotations: Tensor, translations: Tensor] {
  const { shape } = frames, begin = shape.map(() => 0);
  return [slice(frames, begin, shape.with(-1, 3)), slice(frames, begin.with(-1, 3), shape)];
}
