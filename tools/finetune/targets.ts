/** The proteins of a run: rows of a table with their features. */
import { InputError } from "../errors.ts";
import { NameIndex } from "../name_index.ts";
import { predictTargets } from "../predict/collect.ts";
import type { PredictTarget } from "../predict/run.ts";
import { collectTargets } from "../prep/collect_targets.ts";
import { readFeatureFile } from "../prep/feature_file.ts";
import type { CollectedTarget } from "../prep/list_targets.ts";
import { type PreparedTarget, prepareTarget } from "../prep/prepare_target.ts";
import { SourceReader } from "../prep/sources.ts";
import { counted } from "../words.ts";
import { isPlain, type LearnedTasks, learnedTasks, readLabels, type TargetLabels } from "./label_tasks.ts";
import type { FinetuneOptions } from "./options.ts";

/** A row of a table: labels of a protein. */
export interface TargetRow {
  /** File and line. @default it is no table's */
  readonly place?: string;
  /** Its label, where that is one number; undefined where it has none, or others. */
  readonly label?: number;
  /** Its labels by task. @default `label` alone */
  readonly labels?: TargetLabels;
}

/** A protein whose features can be read. */
export interface ReadableTarget {
  /** Name. */
  readonly id: string;
  /** The rows of the table that are of it: one at least. */
  readonly rows: readonly TargetRow[];
  /** One letter a residue. */
  readonly sequence: string;
  /** What was doubtful, a sentence each. */
  readonly warnings: readonly string[];
  /** Reads its features, from the file where there is one. */
  load(): Promise<PreparedTarget>;
}

/** Most names in a message. */
const MOST_NAMES = 5;

/**
 * The proteins of the table's rows that have an exact label, or one that `--bounds` takes, with their features. Rows of one
 * name are of one protein.
 *
 * @param skipped Is told of rows that are left out, and why.
 * @throws {InputError} If the table or a file cannot be read, a row has neither features nor what they are made of, or
 * nothing is left; the message names rows.
 */
export async function readTrainingTargets(
  options: TrainingTargetOptions,
  skipped: (message: string) => void = () => {},
): Promise<ReadableTarget[]> {
  return (await readLearnedTargets(options, skipped)).targets;
}

/** Where proteins and labels of a run come from. */
export type TrainingTargetOptions = Pick<
  FinetuneOptions,
  "data" | "features" | "structures" | "msas" | "label" | "bounds" | "structureInput" | "tasks" | "taskWeights"
>;

/** {@linkcode readTrainingTargets}, with what is learned of them. */
export async function readLearnedTargets(
  options: TrainingTargetOptions,
  skipped: (message: string) => void = () => {},
): Promise<{ readonly targets: ReadableTarget[]; readonly learned: LearnedTasks }> {
  const { data, features, structures, msas, bounds } = options;
  const learned = learnedTasks(options), plain = isPlain(learned);
  const inputs = features === undefined ? [data, ...structures, ...msas] : [data];
  const { targets } = await collectTargets(inputs, {
    ...{ label: plain && options.label, needLabel: plain, joinRows: true },
    complexes: features !== undefined,
  });
  refuse(targets.filter(({ problem }) => problem !== undefined), ({ id, problem }) => `${id}: ${problem}`);
  refuse(
    targets.filter(({ cells, problem }) => cells === undefined && problem === undefined),
    ({ id, place }) =>
      `${place ?? id}: the row has several chains: make features of the complexes (denofold prep), and give --features`,
  );
  const isTaken = ({ id, place, relation, label }: CollectedTarget) => {
    if (!plain || relation === undefined || bounds === "keep") return true;
    if (bounds === "censored") {
      throw new InputError(`${place}: the losses of fine-tuning know no bounds: give --bounds drop or keep`);
    }
    skipped(`${place}: the label of ${id} is ${relation} ${label}, left out (--bounds keep takes it)`);
    return false;
  };
  const taken = targets.map((target) => ({ target, rows: [target, ...target.others ?? []].filter(isTaken) }))
    .filter(({ rows }) => rows.length > 0);
  if (!taken.length) throw new InputError(`${data} has no row with an exact label`);
  const read = features === undefined
    ? preparing(options.structureInput === "template", structures.join(", "))
    : await readingFeatures(features);
  const found: ReadableTarget[] = [], problems: string[] = [];
  for (const { target: { id, place = id, ...files }, rows } of taken) {
    try {
      const target = await readable(id, read({ ...files, id, place }));
      if (learned.structureWeight !== undefined && !(await target.load()).supervised) {
        throw new InputError(`${place}: ${id} has no structure to learn`);
      }
      found.push({ ...target, rows: rows.map(({ place = id, label }) => ({ place, label })) });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      problems.push(error.message);
    }
  }
  refuse(problems, (problem) => problem);
  if (plain) return { targets: found, learned };
  const lengths = new Map(found.map(({ id, sequence }) => [id, sequence.length]));
  const labelled = taken.flatMap(({ target: { id }, rows }) =>
    rows.map(({ place = id, cells = new Map<string, string>() }) => ({ id, place, cells }))
  );
  const { tasks, labels } = readLabels(learned.labels, labelled, (id) => lengths.get(id)!);
  const ofRow = labels[Symbol.iterator]();
  return {
    targets: found.map((target) => ({
      ...target,
      rows: target.rows.map((row) => ({ ...row, labels: ofRow.next().value })),
    })),
    learned: { ...learned, labels: tasks },
  };

  function refuse<T>(bad: readonly T[], tell: (one: T) => string): void {
    if (!bad.length) return;
    const more = bad.length > MOST_NAMES ? `; and ${bad.length - MOST_NAMES} more` : "";
    const words = bad.slice(0, MOST_NAMES).map(tell).join("; ");
    throw new InputError(
      `${counted(bad.length, "row")} of ${data} cannot be used (\`denofold check-data\` lists all): ${words}${more}`,
    );
  }
}

