import { elementGrid, sameShape, type Shape, sizeOf, type Tensor } from "../core/mod.ts";
import { defineMap, type MapFunction } from "./_map.ts";
import { reduceKernel, type ReduceStructure } from "./reduce.wgsl.ts";

/** x broadcast to a shape, times a number. */
export const broadcastScaled: MapFunction = defineMap({
  name: "broadcast",
  args: ["x"],
  parameters: ["scale"],
  expression: "x * u.scale",
});

/** Longest run of additions in one invocation, by whether there are many invocations. */
const LONGEST_BUSY = 512, LONGEST_IDLE = 64;
const BUSY = 4096;

/** Reduces the middle axis of x taken as [outer, length, inner]; in several passes where it is long. No gradient. */
export function reduceMiddle(
  operation: ReduceStructure["operation"],
  x: Tensor,
  [outer, length, inner]: readonly [number, number, number],
  scale = 1,
): Tensor {
  const { device } = x;
  for (;;) {
    const rows = inner === 1 && (length % 4 === 0 || outer === 1);
    const layout = rows ? "rows" : inner % 4 === 0 && inner > 0 ? "columns" : "single";
    const units = rows ? Math.ceil(length / 4) : length;
    const columns = layout === "columns" ? inner / 4 : inner;
    const longest = outer * columns >= BUSY ? LONGEST_BUSY : LONGEST_IDLE;
    const chunks = units <= longest ? 1 : 4 * Math.ceil(units / longest / 4);
    const out = device.empty([outer, chunks, inner]);
    device.run(reduceKernel({ operation, layout }), {
      bindings: { x, out },
      uniforms: { outer, length: units, inner: columns, chunks, valid: length, scale: chunks === 1 ? scale : 1 },
      grid: elementGrid(outer * chunks * columns, 64),
    });
    if (chunks === 1) return out;
    [x, length] = [out, chunks];
  }
}

/** Sums a matrix [rows, n] over its rows to [n]. No gradient. */
export function sumRows(x: Tensor, n: number): Tensor {
  return x.device.view(reduceMiddle("sum", x, [1, x.size / n, n]), [n]);
}

/** Reduces some axes of a tensor (resolved, ascending), times a number; they stay with size 1. No gradient. */
export function reduceAxes(
  operation: ReduceStructure["operation"],
  x: Tensor,
  axes: readonly number[],
  scale = 1,
): Tensor {
  const sizes = [...x.shape];
  const left = axes.filter((axis) => sizes[axis] !== 1);
  let out = x;
  while (left.length) {
    const last = left.pop()!;
    let first = last;
    while (left.at(-1) === first - 1) first = left.pop()!;
    const length = sizeOf(sizes.slice(first, last + 1));
    const outer = sizeOf(sizes.slice(0, first));
    out = reduceMiddle(operation, out, [outer, length, sizeOf(sizes.slice(last + 1))], left.length ? 1 : scale);
    sizes.fill(1, first, last + 1);
  }
  return x.device.view(out, sizes);
}

/** Sums a tensor that was broadcast from `shape` back to it; the tensor itself where the shapes agree. No gradient. */
export function sumToShape(x: Tensor, shape: Shape): Tensor {
  return sameShape(x.shape, shape) ? x : x.device.view(reduceAxes("sum", x, stretchedAxes(x.shape, shape)), shape);
}

function stretchedAxes(from: Shape, to: Shape): number[] {
  const lead = from.length - to.length;
  const axes = [...from.keys()].filter((axis) => axis < lead || (to[axis - lead] === 1 && from[axis] !== 1));
  if (lead < 0 || to.some((n, axis) => n !== 1 && n !== from[axis + lead])) {
    throw new TypeError(`Cannot sum [${from}] to [${to}]: [${to}] does not broadcast to [${from}]`);
  }
  return axes;
}

/** Repeats a tensor along axes of size 1, as far as `shape` says. No gradient. */
export function broadcastToShape(x: Tensor, shape: Shape): Tensor {
  return broadcastScaled({ x }, { scale: 1 }, shape);
}
