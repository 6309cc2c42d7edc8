/** A fine-tuned network, read back and ready to predict. */
import { combine, type Device, entries, Key, type Part, type Tensor, type Tree } from "../../core/mod.ts";
import { meanOf, sampleDeviation } from "../../core/statistics.ts";
import {
  ExponentialMovingAverage,
  type FineTunedConfig,
  type FineTunedParams,
  headInputsOf,
  type Strategy,
  trainedPart,
  withStandards,
} from "../../finetune/mod.ts";
import type { AlphaFoldPreset } from "../../model/alphafold/mod.ts";
import { planModels } from "../predict/models.ts";
import type { PlannedModel } from "../predict/planned_model.ts";
import type { PreparedTarget } from "../prep/prepare_target.ts";
import { checkBase, type FinetuneFacts, readCheckpoint, restoreTrained } from "./checkpoint.ts";
import { DRAWS, predictLabel } from "./label_prediction.ts";
import { type LabelTask, learnedTasks } from "./label_tasks.ts";
import { chosenStrategy, fineTunedConfig, loadFineTuned, networkSample } from "./network.ts";
import { predictAll, type TaskPrediction } from "./task_outcome.ts";

/** How a fine-tuned network is read. */
export interface FineTunedLoadOptions {
  /** The base weights. @default where they were when it was trained */
  readonly weights?: string;
  /** Whether base weights with another hash are used all the same. @default false */
  readonly force?: boolean;
  /** Whether frozen weights are held in 32 bits although the run held them in 16. @default false */
  readonly exact?: boolean;
  /** Which checkpoint of a run. @default "best" */
  readonly which?: "best" | "last";
}

/** What is predicted of a protein. */
export interface LabelPrediction {
  /** By the parameters of the last step. */
  readonly prediction: number;
  /** By their moving average; the better one as a rule. The same where none was kept. */
  readonly average: number;
  /** Standard deviation of predictions by the average with the head's dropout, or of runs; null where there is none. */
  readonly uncertainty: number | null;
  /** Whether the average's prediction lies within the training labels. */
  readonly inRange: boolean;
}

/**
 * What several runs predict together, such as those of several seeds: their means, and as the uncertainty how far the runs'
 * averages spread; of one run its own.
 */
export function jointPrediction(runs: readonly LabelPrediction[]): LabelPrediction {
  if (runs.length === 1) return runs[0];
  const averages = runs.map(({ average }) => average);
  return {
    prediction: meanOf(runs.map(({ prediction }) => prediction)),
    average: meanOf(averages),
    uncertainty: sampleDeviation(averages),
    inRange: runs.every(({ inRange }) => inRange),
  };
}

/**
 * A network that `denofold finetune` trained: base weights with what was trained in their place.
 *
 * ```ts ignore
 * using tuned = await FineTuned.load(device, "runs/lora");
 * const { average } = await tuned.predict(await prepareTarget({ id: "1abc", sequence }));
 * ```
 */
export class FineTuned {
  readonly #device: Device;
  readonly #params: FineTunedParams;
  readonly #trained: Part<Tensor, FineTunedParams>;
  readonly #average: ExponentialMovingAverage | null;
  readonly #seed: number;
  /** What the checkpoint says of its run. */
  readonly facts: FinetuneFacts;
  /** The base network. */
  readonly model: PlannedModel;
  /** What was trained. */
  readonly strategy: Strategy;
  /** Sizes and tasks. */
  readonly config: FineTunedConfig;

  private constructor(
    device: Device,
    facts: FinetuneFacts,
    { model, strategy, config }: Pick<FineTuned, "model" | "strategy" | "config">,
    parts: [Part<Tensor, FineTunedParams>, Part<Tensor, FineTunedParams>],
    average: Float32Array | undefined,
  ) {
    const { fit: { seed, emaDecay } } = facts.options;
    this.#device = device;
    this.facts = facts;
    this.model = model;
    this.strategy = strategy;
    this.config = config;
    this.#seed = seed;
    this.#trained = parts[0];
    this.#params = combine<Tensor, FineTunedParams>(...parts);
    this.#average = average ? new ExponentialMovingAverage(device, parts[0] as Tree<Tensor>, emaDecay) : null;
    if (average) this.#average!.restore(average);
  }

