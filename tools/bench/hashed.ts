/**
 * Inputs that every engine of a comparison computes for itself: numbers that depend on a tensor's name and an element's
 * index alone, and checksums by which results are compared without being exchanged.
 *
 * @module
 */
import { fnv1a } from "../../core/fnv1a.ts";
import { type Device, type Shape, sizeOf, type Tensor } from "../../core/mod.ts";

/** Where and how wide the numbers of {@linkcode hashed} lie. */
export interface Spread {
  /** Standard deviation. @default 1 */
  readonly std?: number;
  /** @default 0 */
  readonly mean?: number;
}

/** Root mean square, and projection on a fixed random vector. */
export type Checksum = readonly [rms: number, projection: number];

const SQRT_12 = Math.sqrt(12);

/**
 * Numbers distributed evenly around the mean, the same to the bit in every engine that follows this recipe: element i
 * is the finalizer of a 32-bit hash (multiplications and shifts as below) of i + fnv1a(name).
 *
 * @param name Name of the tensor.
 * @param size Number of elements.
 */
export function hashed(name: string, size: number, { std = 1, mean = 0 }: Spread = {}): Float32Array<ArrayBuffer> {
  const seed = fnv1a(name);
  return Float32Array.from({ length: size }, (_, i) => {
    let bits = Math.imul(i + seed, 0x9e3779b1);
    bits = Math.imul(bits ^ (bits >>> 15), 0x85ebca77);
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae3d);
    const unit = ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 32 - 0.5;
    return unit * SQRT_12 * std + mean; // in this order: the last bit depends on it
  });
}

/**
 * A parameter as every engine fills it: matrices `[out, in]` keep the size of what they map, scales of norms lie around 1.
 *
 * @param name Its name in PyTorch's state dict.
 */
export function hashedParameter(name: string, shape: Shape): Float32Array<ArrayBuffer> {
  const size = sizeOf(shape);
  if (shape.length > 1) return hashed(name, size, { std: 1 / Math.sqrt(shape[1]) });
  return hashed(name, size, { std: 0.1, mean: name.includes("norm") && name.endsWith("weight") ? 1 : 0 });
}

/** A tensor of {@linkcode hashed} numbers. */
export function hashedTensor(device: Device, name: string, shape: Shape): Tensor {
  return device.tensor(hashed(name, sizeOf(shape)), shape);
}

/** The checksum of a tensor's elements, to seven digits. */
export function checksum(x: ArrayLike<number>): Checksum {
  const probe = hashed("probe", x.length);
  let squares = 0, dot = 0;
  for (let i = 0; i < x.length; i++) {
    squares += x[i] * x[i];
    dot += x[i] * probe[i];
  }
  const digits = (value: number) => Number(value.toPrecision(7));
  return [digits(Math.sqrt(squares / x.length)), digits(dot / Math.sqrt(x.length))];
}

/** Whether two engines' numbers are the same up to rounding: each within 1e-4 of the other, relative where it exceeds 1. */
export function agree(ours: readonly number[], theirs: readonly number[], tolerance = 1e-4): boolean {
  return ours.length === theirs.length &&
    ours.every((x, i) => Math.abs(x - theirs[i]) <= tolerance * Math.max(1, Math.abs(theirs[i])));
}

/**
 * Whether two engines' checksums of gradients are the same up to rounding: as {@linkcode agree} for the root mean squares,
 * within 3e-3 for the projections. A relu's gradient jumps at zero, where rounding decides, and each jump changes a few
 * rows of the gradient much: rounding inputs to seven digits moves the gradients of an Evoformer block at (32, 64) by
 * 1e-3 (measured in float64).
 */
export function agreeGradients(ours: readonly number[], theirs: readonly number[]): boolean {
  const part = (sums: readonly number[], which: 0 | 1) => sums.filter((_, i) => i % 2 === which);
  return agree(part(ours, 0), part(theirs, 0)) && agree(part(ours, 1), part(theirs, 1), 3e-3);
}
