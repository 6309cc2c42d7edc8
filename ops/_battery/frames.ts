/** Probes of ops on frames, and frames, points and quaternions in float64. */
import { noise, type Probe, sizeOf, stridesOf } from "../../core/mod.ts";
import { FRAME_ITEMS, type FRAME_OPS, type FrameItem, type FrameKernelStructure } from "../frames.wgsl.ts";
import { numbered } from "../_strides.ts";
import { gradientOf } from "./gradient.ts";

/** Numbers of an item. */
export type Vector = ArrayLike<number>;

/** Σ a · b. */
export function dot(a: Vector, b: Vector): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** R p + t of a frame, its rows (R | t). */
export function applied(f: Vector, [x, y, z]: Vector & Iterable<number>): number[] {
  return [0, 4, 8].map((r) => f[r] * x + f[r + 1] * y + f[r + 2] * z + f[r + 3]);
}

/** R p. */
export function turned(f: Vector, [x, y, z]: Vector & Iterable<number>): number[] {
  return [0, 4, 8].map((r) => f[r] * x + f[r + 1] * y + f[r + 2] * z);
}

/** Rᵀ (p - t). */
export function seenFrom(f: Vector, p: Vector): number[] {
  const [x, y, z] = [p[0] - f[3], p[1] - f[7], p[2] - f[11]];
  return [0, 1, 2].map((c) => f[c] * x + f[4 + c] * y + f[8 + c] * z);
}

/** The frame `b`, then the frame `a`. */
export function composed(a: Vector, b: Vector): number[] {
  const out = new Array<number>(12);
  for (let r = 0; r < 12; r += 4) {
    for (let c = 0; c < 4; c++) {
      out[r + c] = a[r] * b[c] + a[r + 1] * b[4 + c] + a[r + 2] * b[8 + c] + (c === 3 ? a[r + 3] : 0);
    }
  }
  return out;
}

/** A frame of the columns of its rotation, and its translation. */
function frameOf(columns: readonly Vector[], t: Vector): number[] {
  return [0, 1, 2].flatMap((r) => [columns[0][r], columns[1][r], columns[2][r], t[r]]);
}

const minus = (a: Vector, b: Vector) => [0, 1, 2].map((i) => a[i] - b[i]);
const unit = (v: readonly number[], eps = 0) => v.map((x) => x / Math.sqrt(dot(v, v) + eps));
const cross = (a: Vector, b: Vector) =>
  [0, 1, 2].map((i) => {
    const j = (i + 1) % 3, k = (i + 2) % 3;
    return a[j] * b[k] - a[k] * b[j];
  });

function hamilton(p: Vector, q: Vector): number[] {
  return [
    p[0] * q[0] - p[1] * q[1] - p[2] * q[2] - p[3] * q[3],
    p[0] * q[1] + p[1] * q[0] + p[2] * q[3] - p[3] * q[2],
    p[0] * q[2] - p[1] * q[3] + p[2] * q[0] + p[3] * q[1],
    p[0] * q[3] + p[1] * q[2] - p[2] * q[1] + p[3] * q[0],
  ];
}

function rotated(q: Vector, t: Vector): number[] {
  const [w, x, y, z] = [q[0], q[1], q[2], q[3]];
  return [
    ...[w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y), t[0]],
    ...[2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x), t[1]],
    ...[2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z, t[2]],
  ];
}

type Items = Readonly<Record<string, number[]>>;

/** Every op on items of its inputs. */
export const FRAMES64: Readonly<
  Record<keyof typeof FRAME_OPS, (items: Items, parameters: Readonly<Record<string, number>>) => number[]>
