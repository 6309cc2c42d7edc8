import { defineOp, elementGrid, type Kernel, noGrad, type Tensor } from "../../../core/mod.ts";
import { addScalar, broadcastTo, concat, divide, multiply, reshape, sum } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { fapeFramesKernel, fapeKernel, fapePointsKernel, type FapeStructure, LONGEST_CHUNK } from "./fape.wgsl.ts";

/** Invocations that keep an adapter busy: loops are cut in chunks until there are as many. */
const BUSY = 8192;
/** Shortest chunk. */
const SHORTEST = 32;

/** What is predicted and what is true, and what counts. */
export type FapeInputs = {
  /** Predicted frames, `[rows, F, 3, 4]`: of each example of the batch in turn, iteration after iteration. */
  readonly frames: Tensor;
  /** Predicted points, `[rows, P, 3]`. */
  readonly points: Tensor;
  /** True frames, `[batch, F, 3, 4]`; no gradient. */
  readonly trueFrames: Tensor;
  /** True points, `[batch, P, 3]`; no gradient. */
  readonly truePoints: Tensor;
  /** 1 for frames that count, `[batch, F]`. */
  readonly frameMask: Tensor;
  /** 1 for points that count, `[batch, P]`. */
  readonly pointMask: Tensor;
  /** 1 for pairs that count, `[batch, F, P]`; the mean is then over pairs. @default all do */
  readonly pairMask?: Tensor;
  /** How much of the clamped distance counts, the rest being the whole one: `[batch]`. @default 1 */
  readonly clamped?: Tensor;
};

/** Choices of {@linkcode frameAlignedPointError}. */
export interface FapeOptions {
  /** Å at which distances are clamped. @default 10 */
  readonly clampDistance?: number;
  /** Å that count as 1. @default 10 */
  readonly lengthScale?: number;
  /** Å² added to squared distances, and what is added to the numbers of frames and points. @default 1e-4 */
  readonly eps?: number;
}

/** What the kernels read; masks and clamping ride along with the truth, for few bindings. */
type Inputs = {
  readonly frames: Tensor;
  readonly points: Tensor;
  readonly trueFrames: Tensor;
  readonly truePoints: Tensor;
  readonly pairMask: Tensor | undefined;
};

interface Attributes {
  readonly clampDistance: number;
  readonly lengthScale: number;
  readonly eps: number;
}

/** Runs a kernel on chunks of `along` for each of `own`, and adds the chunks up to `[rows, own, width]`. */
function chunked(
  kernelOf: (structure: FapeStructure) => Kernel,
  { pairMask, ...tensors }: Inputs & { readonly d?: Tensor },
  { clampDistance, lengthScale, eps }: Attributes,
  own: "frames" | "points",
  width: number,
  operations: number,
): Tensor {
  const { device, shape: [rows, frameCount] } = tensors.frames;
  const pointCount = tensors.points.shape[1];
  const [count, along] = own === "frames" ? [frameCount, pointCount] : [pointCount, frameCount];
  const wanted = Math.ceil(BUSY / (rows * count));
  const perChunk = Math.min(Math.max(Math.min(SHORTEST, along), Math.ceil(along / wanted)), LONGEST_CHUNK);
  const chunks = Math.ceil(along / perChunk);
  const partial = device.empty([rows, chunks, count, width]);
  const n = rows * chunks * count;
  device.run(kernelOf({ paired: !!pairMask }), {
    bindings: { ...tensors, ...(pairMask && { pairMask }), partial },
    uniforms: {
      n,
      chunks,
      perChunk,
      frameCount,
      pointCount,
      batch: tensors.truePoints.shape[0],
      clampAt: clampDistance,
      scale: 1 / lengthScale,
      eps,
    },
    grid: elementGrid(n, 64),
    flops: operations * rows * frameCount * pointCount,
  });
  return chunks === 1 ? partial : sum(partial, { axes: [1] });
}

