/** Units in which a head reads and predicts: channels by their mean and spread over a training set, labels likewise. */
import type { Device, Tensor } from "../../core/mod.ts";
import { meanOf, sampleDeviation } from "../../core/statistics.ts";
import { addScalar, multiply, multiplyScalar, subtract } from "../../ops/mod.ts";

/** Means and standard deviations over a training set. */
export interface HeadStandard {
  /** Of each channel that the head reads. */
  readonly mean: readonly number[];
  /** Likewise; 0 where a channel is the same for all up to rounding. */
  readonly deviation: readonly number[];
  /** Of the labels, where they are numbers. */
  readonly label?: { readonly mean: number; readonly deviation: number };
}

/** A {@linkcode HeadStandard} on the device, a part of a head's parameters that is never trained. */
export type HeadStandardParams = {
  /** `[channels]` */
  readonly mean: Tensor;
  /** One over the deviation; 0 where that is 0: `[channels]` */
  readonly scale: Tensor;
  /** Mean of the labels. */
  readonly labelMean: number;
  /** Their deviation. */
  readonly labelDeviation: number;
};

/** Name of {@linkcode HeadStandardParams} in the parameters of a head. */
const STANDARD = "standard";

/** Whether a path in a tree of heads leads to what is never trained. */
export function isStandard(path: string): boolean {
  return path.split(".").includes(STANDARD);
}

/** Puts a standard on the device, owned by the current scope. */
export function standardParams(device: Device, { mean, deviation, label }: HeadStandard): HeadStandardParams {
  return {
    mean: device.tensor(mean, [mean.length]),
    scale: device.tensor(deviation.map((x) => (x > 0 ? 1 / x : 0)), [mean.length]),
    labelMean: label?.mean ?? 0,
    labelDeviation: label?.deviation ?? 1,
  };
}

/** Channels in units of their deviation from their mean. `[…, channels]`, owned by the current scope. */
export function standardized(x: Tensor, { mean, scale }: HeadStandardParams): Tensor {
  return multiply(subtract(x, mean), scale);
}

/** Labels from what stands for them in units of their deviation from their mean; owned by the current scope. */
export function labelsFrom(out: Tensor, { labelMean, labelDeviation }: HeadStandardParams): Tensor {
  return addScalar(multiplyScalar(out, labelDeviation), labelMean);
}

/** Deviations below this part of a channel's size are those of rounding. */
const ROUNDING = 1e-5;

/**
 * Means and deviations of vectors, told one after the other.
 *
 * Source: Welford (1962), "Note on a method for calculating corrected sums of squares and products".
 */
export class Moments {
  #count = 0;
  readonly #mean: Float64Array;
  readonly #squares: Float64Array;

  /** Of vectors with so many channels. */
  constructor(channels: number) {
    this.#mean = new Float64Array(channels);
    this.#squares = new Float64Array(channels);
  }

  /** Counts vectors, one behind the other. */
  add(vectors: ArrayLike<number>): void {
    const mean = this.#mean, channels = mean.length;
    for (let at = 0; at < vectors.length; at += channels) {
      this.#count++;
      for (let c = 0; c < channels; c++) {
        const apart = vectors[at + c] - mean[c];
        mean[c] += apart / this.#count;
        this.#squares[c] += apart * (vectors[at + c] - mean[c]);
      }
    }
  }

  /** The standard of what was counted. */
  standard(labels?: readonly number[]): HeadStandard {
    const deviation = Array.from(this.#squares, (squares, c) => {
      const found = this.#count > 1 ? Math.sqrt(squares / (this.#count - 1)) : 0;
      return found > ROUNDING * Math.abs(this.#mean[c]) ? found : 0;
    });
    return { mean: [...this.#mean], deviation, ...(labels && { label: labelStandard(labels) }) };
  }
}

/** Mean and deviation of labels; the deviation is 1 where they are all the same. */
function labelStandard(labels: readonly number[]): HeadStandard["label"] {
  const deviation = labels.length > 1 ? sampleDeviation(labels) : 0;
  return { mean: labels.length ? meanOf(labels) : 0, deviation: deviation > 0 ? deviation : 1 };
}
