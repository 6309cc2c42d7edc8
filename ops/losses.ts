import { defineOp, type Device, elementGrid, flatGrid, inWindows, sameShape, type Tensor } from "../core/mod.ts";
import { EXPONENTIAL, SPECIAL_VALUES } from "./_functions.wgsl.ts";
import { defineMap } from "./_map.ts";
import { operationsOf } from "./_operations.ts";
import { reduceAxes, reduceMiddle } from "./_reduce.ts";
import { writeRegion } from "./_region.ts";
import { rowStructure } from "./_rows.ts";
import {
  entropyKernel,
  entropyStatsKernel,
  entropyVjpKernel,
  HUBER,
  LOSS_PART,
  lossKernel,
  lossVjpKernel,
  type PointwiseLoss,
  quotientKernel,
  SQUARED_ERROR,
} from "./losses.wgsl.ts";

/** What a loss counts. */
export interface LossOptions {
  /**
   * Weights, mostly 0 and 1: the loss is sum(mask loss) / sum(mask), and 0 where the mask is 0 everywhere. What a mask
   * of 0 covers may even be NaN. It gets no gradient.
   *
   * @default everything counts alike
   */
  readonly mask?: Tensor;
}

type Inputs = { prediction: Tensor; target: Tensor; mask: Tensor | undefined };
/** Sum of the mask, `[1]`. */
type Weight = { weight: Tensor | undefined };

const negated = defineMap({ name: "negated", args: ["x"], expression: "-x" });

/** The mean of `count` numbers of which `losses` are sums; where there is a mask, of which `weights` are sums, its mean. */
function meanOf(
  device: Device,
  losses: Tensor,
  count: number,
  weights: Tensor | undefined,
): { out: Tensor; saved: Weight } {
  const sum = reduceMiddle("sum", losses, [1, losses.size, 1], weights ? 1 : 1 / count);
  if (!weights) return { out: device.view(sum, []), saved: { weight: undefined } };
  const weight = reduceMiddle("sum", weights, [1, weights.size, 1]);
  const out = device.empty([]);
  device.run(quotientKernel, { bindings: { sum, weight, out }, grid: [1, 1, 1], flops: 1 });
  return { out, saved: { weight } };
}

function pointwiseLoss(loss: PointwiseLoss) {
  return defineOp<Inputs, "prediction" | "target" | "mask", Weight, { delta: number }>({
    name: loss.name,
    needs: { prediction: ["prediction", "target", "mask"], target: ["prediction", "target", "mask"] },
    forward({ prediction, target, mask }, { delta }, { device }) {
      const n = prediction.size;
      const parts = Math.ceil(n / LOSS_PART);
      const losses = device.empty([parts, 64]), weights = mask && device.empty([parts, 64]);
      const reads = { prediction, goal: target, mask };
      inWindows(device, n, { reads, unit: LOSS_PART }, (windows, size, first) => {
        const now = Math.ceil(size / LOSS_PART);
        const sums = { losses, weights };
        if (now !== parts) {
          sums.losses = device.empty([now, 64]);
          sums.weights = weights && device.empty([now, 64]);
        }
        device.run(lossKernel({ ...loss, masked: !!mask }), {
          bindings: { ...windows, losses: sums.losses, ...(sums.weights && { weights: sums.weights }) },
          uniforms: { n: size, parts: now, delta },
          grid: flatGrid(now),
          flops: (2 + operationsOf(loss.value) + (mask ? 2 : 0)) * size,
        });
        if (now === parts) return;
        const toElement = first / LOSS_PART * 64;
        device.copy(sums.losses, losses, { toElement });
        if (weights && sums.weights) device.copy(sums.weights, weights, { toElement });
      });
      return meanOf(device, losses, n, weights);
    },
    vjp({ device, inputs: { prediction, target, mask }, saved: { weight }, attributes: { delta }, wanted }, d) {
      if (!wanted.prediction && !wanted.target) return {};
      const dPrediction = device.empty(prediction.shape);
      const scale = mask ? 1 : 1 / prediction.size;
      const how = { reads: { prediction, goal: target, mask }, writes: { dPrediction } };
      inWindows(device, prediction.size, how, (windows, size) => {
        const n = Math.ceil(size / 4);
        device.run(lossVjpKernel({ ...loss, masked: !!mask }), {
          bindings: { ...windows, ...(weight && { weight }), d },
          uniforms: { n, delta, scale },
          grid: elementGrid(n, 64),
          flops: (2 + operationsOf(loss.slope) + (mask ? 2 : 0)) * size,
        });
      });
      return { prediction: dPrediction, target: wanted.target ? negated({ x: dPrediction }) : undefined };
    },
  });
}

