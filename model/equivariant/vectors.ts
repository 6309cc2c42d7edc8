import type { Tensor } from "../../core/mod.ts";
import { concat, cos, equal, multiply, rsqrt, sin, sqrt, square, sum, where } from "../../ops/mod.ts";

/** What is known of vectors besides their coordinates; none of it has a gradient where a vector is zero. */
export interface Measured {
  /** Squared lengths, `[…, 1]`. */
  readonly squares: Tensor;
  /** Lengths, `[…, 1]`. */
  readonly lengths: Tensor;
  /** Inverse lengths, `[…, 1]`; 0 of a zero vector. */
  readonly inverse: Tensor;
}

/**
 * Lengths of vectors, whose gradients are right for zero vectors too: pairs of a point with itself, atoms that lie on each
 * other. A vector times its inverse length is its direction, or 0.
 *
 * @param vectors `[…, c, …]`.
 * @param axis That of the coordinates, which stays with size 1. @default the last one
 */
export function measure(vectors: Tensor, axis = -1): Measured {
  const { device } = vectors;
  const squares = sum(square(vectors), { axes: [axis], keepDims: true });
  const zero = device.zeros([1]), one = device.tensor([1], [1]);
  const none = equal(squares, zero);
  const safe = where(none, one, squares);
  return { squares, lengths: where(none, zero, sqrt(safe)), inverse: where(none, zero, rsqrt(safe)) };
}

/**
 * A distance with its sines and cosines at halving frequencies: `[d]`, or `[sin(d / 2^j) …, cos(d / 2^j) …, d]` for j = 0 …
 * count - 1.
 *
 * @param distances `[…, 1]`.
 * @param count Number of frequencies; 0 leaves the distance alone.
 */
export function fourierFeatures(distances: Tensor, count: number): Tensor {
  if (count === 0) return distances;
  const { device } = distances;
  const scaled = multiply(distances, device.tensor(Float32Array.from({ length: count }, (_, j) => 2 ** -j), [count]));
  return concat([sin(scaled), cos(scaled), distances], -1);
}