  /**
   * Reads a run's checkpoint and its base weights.
   *
   * @param path Folder of the run, or file of the checkpoint.
   * @returns Its parameters are owned by the scope that is current when this is called.
   * @throws {InputError} If there is no checkpoint, it is damaged, or the base weights are others.
   */
  static async load(device: Device, path: string, options: FineTunedLoadOptions = {}): Promise<FineTuned> {
    const saved = await readCheckpoint(path, options.which);
    const { facts } = saved;
    const { options: run, base: { preset }, data: { labels: { n } } } = facts;
    const asked = [preset as AlphaFoldPreset]; // of a packed network, which has another name, nobody asks for one
    const [model] = await planModels(options.weights ?? run.weights, asked, run.sizes, { complexes: true });
    if (!options.force) checkBase(saved, model.preset, model.weights);
    const { strategy } = chosenStrategy(run, model.config, n);
    const config = fineTunedConfig(model.config, strategy, run, facts.data.learned ?? learnedTasks(run));
    const base = await loadFineTuned(device, model, strategy, config, run.fit.seed, !!run.fit.amp && !options.exact);
    const { standards } = facts.data;
    const params = standards ? { ...base, heads: withStandards(device, base.heads, standards) } : base;
    const parts = trainedPart(params, strategy);
    restoreTrained(device, parts[0] as Tree<Tensor>, saved);
    return new FineTuned(device, facts, { model, strategy, config }, parts, saved.trainer.ema);
  }

  /** Number of a checkpoint's epoch. */
  get epoch(): number {
    return this.facts.progress.epochs;
  }

  /**
   * Predicts a protein's label.
   *
   * @param draws Predictions with dropout, for the uncertainty. @default 16
   */
  async predict(target: PreparedTarget, { draws = DRAWS }: { readonly draws?: number } = {}): Promise<LabelPrediction> {
    const device = this.#device;
    using _ = device.scope("predictLabel");
    const sample = networkSample(device, target, this.config.network, this.facts.options, this.#seed);
    const isHeadAlone = this.facts.strategy === "head_only";
    const key = Key.fromSeed(this.#seed);
    let known = headInputsOf(this.#params.model, sample, this.config);
    const { prediction } = await predictLabel(this.#params, known, this.config, { key, draws: 0 });
    using _average = this.#average?.apply(this.#trained as Tree<Tensor>);
    if (this.#average && !isHeadAlone) known = headInputsOf(this.#params.model, sample, this.config);
    const { prediction: average, uncertainty } = await predictLabel(this.#params, known, this.config, { key, draws });
    const { min, max } = this.facts.data.labels;
    return { prediction, average, uncertainty, inRange: average >= min && average <= max };
  }

  /** Whether one number a protein was learned. */
  get isPlain(): boolean {
    return this.facts.data.learned === undefined;
  }

  /** The labels that were learned. */
  get tasks(): readonly LabelTask[] {
    return (this.facts.data.learned ?? learnedTasks(this.facts.options)).labels;
  }

  /**
   * Predicts all labels of a protein by the average, where the run learned more than one number a protein.
   *
   * @param draws Predictions with dropout, for the uncertainty of numbers. @default 16
   */
  async predictAll(
    target: PreparedTarget,
    { draws = DRAWS }: { readonly draws?: number } = {},
  ): Promise<Map<string, TaskPrediction[]>> {
    const device = this.#device;
    using _ = device.scope("predictLabels");
    using _average = this.#average?.apply(this.#trained as Tree<Tensor>);
    const sample = networkSample(device, target, this.config.network, this.facts.options, this.#seed);
    const known = headInputsOf(this.#params.model, sample, this.config);
    const key = Key.fromSeed(this.#seed);
    return await predictAll(this.#params, known, this.config, this.tasks, target.sequence.length, { key, draws });
  }

  /** Paths of what was trained, in `{ model, heads }`. */
  get trainedPaths(): string[] {
    return entries<Tensor>(this.#trained as Tree<Tensor>).map(([path]) => path);
  }

  /**
   * Runs something with the parameters, those of the average in their places.
   *
   * @param options.live With the parameters of the last step. @default false
   */
  async withParams<T>(use: (params: FineTunedParams) => T | Promise<T>, { live = false } = {}): Promise<T> {
    using _ = live ? undefined : this.#average?.apply(this.#trained as Tree<Tensor>);
    return await use(this.#params);
  }

  /** Frees the average; the parameters stay with their scope. */
  [Symbol.dispose](): void {
    this.#average?.[Symbol.dispose]();
  }
}
