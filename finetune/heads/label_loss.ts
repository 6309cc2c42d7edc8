/** What a prediction of labels is worth: losses of numbers and of classes. */
import { type Device, sizeOf, type Tensor } from "../../core/mod.ts";
import {
  abs,
  addScalar,
  divide,
  huber,
  meanSquaredError,
  multiply,
  multiplyScalar,
  negate,
  reshape,
  softplus,
  sparseCrossEntropy,
  sqrt,
  square,
  subtract,
  sum,
} from "../../ops/mod.ts";

/** Losses of numbers. */
export const REGRESSION_LOSSES = ["mse", "mae", "huber", "pearson", "ranking"] as const;

/** Name of a loss of numbers. */
export type RegressionLoss = typeof REGRESSION_LOSSES[number];

/**
 * Loss of predicted numbers, in the mean over labels that are known:
 *
 * - `mse`: (p - t)²
 * - `mae`: |p - t|
 * - `huber`: (p - t)² / 2 where |p - t| ≤ 1, else |p - t| - 1/2
 * - `pearson`: 1 - r, r being the correlation of p and t
 * - `ranking`: log(1 + exp(-(p_i - p_j))), in the mean over pairs with t_i > t_j
 *
 * Correlation and ranking need labels that differ: where one alone is known, or all are the same, they are `mse`. They
 * look at one batch, so they need batches of several samples.
 *
 * Source of the ranking: Burges et al. (2005), "Learning to rank using gradient descent", with certain preferences.
 *
 * @param prediction Any shape.
 * @param labels As many numbers, in its order; NaN where one is not known.
 * @returns `[]`, owned by the current scope.
 * @throws {TypeError} If there are more or fewer labels than predictions, or none is known.
 * @throws {RangeError} If a label is infinite, or there is no such loss.
 */
export function regressionLoss(kind: RegressionLoss, prediction: Tensor, labels: ArrayLike<number>): Tensor {
  const known = knownOf(prediction.shape, labels);
  for (const i of known) if (!Number.isFinite(labels[i])) throw new RangeError(`The label ${i} is ${labels[i]}`);
  const { device, size } = prediction;
  using scope = device.scope("regressionLoss");
  const p = reshape(prediction, [size]);
  const t = device.tensor(Float32Array.from(labels, (label) => label || 0), [size]);
  const mask = known.length < size ? maskOf(device, known, size) : undefined;
  const first = labels[known[0]];
  const differ = known.some((i) => Math.fround(labels[i]) !== Math.fround(first));
  return scope.keep(loss());

  function loss(): Tensor {
    switch (kind) {
      case "mse":
        return meanSquaredError(p, t, { mask });
      case "huber":
        return huber(p, t, { mask });
      case "mae": {
        const errors = abs(subtract(p, t));
        return multiplyScalar(sum(mask ? multiply(errors, mask) : errors), 1 / known.length);
      }
      case "pearson":
        return differ ? uncorrelation(p, t, known, mask) : meanSquaredError(p, t, { mask });
      case "ranking":
        return differ ? disorder(p, labels, known) : meanSquaredError(p, t, { mask });
      default:
        throw new RangeError(`There is no loss ${kind} of numbers: choose one of ${REGRESSION_LOSSES.join(", ")}`);
    }
  }
}

/** 1 - the correlation of predictions and labels. */
function uncorrelation(p: Tensor, t: Tensor, known: readonly number[], mask?: Tensor): Tensor {
  const counted = (x: Tensor) => (mask ? multiply(x, mask) : x);
  const centred = (x: Tensor) => counted(subtract(x, multiplyScalar(sum(counted(x)), 1 / known.length)));
  const pc = centred(p), tc = centred(t);
  const scale = multiply(sqrt(sum(square(pc))), sqrt(sum(square(tc))));
  return addScalar(negate(divide(sum(multiply(pc, tc)), scale)), 1);
}

/** How unlikely the order of the labels is by the predictions. */
function disorder(p: Tensor, labels: ArrayLike<number>, known: readonly number[]): Tensor {
  const { device, size } = p;
  const pairs = new Float32Array(size * size);
  let count = 0;
  for (const i of known) {
    for (const j of known) {
      if (!(labels[i] > labels[j])) continue;
      pairs[i * size + j] = 1;
      count++;
    }
  }
  const behind = subtract(reshape(p, [1, size]), reshape(p, [size, 1])); // -(p_i - p_j)
  const terms = multiply(softplus(behind), device.tensor(pairs.map((x) => x / count), [size, size]));
  return sum(terms);
}

/**
 * Cross entropy of classes, -log softmax(logits)[class], in the mean over labels that are known.
 *
 * @param logits `[…, C]`.
 * @param labels As many classes as rows, 0 … C - 1; NaN where one is not known.
 * @returns `[]`, in nats, owned by the current scope.
 * @throws {TypeError} If there are more or fewer labels than rows, or none is known.
 * @throws {RangeError} If a label is no class.
 */
export function classificationLoss(logits: Tensor, labels: ArrayLike<number>): Tensor {
  const rows = logits.shape.slice(0, -1), classes = logits.shape.at(-1)!;
  const known = knownOf(rows, labels);
  for (const i of known) {
    if (!(Number.isInteger(labels[i]) && labels[i] >= 0 && labels[i] < classes)) {
      throw new RangeError(`The label ${i} is ${labels[i]}, expected a class of 0 to ${classes - 1}`);
    }
  }
  const { device } = logits;
  const size = sizeOf(rows);
  using scope = device.scope("classificationLoss");
  const goal = device.tensor(Int32Array.from(labels, (label) => label || 0), [size], "i32");
  const losses = sparseCrossEntropy(reshape(logits, [size, classes]), goal);
  const counted = known.length < size ? multiply(losses, maskOf(device, known, size)) : losses;
  return scope.keep(multiplyScalar(sum(counted), 1 / known.length));
}

function maskOf(device: Device, known: readonly number[], size: number): Tensor {
  const mask = new Float32Array(size);
  for (const i of known) mask[i] = 1;
  return device.tensor(mask, [size]);
}

/** Places of labels that are known. */
function knownOf(shape: readonly number[], labels: ArrayLike<number>): readonly number[] {
  if (labels.length !== sizeOf(shape)) {
    throw new TypeError(`There are ${labels.length} labels for predictions [${shape}]`);
  }
  const known = Array.from({ length: labels.length }, (_, i) => i).filter((i) => !Number.isNaN(labels[i]));
  if (!known.length) throw new TypeError(`None of ${labels.length} labels is known`);
  return known;
}
