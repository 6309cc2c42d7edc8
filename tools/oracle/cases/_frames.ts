import type { Tensor } from "../../../core/mod.ts";
import { concat, reshape, slice } from "../../../ops/mod.ts";

/** Frames `[…, 3, 4]` of rotations `[…, 3, 3]` and translations `[…, 3]`. */
export function framesOf(rotations: Tensor, translations: Tensor): Tensor {
  return concat([rotations, reshape(translations, [...translations.shape, 1])], -1);
}

/** Rotations `[…, 3, 3]` of frames. */
export function rotationsOf(frames: Tensor): Tensor {
  return slice(frames, frames.shape.map(() => 0), frames.shape.with(-1, 3));
}

/** Tensors of one shape, one after the other along a new first axis. */
export function stack(tensors: readonly Tensor[]): Tensor {
  return concat(tensors.map((tensor) => reshape(tensor, [1, ...tensor.shape])), 0);
}
