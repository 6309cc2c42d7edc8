/** A run of fine-tuning: from a table to checkpoints, predictions and metrics. */
import { join } from "node:path";
import type { Device, Tensor, Tree } from "../../core/mod.ts";
import {
  type EpochRecord,
  FineTuner,
  type FitEnd,
  type FitStep,
  type GroupReport,
  measureStandards,
  parameterCountOf,
  type PeftAdapters,
  type Strategy,
  withStandards,
} from "../../finetune/mod.ts";
import { alphafoldParameterCount } from "../../model/alphafold/mod.ts";
import { checkData, type DataReport } from "../check_data/check_data.ts";
import { InputError } from "../errors.ts";
import { makeWritableFolder, writeTogether } from "../files.ts";
import { planModels } from "../predict/models.ts";
import type { PlannedModel } from "../predict/planned_model.ts";
import { sha256 } from "../sha256.ts";
import type { SplitReport } from "../split/split.ts";
import {
  checkBase,
  CheckpointWriter,
  findCheckpoint,
  type FinetuneFacts,
  readCheckpoint,
  restoreTrained,
  sameBase,
  type SavedFinetune,
} from "./checkpoint.ts";
import { type DryRun, dryRun } from "./dry_run.ts";
import { EventLog } from "./event_log.ts";
import { knownSet, representationCache } from "./known_set.ts";
import { isClassification, isPlain, type LearnedTasks, learnedTasks, TASK } from "./label_tasks.ts";
import { movements, trainedNumbers } from "./movement.ts";
import { chosenStrategy, fineTunedConfig, loadFineTuned, targetSet } from "./network.ts";
import type { FinetuneOptions } from "./options.ts";
import { metricsOf, predictRows, type SetMetrics } from "./outcome.ts";
import { writePeft } from "./peft_folder.ts";
import { renderRuns } from "./report.ts";
import { historyFiles, jsonText, outcomeFiles, readRun, RUN_FILES, type RunConfig } from "./run_files.ts";
import { makeSets, SETS, type Sets } from "./sets.ts";
import { tellSkipped } from "./skipped_step.ts";
import { type TaskOutcome, taskOutcome } from "./task_outcome.ts";
import { type ReadableTarget, readLearnedTargets } from "./targets.ts";

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
  /** What a check of table, structures and alignments found, before they are used. */
  check?(report: DataReport): void;
  plan?(plan: FinetunePlan, groups: readonly GroupReport[], totalSteps: number): void;
  /** While the network reads the training set, for the units of the heads. */
  measure?(done: number, total: number): void;
  /** Before the first step, or the first after those that are done. */
  begin?(steps: number): void;
  step?(step: FitStep, names: readonly (readonly string[])[]): void;
  epoch?(record: EpochRecord, best: boolean): void | Promise<void>;
  /** After the last step, before the predictions of all rows. */
  finish?(): void;
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
  /** Metrics by task and set, where more than one number a protein is learned. */
  readonly taskMetrics?: TaskOutcome["metrics"];
  /** Files of the run. */
  readonly files: readonly string[];
  /** What the run will take, where it was only tried. */
  readonly dry?: DryRun;
}

/** Proteins of a run without a table: those of the demo. */
export type GivenSets = {
  readonly sets: Sets;
  readonly model: PlannedModel;
  /** Sizes of its network other than the preset's. */
  readonly sizes: FinetuneOptions["sizes"];
};

/** How a run is begun. */
export interface FinetuneRequest {
  /** Goes on with the run in the folder. @default false */
  readonly resume?: boolean;
  /** Goes on although the weights are others than those that it was begun with; recorded. @default false */
  readonly force?: boolean;
  /** Makes everything ready, makes a step that is forgotten, and stops. @default false */
  readonly dryRun?: boolean;
  /** Proteins that are no table's. @default those of the table */
  readonly given?: GivenSets;
  /** Adapters to begin with; `options.lora` is theirs. @default fresh ones */
  readonly adapters?: { readonly source: string; readonly values: PeftAdapters };
  /** The choices as a recipe, to be written beside the other files. @default none is written */
  readonly recipe?: string;
}

/**
 * Fine-tunes a network on a table's labels.
 *
 * @param options Choices; those of the run where it is to be gone on with.
 * @throws {InputError} If the data or weights cannot be used, or those of a run to go on with have changed.
 */
