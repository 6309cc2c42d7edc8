/**
 * Rigid frames: a rotation and a translation that bring local coordinates to global ones, x = R y + t.
 *
 * A tensor of frames is `[…, 3, 4]`: the rows of (R | t), the upper three of the homogeneous 4 × 4 matrix. That makes a
 * frame three whole vec4s, a coordinate one dot product, and the way to 4 × 4 matrices a row (0, 0, 0, 1). Points are
 * `[…, 3]`, quaternions `[…, 4]` as (w, x, y, z). Axes before these broadcast by NumPy's rule. Gradients treat the numbers
 * of a rotation as free.
 */
import {
  broadcastShapes,
  defineOp,
  elementGrid,
  type Kernel,
  kernelFamily,
  type Shape,
  sizeOf,
  type Tensor,
} from "../core/mod.ts";
import {
  FRAME_ITEMS,
  FRAME_OPS,
  type FrameItem,
  frameKernel,
  type FrameKernelStructure,
  type FrameOpSource,
} from "./frames.wgsl.ts";
import { frameProbes } from "./_battery/frames.ts";
import { concat } from "./concat.ts";
import { sumToShape } from "./_reduce.ts";
import { slice } from "./slice.ts";
import { broadcastStrides, mergeAxes, numbered } from "./_strides.ts";

type Items = Readonly<Record<string, FrameItem>>;
type Tensors = Readonly<Record<string, Tensor>>;
type Parameters = Readonly<Record<string, number>>;

const kernelOf = kernelFamily((structure: FrameKernelStructure) => frameKernel(structure), frameProbes);

/** The kernels of all formulas, by how many axes they walk; for those who verify them. */
export const FRAME_KERNELS: ((rank: number) => Kernel)[] = [];

function isNamed(arg: string, expression: string): boolean {
  return new RegExp(`\\b${arg}\\b`).test(expression);
}

/** The axes of a tensor before those of an item. */
function leading(shape: Shape, item: FrameItem): Shape {
  return shape.slice(0, shape.length - FRAME_ITEMS[item].shape.length);
}

/** A formula of items. */
interface ItemMap {
  readonly name: string;
  readonly inputs: Items;
  readonly output: FrameItem;
  readonly expression: string;
  readonly parameters: readonly string[];
  readonly operations: number;
}

/** Applies a formula to every item of some tensors. No gradient. */
function itemMap({ name, inputs, output, expression, parameters, operations }: ItemMap) {
  const args = Object.entries(inputs).filter(([arg]) => isNamed(arg, expression));
  const ranked = (rank: number) => kernelOf({ name, args, output, parameters, expression, rank });
  FRAME_KERNELS.push(ranked);
  return (tensors: Tensors, batch: Shape, values: Parameters): Tensor => {
    const { device } = tensors[args[0][0]];
    const result = device.empty([...batch, ...FRAME_ITEMS[output].shape]);
    const n = sizeOf(batch);
    if (n === 0) return result;
    const { sizes, strides } = mergeAxes(
      batch,
      args.map(([arg, item]) => broadcastStrides(leading(tensors[arg].shape, item), batch)),
    );
    device.run(ranked(sizes.length), {
      bindings: { ...Object.fromEntries(args.map(([arg]) => [`${arg}_items`, tensors[arg]])), result },
      uniforms: {
        n,
        ...numbered("s", sizes),
        ...Object.assign({}, ...args.map(([arg], i) => numbered(arg, strides[i]))),
        ...values,
      },
      grid: elementGrid(n, 64),
      flops: operations * n,
    });
    return result;
  };
}

