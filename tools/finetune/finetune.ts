/** A run of fine-tuning: from a table to checkpoints, predictions and metrics. */
import { join } from "node:path";
import type { Device } from "../../core/mod.ts";
import {
  bootstrapIntervals,
  type EpochRecord,
  FineTuner,
  type FitEnd,
  type FitStep,
  type GroupReport,
  parameterCountOf,
  regressionMetrics,
  type Strategy,
} from "../../finetune/mod.ts";
import { alphafoldParameterCount } from "../../model/alphafold/mod.ts";
import { formatCsv } from "../data/matrix.ts";
import { InputError } from "../errors.ts";
import { makeFolder, writeTogether } from "../files.ts";
import { planModels, type PlannedModel } from "../predict/models.ts";
import { sha256 } from "../sha256.ts";
import type { SplitReport } from "../split/split.ts";
import {
  checkBase,
  findCheckpoint,
  type FinetuneFacts,
  readCheckpoint,
  restoreTrained,
  type SavedFinetune,
  writeCheckpoint,
} from "./checkpoint.ts";
import { chosenStrategy, fineTunedConfig, loadFineTuned, targetSet, TASK } from "./network.ts";
import { knownSet, representationCache } from "./known_set.ts";
import type { FinetuneOptions } from "./options.ts";
import { makeSets, SETS, type Sets } from "./sets.ts";
import { type ReadableTarget, readTrainingTargets } from "./targets.ts";

/** What a run is about to do. */
export interface FinetunePlan {
  readonly model: PlannedModel;
  readonly strategy: Strategy;
  /** Why, where the strategy was chosen by the number of samples. */
  readonly reason?: string;
  readonly sets: Sets;
  readonly split?: SplitReport;
  /** Parameters of network and heads, adapters not counted. */
  readonly parameters: number;
}

/** What is told while a run goes on. */
export interface FinetuneEvents {
  plan?(plan: FinetunePlan, groups: readonly GroupReport[], totalSteps: number): void;
  step?(step: FitStep, names: readonly (readonly string[])[]): void;
  epoch?(record: EpochRecord, best: boolean): void;
  warn?(message: string): void;
  stop?(): boolean | Promise<boolean>;
}

/** What a run came to. */
export interface FinetuneResult {
  readonly end: FitEnd | "planned";
  readonly history: readonly EpochRecord[];
  /** Epoch of the best checkpoint; null where nothing was validated. */
  readonly best: FinetuneFacts["progress"]["best"];
  /** Metrics of the best checkpoint's average by set. */
  readonly metrics: Readonly<Record<string, SetMetrics>>;
  /** Files of the run. */
  readonly files: readonly string[];
}

/** Metrics of a set, with intervals of 95 %. */
export type SetMetrics = ReturnType<typeof regressionMetrics> & {
  readonly intervals: ReturnType<typeof bootstrapIntervals>;
};

/** Proteins of a run without a table: those of the demo. */
export type GivenSets = {
  readonly sets: Sets;
  readonly model: PlannedModel;
  /** Sizes of its network other than the preset's. */
  readonly sizes: FinetuneOptions["sizes"];
};

/**
 * Fine-tunes a network on a table's labels.
 *
 * @param options Choices; those of the run where it is to be gone on with.
 * @param how.resume Goes on with the run in the folder.
 * @param how.dryRun Makes everything ready, computes the first batch's prediction, and stops.
 * @param how.given Proteins that are no table's.
 * @throws {InputError} If the data or weights cannot be used, or those of a run to go on with have changed.
 */