export async function finetune(
  device: Device,
  options: FinetuneOptions,
  events: FinetuneEvents = {},
  how: FinetuneRequest = {},
): Promise<FinetuneResult> {
  const { output, fit: { seed }, preset, sizes } = options;
  const saved = how.resume ? await readCheckpoint(output, "last") : undefined;
  if (!how.resume && !how.dryRun) await refuseOldRun(output);
  const warn = (message: string) => events.warn?.(message);
  const made = how.given ?? await setsOfTable(options, events);
  const model = how.given?.model ??
    (await planModels(options.weights, preset && [preset], sizes, { complexes: true }))[0];
  const { sets } = made;
  const { strategy, reason } = chosenStrategy(options, model.config, sets.train.length);
  const learned = "learned" in made ? withRanges(made.learned, sets.train) : learnedTasks(options);
  const plain = isPlain(learned);
  const config = fineTunedConfig(model.config, strategy, options, learned);
  const fingerprint = await fingerprintOf(sets);
  const others = saved && !sameBase(saved.facts.base, model) ? { insteadOf: saved.facts.base.weights } : {};
  const facts: Omit<FinetuneFacts, "progress"> = {
    options,
    base: { preset: model.preset, weights: model.weights, ...others },
    strategy: strategy.name,
    data: {
      fingerprint,
      sets: Object.fromEntries(SETS.map((name) => [name, sets[name].map(({ id }) => id)])),
      ...(!plain && { learned }),
      labels: labelsOf(sets.train),
    },
  };
  if (saved) checkSame(saved, facts, how.force);

  using scope = device.scope("finetune");
  void scope;
  const base = await loadFineTuned(device, model, strategy, config, seed, !!options.fit.amp);
  const cache = how.given ? undefined : representationCache(model, config, options, warn);
  if (how.adapters) writePeft(device, base, how.adapters.values, how.adapters.source);
  const setOf = (targets: readonly ReadableTarget[]) => {
    const set = targetSet(device, targets, model.config, options, seed);
    return strategy.name === "head_only" ? knownSet(device, base, config, set, targets, cache) : set;
  };
  const labelled = Object.fromEntries(SETS.map((name) => [name, setOf(sets[name])]));
  const { train, validation } = labelled;
  const parameters = alphafoldParameterCount(model.config) + parameterCountOf(base.heads);
  const standardizes = options.standardize ?? strategy.name === "head_only";
  // Of a run that is only tried, a batch stands for all.
  const measured = how.dryRun ? { ...train, size: Math.min(train.size, options.fit.batchSize) } : train;
  const standards = saved
    ? saved.facts.data.standards
    : standardizes
    ? await measureStandards(device, base, config, measured, events.measure)
    : undefined;
  const params = standards ? { ...base, heads: withStandards(device, base.heads, standards) } : base;
  using tuner = new FineTuner(device, { params, strategy, config, settings: options.fit, train, validation });
  const groups = [...tuner.groups];
  const plan = { ...{ model, strategy, sets, parameters }, ...split(made), ...(reason && { reason }) };
  events.plan?.(plan, groups, tuner.totalSteps);
  const start = await trainedNumbers(tuner.trained as Tree<Tensor>);
  if (saved) {
    restoreTrained(device, tuner.trained, saved);
    tuner.restore({ progress: saved.facts.progress, trainer: saved.trainer });
  }
  if (how.dryRun) {
    const dry = await dryRun(device, { params, strategy, config, options, sets, train, order: tuner.order(0) });
    return { end: "planned", history: [], best: null, metrics: {}, files: [], dry };
  }
  await makeWritableFolder(output);
  const runConfig: RunConfig = { ...facts, ...split(made), parameters: { total: parameters, groups } };
  const beginning = new Map<string, string>([[RUN_FILES.config, jsonText(runConfig)]]);
  if (how.recipe !== undefined) beginning.set(RUN_FILES.recipe, how.recipe);
  const begun = await writeTogether(output, beginning);
  using log = await EventLog.create(join(output, RUN_FILES.events), saved?.trainer.step ?? 0, warn);
  const checkpoints = new CheckpointWriter(output, {
    ...facts,
    data: { ...facts.data, ...(standards && { standards }) },
  }, warn);
  const namesOf = ({ samples }: FitStep) => samples.map((batch) => batch.map((i) => sets.train[i].id));
  events.begin?.(saved?.trainer.step ?? 0);
  let sinceSave = 0;
  const end = await tuner.run({
    async step(step) {
      await log.step(step);
      events.step?.(step, namesOf(step));
      if (step.skipped) await tellSkipped(device, step, namesOf(step), (set) => tuner.evaluate(set, true), train, warn);
      else if (options.saveEvery && ++sinceSave >= options.saveEvery) {
        await checkpoints.save("last", tuner);
        sinceSave = 0;
      }
    },
    async epoch(record, isBest, found) {
      sinceSave = 0;
      await checkpoints.save("last", tuner);
      if (isBest) await checkpoints.save("best", tuner);
      await writeTogether(output, historyFiles(tuner.progress.history)).catch((error) => warn(error.message));
      await log.epoch(
        record,
        plain ? found?.[TASK] : undefined,
        sets.validation.flatMap(({ rows }) => rows.map(({ label }) => label!)),
      );
      await events.epoch?.(record, isBest);
    },
    stop: () => events.stop?.() ?? false,
  }).catch((error) => {
    if (!(error instanceof RangeError)) throw error;
    throw new InputError(`${error.message}; the checkpoints in ${output} are those before`);
  });
  events.finish?.();
  const { history, best } = tuner.progress;
  if (end === "stopped") {
    await checkpoints.save("last", tuner);
    return { end, history, best, metrics: {}, files: [join(output, "last")] };
  }
  if (best && best.epoch !== tuner.progress.epochs) {
    const kept = await checkpoints.read("best");
    restoreTrained(device, tuner.trained, kept);
    tuner.restore({ progress: kept.facts.progress, trainer: kept.trainer });
  }
  const families = "families" in made ? made.families : new Map<string, string>();
  const rows = plain ? await predictRows(device, tuner, config, sets, labelled, { seed, families }) : [];
  const ofTasks = plain ? undefined : await taskOutcome(device, tuner, config, learned, sets, labelled, seed);
  const metrics = metricsOf(rows, seed);
  const moved = await tuner.withAverage((params) => movements(start, params));
  const outcome = outcomeFiles(rows, metrics, moved);
  if (ofTasks) { for (const name of [RUN_FILES.predictions, RUN_FILES.metrics]) outcome.delete(name); }
  const files = await writeTogether(
    output,
    new Map([...historyFiles(history), ...outcome, ...ofTasks?.files ?? []]),
  );
  const page = new Map([[RUN_FILES.report, await renderRuns([await readRun(output)])]]);
  const report = await writeTogether(output, page).catch((error) => {
    if (!(error instanceof InputError)) throw error;
    warn(`${error.message} \`denofold finetune compare ${output} --report FILE\` makes it elsewhere`);
    return [];
  });
  await checkpoints.finish();
  return {
    ...{ end, history, best, metrics, ...(ofTasks && { taskMetrics: ofTasks.metrics }) },
    files: [...begun, ...files, ...report],
  };
}

