import { addInto, type Device, leavesLike, type Packing, pullback, type Tensor, type Tree } from "../core/mod.ts";
import { cast, divide, type FloatType, maximum, multiply, sum } from "../ops/mod.ts";
import { FlatParams } from "./_flat.ts";
import { ExponentialMovingAverage } from "./ema.ts";
import { globalNorm, type GroupReport, Optimizer, type OptimizerOptions, type OptimizerState } from "./optimizer.ts";
import { learningRateFactor, type Schedule } from "./schedule.ts";

/** What a trainer trains, and how. */
export interface TrainerOptions<P, B> {
  /** Updated in place; they stay the caller's, and move into one buffer. */
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
  /**
   * How checkpoints keep the representations from which the way back computes again: in 16 bits, it starts from rounded
   * ones; f16 keeps 11 significant bits of numbers up to 65504, bf16 8 of all. Sums and gradients are of f32 in any case.
   * @default "f32"
   */
  readonly activations?: FloatType;
  /** Whether the device is waited for between the parts of a step, so that each can be timed. @default true */
  readonly timed?: boolean;
  /**
   * Scales the gradient of each batch of {@linkcode Trainer.accumulate} down to this global norm before they are summed,
   * times its weight: with a sample a batch, clipping by sample. @default no clipping
   */
  readonly maxNormEach?: number;
}

/** Activations as 16-bit floats. */
function packingOf(dtype: FloatType): Packing {
  return { pack: (x) => cast(x, dtype), unpack: (x) => cast(x, "f32") };
}

/**
 * What one step was like. Where its parts are not timed, or on a device that is not blocking (`Device.blocking`), the times of
 * its three parts are those of recording them, and the device's work shows in the whole step's alone.
 */
export interface StepReport {
  /** Number of the step, from 0. */
  readonly step: number;
  /** Before the update; of several batches the sum of their losses times their weights. */
  readonly loss: number;
  /** The loss of each batch that the step was made of, in their order. */
  readonly losses: readonly number[];
  /** Global norm of the gradients, before clipping. */
  readonly gradNorm: number;
  /** Learning rate of this step, that of the first group. */
  readonly learningRate: number;
  /** Learning rates of this step by the names of the optimizer's groups. */
  readonly learningRates: Readonly<Record<string, number>>;
  /** Time of the forward passes. */
  readonly forwardMs: number;
  /** Time of the ways back. */
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

/** What a batch came to before the step, on the device. */
interface Accumulated {
  /** Sum of the gradients so far, laid out as the parameters are. */
  readonly gradients: Tensor;
  /** Whether a parameter has a gradient. */
  readonly reached: readonly boolean[];
  readonly losses: readonly { readonly value: Tensor; readonly weight: number }[];
  readonly forwardMs: number;
  readonly backwardMs: number;
  readonly spentMs: number;
  readonly savedBytes: number;
}

/**
 * Trains a parameter tree: gradient, clipping, optimizer step, moving average. {@linkcode Trainer.step} makes a step of a
 * batch; {@linkcode Trainer.accumulate} and {@linkcode Trainer.apply} make one of several. Awaits the GPU once a batch and
 * once a step. A step whose loss or gradient is NaN or infinite is skipped on the device, which leaves parameters, moments
 * and average as they were, and counted; its batches count as used.
 *
 * @example
 * ```ts
 * import { Device, type Tensor } from "@denofold/denofold";
 * import { linear, meanSquaredError } from "@denofold/denofold/ops";
 * import { Trainer } from "@denofold/denofold/finetune";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const x = device.tensor([1, 2], [2, 1]);
 * using trainer = new Trainer(device, {
 *   params: { weight: device.tensor([0], [1, 1]) },
 *   loss: (params, y: Tensor) => meanSquaredError(linear(x, params), y),
 *   optimizer: { learningRate: 0.1, groups: [{ name: "weights", has: () => true }] },
 * });
 * const batches = [device.tensor([1, 2], [2, 1]), device.tensor([3, 6], [2, 1])];
 * for (const batch of batches) await trainer.accumulate(batch, 1 / batches.length);
 * const { losses, learningRates } = await trainer.apply();
 * assert.deepEqual([losses, learningRates], [[2.5, 22.5], { weights: 0.1 }]);
 * ```
 */
export class Trainer<P, B> {
  readonly #device: Device;
  readonly #options: TrainerOptions<P, B>;
  readonly #layout: FlatParams;
  readonly #optimizer: Optimizer;
  /** Moving average of the parameters, if one is kept. */
  readonly ema: ExponentialMovingAverage | null;
  #step = 0;
  #skippedInARow = 0;
  #accumulated: Accumulated | null = null;