export async function finetune(
  device: Device,
  options: FinetuneOptions,
  events: FinetuneEvents = {},
  how: { readonly resume?: boolean; readonly dryRun?: boolean; readonly given?: GivenSets } = {},
): Promise<FinetuneResult> {
  const { output, fit: { seed }, preset, sizes } = options;
  const saved = how.resume ? await readCheckpoint(output, "last") : undefined;
  if (!how.resume && !how.dryRun) await refuseOldRun(output);
  const warn = (message: string) => events.warn?.(message);
  const made = how.given ?? await setsOfTable(options, warn);
  const model = how.given?.model ?? (await planModels(options.weights, preset && [preset], sizes))[0];
  const { sets } = made;
  const { strategy, reason } = chosenStrategy(options, model.config, sets.train.length);
  const config = fineTunedConfig(model.config, strategy, options);
  const fingerprint = await fingerprintOf(sets);
  const facts: Omit<FinetuneFacts, "progress"> = {
    options,
    base: { preset: model.preset, weights: model.weights },
    strategy: strategy.name,
    data: {
      fingerprint,
      sets: Object.fromEntries(SETS.map((name) => [name, sets[name].map(({ id }) => id)])),
      labels: labelsOf(sets.train),
    },
  };
  if (saved) checkSame(saved, facts);

  using scope = device.scope("finetune");
  void scope;
  const params = await loadFineTuned(device, model, strategy, config, seed, options.fit.amp);
  const cache = how.given ? undefined : representationCache(model, config, options, warn);
  const setOf = (targets: readonly ReadableTarget[]) => {
    const set = targetSet(device, targets, model.config, options, seed);
    return strategy.name === "head_only" ? knownSet(device, params, config, set, targets, cache) : set;
  };
  const labelled = Object.fromEntries(SETS.map((name) => [name, setOf(sets[name])]));
  const { train, validation } = labelled;
  using tuner = new FineTuner(device, { params, strategy, config, settings: options.fit, train, validation });
  const parameters = alphafoldParameterCount(model.config) + parameterCountOf(params.heads);
  events.plan?.({ ...{ model, strategy, sets, parameters }, ...split(made), ...(reason && { reason }) }, [
    ...tuner.groups,
  ], tuner.totalSteps);
  if (saved) {
    restoreTrained(device, tuner.trained, saved);
    tuner.restore({ progress: saved.facts.progress, trainer: saved.trainer });
  }
  if (how.dryRun) {
    await tuner.evaluate({ size: 1, load: (index) => train.load(index) });
    return { end: "planned", history: [], best: null, metrics: {}, files: [] };
  }
  await makeFolder(output);
  const last = join(output, "last"), best = join(output, "best");
  // A disk that is full costs no training: the old checkpoint stays whole, and the next one tries again.
  const save = (folder: string) =>
    writeCheckpoint(folder, tuner, facts).catch((error) => {
      if (!(error instanceof InputError)) throw error;
      warn(`${error.message}; training goes on`);
    });
  let sinceSave = 0;
  const end = await tuner.run({
    async step(step) {
      events.step?.(step, step.samples.map((batch) => batch.map((i) => sets.train[i].id)));
      if (options.saveEvery && ++sinceSave >= options.saveEvery) {
        await save(last);
        sinceSave = 0;
      }
    },
    async epoch(record, isBest) {
      sinceSave = 0;
      await save(last);
      if (isBest) await save(best);
      await writeTogether(output, historyFiles(tuner.progress.history)).catch((error) => warn(error.message));
      events.epoch?.(record, isBest);
    },
    stop: () => events.stop?.() ?? false,
  });
  const { history, best: bestEpoch } = tuner.progress;
  if (end === "stopped") {
    await save(last);
    return { end, history, best: bestEpoch, metrics: {}, files: [last] };
  }
  if (bestEpoch && bestEpoch.epoch !== tuner.progress.epochs) {
    const kept = await readCheckpoint(best);
    restoreTrained(device, tuner.trained, kept);
    tuner.restore({ progress: kept.facts.progress, trainer: kept.trainer });
  }
  const rows: { id: string; set: string; label: number; prediction: number }[] = [];
  const metrics: Record<string, SetMetrics> = {};
  for (const name of SETS) {
    if (!sets[name].length) continue;
    const { predictions: { [TASK]: predictions } } = await tuner.evaluate(labelled[name]);
    const labels = sets[name].map(({ label }) => label!);
    sets[name].forEach(({ id }, i) => rows.push({ id, set: name, label: labels[i], prediction: predictions[i] }));
    if (!predictions.every(Number.isFinite)) continue;
    metrics[name] = {
      ...regressionMetrics(predictions, labels),
      intervals: bootstrapIntervals(predictions, labels, { seed }),
    };
  }
  const files = new Map([
    ...historyFiles(history),
    ["config.json", json({ ...facts, ...split(made) })],
    ["predictions.csv", formatCsv(["id", "set", "label", "prediction"], rows)],
    ["metrics.json", json(metrics)],
  ]);
  return { end, history, best: bestEpoch, metrics, files: await writeTogether(output, files) };
}

