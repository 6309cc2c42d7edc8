import {
  elementGrid,
  inWindows,
  mostVisible,
  readable,
  sameShape,
  type Shape,
  sizeOf,
  type Tensor,
  WINDOW_STEP,
} from "../core/mod.ts";
import { defineMap, type MapFunction } from "./_map.ts";
import { readRegion, writeRegion } from "./_region.ts";
import { IDENTITY, reduceKernel, type ReduceOperation } from "./reduce.wgsl.ts";

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

/** Elements of the columns that are copied out and reduced at once where a kernel cannot see all. */
const COLUMNS = 2 ** 22;

/** Sizes of a tensor before, along and after the axis that is reduced. */
type Middle = readonly [outer: number, length: number, inner: number];

/** Reduces the middle axis of x taken as [outer, length, inner]; in several passes where it is long. No gradient. */
export function reduceMiddle(
  operation: ReduceOperation,
  x: Tensor,
  [outer, length, inner]: Middle,
  scale = 1,
): Tensor {
  const most = mostVisible(x.device);
  const busy = outer * (inner % 4 === 0 ? inner / 4 : inner) >= BUSY;
  for (; length * inner > most; length = x.shape[1]) {
    if (inner > 1 && 4 * length <= most) return reduceInColumns(operation, x, [outer, length, inner], scale, busy);
    x = reduceInWindows(operation, x, [outer, length, inner]);
  }
  return reduceVisible(operation, x, [outer, length, inner], scale, busy);
}

/** @param busy Whether there are many invocations even with long runs of additions. */
function reduceVisible(
  operation: ReduceOperation,
  x: Tensor,
  [outer, length, inner]: Middle,
  scale: number,
  busy: boolean,
): Tensor {
  const { device } = x;
  for (;;) {
    const rows = inner === 1 && (length % 4 === 0 || outer === 1);
    const layout = rows ? "rows" : inner % 4 === 0 && inner > 0 ? "columns" : "single";
    const units = rows ? Math.ceil(length / 4) : length;
    const columns = layout === "columns" ? inner / 4 : inner;
    const longest = busy ? LONGEST_BUSY : LONGEST_IDLE;
    const chunks = units <= longest ? 1 : 4 * Math.ceil(units / longest / 4);
    const out = device.empty([outer, chunks, inner]);
    const uniforms = {
      length: units,
      inner: columns,
      chunks,
      valid: length,
      scale: chunks === 1 ? scale : 1,
      identity: IDENTITY[operation],
    };
    inWindows(device, outer, { reads: { x }, writes: { out } }, (bindings, outer) => {
      device.run(reduceKernel({ operation, layout }), {
        bindings,
        uniforms: { ...uniforms, outer },
        grid: elementGrid(outer * chunks * columns, 64),
        flops: outer * uniforms.valid * inner,
      });
    });
    if (chunks === 1) return out;
    [x, length] = [out, chunks];
  }
}

/** Where a kernel cannot see all of one outer element: some columns at a time, to the same bits. */
function reduceInColumns(
  operation: ReduceOperation,
  x: Tensor,
  [outer, length, inner]: Middle,
  scale: number,
  busy: boolean,
): Tensor {
  const { device } = x;
  const all = device.view(x, [outer, length, inner]);
  const out = device.empty([outer, 1, inner]);
  const width = Math.max(4, 4 * Math.floor(Math.min(mostVisible(device), COLUMNS) / length / 4));
  for (let first = 0; first < inner; first += width) {
    using _ = device.scope("window");
    const middle = [outer, length, Math.min(width, inner - first)] as const;
    const part = readRegion(all, [0, 0, first], middle);
    writeRegion(reduceVisible(operation, part, middle, scale, busy), out, [0, 0, first]);
  }
  return out;
}

/** Where a kernel cannot even see one column: the middle axis in parts, `[outer, parts, inner]`. */
function reduceInWindows(operation: ReduceOperation, x: Tensor, [outer, length, inner]: Middle): Tensor {
  const { device } = x;
  const size = Math.ceil(mostVisible(device) / inner / 2 / WINDOW_STEP) * WINDOW_STEP;
  const windows = Math.ceil(length / size);
  const parts = device.empty([outer, windows, inner]);
  for (let part = 0; part < outer * windows; part++) {
    using _ = device.scope("window");
    const first = part % windows * size;
    const count = Math.min(size, length - first);
    const window = readable(x, (Math.floor(part / windows) * length + first) * inner, [count * inner]);
    device.copy(reduceMiddle(operation, window, [1, count, inner]), parts, { toElement: part * inner });
  }
  return parts;
}

/** Sums a matrix [rows, n] over its rows to [n]. No gradient. */
export function sumRows(x: Tensor, n: number): Tensor {
  return x.device.view(reduceMiddle("sum", x, [1, x.size / n, n]), [n]);
}

/** Reduces some axes of a tensor (resolved, ascending), times a number; they stay with size 1. No gradient. */
export function reduceAxes(
  operation: ReduceOperation,
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
