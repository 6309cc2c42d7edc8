import { defineOp, type Tensor } from "../core/mod.ts";
import { padded, readRegion } from "./_region.ts";

interface Attributes {
  readonly before: readonly number[];
  readonly shape: readonly number[];
}

const padOp = defineOp<{ x: Tensor }, never, Record<never, never>, Attributes>({
  name: "pad",
  needs: [],
  forward: ({ x }, { before, shape }) => ({ out: padded(x, before, shape) }),
  vjp: ({ shapes, attributes: { before } }, dOut) => ({ x: readRegion(dOut, before, shapes.x) }),
});

/**
 * Puts zeros around a tensor.
 *
 * @param x Any shape and dtype.
 * @param before Zeros before the first element along each axis.
 * @param after Zeros after the last element along each axis.
 * @returns `[before[0] + size[0] + after[0], …]`.
 * @throws {TypeError} If there is not one number for each axis.
 * @throws {RangeError} If a number is negative or not whole.
 */
export function pad(x: Tensor, before: readonly number[], after: readonly number[]): Tensor {
  const rank = x.shape.length;
  if (before.length !== rank || after.length !== rank) {
    throw new TypeError(`pad needs a number for each axis of [${x.shape}], got before [${before}], after [${after}]`);
  }
  if ([...before, ...after].some((n) => !Number.isInteger(n) || n < 0)) {
    throw new RangeError(`Cannot pad [${x.shape}] by [${before}] before and [${after}] after`);
  }
  return padOp({ x }, { before: [...before], shape: x.shape.map((n, axis) => before[axis] + n + after[axis]) });
}
