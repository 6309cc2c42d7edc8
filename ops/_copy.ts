import {
  ELEMENT_BYTES,
  elementGrid,
  isVisible,
  mostVisible,
  type Shape,
  sizeOf,
  type Tensor,
  WINDOW_STEP,
  within,
} from "../core/mod.ts";
import { copyKernel, type CopyStructure } from "./_copy.wgsl.ts";
import { mergeAxes, numbered } from "./_strides.ts";

/** One side of a strided copy, in elements. */
export interface Side {
  readonly tensor: Tensor;
  /** Place of the box's first element. @default 0 */
  readonly at?: number;
  /** Strides along the axes of the box. */
  readonly strides: readonly number[];
}

/** Copies a box of elements from one tensor into another of the same dtype, or of the other of f32 and f16. Records no gradient. */
export function copyBox(box: Shape, from: Side, to: Side): void {
  if (sizeOf(box) === 0) return;
  const { sizes, strides: [f, t] } = mergeAxes(box, [from.strides, to.strides]);
  const { device } = from.tensor;
  using _ = isVisible(from.tensor) && isVisible(to.tensor) ? undefined : device.scope("windows");
  copyInWindows(sizes, { ...from, strides: f }, { ...to, strides: t });
}

/** Copies what a kernel can see of both sides at once; else either half of the box along the longest stretch. */
function copyInWindows(sizes: readonly number[], from: Side, to: Side): void {
  const most = mostVisible(from.tensor.device) - WINDOW_STEP;
  const blocked = [from, to].find((side) => !isVisible(side.tensor) && extentOf(sizes, side.strides) > most);
  if (!blocked) return copyAtOnce(sizes, seen(sizes, from), seen(sizes, to));
  const stretch = sizes.map((size, axis) => (size - 1) * blocked.strides[axis]);
  const axis = stretch.indexOf(Math.max(...stretch));
  const half = sizes[axis] > 8 ? Math.ceil(sizes[axis] / 8) * 4 : Math.ceil(sizes[axis] / 2); // whole vec4s stay so
  const shifted = (side: Side) => ({ ...side, at: (side.at ?? 0) + half * side.strides[axis] });
  copyInWindows(sizes.with(axis, half), from, to);
  copyInWindows(sizes.with(axis, sizes[axis] - half), shifted(from), shifted(to));
}

/** Elements from the first to the last one that a box takes. */
function extentOf(sizes: readonly number[], strides: readonly number[]): number {
  return sizes.reduce((extent, size, axis) => extent + (size - 1) * strides[axis], 1);
}

function seen(sizes: readonly number[], { tensor, at = 0, strides }: Side): Side {
  const window = within(tensor, at, extentOf(sizes, strides));
  return { tensor: window.part, at: window.at, strides };
}

function copyAtOnce(sizes: readonly number[], from: Side, to: Side): void {
  const rank = sizes.length;
  const plan = planOf(sizes, from.strides, to.strides, from, to);
  const n = sizeOf(plan.sizes);
  const half = plan.width === 4 && (from.tensor.dtype === "f16" || to.tensor.dtype === "f16");
  from.tensor.device.run(copyKernel({ unit: plan.unit, rank, half }), {
    bindings: { source: from.tensor, result: to.tensor },
    uniforms: {
      n,
      fromAt: (from.at ?? 0) / plan.width,
      toAt: (to.at ?? 0) / plan.width,
      fromStep: plan.fromStep,
      toStep: plan.toStep,
      ...numbered("s", plan.sizes),
      ...numbered("f", plan.from),
      ...numbered("t", plan.to),
    },
    grid: elementGrid(n, 64),
    flops: 0,
    bytesRead: ELEMENT_BYTES[from.tensor.dtype] * sizeOf(sizes),
    bytesWritten: ELEMENT_BYTES[to.tensor.dtype] * sizeOf(sizes),
  });
}

interface Plan {
  readonly unit: CopyStructure["unit"];
  /** Elements of a vec4, or 1: the measure of offsets and strides. */
  readonly width: 1 | 4;
  readonly sizes: readonly number[];
  readonly from: readonly number[];
  readonly to: readonly number[];
  /** Vec4s between the rows of a block; 0 where the unit is another. */
  readonly fromStep: number;
  readonly toStep: number;
}

function planOf(sizes: readonly number[], f: readonly number[], t: readonly number[], from: Side, to: Side): Plan {
  const single: Plan = { unit: "single", width: 1, sizes, from: f, to: t, fromStep: 0, toStep: 0 };
  const { dtype } = from.tensor;
  if (dtype === "i32" || dtype === "u32") return { ...single, unit: "integer" };
  const last = sizes.length - 1;
  const row = f.indexOf(1);
  const whole = (n: number) => n % 4 === 0;
  const wholeBut = (strides: readonly number[], unit: number) => strides.every((n, axis) => axis === unit || whole(n));
  if (
    t[last] !== 1 || row < 0 || !whole(sizes[last]) || !whole(sizes[row]) || !whole(from.at ?? 0) ||
    !whole(to.at ?? 0) || !wholeBut(f, row) || !wholeBut(t, last)
  ) return single;
  const inVectors = (axis: number, n: number) => (axis === last || axis === row ? n / 4 : n);
  // A unit is four elements along `last` and along `row`, which both are one step then.
  const steps = (strides: readonly number[]) => strides.map((n, axis) => (axis === last || axis === row ? n : n / 4));
  return {
    unit: row === last ? "vector" : "block",
    width: 4,
    sizes: sizes.map((n, axis) => inVectors(axis, n)),
    from: steps(f),
    to: steps(t),
    fromStep: row === last ? 0 : f[last] / 4,
    toStep: row === last ? 0 : t[row] / 4,
  };
}
