/** One training run in memory: parameters, trainer, data and history. */
import { type Device, mapLeaves, OutOfMemoryError, type Tensor, type Tree } from "../../core/mod.ts";
import { encodeCheckpoint, findParameter, type Schedule, Trainer } from "../../finetune/mod.ts";
import { InputError } from "../errors.ts";
import type { BatchSource } from "./batches.ts";
import { factsOf, type SavedRun } from "./checkpoint_file.ts";
import { computedWith, goOnWith } from "./computed_with.ts";
import type { StepRecord } from "./history.ts";
import { capital, meanOf, TermLog, troubleOf } from "./term_log.ts";
import type { Learning, Network } from "./network.ts";
import type { TrainSettings } from "./settings.ts";

/** A training run of a network; dispose of it to free its memory on the device. */
export class TrainingSession<P extends Tree<Tensor>, B> {
  /** What decides the numbers. */
  readonly settings: TrainSettings;
  /** What is trained. */
  readonly network: Network<P, B>;
  /** Recorded steps so far. */
  readonly history: StepRecord[] = [];
  /** Why the numbers of a run that goes on agree with those of one that was not interrupted to rounding alone. */
  readonly remark: string | undefined;
  readonly #device: Device;
  readonly #source: BatchSource<B>;
  readonly #params: P;
  readonly #trainer: Trainer<P, (params: P) => Tensor>;

