import { type Device, leaves, type Tensor, type Tree, valueAndGrad } from "../core/mod.ts";
import { ExponentialMovingAverage } from "./ema.ts";
import { Optimizer, type OptimizerOptions, type OptimizerState } from "./optimizer.ts";
import { learningRateFactor, type Schedule } from "./schedule.ts";

/** What a trainer trains, and how. */
export interface TrainerOptions<P, B> {
  /** Updated in place; they stay the caller's. */
  readonly params: P;
  /** Loss of a batch: a scalar tensor. */
  readonly loss: (params: P, batch: B) => Tensor;
  /** Choices of the optimizer. */
  readonly optimizer?: OptimizerOptions;
  /** How the learning rate goes. @default constant */
  readonly schedule?: Schedule;
  /** Keep a moving average of the parameters with this decay. @default none */
  readonly emaDecay?: number;
  /**
   * So many steps in a row that were skipped, because their loss or gradient is NaN or infinite, are an error.
   *
   * @default 10
   */
  readonly maxSkipped?: number;
}

/**
 * What one step was like. On a device that is not blocking (`Device.blocking`) the times of its three parts are those of
 * recording them, and the device's work shows in the whole step's alone.
 */
export interface StepReport {
  /** Number of the step, from 0. */
  readonly step: number;
  /** Before the update. */
  readonly loss: number;
  /** Global norm of the gradients, before clipping. */
  readonly gradNorm: number;
  /** Learning rate of this step. */
  readonly learningRate: number;
  /** Time of the forward pass. */
  readonly forwardMs: number;
  /** Time of the way back. */
  readonly backwardMs: number;
  /** Time of the update. */
  readonly optimizerMs: number;
  /** The whole step, reading the loss included. */
  readonly totalMs: number;
  /** Bytes that were kept between the way there and the way back. */
  readonly savedBytes: number;
  /** Whether the step was skipped, since its loss or the norm of its gradients is NaN or infinite. */
  readonly skipped: boolean;
  /** Steps skipped so far, this one included. */
  readonly skippedSteps: number;
}

/** All that a trainer needs to go on to the same bits, besides the parameters. */
export interface TrainerState {
  /** Steps made, those that were skipped included. */
  readonly step: number;
  /** Steps skipped since the last one that was not. @default 0 */
  readonly skippedInARow?: number;
  /** The optimizer's memory. */
  readonly optimizer: OptimizerState;
  /** The moving average, where one is kept. */
  readonly ema?: Float32Array;
}

/**
 * Trains a parameter tree batch by batch: gradient, clipping, optimizer step, moving average. Awaits the GPU once a
 * step. A step whose loss or gradient is NaN or infinite is skipped on the device, which leaves parameters, moments and
 * average as they were, and counted; its batch counts as used.
 */
export class Trainer<P, B> {
  readonly #device: Device;
  readonly #options: TrainerOptions<P, B>;
  readonly #optimizer: Optimizer;
  /** Moving average of the parameters, if one is kept. */
  readonly ema: ExponentialMovingAverage | null;
  #step = 0;
  #skippedInARow = 0;

  /** The optimizer's moments start at zero. */
  constructor(device: Device, options: TrainerOptions<P, B>) {
    const params = options.params as Tree<Tensor>;
    this.#device = device;
    this.#options = options;
    this.#optimizer = new Optimizer(device, params, options.optimizer);
    this.ema = options.emaDecay === undefined ? null : new ExponentialMovingAverage(device, params, options.emaDecay);
  }

  /** Steps made so far, those that were skipped included. */
  get steps(): number {
    return this.#step;
  }

  /** Steps skipped so far. */
  get skippedSteps(): number {
    return this.#step - this.#optimizer.steps;
  }

  /** Bytes of parameters, gradients and optimizer, as a count of what training cannot do without. */
  get parameterBytes(): number {
    const size = leaves<Tensor>(this.#options.params as Tree<Tensor>).reduce((sum, t) => sum + 4 * t.size, 0);
    return 2 * size + this.#optimizer.bytes;
  }

  /**
   * Makes one step on a batch. On a device for plans, which computes nothing, it tells a loss of 0.
   *
   * @throws {RangeError} If too many steps in a row were skipped; parameters and average are those of the last step that
   * was not.
   * @throws {OutOfMemoryError} If there was not enough memory. Where that was on the way there or back, nothing has
   * changed, and the step may be tried again with a smaller batch.
   */
  async step(batch: B): Promise<StepReport> {
    const device = this.#device;
    const { params, loss, schedule = {}, optimizer = {}, maxSkipped = 10 } = this.#options;
    const step = this.#step;
    const start = performance.now();
    using _ = device.scope("step");
    let forwarded = start;
    const timed = (p: P) => {
      const value = loss(p, batch);
      device.settle();
      forwarded = performance.now();
      return value;
    };
    const { value, grads, heldBytes } = valueAndGrad<P>(device, timed, params);
    device.settle();
    await device.check(); // what failed must not be learned from
    const backwarded = performance.now();
    const factor = learningRateFactor(step, schedule);
    const { norm, applied } = this.#optimizer.step(
      params as Tree<Tensor>,
      grads as Tree<Tensor | null>,
      factor,
      value,
    );
    this.ema?.update(params as Tree<Tensor>, applied);
    device.settle();
    const optimized = performance.now();
    using both = device.empty([2]);
    device.copy(value, both, { count: 1 });
    device.copy(norm, both, { toElement: 1, count: 1 });
    const [lossValue, gradNorm] = device.dry ? [0, 0] : await both.read().catch((error) => {
      this.#optimizer.skipped(); // for all that is known
      throw error;
    });
    this.#step++;
    const skipped = !Number.isFinite(lossValue) || !Number.isFinite(gradNorm);
    this.#skippedInARow = skipped ? this.#skippedInARow + 1 : 0;
    if (skipped) this.#optimizer.skipped();
    if (skipped && this.#skippedInARow >= maxSkipped) {
      const was = `the loss of step ${step} is ${lossValue}, the norm of its gradients ${gradNorm}`;
      throw new RangeError(
        `${this.#skippedInARow} steps in a row were skipped: ${was}. Training diverged: try a smaller learning rate`,
      );
    }
    return {
      step,
      loss: lossValue,
      gradNorm,
      learningRate: (optimizer.learningRate ?? 3e-4) * factor,
      forwardMs: forwarded - start,
      backwardMs: backwarded - forwarded,
      optimizerMs: optimized - backwarded,
      totalMs: performance.now() - start,
      savedBytes: heldBytes,
      skipped,
      skippedSteps: this.skippedSteps,
    };
  }

  /** Copies the trainer's memory to the CPU. */
  async state(): Promise<TrainerState> {
    return {
      step: this.#step,
      skippedInARow: this.#skippedInARow,
      optimizer: await this.#optimizer.state(),
      ema: await this.ema?.state(),
    };
  }

  /**
   * Goes on from a saved state.
   *
   * @throws {TypeError} If the state is that of other parameters, or lacks the moving average this trainer keeps.
   */
  restore({ step, skippedInARow = 0, optimizer, ema }: TrainerState): void {
    if (this.ema && !ema) throw new TypeError("The saved state has no moving average, this trainer keeps one");
    this.#optimizer.restore(optimizer);
    if (ema) this.ema?.restore(ema);
    this.#step = step;
    this.#skippedInARow = skippedInARow;
  }

  /** Frees the optimizer's moments and the average; the parameters stay. */
  [Symbol.dispose](): void {
    this.#optimizer[Symbol.dispose]();
    this.ema?.[Symbol.dispose]();
  }
}