function frameOp(
  name: string,
  { inputs, output, parameters = [], forward, operations, gradients }: FrameOpSource,
) {
  const run = itemMap({ name, inputs, output, expression: forward, parameters, operations });
  const backward = Object.entries(gradients).map(([input, expression]) => {
    const back = { inputs: { ...inputs, d: output }, output: inputs[input], operations: 2 * operations };
    return {
      input,
      args: Object.keys(inputs).filter((arg) => isNamed(arg, expression)),
      map: expression === "d" ? null : itemMap({ name: `${name}.vjp.${input}`, expression, parameters, ...back }),
    };
  });
  const batchOf = (shapes: Readonly<Record<string, Shape>>) =>
    Object.entries(inputs).map(([arg, item]) => leading(shapes[arg], item)).reduce(broadcastShapes);
  const op = defineOp<Record<string, Tensor>, string, Record<never, never>, Parameters>({
    name,
    needs: Object.fromEntries(backward.map(({ input, args }) => [input, args])),
    forward(tensors, values) {
      const shapes = Object.fromEntries(Object.entries(tensors).map(([arg, { shape }]) => [arg, shape]));
      return { out: run(tensors, batchOf(shapes), values) };
    },
    vjp({ inputs: kept, shapes, attributes, wanted }, d) {
      const grads: Record<string, Tensor> = {};
      for (const { input, map } of backward) {
        if (!wanted[input]) continue;
        grads[input] = sumToShape(map ? map({ ...kept, d }, batchOf(shapes), attributes) : d, shapes[input]);
      }
      return grads;
    },
  });
  return (tensors: Tensors, values: Parameters = {}): Tensor => {
    for (const [arg, item] of Object.entries(inputs)) requireItem(name, arg, tensors[arg], item);
    return op(tensors, values);
  };
}

function requireItem(name: string, arg: string, { shape, dtype }: Tensor, item: FrameItem): void {
  const { shape: last } = FRAME_ITEMS[item];
  if (dtype === "f32" && shape.length >= last.length && last.every((n, i) => shape.at(i - last.length) === n)) return;
  throw new TypeError(`${name}: ${arg} must be f32 […, ${last.join(", ")}], it is ${dtype} [${shape.join(", ")}]`);
}

const ops = Object.fromEntries(
  (Object.keys(FRAME_OPS) as (keyof typeof FRAME_OPS)[]).map((name) => [name, frameOp(name, FRAME_OPS[name])]),
) as Record<keyof typeof FRAME_OPS, ReturnType<typeof frameOp>>;

/**
 * One frame after the other: first `b`, then `a`, (R_a R_b, R_a t_b + t_a).
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { applyFrames, composeFrames, invertFrames } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * // A quarter turn about z, then a step along x.
 * const frame = device.tensor([0, -1, 0, 5, 1, 0, 0, 0, 0, 0, 1, 0], [3, 4]);
 * const point = device.tensor([1, 0, 2], [3]);
 * assert.deepEqual([...await applyFrames(frame, point).read()], [5, 1, 2]);
 * const back = composeFrames(invertFrames(frame), frame);
 * assert.deepEqual([...await applyFrames(back, point).read()], [1, 0, 2]);
 * ```
 *
 * @param a `[…, 3, 4]`.
 * @param b `[…, 3, 4]`.
 * @returns `[…, 3, 4]`, the broadcast axes before.
 * @throws {TypeError} If the shapes are others or do not broadcast.
 */
export function composeFrames(a: Tensor, b: Tensor): Tensor {
  return ops.composeFrames({ a, b });
}

/**
 * Local points in global coordinates, R x + t.
 *
 * @param frames `[…, 3, 4]`.
 * @param points `[…, 3]`; for many points a frame, frames are `[…, 1, 3, 4]`.
 * @returns `[…, 3]`.
 */
export function applyFrames(frames: Tensor, points: Tensor): Tensor {
  return ops.applyFrames({ frames, points });
}

/**
 * Global points as the frames see them, Rᵀ (x - t). The difference comes first, so that far from the origin no digits are
 * lost.
 *
 * @param frames `[…, 3, 4]`.
 * @param points `[…, 3]`.
 * @returns `[…, 3]`.
 */
export function invertApplyFrames(frames: Tensor, points: Tensor): Tensor {
  return ops.invertApplyFrames({ frames, points });
}

/** The way back, (Rᵀ, -Rᵀ t), of frames `[…, 3, 4]`. */
export function invertFrames(frames: Tensor): Tensor {
  return ops.invertFrames({ frames });
}

/** Choices of {@linkcode framesFromThreePoints}. */
export interface ThreePointsOptions {
  /** Whether the x axis points towards the third point, as Alg. 21 has it, or away from it. @default "towards" */
  readonly xAxis?: "towards" | "away";
  /** Added to squared lengths: points that coincide give numbers, if meaningless ones. @default 1e-8 */
  readonly eps?: number;
}

/**
 * Frames by Gram-Schmidt: origin x2, x axis along the line through x3, x1 in the half plane of positive y. For a backbone
 * these are N, CA and C.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 21 "rigidFrom3Points".
 *
 * @param x1 `[…, 3]`.
 * @param x2 `[…, 3]`.
 * @param x3 `[…, 3]`.
 * @returns `[…, 3, 4]`.
 */
