import { elementGrid, type Shape, sizeOf, type Tensor } from "../core/mod.ts";
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

/** Copies a box of elements from one tensor into another of the same dtype. Records no gradient. */
export function copyBox(box: Shape, from: Side, to: Side): void {
  if (sizeOf(box) === 0) return;
  const { sizes, strides: [f, t] } = mergeAxes(box, [from.strides, to.strides]);
  const rank = sizes.length;
  const plan = planOf(sizes, f, t, from, to);
  const n = sizeOf(plan.sizes);
  from.tensor.device.run(copyKernel({ unit: plan.unit, rank }), {
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
  });
}

interface Plan {
  readonly unit: CopyStructure["unit"];
  /** Elements of a vec4, or 1: the measure of offsets and strides. */
  readonly width: 1 | 4;
  readonly sizes: readonly number[];
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly fromStep: number;
  readonly toStep: number;
}

function planOf(sizes: readonly number[], f: readonly number[], t: readonly number[], from: Side, to: Side): Plan {
  const single: Plan = { unit: "single", width: 1, sizes, from: f, to: t, fromStep: 0, toStep: 0 };
  if (from.tensor.dtype !== "f32") return { ...single, unit: "integer" };
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
    fromStep: f[last] / 4,
    toStep: t[row] / 4,
  };
}
