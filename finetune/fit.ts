/** The loop of fine-tuning: epochs, windows of batches, validation on the average, and a state to go on from. */
import {
  combine,
  type Device,
  entries,
  type Key,
  leaves,
  mapTree,
  type Part,
  type Tensor,
  type Tree,
} from "../core/mod.ts";
import { epochOrder, loopKey } from "./epoch_order.ts";
import { evaluateSet, type SetEvaluation, type SetPredictions } from "./evaluate_set.ts";
import {
  type FineTunedConfig,
  type FineTunedParams,
  fineTuningLoss,
  type LabelledSample,
  trainedPart,
} from "./fine_tuned.ts";
import type { EpochRecord, FitProgress, FitState, FitStep } from "./fit_progress.ts";
import { checkSettings, type FitSettings } from "./fit_settings.ts";
import type { LabelledSet } from "./labelled_set.ts";
import { packFrozen } from "./mixed_precision.ts";
import type { Strategy } from "./strategies.ts";
import { Trainer } from "./trainer.ts";

/** Who is told what. */
export interface FitEvents {
  /** After every step. */
  step?(step: FitStep): void | Promise<void>;
  /** After every epoch; `best` is whether its validation loss is strictly smaller than all before. */
  epoch?(record: EpochRecord, best: boolean, validation: SetPredictions | null): void | Promise<void>;
  /** Whether to stop; asked after every step. */
  stop?(): boolean | Promise<boolean>;
}

/** Why the loop ended. */
export type FitEnd = "done" | "patience" | "stopped";

const START: FitProgress = {
  ...{ epochs: 0, batches: 0, lossSum: 0, lossCount: 0, learningRates: {}, seconds: 0, best: null, history: [] },
};

type Batch = { readonly samples: readonly LabelledSample[]; readonly key: Key };

/**
 * Fine-tunes a network with heads. The same seed gives the same samples in the same order, and a loop that goes on from a
 * saved state computes the same bits as one that was never interrupted.
 *
 * @example
 * ```ts
 * import { Device, Key } from "@denofold/denofold";
 * import { alphafoldConfig, type AlphaFoldParams } from "@denofold/denofold/model";
 * import { FIT_DEFAULTS, FineTuner, initTaskHeads, labelHeadConfig, strategyOf } from "@denofold/denofold/finetune";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const tasks = { affinity: { head: labelHeadConfig(2, { hidden: 4, dropout: 0 }) } };
 * const heads = initTaskHeads(device, tasks, Key.fromSeed(1));
 * const model = {} as AlphaFoldParams; // its representations are known: what is learned is the sum of two numbers
 * const load = (i: number) => ({
 *   input: { s: device.tensor([i % 3, i % 2], [1, 1, 2]) },
 *   labels: { affinity: [i % 3 + i % 2] },
 * });
 * using tuner = new FineTuner(device, {
 *   params: { model, heads },
 *   strategy: strategyOf("head_only", 48, { learningRate: 0.05 }),
 *   config: { network: alphafoldConfig("model_1_ptm", { cS: 2 }), tasks, headInput: "evoformer" },
 *   settings: { ...FIT_DEFAULTS, epochs: 10, accumulate: 2, warmup: 0, emaDecay: 0 },
 *   train: { size: 12, load },
 *   validation: { size: 3, load },
 * });
 * await tuner.run();
 * const { history } = tuner.progress;
 * assert(history[9].validationLoss! < history[0].validationLoss!);
 * ```
 */
export class FineTuner {
  readonly #device: Device;
  readonly #options: FineTunerOptions;
  readonly #frozen: Part<Tensor, FineTunedParams>;
  readonly #trainer: Trainer<Part<Tensor, FineTunedParams>, Batch>;
  readonly #packed: Tensor[] = [];
  #progress = START;
  /** What is trained; null for what is frozen. Updated in place. */
  readonly trained: Part<Tensor, FineTunedParams>;