/** Proteins of a table, in sets. */
async function setsOfTable(options: FinetuneOptions, warn: (message: string) => void) {
  const targets = await readTrainingTargets(options, warn);
  for (const { id, warnings } of targets) for (const warning of warnings) warn(`${id}: ${warning}`);
  const made = await makeSets(targets, options);
  for (const warning of made.report.warnings) warn(warning);
  return made;
}

function split(made: { readonly report?: SplitReport } | GivenSets): { readonly split?: SplitReport } {
  return "report" in made && made.report ? { split: made.report } : {};
}

/** @throws {InputError} If a folder has a run in it. */
async function refuseOldRun(output: string): Promise<void> {
  if (await findCheckpoint(output, "last")) {
    throw new InputError(`${output} has a run in it: --resume goes on with it, another --output begins anew`);
  }
}

/** @throws {InputError} If a run was begun with other weights or data. */
function checkSame(saved: SavedFinetune, { base, data, strategy }: Omit<FinetuneFacts, "progress">): void {
  checkBase(saved, base.preset, base.weights);
  const { source, facts } = saved;
  if (facts.data.fingerprint !== data.fingerprint) {
    throw new InputError(
      `Cannot go on from ${source}: names, sequences, labels or sets are not those it was begun with`,
    );
  }
  if (facts.strategy !== strategy) {
    throw new InputError(`Cannot go on from ${source}: its strategy is ${facts.strategy}, now it would be ${strategy}`);
  }
}

function fingerprintOf(sets: Sets): Promise<string> {
  const rows = SETS.map((name) => sets[name].map(({ id, sequence, label }) => [id, sequence, label]));
  return sha256(JSON.stringify(rows));
}

function labelsOf(targets: readonly ReadableTarget[]): FinetuneFacts["data"]["labels"] {
  const labels = targets.map(({ label }) => label!);
  return {
    n: labels.length,
    min: Math.min(...labels),
    max: Math.max(...labels),
    mean: labels.reduce((sum, label) => sum + label, 0) / labels.length,
  };
}

/** The history as lines of JSON and as a table. */
function historyFiles(history: readonly EpochRecord[]): Map<string, string> {
  const records = history.map((
    { epoch, trainLoss, validationLoss, learningRates, steps, skippedSteps: skipped, seconds },
  ) => ({ epoch, train_loss: trainLoss, val_loss: validationLoss, lr: learningRates, steps, skipped, seconds }));
  const groups = Object.keys(history[0]?.learningRates ?? {});
  const columns = [
    "epoch",
    "train_loss",
    "val_loss",
    ...groups.map((name) => `lr_${name}`),
    "steps",
    "skipped",
    "seconds",
  ];
  const rows = records.map(({ lr, train_loss, val_loss, ...others }) => ({
    ...others,
    train_loss: train_loss ?? undefined,
    val_loss: val_loss ?? undefined,
    ...Object.fromEntries(groups.map((name) => [`lr_${name}`, lr[name]])),
  }));
  return new Map([
    ["history.jsonl", records.map((record) => `${JSON.stringify(record)}\n`).join("")],
    ["history.csv", formatCsv(columns, rows as Record<string, number | undefined>[])],
  ]);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