/** Proteins of a table, in sets, and all that is doubtful about them. */
async function setsOfTable(options: FinetuneOptions, { check, warn = () => {} }: FinetuneEvents) {
  const { data, features, structures, msas, label, bounds } = options;
  const told = new Set<string>();
  const plain = isPlain(learnedTasks(options));
  if (features === undefined && check) {
    const report = await checkData({ csv: data, structures, msas, label: plain && label, bounds, joinRows: true });
    for (const { id, message } of report.warnings) told.add(`${id}: ${message}`);
    check(report);
  }
  const once = (message: string) => {
    if (!told.has(message)) warn(message);
    told.add(message);
  };
  const { targets, learned } = await readLearnedTargets(options, once);
  for (const { id, warnings } of targets) for (const warning of warnings) once(`${id}: ${warning}`);
  const made = await makeSets(targets, options);
  for (const warning of made.report.warnings) once(warning);
  return { ...made, learned };
}

/** What is learned, with the ranges of training labels that are numbers. */
function withRanges({ labels, ...learned }: LearnedTasks, train: readonly ReadableTarget[]): LearnedTasks {
  return {
    ...learned,
    labels: labels.map((task) => {
      if (isClassification(task)) return task;
      const numbers = train.flatMap(({ rows }) => rows.flatMap(({ labels }) => labels?.[task.name] ?? []))
        .filter((x) => !Number.isNaN(x));
      if (!numbers.length) return task;
      const extreme = (pick: (a: number, b: number) => number) => numbers.reduce(pick);
      return { ...task, range: { min: extreme(Math.min), max: extreme(Math.max) } };
    }),
  };
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
function checkSame(
  saved: SavedFinetune,
  { base, data, strategy }: Omit<FinetuneFacts, "progress">,
  force = false,
): void {
  if (!force) checkBase(saved, base.preset, base.weights);
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
  const rows = SETS.map((name) =>
    sets[name].flatMap(({ id, sequence, rows }) => rows.map(({ label, labels }) => [id, sequence, labels ?? label]))
  );
  return sha256(JSON.stringify(rows));
}

function labelsOf(targets: readonly ReadableTarget[]): FinetuneFacts["data"]["labels"] {
  const labels = targets.flatMap(({ rows }) => rows.flatMap(({ label }) => label ?? []));
  if (!labels.length) return { n: targets.length, min: 0, max: 0, mean: 0 };
  return {
    n: labels.length,
    min: Math.min(...labels),
    max: Math.max(...labels),
    mean: labels.reduce((sum, label) => sum + label, 0) / labels.length,
  };
}
