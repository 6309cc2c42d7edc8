import { defineOp, type Tensor } from "../core/mod.ts";
import { padded, readRegion } from "./_region.ts";

interface Attributes {
  readonly begin: readonly number[];
  readonly shape: readonly number[];
}

const sliceOp = defineOp<{ x: Tensor }, never, Record<never, never>, Attributes>({
  name: "slice",
  needs: [],
  forward: ({ x }, { begin, shape }) => ({ out: readRegion(x, begin, shape) }),
  vjp: ({ shapes, attributes: { begin } }, dOut) => ({ x: padded(dOut, begin, shapes.x) }),
});

/**
 * The part of a tensor from `begin` up to, but without, `end`.
 *
 * @param x Any shape and dtype.
 * @param begin First index along each axis.
 * @param end Index after the last one along each axis.
 * @returns `[end[0] - begin[0], …]`, a copy.
 * @throws {TypeError} If there is not one index for each axis.
 * @throws {RangeError} Unless 0 <= begin <= end <= size along each axis.
 */
export function slice(x: Tensor, begin: readonly number[], end: readonly number[]): Tensor {
  const rank = x.shape.length;
  if (begin.length !== rank || end.length !== rank) {
    throw new TypeError(`slice needs an index for each axis of [${x.shape}], got begin [${begin}] and end [${end}]`);
  }
  const fits = x.shape.every((n, axis) =>
    Number.isInteger(begin[axis]) && Number.isInteger(end[axis]) && 0 <= begin[axis] && begin[axis] <= end[axis] &&
    end[axis] <= n
  );
  if (!fits) throw new RangeError(`Cannot slice [${x.shape}] from [${begin}] to [${end}]`);
  return sliceOp({ x }, { begin: [...begin], shape: end.map((n, axis) => n - begin[axis]) });
}