  /**
   * The optimizer's moments start at zero.
   *
   * @throws {TypeError} If there are no parameters, or one belongs to no group of the optimizer.
   */
  constructor(device: Device, options: TrainerOptions<P, B>) {
    const params = options.params as Tree<Tensor>;
    this.#device = device;
    this.#options = options;
    this.#optimizer = new Optimizer(device, params, options.optimizer);
    this.#layout = FlatParams.of(device, params);
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

  /** The optimizer's groups. */
  get groups(): readonly GroupReport[] {
    return this.#optimizer.groups;
  }

  /**
   * The sum of the gradients since the last step, end to end, to read or to change before {@linkcode Trainer.apply}, as
   * processes that train together do; null before the first batch.
   */
  get gradients(): Tensor | null {
    return this.#accumulated?.gradients ?? null;
  }

  /** {@linkcode Trainer.gradients} by the paths of the parameters, as windows of them; owned by the current scope. */
  gradientsByPath(): Map<string, Tensor> {
    const { gradients } = this;
    if (!gradients) return new Map();
    return new Map(this.#layout.parts.map(({ path, offset, shape }) => [
      path,
      this.#device.window(gradients, offset, shape),
    ]));
  }

  /** Bytes of parameters, gradients and optimizer, as a count of what training cannot do without. */
  get parameterBytes(): number {
    const size = this.#layout.parts.reduce((sum, { size }) => sum + 4 * size, 0);
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
    await this.accumulate(batch);
    return await this.apply();
  }

