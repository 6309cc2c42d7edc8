import { defineOp, resolveAxis, type Shape, sizeOf, type Tensor } from "../core/mod.ts";
import { defineMap } from "./_map.ts";
import { SPECIAL_VALUES } from "./_functions.wgsl.ts";
import { broadcastScaled, broadcastToShape, reduceAxes, sumToShape } from "./_reduce.ts";

/** Which axes a reduction takes, and what becomes of them. */
export interface ReduceOptions {
  /**
   * Axes to reduce, from the front (0 …) or from the back (-1 …).
   *
   * @default all
   */
  readonly axes?: readonly number[];
  /**
   * Whether the reduced axes stay, with size 1.
   *
   * @default false
   */
  readonly keepDims?: boolean;
}

interface Attributes {
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

/** Whether an element is the extreme one: a NaN is where the result is NaN. */
const IS_EXTREME = "(x == out) | (isNan(x) & isNan(out))";

const extremeGradient = defineMap({
  name: "extreme.vjp",
  args: ["x", "out", "share"],
  expression: `select(V(0.0), share, ${IS_EXTREME})`,
  declarations: SPECIAL_VALUES,
});

const isExtreme = defineMap({
  name: "isExtreme",
  args: ["x", "out"],
  expression: `select(V(0.0), V(1.0), ${IS_EXTREME})`,
  declarations: SPECIAL_VALUES,
});

const quotient = defineMap({ name: "share", args: ["d", "count"], expression: "d / count" });

function shapeWithout(shape: Shape, axes: readonly number[], keepDims: boolean): number[] {
  return keepDims
    ? shape.map((n, axis) => (axes.includes(axis) ? 1 : n))
    : shape.filter((_, axis) => !axes.includes(axis));
}

function attributesOf(x: Tensor, { axes, keepDims = false }: ReduceOptions): Attributes {
  const resolved = axes ? axes.map((axis) => resolveAxis(axis, x.shape)) : [...x.shape.keys()];
  return { axes: [...new Set(resolved)].sort((a, b) => a - b), keepDims };
}

/** The gradient of a kept-dims result as a tensor that broadcasts over the input. */
function asKept(dOut: Tensor, shape: Shape, axes: readonly number[]): Tensor {
  return dOut.device.view(dOut, shapeWithout(shape, axes, true));
}

function sumOp(name: string, scaleOf: (count: number) => number) {
  return defineOp<{ x: Tensor }, never, Record<never, never>, Attributes>({
    name,
    needs: [],
    forward({ x }, { axes, keepDims }, { device }) {
      requireFloats(name, x);
      const out = reduceAxes("sum", x, axes, scaleOf(countOf(x.shape, axes)));
      return { out: device.view(out, shapeWithout(x.shape, axes, keepDims)) };
    },
    vjp({ shapes, attributes: { axes } }, dOut) {
      const scale = scaleOf(countOf(shapes.x, axes));
      return { x: broadcastScaled({ x: asKept(dOut, shapes.x, axes) }, { scale }, shapes.x) };
    },
  });
}

function countOf(shape: Shape, axes: readonly number[]): number {
  return sizeOf(axes.map((axis) => shape[axis]));
}

function requireFloats(name: string, x: Tensor): void {
  if (x.dtype !== "f32") throw new TypeError(`${name} takes an f32 tensor, got ${x.dtype} [${x.shape}]`);
}

const sumOverAxes = sumOp("sum", () => 1);
const meanOverAxes = sumOp("mean", (count) => 1 / count);

function extremeOp(name: "max" | "min") {
  return defineOp<{ x: Tensor }, "x", { out: Tensor }, Attributes>({
    name,
    needs: ["x"],
    forward({ x }, { axes, keepDims }, { device }) {
      requireFloats(name, x);
      const shape = shapeWithout(x.shape, axes, keepDims);
      if (countOf(x.shape, axes) === 0 && sizeOf(shape) > 0) {
        throw new TypeError(
          `${name} needs at least one element along its axes, x is [${x.shape}], axes are [${axes}]`,
        );
      }
      const out = device.view(reduceAxes(name, x, axes), shape);
      return { out, saved: { out } };
    },
    vjp({ inputs: { x }, saved, attributes: { axes } }, dOut) {
      const out = asKept(saved.out, x.shape, axes);
      const count = reduceAxes("sum", isExtreme({ x, out }), axes);
      const share = quotient({ d: asKept(dOut, x.shape, axes), count });
      return { x: extremeGradient({ x, out, share }) };
    },
  });
}

const maxOverAxes = extremeOp("max");
const minOverAxes = extremeOp("min");

const sumToOp = defineOp<{ x: Tensor }, never, Record<never, never>, { shape: Shape }>({
  name: "sumTo",
  needs: [],
  forward({ x }, { shape }, { device }) {
    requireFloats("sumTo", x);
    return { out: device.view(sumToShape(x, shape), shape) };
  },
  vjp: ({ shapes }, dOut) => ({ x: broadcastToShape(dOut, shapes.x) }),
});

/**
 * Sum over some axes.
 *
 * The same input gives the same bits on one adapter; a million numbers of one sign are summed to a relative error below
 * 1e-6.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { sum } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const x = device.tensor([1, 2, 3, 4, 5, 6], [2, 3]);
 * assert.deepEqual([...await sum(x, { axes: [-1] }).read()], [6, 15]);
 * assert.equal(await sum(x).item(), 21);
 * ```
 *
 * @param x Any shape.
 * @returns The shape of `x` without the reduced axes (with size 1 there if `keepDims`); `[]` if all are reduced.
 * @throws {RangeError} If `x` has no such axis.
 */
export function sum(x: Tensor, options: ReduceOptions = {}): Tensor {
  return sumOverAxes({ x }, attributesOf(x, options));
}

/** Mean over some axes; otherwise as {@linkcode sum}. NaN where there is nothing to average. */
export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  return meanOverAxes({ x }, attributesOf(x, options));
}

/**
 * Largest element along some axes, NaN where one of them is NaN. The gradient is shared evenly among elements that are
 * equally large, or NaN.
 *
 * @throws {RangeError} If `x` has no such axis.
 * @throws {TypeError} If there is no element along the axes.
 */
export function max(x: Tensor, options: ReduceOptions = {}): Tensor {
  return maxOverAxes({ x }, attributesOf(x, options));
}

/** Smallest element along some axes; otherwise as {@linkcode max}. */
export function min(x: Tensor, options: ReduceOptions = {}): Tensor {
  return minOverAxes({ x }, attributesOf(x, options));
}

/**
 * Sums a tensor over the axes along which `shape` would be stretched to broadcast to it: the transpose of broadcasting.
 *
 * @returns A tensor of `shape`.
 * @throws {TypeError} If `shape` does not broadcast to the shape of `x`.
 */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  return sumToOp({ x }, { shape });
}
