import { defineOp, type Device, elementGrid, sameShape, type Tensor } from "../core/mod.ts";
import { defineMap } from "./_map.ts";
import { operationsOf } from "./_operations.ts";
import {
  crossEntropyKernel,
  crossEntropyVjpKernel,
  lossKernel,
  lossVjpKernel,
  type PointwiseLoss,
  quotientKernel,
} from "./losses.wgsl.ts";
import { reduceMiddle } from "./_reduce.ts";

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
type Sums = { sums: Tensor | undefined };

/** Elements that one invocation adds up before the second stage. */
const CHUNK = 256;

const negated = defineMap({ name: "negated", args: ["x"], expression: "-x" });

/** Mean, or masked mean, of parts [1 or 2, n]: the numbers, and their weights. */
function meanOfParts(device: Device, parts: Tensor, count: number): { out: Tensor; sums?: Tensor } {
  const [rows, n] = parts.shape;
  const sums = reduceMiddle("sum", parts, [rows, n, 1], rows === 1 ? 1 / count : 1);
  if (rows === 1) return { out: device.view(sums, []) };
  const out = device.empty([]);
  device.run(quotientKernel, { bindings: { sums, out }, grid: [1, 1, 1], flops: 1 });
  return { out, sums };
}

function pointwiseLoss(loss: PointwiseLoss) {
  return defineOp<Inputs, "prediction" | "target" | "mask", Sums, { delta: number }>({
    name: loss.name,
    needs: { prediction: ["prediction", "target", "mask"], target: ["prediction", "target", "mask"] },
    forward({ prediction, target, mask }, { delta }, { device }) {
      const n = prediction.size;
      const chunks = 4 * Math.ceil(n / CHUNK / 4);
      const partial = device.empty([mask ? 2 : 1, chunks]);
      device.run(lossKernel({ ...loss, masked: !!mask }), {
        bindings: { prediction, goal: target, ...(mask ? { mask } : {}), partial },
        uniforms: { n, chunks, delta },
        grid: elementGrid(chunks, 64),
        flops: (2 + operationsOf(loss.value) + (mask ? 2 : 0)) * n,
      });
      const { out, sums } = meanOfParts(device, partial, n);
      return { out, saved: { sums } };
    },
    vjp({ device, inputs: { prediction, target, mask }, saved: { sums }, attributes: { delta }, wanted }, d) {
      if (!wanted.prediction && !wanted.target) return {};
      const dPrediction = device.empty(prediction.shape);
      const n = Math.ceil(prediction.size / 4);
      device.run(lossVjpKernel({ ...loss, masked: !!mask }), {
        bindings: { prediction, goal: target, ...(mask && sums ? { mask, sums } : {}), d, dPrediction },
        uniforms: { n, delta, scale: mask ? 1 : 1 / prediction.size },
        grid: elementGrid(n, 64),
        flops: (2 + operationsOf(loss.slope) + (mask ? 2 : 0)) * prediction.size,
      });
      return { prediction: dPrediction, target: wanted.target ? negated({ x: dPrediction }) : undefined };
    },
  });
}

const squaredError = pointwiseLoss({ name: "meanSquaredError", value: "e * e", slope: "e + e" });

const huberLoss = pointwiseLoss({
  name: "huber",
  value: "select(u.delta * (abs(e) - 0.5 * u.delta), 0.5 * e * e, abs(e) <= vec4f(u.delta))",
  slope: "clamp(e, vec4f(-u.delta), vec4f(u.delta))",
});

type EntropyInputs = { logits: Tensor; targets: Tensor; mask: Tensor | undefined };

const crossEntropyOp = defineOp<EntropyInputs, keyof EntropyInputs, Sums & { rowStats: Tensor }>({
  name: "crossEntropy",
  needs: { logits: ["logits", "targets", "mask"] },
  forward({ logits, targets, mask }, _, { device }) {
    const classes = logits.shape.at(-1)!;
    const rows = logits.size / classes;
    const parts = device.empty([mask ? 2 : 1, rows]);
    const rowStats = device.empty([rows, 2]);
    device.run(crossEntropyKernel({ masked: !!mask }), {
      bindings: { logits, goal: targets, ...(mask ? { mask } : {}), parts, rowStats },
      uniforms: { rows, classes },
      grid: elementGrid(rows, 64),
      flops: 7 * logits.size,
    });
    const { out, sums } = meanOfParts(device, parts, rows);
    return { out, saved: { rowStats, sums } };
  },
  vjp({ device, inputs: { logits, targets, mask }, saved: { rowStats, sums }, wanted }, d) {
    if (!wanted.logits) return {};
    const classes = logits.shape.at(-1)!;
    const dLogits = device.empty(logits.shape);
    device.run(crossEntropyVjpKernel({ masked: !!mask }), {
      bindings: { logits, goal: targets, ...(mask && sums ? { mask, sums } : {}), rowStats, d, dLogits },
      uniforms: { n: logits.size, classes, scale: mask ? 1 : classes / logits.size },
      grid: elementGrid(logits.size, 64),
      flops: (5 + (mask ? 2 : 0)) * logits.size,
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
