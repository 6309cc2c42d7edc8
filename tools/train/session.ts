/** One training run in memory: parameters, trainer, data and history. */
import { type Device, type Key, mapLeaves, type Tensor, type Tree } from "../../core/mod.ts";
import { encodeCheckpoint, findParameter, type Schedule, Trainer } from "../../finetune/mod.ts";
import {
  distanceLoss,
  initTinyOpenFold,
  loadTinyOpenFold,
  tinyOpenFold,
  type TinyOpenFoldConfig,
  type TinyOpenFoldInputs,
  type TinyOpenFoldParams,
} from "../../model/tiny_openfold/mod.ts";
import { InputError } from "../errors.ts";
import { predictDistances } from "../fold/predict.ts";
import { type Batch, type BatchSource, type Sample, stackSamples } from "./batches.ts";
import { factsOf, type SavedRun } from "./checkpoint_file.ts";
import type { StepRecord } from "./history.ts";
import { modelConfig, type TrainSettings } from "./settings.ts";

/** A batch on the device. */
export type DeviceBatch = {
  /** What the model reads. */
  readonly inputs: TinyOpenFoldInputs;
  /** True distances, `[B, N_res, N_res, 1]`. */
  readonly target: Tensor;
  /** 1 where a distance counts, of the same shape. */
  readonly lossMask?: Tensor;
};

/** A training run; dispose of it to free its memory on the device. */
export class TrainingSession {
  /** What decides the numbers. */
  readonly settings: TrainSettings;
  /** The model's sizes. */
  readonly config: TinyOpenFoldConfig;
  /** Recorded steps so far. */
  readonly history: StepRecord[] = [];
  readonly #device: Device;
  readonly #source: BatchSource;
  readonly #params: TinyOpenFoldParams;
  readonly #trainer: Trainer<TinyOpenFoldParams, DeviceBatch>;

  /**
   * Starts a run, or goes on with a saved one.
   *
   * @param key Of the first parameters; used up.
   * @throws {InputError} If the saved run has parameters of other shapes or learned from other data.
   */
  constructor(device: Device, settings: TrainSettings, source: BatchSource, key: Key, saved?: SavedRun) {
    const { training } = settings;
    this.settings = settings;
    this.config = modelConfig(settings.model);
    this.#device = device;
    this.#source = source;
    if (saved) checkData(saved, source);
    {
      using _scope = device.scope("init");
      const made = saved ? loadParams(device, this.config, saved) : initTinyOpenFold(device, this.config, key);
      this.#params = mapLeaves<Tensor, TinyOpenFoldParams>(made, (tensor) => device.hold(tensor));
    }
    this.#trainer = new Trainer(device, {
      params: this.#params,
      loss: (params, { inputs, target, lossMask }) =>
        distanceLoss(tinyOpenFold(params, inputs, this.config).distances, target, lossMask),
      optimizer: {
        learningRate: training.learningRate,
        weightDecay: training.weightDecay,
        maxNorm: training.maxNorm ?? undefined,
      },
      schedule: scheduleOf(settings, source),
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
   * @throws {InputError} If the loss is not finite, or the adapter cannot hold the model.
   */
  async advance(): Promise<StepRecord | undefined> {
    const device = this.#device;
    const recorded = !this.warmingUp;
    const batch = this.#source.batch(this.#trainer.steps);
    using scope = device.scope("train");
    void scope;
    try {
      const { forwardMs, backwardMs, optimizerMs, totalMs, ...report } = await this.#trainer.step(
        upload(device, batch),
      );
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
      };
      this.history.push(record);
      return record;
    } catch (error) {
      if (error instanceof RangeError) throw new InputError(error.message);
      throw error;
    }
  }

  /** Measures the loss of other samples with the present parameters, and notes it with the last step. */
  async measureHeldOut(samples: readonly Sample[]): Promise<void> {
    const device = this.#device;
    let sum = 0;
    for (const sample of samples) {
      using scope = device.scope("heldOut");
      const { inputs, target, lossMask } = upload(device, stackSamples([sample]));
      sum += await distanceLoss(tinyOpenFold(this.#params, inputs, this.config).distances, target, lossMask).item();
      void scope;
    }
    const last = this.history.length - 1;
    this.history[last] = { ...this.history[last], heldOutLoss: sum / samples.length };
  }

  /** Predicts distances with the moving average of the parameters if one is kept, else with the parameters. */
  async predict(tokens: Int32Array, nRes: number): Promise<Float32Array> {
    using _average = this.#average();
    return await predictDistances(this.#device, this.#params, this.config, { tokens, nRes });
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
    mapLeaves<Tensor, TinyOpenFoldParams>(this.#params, (tensor) => (tensor.dispose(), tensor));
  }

  #average(): Disposable {
    return this.#trainer.ema?.apply(this.#params as Tree<Tensor>) ?? { [Symbol.dispose]() {} };
  }

  #facts(): Record<string, unknown> {
    return factsOf({
      settings: this.settings,
      dataDescription: this.#source.description,
      dataFingerprint: this.#source.fingerprint,
      order: this.#source.saveOrder(),
      history: this.history,
    });
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

function checkData({ source, dataDescription, dataFingerprint }: SavedRun, given: BatchSource): void {
  if (dataFingerprint === given.fingerprint) return;
  throw new InputError(
    `Cannot resume from ${source}: it was trained on other data (${dataDescription}; ${
      dataFingerprint.slice(0, 60)
    }) ` +
      `than those given (${given.description}; ${given.fingerprint.slice(0, 60)})`,
  );
}

function loadParams(device: Device, config: TinyOpenFoldConfig, { checkpoint, source }: SavedRun): TinyOpenFoldParams {
  try {
    return loadTinyOpenFold(device, config, (path, shape) => findParameter(checkpoint, path, shape, source));
  } catch (error) {
    if (error instanceof TypeError) throw new InputError(`Cannot resume: ${error.message}`);
    throw error;
  }
}

function scheduleOf({ training }: TrainSettings, source: BatchSource): Schedule {
  const total = source.warmupSteps + training.numSteps;
  return { kind: training.schedule, warmup: training.lrWarmupSteps, total };
}

/** Puts a batch on the device; its tensors belong to the current scope. */
export function upload(device: Device, batch: Batch): DeviceBatch {
  const { size: b, numSeqs: s, numRes: l, pairChannels, msaMask, pairMask, lossMask } = batch;
  return {
    inputs: {
      msaTokens: device.tensor(batch.msaTokens, [b, s, l], "i32"),
      pairFeatures: device.tensor(batch.pairFeatures, [b, l, l, pairChannels]),
      msaMask: msaMask && device.tensor(msaMask, [b, s, l]),
      pairMask: pairMask && device.tensor(pairMask, [b, l, l]),
    },
    target: device.tensor(batch.distances, [b, l, l, 1]),
    lossMask: lossMask && device.tensor(lossMask, [b, l, l, 1]),
  };
}
