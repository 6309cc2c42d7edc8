/** Where fine-tuning's loop stands, and what it has seen. */
import type { StepReport, TrainerState } from "./trainer.ts";

/** What an epoch came to. */
export interface EpochRecord {
  /** Its number, from 1. */
  readonly epoch: number;
  /** Mean loss of its batches, those of skipped steps left out; null if all were. */
  readonly trainLoss: number | null;
  /** Loss of the whole validation set, with the average's parameters; null without a validation set. */
  readonly validationLoss: number | null;
  /** Learning rates of its last step by group. */
  readonly learningRates: Readonly<Record<string, number>>;
  /** Optimizer steps so far. */
  readonly steps: number;
  /** Those that were skipped because loss or gradient was NaN or infinite. */
  readonly skippedSteps: number;
  /** Time it took. */
  readonly seconds: number;
}

/** A step, and the samples that it was made of. */
export interface FitStep extends StepReport {
  /** Epoch, from 1. */
  readonly epoch: number;
  /** Places in the training set, batch by batch: those of `losses`. */
  readonly samples: readonly (readonly number[])[];
}

/** Where the loop stands, besides parameters and the trainer's memory. */
export interface FitProgress {
  /** Epochs that are done. */
  readonly epochs: number;
  /** Batches of the epoch in hand that are done; a state is that after a step. */
  readonly batches: number;
  /** Sum of their losses. */
  readonly lossSum: number;
  /** How many of them count. */
  readonly lossCount: number;
  /** Learning rates of its last step by group. */
  readonly learningRates: Readonly<Record<string, number>>;
  /** Seconds of the epoch in hand so far. */
  readonly seconds: number;
  /** The smallest validation loss and its epoch. */
  readonly best: { readonly epoch: number; readonly loss: number } | null;
  /** A record an epoch. */
  readonly history: readonly EpochRecord[];
}

/** All that the loop needs to go on to the same bits, besides the trained parameters. */
export interface FitState {
  /** Where the loop stands. */
  readonly progress: FitProgress;
  /** Optimizer and average. */
  readonly trainer: TrainerState;
}