  /**
   * A loop at its beginning.
   *
   * @throws {RangeError} If the training set is empty, or a choice is out of range.
   * @throws {TypeError} If there is nothing to train.
   */
  constructor(device: Device, options: FineTunerOptions) {
    const { params, strategy, config, settings, train } = options;
    checkSettings(settings, train.size);
    this.#device = device;
    this.#options = options;
    const [trained, frozen] = trainedPart(params, strategy);
    this.trained = trained;
    const groups = strategy.groups.filter(({ has }) =>
      entries<Tensor>(trained as Tree<Tensor>).some(([path]) => has(path))
    );
    if (!groups.length) {
      throw new TypeError(`There is nothing to train: ${strategy.name} trains heads, and there is none`);
    }
    this.#frozen = settings.amp ? this.#pack(frozen) : frozen;
    const { maxNorm, weightDecay, schedule: kind, warmup, minFactor: min, emaDecay } = settings;
    const { adapterDropout, networkDropout, recompute, amp, bucket: stacked } = settings;
    this.#trainer = new Trainer<Part<Tensor, FineTunedParams>, Batch>(device, {
      params: this.trained,
      loss: (trained, { samples, key }) =>
        fineTuningLoss(this.#whole(trained), samples, config, {
          ...{ key, adapterDropout, networkDropout, recompute, stacked },
        }),
      activations: amp || "f32",
      timed: false,
      optimizer: { groups, weightDecay, ...(maxNorm > 0 && { maxNorm }) },
      schedule: { kind, warmup, total: this.totalSteps, min },
      ...(emaDecay > 0 && { emaDecay }),
    });
  }

  /** Steps of all epochs. */
  get totalSteps(): number {
    const { epochs, accumulate } = this.#options.settings;
    return epochs * Math.ceil(this.#batches / accumulate);
  }

  /** Where the loop stands. */
  get progress(): FitProgress {
    return this.#progress;
  }

  /** Groups, as the optimizer has them. */
  get groups(): Trainer<never, never>["groups"] {
    return this.#trainer.groups;
  }

  /** Batches of an epoch. */
  get #batches(): number {
    return Math.ceil(this.#options.train.size / this.#options.settings.batchSize);
  }

  /** What is frozen, in 16 bits where it is not yet; owned by this loop. */
  #pack(frozen: Part<Tensor, FineTunedParams>): Part<Tensor, FineTunedParams> {
    using _ = this.#device.scope("packFrozen");
    const given = new Set(leaves<Tensor>(frozen as Tree<Tensor>));
    return mapTree<Tensor, Tensor>(packFrozen(frozen) as Tree<Tensor>, (tensor) => {
      if (given.has(tensor)) return tensor;
      const own = this.#device.hold(tensor);
      this.#packed.push(own);
      return own;
    }) as Part<Tensor, FineTunedParams>;
  }

  #whole(trained: Part<Tensor, FineTunedParams>): FineTunedParams {
    return combine<Tensor, FineTunedParams>(trained, this.#frozen);
  }

  /** Samples of an epoch's batches, in their order. */
  order(epoch: number): number[][] {
    return epochOrder(this.#options.train, this.#options.settings, epoch);
  }

  /**
   * Goes on until all epochs are done, validation does not improve any more, or it is told to stop, which is then after a
   * step.
   *
   * @throws {RangeError} If too many steps in a row were skipped.
   */
  async run(events: FitEvents = {}): Promise<FitEnd> {
    const { settings, validation } = this.#options;
    const { epochs, accumulate, patience } = settings;
    for (let epoch = this.#progress.epochs; epoch < epochs; epoch++) {
      if (this.#isOutOfPatience(patience)) return "patience";
      const order = this.order(epoch);
      while (this.#progress.batches < order.length) {
        const first = this.#progress.batches;
        const window = order.slice(first, first + accumulate);
        const step = await this.#step(epoch, first, window);
        await events.step?.(step);
        if (this.#progress.batches < order.length && await events.stop?.()) return "stopped";
      }
      const started = performance.now();
      const found = validation?.size ? await this.evaluate(validation) : null;
      const { lossSum, lossCount, learningRates, seconds, best } = this.#progress;
      const record: EpochRecord = {
        epoch: epoch + 1,
        trainLoss: lossCount ? lossSum / lossCount : null,
        validationLoss: found?.loss ?? null,
        learningRates,
        steps: this.#trainer.steps,
        skippedSteps: this.#trainer.skippedSteps,
        seconds: seconds + (performance.now() - started) / 1000,
      };
      const isBest = found !== null && Number.isFinite(found.loss) && (best === null || found.loss < best.loss);
      this.#progress = {
        ...START,
        epochs: epoch + 1,
        best: isBest ? { epoch: epoch + 1, loss: found.loss } : best,
        history: [...this.#progress.history, record],
      };
      await events.epoch?.(record, isBest, found?.predictions ?? null);
      if (epoch + 1 < epochs && await events.stop?.()) return "stopped";
    }
    return "done";
  }

  #isOutOfPatience(patience: number): boolean {
    const { best, epochs, history } = this.#progress;
    return patience > 0 && history.at(-1)?.validationLoss != null && epochs - (best?.epoch ?? 0) >= patience;
  }

  /** One step of a window of batches. */
  async #step(epoch: number, first: number, window: readonly (readonly number[])[]): Promise<FitStep> {
    const device = this.#device;
    const { settings: { seed }, train } = this.#options;
    const started = performance.now();
    for (const [i, indices] of window.entries()) {
      using _ = device.scope("batch");
      const samples: LabelledSample[] = [];
      for (const index of indices) samples.push(await train.load(index, epoch));
      const key = loopKey(seed, "dropout", epoch).at(first + i);
      await this.#trainer.accumulate({ samples, key }, 1 / window.length);
    }
    const report = await this.#trainer.apply();
    const { lossSum, lossCount, batches, seconds } = this.#progress;
    const counted = report.skipped ? [] : report.losses;
    this.#progress = {
      ...this.#progress,
      batches: batches + window.length,
      lossSum: counted.reduce((sum, loss) => sum + loss, lossSum),
      lossCount: lossCount + counted.length,
      learningRates: report.learningRates,
      seconds: seconds + (performance.now() - started) / 1000,
    };
    return { ...report, epoch: epoch + 1, samples: window };
  }

  /**
   * Predictions of a set with the average's parameters, or with the parameters themselves where there is none, and their
   * loss.
   *
   * @param live With the parameters themselves in any case. @default false
   */
  async evaluate(set: LabelledSet, live = false): Promise<SetEvaluation> {
    const ema = live ? null : this.#trainer.ema;
    using _ = ema?.apply(this.trained as Tree<Tensor>);
    return await evaluateSet(this.#device, this.#whole(this.trained), this.#options.config, set);
  }

  /** Runs something with the average's parameters in their places, or with the parameters themselves where there is none. */
  async withAverage<T>(use: (params: FineTunedParams) => T | Promise<T>): Promise<T> {
    using _ = this.#trainer.ema?.apply(this.trained as Tree<Tensor>);
    return await use(this.#whole(this.trained));
  }

  /** The memory to go on from; the trained parameters belong to it. */
  async state(): Promise<FitState> {
    return { progress: this.#progress, trainer: await this.#trainer.state() };
  }

  /**
   * Goes on from a saved state; write the trained parameters first.
   *
   * @throws {TypeError} If it is that of other parameters.
   */
  restore({ progress, trainer }: FitState): void {
    this.#trainer.restore(trainer);
    this.#progress = progress;
  }

  /** Frees the trainer's memory; the parameters stay. */
  [Symbol.dispose](): void {
    this.#trainer[Symbol.dispose]();
    for (const tensor of this.#packed) tensor.dispose();
  }
}

/** What a {@linkcode FineTuner} trains, on what, and how. */
export interface FineTunerOptions {
  /** Network, with the strategy's adapters, and heads. They stay the caller's; what is trained is updated in place. */
  readonly params: FineTunedParams;
  /** What is trained. */
  readonly strategy: Strategy;
  /** Sizes and tasks. */
  readonly config: FineTunedConfig;
  /** How. */
  readonly settings: FitSettings;
  /** What is learned from. */
  readonly train: LabelledSet;
  /** What tells when it is enough. @default none */
  readonly validation?: LabelledSet;
}
