import type { Shape } from "../core/mod.ts";

/** Most axes that a strided kernel walks, after neighbouring axes have been merged. */
export const MAX_RANK = 6;

/** A box of elements and how far apart its neighbours lie in each of some tensors. */
export interface Walk {
  readonly sizes: readonly number[];
  /** Strides of each tensor, in elements, along the axes of `sizes`. */
  readonly strides: readonly (readonly number[])[];
}

/**
 * The same walk over as few axes as can be: axes of size 1 go, and two neighbours become one where every tensor steps
 * through them evenly. At least one axis is left.
 *
 * @throws {TypeError} If more than {@linkcode MAX_RANK} axes are left.
 */
export function mergeAxes(sizes: Shape, strides: readonly (readonly number[])[]): Walk {
  const kept: number[] = [];
  const steps: number[][] = strides.map(() => []);
  sizes.forEach((size, axis) => {
    if (size === 1) return;
    const last = kept.length - 1;
    const even = last >= 0 && strides.every((stride, t) => steps[t][last] === stride[axis] * size);
    if (even) kept[last] *= size;
    else kept.push(size);
    strides.forEach((stride, t) => (steps[t][even ? last : last + 1] = stride[axis]));
  });
  if (!kept.length) {
    kept.push(1);
    for (const step of steps) step.push(1);
  }
  if (kept.length > MAX_RANK) {
    throw new TypeError(
      `A tensor of shape [${sizes}] would be walked along ${kept.length} axes here; at most ${MAX_RANK} are possible`,
    );
  }
  return { sizes: kept, strides: steps };
}

/** Strides of a tensor of `shape` read as if it were broadcast to `to`: 0 along the axes that stretch. */
export function broadcastStrides(shape: Shape, to: Shape): number[] {
  const strides = new Array<number>(to.length).fill(0);
  let stride = 1;
  for (let axis = 1; axis <= shape.length; axis++) {
    const size = shape[shape.length - axis];
    if (size !== 1) strides[to.length - axis] = stride;
    stride *= size;
  }
  return strides;
}

/** WGSL: splits `index` into coordinates `i0`, `i1`, … of a box with the sizes `u.s0`, `u.s1`, … */
export function coordinatesWgsl(rank: number): string {
  const lines = ["var rest = index;"];
  for (let axis = rank - 1; axis > 0; axis--) lines.push(`let i${axis} = rest % u.s${axis}; rest /= u.s${axis};`);
  lines.push("let i0 = rest;");
  return lines.join("\n");
}

/** WGSL: the place of those coordinates in a tensor with the strides `u.NAME0`, `u.NAME1`, … */
export function placeWgsl(name: string, rank: number): string {
  return Array.from({ length: rank }, (_, axis) => `i${axis} * u.${name}${axis}`).join(" + ");
}

/** Uniforms `NAME0`, `NAME1`, … with these values. */
export function numbered(name: string, values: readonly number[]): Record<string, number> {
  return Object.fromEntries(values.map((value, i) => [`${name}${i}`, value]));
}