export function framesFromThreePoints(
  x1: Tensor,
  x2: Tensor,
  x3: Tensor,
  { xAxis = "towards", eps = 1e-8 }: ThreePointsOptions = {},
): Tensor {
  return ops.framesFromThreePoints({ x1, x2, x3 }, { sign: xAxis === "towards" ? 1 : -1, eps });
}

/**
 * Frames of quaternions and translations. A quaternion that is not of length 1 gives a rotation times its squared length;
 * see {@linkcode normalizeQuaternions}.
 *
 * @param quaternions `[…, 4]`, (w, x, y, z).
 * @param translations `[…, 3]`.
 * @returns `[…, 3, 4]`.
 */
export function framesFromQuaternions(quaternions: Tensor, translations: Tensor): Tensor {
  return ops.framesFromQuaternions({ quaternions, translations });
}

/** Quaternions `[…, 4]` divided by their length; NaN for a zero one. */
export function normalizeQuaternions(quaternions: Tensor): Tensor {
  return ops.normalizeQuaternions({ quaternions });
}

/** Hamilton product of quaternions `[…, 4]`, (w, x, y, z): the rotation `b`, then `a`. */
export function multiplyQuaternions(a: Tensor, b: Tensor): Tensor {
  return ops.multiplyQuaternions({ a, b });
}

/**
 * Turns frames on in their own axes: the quaternion times (1, b, c, d), normalized.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 23 "BackboneUpdate", lines 2-3, and Alg. 20, line 10.
 *
 * @param quaternions `[…, 4]` of length 1.
 * @param updates `[…, 6]`: b, c, d, and a translation that {@linkcode updateTranslations} takes.
 * @returns `[…, 4]`.
 */
export function updateQuaternions(quaternions: Tensor, updates: Tensor): Tensor {
  return ops.updateQuaternions({ quaternions, updates });
}

/**
 * Moves frames along their own axes as they are before {@linkcode updateQuaternions}: t + R(q) · the last three numbers.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 20, line 10.
 *
 * @param translations `[…, 3]`.
 * @param quaternions `[…, 4]`, before the update.
 * @param updates `[…, 6]`.
 * @returns `[…, 3]`.
 */
export function updateTranslations(translations: Tensor, quaternions: Tensor, updates: Tensor): Tensor {
  return ops.updateTranslations({ translations, quaternions, updates });
}

/** Frames `[…, 3, 4]` of homogeneous matrices `[…, 4, 4]`, whose last rows are not read. */
export function framesFromMatrices(matrices: Tensor): Tensor {
  const { shape } = matrices;
  if (shape.length < 2 || shape.at(-1) !== 4 || shape.at(-2) !== 4) {
    throw new TypeError(`framesFromMatrices: matrices must be […, 4, 4], they are [${shape.join(", ")}]`);
  }
  return slice(matrices, shape.map(() => 0), shape.with(-2, 3));
}

/** Homogeneous matrices `[…, 4, 4]` of frames `[…, 3, 4]`. */
export function matricesFromFrames(frames: Tensor): Tensor {
  requireItem("matricesFromFrames", "frames", frames, "frame");
  const lead = leading(frames.shape, "frame");
  const { device } = frames;
  using scope = device.scope("matricesFromFrames");
  const last = Float32Array.from({ length: 4 * sizeOf(lead) }, (_, i) => (i % 4 === 3 ? 1 : 0));
  return scope.keep(concat([frames, device.tensor(last, [...lead, 1, 4])], -2));
}

/** Frames `[…, 3, 4]` of a quaternion (w, x, y, z) and a translation each, `[…, 7]`; see {@linkcode framesFromQuaternions}. */
export function framesFromSeven(seven: Tensor): Tensor {
  const { shape, device } = seven;
  if (!shape.length || shape.at(-1) !== 7) {
    throw new TypeError(`framesFromSeven: its tensor must be […, 7], it is [${shape.join(", ")}]`);
  }
  using scope = device.scope("framesFromSeven");
  const begin = shape.map(() => 0);
  const quaternions = slice(seven, begin, shape.with(-1, 4));
  return scope.keep(framesFromQuaternions(quaternions, slice(seven, begin.with(-1, 4), shape)));
}
