/** The loop of fine-tuning: epochs, windows of batches, validation on the average, and a state to go on from. */
import { combine, type Device, entries, Key, leaves, mapTree, type Part, type Tensor, type Tree } from "../core/mod.ts";
import { joinNumbers } from "../core/join_numbers.ts";
import type { Recompute } from "../model/evoformer/pair_stack.ts";
import {
  type FineTunedConfig,
  fineTunedOutputs,
  type FineTunedParams,
  fineTuningLoss,
  type LabelledSample,
  trainedPart,
} from "./fine_tuned.ts";
import { hasLabels, taskLoss } from "./heads/tasks.ts";
import { labelsOf } from "./_labels.ts";
import { packFrozen } from "./mixed_precision.ts";
import type { ScheduleKind } from "./schedule.ts";
import type { Strategy } from "./strategies.ts";
import { type StepReport, Trainer, type TrainerState } from "./trainer.ts";

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
   * Mixed precision: frozen matrices and the representations that `recompute` keeps are packed 16-bit floats; sums,
   * gradients and what is trained are f32, so that there is no loss to scale. Weights loaded in 16 bits stay as they are;
   * of others there are copies, and the caller may dispose of those given. See docs/mixed_precision.md.
   */
  readonly amp: boolean;
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

/** Proteins with labels. */
export interface LabelledSet {
  /** How many. */
  readonly size: number;
  /**
   * One of them; its tensors are owned by the scope that is current when this is called.
   *
   * @param draw Number of the epoch, from 0, for random choices that are made anew in each. @default those of no epoch
   */
  load(index: number, draw?: number): LabelledSample | Promise<LabelledSample>;
  /** Residues of one of them, for batches of like lengths. @default all count as equally long */
  residues?(index: number): number;
}

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

/** Predictions of a set by task, end to end, those of padding left out; of classes their logits. */
export type SetPredictions = Readonly<Record<string, Float32Array>>;

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

/** Numbers from which keys are derived. */
const KEYS = { order: 0, dropout: 1 } as const;

/** Proteins are sorted by length among so many batches: a shuffle that leaves neighbours of like length. */
const BUCKETED_BATCHES = 16;

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
      activations: amp ? "f16" : "f32",
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
    const { settings: { seed, batchSize, bucket }, train } = this.#options;
    const key = keyOf(seed, KEYS.order, epoch);
    const order = [...key.permutation(train.size)];
    const batches = (order: readonly number[]) =>
      Array.from({ length: this.#batches }, (_, b) => order.slice(b * batchSize, (b + 1) * batchSize));
    if (!bucket) return batches(order);
    const pool = batchSize * BUCKETED_BATCHES, sorted: number[] = [];
    const length = (index: number) => train.residues?.(index) ?? 0;
    for (let first = 0; first < order.length; first += pool) {
      sorted.push(...order.slice(first, first + pool).sort((a, b) => length(a) - length(b)));
    }
    const alike = batches(sorted);
    return [...keyOf(seed, KEYS.order, epoch).at(0).permutation(alike.length)].map((batch) => alike[batch]);
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
      const key = keyOf(seed, KEYS.dropout, epoch).at(first + i);
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

/** What a set comes to. */
export interface SetEvaluation {
  /** By task. */
  readonly predictions: SetPredictions;
  /** Of all labels together and of the structures in the mean; NaN where neither is known. */
  readonly loss: number;
  /** Mean lDDT of C-alphas, 0 … 1, of each protein, NaN where its structure is not known; where structures are learned. */
  readonly lddt?: Float32Array;
}

/** Predictions of a set, one protein at a time, and the loss of all of them together. */
export async function evaluateSet(
  device: Device,
  params: FineTunedParams,
  config: FineTunedConfig,
  set: LabelledSet,
): Promise<SetEvaluation> {
  const tasks = Object.entries(config.tasks), { structure: learned } = config;
  const parts: Record<string, Float32Array[]> = {}, labels: Record<string, number[]> = {};
  for (const [name] of tasks) [parts[name], labels[name]] = [[], []];
  const lddt: number[] = [];
  let structureLoss = 0, structures = 0;
  for (let i = 0; i < set.size; i++) {
    using _ = device.scope("evaluate");
    const sample = await set.load(i);
    const { residues } = sample;
    const { predictions, structure } = fineTunedOutputs(params, sample.input, { ...config, maskedMsaWeight: 0 });
    for (const [name, { head: { classes = 1, level } }] of tasks) {
      const all = await predictions[name].read() as Float32Array;
      const numbers = all.slice(0, level === "residue" && residues !== undefined ? residues * classes : all.length);
      parts[name].push(numbers);
      labels[name].push(...labelsOf(sample, name, numbers.length / classes, level === "residue"));
    }
    lddt.push(structure ? await structure.lddt.item() : NaN);
    if (structure) {
      structureLoss += await structure.loss.item();
      structures++;
    }
  }
  const predictions = Object.fromEntries(tasks.map(([name]) => [name, joinNumbers(parts[name])]));
  const losses: number[] = [];
  if (hasLabels(labels, config.tasks)) losses.push(await labelLoss());
  if (learned && structures) losses.push(learned.weight * structureLoss / structures);
  return {
    predictions,
    loss: losses.length ? losses.reduce((sum, loss) => sum + loss) : NaN,
    ...(learned && { lddt: Float32Array.from(lddt) }),
  };

  async function labelLoss(): Promise<number> {
    using _ = device.scope("loss");
    const tensors = Object.fromEntries(tasks.map(([name, { head: { classes } }]) => {
      const numbers = predictions[name];
      return [name, device.tensor(numbers, classes ? [numbers.length / classes, classes] : [numbers.length])];
    }));
    return await taskLoss(tensors, labels, config.tasks).item();
  }
}

/** A key that depends on seed, purpose and epoch alone. */
function keyOf(seed: number, purpose: number, epoch: number): Key {
  return Key.fromSeed(seed).at(purpose).at(epoch);
}

function checkSettings(settings: FitSettings, trainSize: number): void {
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
