import { defineOp, resolveAxis, sameShape, stridesOf, type Tensor } from "../core/mod.ts";
import { copyBox } from "./_copy.ts";
import { mergeAxes } from "./_strides.ts";

const permuteOp = defineOp<{ x: Tensor }, never, Record<never, never>, { axes: readonly number[] }>({
  name: "permute",
  needs: [],
  forward: ({ x }, { axes }) => ({ out: permuted(x, axes) }),
  vjp({ attributes: { axes } }, dOut) {
    const inverse = axes.map((_, axis) => axes.indexOf(axis));
    return { x: permuted(dOut, inverse) };
  },
});

/** The permuted tensor: a view where the order of the elements in memory does not change. */
function permuted(x: Tensor, axes: readonly number[]): Tensor {
  const { device, dtype } = x;
  const shape = axes.map((axis) => x.shape[axis]);
  const from = stridesOf(x.shape);
  const strides = axes.map((axis) => from[axis]);
  const merged = mergeAxes(shape, [strides]);
  if (merged.sizes.length === 1 && merged.strides[0][0] === 1) return device.view(x, shape);
  const out = device.empty(shape, dtype);
  copyBox(shape, { tensor: x, strides }, { tensor: out, strides: stridesOf(shape) });
  return out;
}

/**
 * Puts the axes in another order.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { permute } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const x = device.tensor([1, 2, 3, 4, 5, 6], [1, 2, 3]);
 * const y = permute(x, [2, 0, 1]);
 * assert.deepEqual(y.shape, [3, 1, 2]);
 * assert.deepEqual([...await y.read()], [1, 4, 2, 5, 3, 6]);
 * ```
 *
 * @param x Any shape and dtype.
 * @param axes For each axis of the result, the axis of `x` it is; from the front (0 …) or the back (-1 …).
 * @throws {TypeError} If `axes` is not a permutation of the axes of `x`.
 */
export function permute(x: Tensor, axes: readonly number[]): Tensor {
  const resolved = axes.map((axis) => resolveAxis(axis, x.shape));
  if (!sameShape([...resolved].sort((a, b) => a - b), [...x.shape.keys()])) {
    throw new TypeError(`Cannot permute [${x.shape}] by [${axes}]: each axis must be named once`);
  }
  return permuteOp({ x }, { axes: resolved });
}

/**
 * Swaps the last two axes.
 *
 * @throws {TypeError} If `x` has fewer than two.
 */
export function transpose(x: Tensor): Tensor {
  const rank = x.shape.length;
  if (rank < 2) throw new TypeError(`transpose needs at least two axes, x is [${x.shape}]`);
  return permute(x, [...x.shape.keys()].with(-1, rank - 2).with(-2, rank - 1));
}
