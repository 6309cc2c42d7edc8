/** Choices of fine-tuning's loop. */
import type { Recompute } from "../model/evoformer/pair_stack.ts";
import type { ScheduleKind } from "./schedule.ts";

/** Types that keep representations in 16 bits. */
export const HALF_TYPES = ["f16", "bf16"] as const;

/** One of {@linkcode HALF_TYPES}. */
export type HalfType = typeof HALF_TYPES[number];

/** Choices of the loop. */
export interface FitSettings {
  /** Passes over the training set. */
  readonly epochs: number;
  /** Samples whose loss is taken together. */
  readonly batchSize: number;
  /** Batches whose gradients make one step. */
  readonly accumulate: number;
  /** Steps over which the learning rate rises. */
  readonly warmup: number;
  /** How it falls then. */
  readonly schedule: ScheduleKind;
  /** Fraction of it at the end. */
  readonly minFactor: number;
  /** Gradients are scaled down to this norm; 0: never. */
  readonly maxNorm: number;
  /** Weight decay. */
  readonly weightDecay: number;
  /** Decay of the moving average; 0: none, validation runs on the parameters themselves. */
  readonly emaDecay: number;
  /** Ends after so many epochs without a smaller validation loss; 0: never early. */
  readonly patience: number;
  /** Decides the order of samples and dropout. */
  readonly seed: number;
  /** Dropout of adapters. */
  readonly adapterDropout: number;
  /** Whether the network's own dropout is on. */
  readonly networkDropout: boolean;
  /** What is computed again on the way back instead of being kept. */
  readonly recompute: Recompute;
  /**
   * Mixed precision: frozen matrices are packed f16, and the representations that `recompute` keeps are of this type: f16
   * has 11 significant bits, bf16 8 and the range of f32. Sums, gradients and what is trained are f32, so that there is no
   * loss to scale. Weights loaded in 16 bits stay as they are; of others there are copies, and the caller may dispose of
   * those given. See docs/mixed_precision.md.
   */
  readonly amp: HalfType | false;
  /**
   * Batches hold proteins of like lengths, which run as one, the shorter ones padded and masked. The seed decides which.
   */
  readonly bucket: boolean;
}

/** Choices by default. */
export const FIT_DEFAULTS: FitSettings = {
  epochs: 20,
  batchSize: 1,
  accumulate: 8,
  warmup: 100,
  schedule: "cosine",
  minFactor: 1e-6,
  maxNorm: 1,
  weightDecay: 0.01,
  emaDecay: 0.999,
  patience: 0,
  seed: 42,
  adapterDropout: 0,
  networkDropout: false,
  recompute: "block",
  amp: false,
  bucket: false,
};

/** @throws {RangeError} If a choice is out of range, or the training set is empty. */
export function checkSettings(settings: FitSettings, trainSize: number): void {
  const whole = (name: "epochs" | "batchSize" | "accumulate" | "warmup" | "patience" | "seed", least: number) => {
    const value = settings[name];
    if (!(Number.isSafeInteger(value) && value >= least)) {
      throw new RangeError(`${name} is a whole number of at least ${least}, got ${value}`);
    }
  };
  for (const name of ["epochs", "batchSize", "accumulate"] as const) whole(name, 1);
  for (const name of ["warmup", "patience", "seed"] as const) whole(name, 0);
  const between = (name: "minFactor" | "emaDecay" | "adapterDropout", most: string, fits: (x: number) => boolean) => {
    if (!fits(settings[name])) throw new RangeError(`${name} is at least 0 and ${most}, got ${settings[name]}`);
  };
  between("minFactor", "at most 1", (x) => x >= 0 && x <= 1);
  between("emaDecay", "below 1", (x) => x >= 0 && x < 1);
  between("adapterDropout", "below 1", (x) => x >= 0 && x < 1);
  for (const name of ["maxNorm", "weightDecay"] as const) {
    if (!(settings[name] >= 0 && settings[name] < Infinity)) {
      throw new RangeError(`${name} is at least 0, got ${settings[name]}`);
    }
  }
  if (trainSize < 1) throw new RangeError("The training set is empty");
}