/** How a target's features are read, and whether again each time. */
type Reading = { readonly read: () => Promise<PreparedTarget>; readonly again: boolean };

async function readable(id: string, { read, again }: Reading): Promise<Omit<ReadableTarget, "rows">> {
  const prepared = await read();
  const { sequence, warnings } = prepared;
  return { id, sequence, warnings, load: again ? read : () => Promise.resolve(prepared) };
}

/**
 * Features made of files; kept, as making them takes time.
 *
 * @param structures Where each target must have its structure. @default it need not have one
 */
function preparing(ownTemplate: boolean, structures = ""): (target: CollectedTarget) => Reading {
  const reader = new SourceReader();
  return (target) => ({
    again: false,
    async read() {
      const { structure, id, place = id } = target;
      if (target.problem !== undefined) throw new InputError(`${id}: ${target.problem}`);
      if (structures && structure === undefined) {
        throw new InputError(`${place}: ${structures} has no structure of ${id}`);
      }
      if (ownTemplate && structure === undefined) {
        throw new InputError(`${id} has no structure, which is to be its template`);
      }
      const ownTemplates = ownTemplate ? [structure!] : [];
      return await prepareTarget(target, { bounds: "keep", ownTemplates }, reader);
    },
  });
}

/** Feature files by the names of rows. */
async function readingFeatures(folder: string): Promise<(target: CollectedTarget) => Reading> {
  const { targets } = await predictTargets([folder]);
  const files = new Map(targets.map(({ id, featureFile }) => [id, featureFile]));
  if (!targets.some(({ featureFile }) => featureFile !== undefined)) {
    throw new InputError(`${folder} has no feature files: \`denofold prep\` makes them`);
  }
  const names = new NameIndex(files.keys());
  return ({ id, place }: CollectedTarget): Reading => ({
    again: true,
    async read() {
      const path = files.get(names.find(id) ?? "");
      if (path === undefined) throw new InputError(`${place}: ${folder} has no features of ${id}`);
      return await readFeatureFile(path);
    },
  });
}

/**
 * Targets to predict: feature files, and what is found among other files.
 *
 * @throws {InputError} If a file cannot be read.
 */
export async function readInputs(
  inputs: readonly string[],
  structureInput: FinetuneOptions["structureInput"],
): Promise<ReadableTarget[]> {
  const { targets } = await predictTargets(inputs);
  const prepare = preparing(structureInput === "template");
  const readingOf = (target: PredictTarget): Reading => {
    const { featureFile } = target;
    return featureFile === undefined
      ? prepare(target as CollectedTarget)
      : { again: true, read: () => readFeatureFile(featureFile) };
  };
  const found: ReadableTarget[] = [];
  for (const target of targets) {
    found.push({ ...await readable(target.id, readingOf(target)), rows: [{}] });
  }
  return found;
}