const squaredError = pointwiseLoss(SQUARED_ERROR);
const huberLoss = pointwiseLoss(HUBER);

type EntropyInputs = { logits: Tensor; targets: Tensor; mask: Tensor | undefined };

const exponentials = defineMap({
  name: "crossEntropy.exponentials",
  args: ["x", "top"],
  expression: "exponential(x - top)",
  declarations: SPECIAL_VALUES + EXPONENTIAL,
});
const hits = defineMap({
  name: "crossEntropy.hits",
  args: ["x", "top", "t"],
  expression: "select(t * (x - top), V(0.0), t == V(0.0))",
});

/** Longest row that one invocation sums up: more terms would cost digits, and keep few invocations busy. */
const MOST_CLASSES = 1024;

/** The stats of longer rows [rows, C], by reductions. */
function longStats(logits: Tensor, targets: Tensor): Tensor {
  const top = reduceAxes("max", logits, [1]);
  const columns = [
    top,
    reduceAxes("sum", exponentials({ x: logits, top }), [1]),
    reduceAxes("sum", targets, [1]),
    reduceAxes("sum", hits({ x: logits, top, t: targets }), [1]),
  ];
  const stats = logits.device.empty([logits.shape[0], 4]);
  columns.forEach((column, i) => writeRegion(column, stats, [0, i]));
  return stats;
}

const crossEntropyOp = defineOp<EntropyInputs, keyof EntropyInputs, Weight & { stats: Tensor }>({
  name: "crossEntropy",
  needs: { logits: ["logits", "targets", "mask"] },
  forward({ logits, targets, mask }, _, { device }) {
    const classes = logits.shape.at(-1)!;
    const rows = logits.size / classes;
    let stats: Tensor;
    if (classes > MOST_CLASSES) {
      stats = longStats(device.view(logits, [rows, classes]), device.view(targets, [rows, classes]));
    } else {
      const s = rowStructure(device, classes, (s) => [entropyStatsKernel(s)]);
      stats = device.empty([rows, 4]);
      inWindows(device, rows, { reads: { logits, goal: targets }, writes: { stats } }, (bindings, rows) => {
        device.run(entropyStatsKernel(s), {
          bindings,
          uniforms: { rows, columns: s.vector ? classes / 4 : classes },
          grid: elementGrid(rows * s.rowLanes, 64),
          flops: 7 * rows * classes,
        });
      });
    }
    const losses = device.empty([rows]);
    inWindows(device, rows, { reads: { stats, mask }, writes: { losses } }, (bindings, rows) => {
      device.run(entropyKernel({ masked: !!mask }), {
        bindings,
        uniforms: { rows },
        grid: elementGrid(rows, 64),
        flops: (mask ? 4 : 3) * rows,
      });
    });
    const { out, saved } = meanOf(device, losses, rows, mask);
    return { out, saved: { ...saved, stats } };
  },
  vjp({ device, inputs: { logits, targets, mask }, saved: { stats, weight }, wanted }, d) {
    if (!wanted.logits) return {};
    const classes = logits.shape.at(-1)!;
    const rows = logits.size / classes;
    const vector = classes % 4 === 0, columns = vector ? classes / 4 : classes;
    const dLogits = device.empty(logits.shape);
    const how = { reads: { logits, goal: targets, stats, mask }, writes: { dLogits } };
    inWindows(device, rows, how, (windows, count) => {
      const n = count * columns;
      device.run(entropyVjpKernel({ masked: !!mask, vector }), {
        bindings: { ...windows, ...(weight && { weight }), d },
        uniforms: { n, columns, scale: mask ? 1 : 1 / rows },
        grid: elementGrid(n, 64),
        flops: (6 + (mask ? 2 : 0)) * count * classes,
      });
    });
    return { logits: dLogits };
  },
});