> = {
  composeFrames: ({ a, b }) => composed(a, b),
  applyFrames: ({ frames, points }) => applied(frames, points),
  invertApplyFrames: ({ frames, points }) => seenFrom(frames, points),
  invertFrames: ({ frames: f }) => frameOf([0, 4, 8].map((r) => [f[r], f[r + 1], f[r + 2]]), seenFrom(f, [0, 0, 0])),
  framesFromThreePoints({ x1, x2, x3 }, { sign, eps }) {
    const e1 = unit(minus(x3, x2).map((x) => sign * x), eps), v2 = minus(x1, x2), along = dot(e1, v2);
    const e2 = unit(v2.map((x, i) => x - e1[i] * along), eps);
    return frameOf([e1, e2, cross(e1, e2)], x2);
  },
  framesFromQuaternions: ({ quaternions, translations }) => rotated(quaternions, translations),
  normalizeQuaternions: ({ quaternions }) => unit(quaternions),
  multiplyQuaternions: ({ a, b }) => hamilton(a, b),
  updateQuaternions: ({ quaternions, updates: [b, c, d] }) => unit(hamilton(quaternions, [1, b, c, d])),
  updateTranslations: ({ translations, quaternions, updates }) =>
    applied(rotated(quaternions, translations), updates.slice(3)),
};

const sizeOfItem = (item: FrameItem) => sizeOf(FRAME_ITEMS[item].shape);

/** Where items lie, so that quaternions are far from 0 and three points far from a line. */
const CENTERS: Readonly<Record<string, readonly number[]>> = {
  quaternions: [1, 0, 0, 0],
  x1: [0, 1.4, 0.2],
  x3: [1.5, 0.3, -0.4],
};

/**
 * A formula over a box of items in which every second argument is broadcast along every second axis. What a gradient's
 * formula does not read has no say in it, and is 0 in the reference.
 */
export function frameProbes({ name, args, output, parameters, rank }: FrameKernelStructure): readonly Probe[] {
  const [op, , wanted] = name.split(".") as [keyof typeof FRAME_OPS, string, string | undefined];
  const sizes = [67, 3, 2, 3, 2, 3].slice(0, rank);
  for (let axis = 1; axis < rank; axis++) sizes[0] = Math.ceil(sizes[0] / sizes[axis]);
  const n = sizeOf(sizes);
  const strides = args.map((_, i) => {
    const stretched = (axis: number) => i % 2 === 1 && axis % 2 === 0;
    const steps = stridesOf(sizes.map((size, axis) => (stretched(axis) ? 1 : size)));
    return steps.map((step, axis) => (stretched(axis) ? 0 : step));
  });
  const values = Object.fromEntries(parameters.map((parameter) => [parameter, parameter === "sign" ? -1 : 2 ** -9]));
  return [{
    before: Object.fromEntries(args.map(([arg, item], i) => {
      const size = sizeOfItem(item), last = strides[i].reduce((sum, step, axis) => sum + step * (sizes[axis] - 1), 0);
      const numbers = noise((last + 1) * size, i + 1).map((x, at) => 0.4 * x + (CENTERS[arg]?.[at % size] ?? 0));
      return [`${arg}_items`, numbers];
    })),
    uniforms: {
      n,
      ...numbered("s", sizes),
      ...Object.assign({}, ...args.map(([arg], i) => numbered(arg, strides[i]))),
      ...values,
    },
    grid: [Math.ceil(n / 64) + 1, 1, 1],
    after(before) {
      const size = sizeOfItem(output), result = new Float64Array(n * size), axes = stridesOf(sizes);
      for (let i = 0; i < n; i++) {
        const items: Record<string, number[]> = {};
        args.forEach(([arg, item], k) => {
          const at = axes.reduce((sum, step, axis) => sum + Math.floor(i / step) % sizes[axis] * strides[k][axis], 0);
          const width = sizeOfItem(item);
          items[arg] = Array.from(before[`${arg}_items`].subarray(at * width, (at + 1) * width));
        });
        const forward = (given: Items) => FRAMES64[op]({ ...NOTHING, ...given }, values);
        const numbers = wanted === undefined ? forward(items) : gradientOf(
          (x) => dot(items.d, forward({ ...items, [wanted]: Array.from(x) })),
          items[wanted] ?? new Float64Array(size),
        );
        result.set(numbers, i * size);
      }
      return { result };
    },
  }];
}

/** What stands for arguments that a gradient does not hang on. */
const NOTHING: Items = Object.fromEntries(
  ["a", "b", "frames", "points", "quaternions", "translations", "updates"].map((arg) => [arg, new Array(12).fill(0)]),
);
