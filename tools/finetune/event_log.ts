/** Steps and epochs of a run for TensorBoard. */
import { type EpochRecord, type FitStep, regressionMetrics } from "../../finetune/mod.ts";
import { EventFile } from "./tensorboard.ts";

/** Writes an event file as a run goes on; where it cannot be written, the run goes on without it. */
export class EventLog {
  #file: EventFile | undefined;
  readonly #warn: (message: string) => void;

  private constructor(file: EventFile | undefined, warn: (message: string) => void) {
    [this.#file, this.#warn] = [file, warn];
  }

  /**
   * A log in a folder.
   *
   * @param steps Steps that are done: what older files say of later ones no longer counts.
   * @param warn Is told once if it cannot be written.
   */
  static async create(folder: string, steps: number, warn: (message: string) => void): Promise<EventLog> {
    const log = new EventLog(undefined, warn);
    await log.#try(async () => {
      log.#file = await EventFile.create(folder, steps + 1);
    });
    return log;
  }

  /** Adds a step. */
  async step({ step, loss, gradNorm, learningRates }: FitStep): Promise<void> {
    const rates = Object.entries(learningRates).map(([name, rate]) => [`learning_rate/${name}`, rate]);
    await this.#scalars(step + 1, {
      "train/loss": loss,
      "train/gradient_norm": gradNorm,
      ...Object.fromEntries(rates),
    });
  }

  /** Adds an epoch with its predictions of the validation set. */
  async epoch(
    { steps, trainLoss, validationLoss, seconds }: EpochRecord,
    predictions: Float32Array | undefined,
    labels: readonly number[],
  ): Promise<void> {
    await this.#scalars(steps, {
      "epoch/seconds": seconds,
      ...(trainLoss !== null && { "epoch/train_loss": trainLoss }),
      ...(validationLoss !== null && { "epoch/validation_loss": validationLoss }),
    });
    if (predictions?.length !== labels.length || !predictions.every(Number.isFinite)) return;
    const { n: _, ...metrics } = regressionMetrics(predictions, labels);
    const known = Object.entries(metrics).filter(([, value]) => Number.isFinite(value));
    await this.#scalars(steps, Object.fromEntries(known.map(([name, value]) => [`validation/${name}`, value])));
  }

  async #scalars(step: number, values: Readonly<Record<string, number>>): Promise<void> {
    await this.#try(async () => await this.#file?.scalars(step, values));
  }

  async #try(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      this.#warn(`TensorBoard's events are no longer written: ${error instanceof Error ? error.message : error}`);
      this[Symbol.dispose]();
    }
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file?.[Symbol.dispose]();
    this.#file = undefined;
  }
}