function requireSame(name: string, prediction: Tensor, target: Tensor, mask?: Tensor): void {
  const wrong = !sameShape(prediction.shape, target.shape) || (mask && !sameShape(prediction.shape, mask.shape));
  if (wrong || prediction.size === 0) {
    throw new TypeError(
      `${name} needs tensors of one shape, not empty: prediction is [${prediction.shape}], target is [${target.shape}]` +
        (mask ? `, mask is [${mask.shape}]` : ""),
    );
  }
  requireFloats(name, prediction, target, mask);
}

function requireFloats(name: string, ...tensors: (Tensor | undefined)[]): void {
  for (const tensor of tensors) {
    if (tensor && tensor.dtype !== "f32") {
      throw new TypeError(`${name} takes f32 tensors, got ${tensor.dtype} [${tensor.shape}]`);
    }
  }
}

/**
 * Mean of (prediction - target)², over all elements or over those that the mask counts.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { meanSquaredError } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const prediction = device.tensor([1, 2, 3], [3]);
 * const target = device.tensor([1, 4, 7], [3]);
 * const mask = device.tensor([1, 1, 0], [3]);
 * assert.equal(await meanSquaredError(prediction, target, { mask }).item(), 2);
 * ```
 *
 * @param prediction Any shape.
 * @param target The same shape.
 * @returns `[]`, in the square of the inputs' unit.
 * @throws {TypeError} If the shapes differ.
 */
export function meanSquaredError(prediction: Tensor, target: Tensor, { mask }: LossOptions = {}): Tensor {
  requireSame("meanSquaredError", prediction, target, mask);
  return squaredError({ prediction, target, mask }, { delta: 0 });
}

/** Options of {@linkcode huber}. */
export interface HuberOptions extends LossOptions {
  /**
   * Error, in the unit of the inputs, up to which the loss is quadratic.
   *
   * @default 1
   */
  readonly delta?: number;
}

/**
 * Mean Huber loss of e = prediction - target: e² / 2 where |e| <= delta, else delta (|e| - delta / 2).
 *
 * Source: Huber (1964), "Robust estimation of a location parameter".
 *
 * @param prediction Any shape.
 * @param target The same shape.
 * @returns `[]`.
 * @throws {TypeError} If the shapes differ.
 * @throws {RangeError} If delta is not above 0.
 */
export function huber(prediction: Tensor, target: Tensor, { mask, delta = 1 }: HuberOptions = {}): Tensor {
  requireSame("huber", prediction, target, mask);
  if (!(delta > 0 && delta < Infinity)) throw new RangeError(`huber needs a finite delta above 0, got ${delta}`);
  return huberLoss({ prediction, target, mask }, { delta });
}

/**
 * Mean cross entropy of rows: -sum(targets log softmax(logits)) along the last axis.
 *
 * @param logits `[…, C]`.
 * @param targets `[…, C]`: one-hot vectors or probabilities; get no gradient.
 * @param options The mask has the shape of the rows, `[…]`.
 * @returns `[]`, in nats.
 * @throws {TypeError} If the shapes do not fit.
 */
export function crossEntropy(logits: Tensor, targets: Tensor, { mask }: LossOptions = {}): Tensor {
  const fits = sameShape(logits.shape, targets.shape) && logits.shape.length > 0 && logits.size > 0 &&
    (!mask || sameShape(mask.shape, logits.shape.slice(0, -1)));
  if (!fits) {
    throw new TypeError(
      `crossEntropy needs logits and targets [..., C] and a mask [...]: logits are [${logits.shape}], ` +
        `targets are [${targets.shape}]` + (mask ? `, mask is [${mask.shape}]` : ""),
    );
  }
  requireFloats("crossEntropy", logits, targets, mask);
  return crossEntropyOp({ logits, targets, mask });
}