  /**
   * Adds the gradient of a batch's loss to those since the last step.
   *
   * @param weight By which loss and gradient count; 1 / n for the mean of n batches. @default 1
   * @throws {OutOfMemoryError} If there was not enough memory. Nothing has changed then.
   */
  async accumulate(batch: B, weight = 1): Promise<void> {
    const device = this.#device;
    const { params, loss, activations = "f32", maxNormEach } = this.#options;
    const start = performance.now();
    using _ = device.scope("step");
    const back = pullback<P, Tensor>(device, (p) => loss(p, batch), params, {
      ...(activations !== "f32" && { packing: packingOf(activations) }),
    });
    const value = back.output;
    if (value.size !== 1) {
      back.dispose();
      throw new TypeError(`A trainer needs a scalar loss, got a tensor of shape [${value.shape}]`);
    }
    this.#settle();
    const forwarded = performance.now();
    const grads = back.pull([device.tensor([weight], value.shape)]);
    this.#settle();
    await device.check(); // what failed must not be learned from
    const backwarded = performance.now();
    const found = leavesLike<Tensor>(params as Tree<Tensor>, grads as Tree<Tensor | null>);
    const before = this.#accumulated;
    const gathered = this.#layout.gather(found);
    const g = maxNormEach === undefined ? gathered : clipped(device, gathered, weight * maxNormEach);
    if (before) addInto(device, before.gradients, g);
    this.#accumulated = {
      gradients: before?.gradients ?? device.hold(g),
      reached: found.map((grad, i) => grad !== null || (before?.reached[i] ?? false)),
      losses: [...before?.losses ?? [], { value: device.hold(value), weight }],
      forwardMs: (before?.forwardMs ?? 0) + forwarded - start,
      backwardMs: (before?.backwardMs ?? 0) + backwarded - forwarded,
      spentMs: (before?.spentMs ?? 0) + performance.now() - start,
      savedBytes: Math.max(before?.savedBytes ?? 0, back.heldBytes),
    };
  }

  /**
   * Makes the step that the accumulated gradients tell.
   *
   * @throws {TypeError} If there are none.
   * @throws {RangeError} If too many steps in a row were skipped, as {@linkcode Trainer.step} does.
   */
  async apply(): Promise<StepReport> {
    const device = this.#device;
    const { params, schedule = {}, maxSkipped = 10 } = this.#options;
    const done = this.#accumulated;
    if (!done) throw new TypeError("There are no gradients to make a step of: accumulate() some first");
    const step = this.#step;
    const start = performance.now();
    using _ = device.scope("step");
    const factor = learningRateFactor(step, schedule);
    const values = device.empty([done.losses.length]);
    done.losses.forEach(({ value }, toElement) => device.copy(value, values, { toElement }));
    const total = done.losses.length === 1 ? done.losses[0].value : sum(values, { axes: [0] });
    const { norm, applied } = this.#optimizer.apply(done.gradients, (i) => done.reached[i], factor, total);
    this.ema?.update(params as Tree<Tensor>, applied);
    this.#settle();
    const optimized = performance.now();
    const all = device.empty([done.losses.length + 1]);
    device.copy(values, all);
    device.copy(norm, all, { toElement: values.size });
    this.#forget();
    const read = device.dry ? new Float32Array(all.size) : await all.read().catch((error) => {
      this.#optimizer.skipped(); // for all that is known
      throw error;
    });
    this.#step++;
    const losses = [...read.subarray(0, -1)], gradNorm = read[read.length - 1];
    const loss = losses.length === 1 && done.losses[0].weight === 1
      ? losses[0]
      : losses.reduce((sum, value, i) => sum + done.losses[i].weight * value, 0);
    const skipped = ![...losses, gradNorm].every(Number.isFinite);
    this.#skippedInARow = skipped ? this.#skippedInARow + 1 : 0;
    if (skipped) this.#optimizer.skipped();
    if (skipped && this.#skippedInARow >= maxSkipped) {
      const was = `the loss of step ${step} is ${loss}, the norm of its gradients ${gradNorm}`;
      throw new RangeError(
        `${this.#skippedInARow} steps in a row were skipped: ${was}. Training diverged: try a smaller learning rate`,
      );
    }
    const rates = this.groups.map(({ name, learningRate }) => [name, learningRate * factor] as const);
    const totalMs = done.spentMs + performance.now() - start;
    return {
      step,
      loss,
      losses,
      gradNorm,
      learningRate: rates[0][1],
      learningRates: Object.fromEntries(rates),
      forwardMs: done.forwardMs,
      backwardMs: done.backwardMs,
      optimizerMs: optimized - start,
      totalMs,
      savedBytes: done.savedBytes,
      skipped,
      skippedSteps: this.skippedSteps,
    };
  }

  /** Waits for the device where the parts of a step are timed. */
  #settle(): void {
    if (this.#options.timed ?? true) this.#device.settle();
  }

  /** Drops the gradients since the last step. */
  #forget(): void {
    if (!this.#accumulated) return;
    const { gradients, losses } = this.#accumulated;
    this.#accumulated = null;
    for (const tensor of [gradients, ...losses.map(({ value }) => value)]) tensor.dispose();
  }

  /**
   * Copies the trainer's memory to the CPU.
   *
   * @throws {TypeError} If gradients are accumulated: a state is that after a step.
   */
  async state(): Promise<TrainerState> {
    if (this.#accumulated) throw new TypeError("A trainer's state is that after a step, and gradients wait for one");
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
    this.#forget();
    this.#optimizer.restore(optimizer);
    if (ema) this.ema?.restore(ema);
    this.#step = step;
    this.#skippedInARow = skippedInARow;
  }

  /** Frees the optimizer's moments, the average and what is accumulated; the parameters stay. */
  [Symbol.dispose](): void {
    this.#forget();
    this.#optimizer[Symbol.dispose]();
    this.ema?.[Symbol.dispose]();
  }
}

/** Gradients scaled down to a global norm. What is not finite stays so, or becomes NaN, and the step is skipped. */
function clipped(device: Device, gradients: Tensor, maxNorm: number): Tensor {
  const most = device.tensor([maxNorm], [1]);
  return multiply(gradients, divide(most, maximum(globalNorm(device, gradients), most)));
}