const ALL = ["frames", "points", "trueFrames", "truePoints", "pairMask"] as const;

const op = defineOp<Inputs, keyof Inputs, Record<never, never>, Attributes>({
  name: "fape",
  needs: { frames: ALL, points: ALL },
  forward(inputs, attributes, { device }) {
    const [rows, frameCount] = inputs.frames.shape;
    const sums = chunked(fapeKernel, inputs, attributes, "frames", 1, 46);
    return { out: sum(device.view(sums, [rows, frameCount]), { axes: [1] }) };
  },
  vjp({ device, inputs, shapes, attributes, wanted }, d) {
    const { frames, points } = shapes;
    const back = { ...inputs, d };
    return {
      frames: wanted.frames
        ? device.view(chunked(fapeFramesKernel, back, attributes, "frames", 12, 76), frames)
        : undefined,
      points: wanted.points
        ? device.view(chunked(fapePointsKernel, back, attributes, "points", 3, 64), points)
        : undefined,
    };
  },
});

/**
 * Frame-aligned point error: how far every point is from the truth as every frame sees it, on average, in length scales.
 *
 * Pairs are never stored: a kernel goes along the points of each frame, and back along the frames of each point.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 28 "computeFAPE". DEVIATION(Alg. 28): the small number stands in the
 * denominators too, as in the published code.
 *
 * @returns `[rows]`, owned by the current scope.
 * @throws {TypeError} If shapes do not fit together.
 */
export function frameAlignedPointError(inputs: FapeInputs, options: FapeOptions = {}): Tensor {
  const of = "frameAlignedPointError";
  const { frames, points, trueFrames, truePoints, frameMask, pointMask, pairMask } = inputs;
  const { device, shape: [rows, F] } = frames;
  checkShape(of, "frames", frames, ["rows", "F", 3, 4]);
  checkShape(of, "points", points, [rows, "P", 3]);
  const P = points.shape[1], batch = trueFrames.shape[0];
  checkShape(of, "trueFrames", trueFrames, ["batch", F, 3, 4]);
  checkShape(of, "truePoints", truePoints, [batch, P, 3]);
  checkShape(of, "frameMask", frameMask, [batch, F]);
  checkShape(of, "pointMask", pointMask, [batch, P]);
  if (pairMask) checkShape(of, "pairMask", pairMask, [batch, F, P]);
  if (inputs.clamped) checkShape(of, "clamped", inputs.clamped, [batch]);
  if (rows % batch !== 0) {
    throw new TypeError(`${of} needs rows of whole batches: frames are [${frames.shape}], the batch is ${batch}`);
  }
  using scope = device.scope(of);
  const { clampDistance = 10, lengthScale = 10, eps = 1e-4 } = options;
  const truth = noGrad(device, () => {
    const clamped = inputs.clamped ?? device.tensor(new Float32Array(batch).fill(1), [batch]);
    const facts = [
      reshape(frameMask, [batch, F, 1, 1]),
      broadcastTo(reshape(clamped, [batch, 1, 1, 1]), [batch, F, 1, 1]),
    ];
    const row = concat([...facts, device.zeros([batch, F, 1, 2])], -1);
    return {
      trueFrames: concat([trueFrames, row], -2),
      truePoints: concat([truePoints, reshape(pointMask, [batch, P, 1])], -1),
    };
  });
  const sums = op({ frames, points, ...truth, pairMask }, { clampDistance, lengthScale, eps });
  const count = noGrad(device, () => {
    const counted = (mask: Tensor) => addScalar(sum(mask, { axes: [...mask.shape.keys()].slice(1) }), eps);
    if (!pairMask) return multiply(counted(frameMask), counted(pointMask));
    const pairs = multiply(reshape(frameMask, [batch, F, 1]), reshape(pointMask, [batch, 1, P]));
    return counted(multiply(pairs, pairMask));
  });
  return scope.keep(reshape(divide(reshape(sums, [rows / batch, batch]), count), [rows]));
}
