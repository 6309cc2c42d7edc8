import type { Tensor } from "../../../core/mod.ts";
import { concat, framesFromQuaternions, reshape, slice } from "../../../ops/mod.ts";

/** Frames `[…, 3, 4]` of rotations `[…, 3, 3]` and translations `[…, 3]`. */
export function framesOf(rotations: Tensor, translations: Tensor): Tensor {
  return concat([rotations, reshape(translations, [...translations.shape, 1])], -1);
}

/** Rotations `[…, 3, 3]` of frames. */
export function rotationsOf(frames: Tensor): Tensor {
  return slice(frames, frames.shape.map(() => 0), frames.shape.with(-1, 3));
}

/** Homogeneous matrices `[…, 4, 4]` of frames. */
export function matricesOf(frames: Tensor): Tensor {
  const lead = frames.shape.slice(0, -2);
  const count = lead.reduce((a, b) => a * b, 1);
  const last = Float32Array.from({ length: 4 * count }, (_, i) => (i % 4 === 3 ? 1 : 0));
  return concat([frames, frames.device.tensor(last, [...lead, 1, 4])], -2);
}

/** Frames of homogeneous matrices `[…, 4, 4]`. */
export function framesOfMatrices(matrices: Tensor): Tensor {
  return slice(matrices, matrices.shape.map(() => 0), matrices.shape.with(-2, 3));
}

/** Frames of `[…, 7]`: a quaternion and a translation. */
export function framesOfSeven(seven: Tensor): Tensor {
  const begin = seven.shape.map(() => 0);
  const quaternions = slice(seven, begin, seven.shape.with(-1, 4));
  return framesFromQuaternions(quaternions, slice(seven, begin.with(-1, 4), seven.shape));
}

/** Tensors of one shape, one after the other along a new first axis. */
export function stack(tensors: readonly Tensor[]): Tensor {
  return concat(tensors.map((tensor) => reshape(tensor, [1, ...tensor.shape])), 0);
}