  /**
   * Starts a run, or goes on with a saved one.
   *
   * @throws {InputError} If the saved run has parameters of other shapes or learned from other data.
   */
  constructor(
    device: Device,
    settings: TrainSettings,
    { network, source }: Learning<P, B>,
    saved?: SavedRun,
  ) {
    const { training } = settings;
    this.settings = settings;
    this.network = network;
    this.#device = device;
    this.#source = source;
    if (saved) {
      checkData(saved, source);
      this.remark = goOnWith(device, saved.computedWith);
    }
    {
      using _scope = device.scope("init");
      const made = saved ? loadParams(device, network, saved) : network.init(device, training.seed);
      this.#params = mapLeaves<Tensor, P>(made, (tensor) => device.hold(tensor));
    }
    const { clipsSamples = false } = network.protocol ?? {};
    this.#trainer = new Trainer(device, {
      params: this.#params,
      loss: (params, lossOf) => lossOf(params),
      optimizer: {
        ...network.protocol?.optimizer,
        kind: network.optimizer,
        learningRate: training.learningRate,
        weightDecay: training.weightDecay,
        maxNorm: (!clipsSamples && training.maxNorm) || undefined,
      },
      maxNormEach: (clipsSamples && training.maxNorm) || undefined,
      maxSkipped: network.protocol?.maxSkipped,
      activations: network.protocol?.activations,
      schedule: { ...scheduleOf(settings, source), drop: network.protocol?.drop },
      emaDecay: training.ema ?? undefined,
    });
    if (saved) this.#restore(saved);
  }

  /** Recorded steps made so far. */
  get step(): number {
    return Math.max(0, this.#trainer.steps - this.#source.warmupSteps);
  }

  /** Whether the next step is one that comes before the recorded ones. */
  get warmingUp(): boolean {
    return this.#trainer.steps < this.#source.warmupSteps;
  }

  /**
   * Makes one step.
   *
   * @returns Its record, which is in the history too; undefined for a warm-up step.
   * @throws {InputError} If too many steps in a row were skipped, since their loss or gradient is not finite, or the
   * adapter cannot hold the model.
   * @throws {InputError} If there is not enough memory for it.
   */
  async advance(): Promise<StepRecord | undefined> {
    const device = this.#device;
    const recorded = !this.warmingUp;
    const { accumulate } = this.settings.training;
    using scope = device.scope("train");
    void scope;
    const terms = new TermLog(device);
    try {
      for (let k = 0; k < accumulate; k++) {
        using part = accumulate > 1 ? device.scope("batch") : undefined;
        void part;
        await this.#accumulate(this.#source.batch(this.#trainer.steps * accumulate + k), 1 / accumulate, terms);
      }
      const { forwardMs, backwardMs, optimizerMs, totalMs, ...report } = await this.#trainer.apply();
      const read = await terms.read();
      if (!recorded) return undefined;
      const { allocatedBytes, peakAllocatedBytes } = device.memory;
      const record: StepRecord = {
        step: this.step - 1,
        loss: report.loss,
        gradNorm: report.gradNorm,
        learningRate: report.learningRate,
        ...{ forwardMs, backwardMs, optimizerMs, totalMs },
        memoryBytes: allocatedBytes,
        peakBytes: peakAllocatedBytes,
        skippedSteps: report.skippedSteps,
        ...(read.length > 0 && { terms: meanOf(read.map(({ terms }) => terms)) }),
        ...(report.skipped && read.length > 0 && { trouble: troubleOf(read) }),
      };
      this.history.push(record);
      return record;
    } catch (error) {
      if (error instanceof RangeError) {
        const read = await terms.read();
        throw new InputError(read.length > 0 ? `${error.message}. ${capital(troubleOf(read))}` : error.message);
      }
      if (error instanceof OutOfMemoryError) throw new InputError(error.message);
      throw error;
    } finally {
      terms[Symbol.dispose]();
    }
  }

  /** Adds the weighted gradients of a batch to those of the step: at once, or sample by sample. */
  async #accumulate(batch: B, weight: number, log: TermLog): Promise<void> {
    const { network } = this;
    const samples = network.samplesOf?.(batch);
    const settled = async (batch: B) => await network.settle?.(this.#device, this.#params, batch) ?? batch;
    if (!samples) return await this.#trainer.accumulate(network.lossOf(this.#device, await settled(batch)), weight);
    for (const { id, batch } of samples) {
      using scope = this.#device.scope("sample");
      void scope;
      const loss = network.lossOf(this.#device, await settled(batch), (terms) => log.add(id, terms));
      await this.#trainer.accumulate(loss, weight / samples.length);
    }
  }

  /** Measures the mean loss of other batches with the parameters that predict, and notes it with the last step. */
  async measureHeldOut(batches: readonly B[]): Promise<void> {
    const device = this.#device;
    const measured: Readonly<Record<string, number>>[] = [];
    const heldOutLoss = await this.withParams(async (params) => {
      let sum = 0;
      for (const batch of batches) {
        using _ = device.scope("heldOut");
        const settled = await this.network.settle?.(device, params, batch) ?? batch;
        sum += await this.network.lossOf(device, settled)(params).item();
        if (this.network.measure) measured.push(await this.network.measure(device, params, batch));
      }
      return sum / batches.length;
    });
    const last = this.history.length - 1;
    const heldOutMeasures = measured.length > 0 ? meanOf(measured) : undefined;
    this.history[last] = { ...this.history[last], heldOutLoss, ...(heldOutMeasures && { heldOutMeasures }) };
  }

  /** Runs something with the moving average of the parameters if one is kept, else with the parameters. */
  async withParams<R>(run: (params: P) => Promise<R>): Promise<R> {
    using _average = this.#average();
    return await run(this.#params);
  }

  /** The checkpoint's bytes. */
  async encode(): Promise<Uint8Array> {
    return await encodeCheckpoint(this.#params, this.#facts(), await this.#trainer.state());
  }

  /** A file with the parameters that predict, the moving average if one is kept, and nothing to go on from. */
  async encodeModel(): Promise<Uint8Array> {
    using _average = this.#average();
    return await encodeCheckpoint(this.#params, this.#facts());
  }

  /** Frees parameters and the trainer's memory. */
  [Symbol.dispose](): void {
    this.#trainer[Symbol.dispose]();
    mapLeaves<Tensor, P>(this.#params, (tensor) => (tensor.dispose(), tensor));
  }

  #average(): Disposable {
    return this.#trainer.ema?.apply(this.#params) ?? { [Symbol.dispose]() {} };
  }

  #facts(): Record<string, unknown> {
    return factsOf({
      settings: this.settings,
      dataDescription: this.#source.description,
      dataFingerprint: this.#source.fingerprint,
      order: this.#source.saveOrder(),
      history: this.history,
      computedWith: computedWith(this.#device),
    }, this.network.config);
  }

  #restore({ trainer, order, history, source }: SavedRun): void {
    try {
      this.#trainer.restore(trainer);
      this.#source.restoreOrder(trainer.step, order);
    } catch (error) {
      this[Symbol.dispose]();
      if (error instanceof TypeError || error instanceof RangeError) {
        throw new InputError(`Cannot resume from ${source}: ${error.message}`);
      }
      throw error;
    }
    this.history.push(...history);
  }
}

function checkData({ source, dataDescription, dataFingerprint }: SavedRun, given: BatchSource<unknown>): void {
  if (dataFingerprint === given.fingerprint) return;
  throw new InputError(
    `Cannot resume from ${source}: it was trained on other data (${dataDescription}; ${
      dataFingerprint.slice(0, 60)
    }) ` +
      `than those given (${given.description}; ${given.fingerprint.slice(0, 60)})`,
  );
}

function loadParams<P>(device: Device, network: Network<P, unknown>, { checkpoint, source }: SavedRun): P {
  try {
    return network.load(device, (path, shape) => findParameter(checkpoint, path, shape, source));
  } catch (error) {
    if (error instanceof TypeError) throw new InputError(`Cannot resume: ${error.message}`);
    throw error;
  }
}

function scheduleOf({ training }: TrainSettings, source: BatchSource<unknown>): Schedule {
  const total = source.warmupSteps + training.numSteps;
  return { kind: training.schedule, warmup: training.lrWarmupSteps, total };
}
