/** Predictions of labels of all kinds, and how good they are: for runs that learn more than one number a protein. */
import { type Device, Key } from "../../core/mod.ts";
import {
  accuracy,
  bootstrapIntervals,
  type FineTunedConfig,
  type FineTunedParams,
  type FineTuner,
  headInputsOf,
  isKnown,
  type LabelHeadInputs,
  type LabelledSet,
  labelRows,
  predictTasks,
  regressionMetrics,
} from "../../finetune/mod.ts";
import { formatCsv } from "../data/matrix.ts";
import { DRAWS, predictLabel } from "./label_prediction.ts";
import { isClassification, type LabelTask, type LearnedTasks, ofResidues } from "./label_tasks.ts";
import { RUN_FILES } from "./run_files.ts";
import { SETS, type Sets } from "./sets.ts";

/** What is predicted of a protein, or of one of its residues. */
export interface TaskPrediction {
  /** Number of the residue, from 1; absent where the protein has the label. */
  readonly residue?: number;
  /** The number, or the number of the class. */
  readonly value: number;
  /** Name of the class, and how probable the network takes it to be. */
  readonly class?: { readonly name: string; readonly probability: number };
  /** Standard deviation of predictions with the head's dropout, of a protein's number. */
  readonly uncertainty?: number;
}

/**
 * Predicts all labels of a protein.
 *
 * @param known What the heads read.
 * @param residues Residues that are no padding.
 * @param options.draws Predictions with dropout, for the uncertainty of numbers. @default 16
 */
export async function predictAll(
  params: FineTunedParams,
  known: LabelHeadInputs,
  config: FineTunedConfig,
  tasks: readonly LabelTask[],
  residues: number,
  { key, draws = DRAWS }: { readonly key: Key; readonly draws?: number },
): Promise<Map<string, TaskPrediction[]>> {
  using _ = known.s.device.scope("predictAll");
  const outputs = predictTasks(params.heads, known, config.tasks);
  const found = new Map<string, TaskPrediction[]>();
  for (const task of tasks) {
    const numbers = await outputs[task.name].read() as Float32Array;
    const width = task.classes?.length ?? 1;
    const count = ofResidues(task) ? residues : 1;
    const spread = count === 1 && !task.classes && !ofResidues(task)
      ? await predictLabel(params, known, config, { key, draws, task: task.name })
      : undefined;
    found.set(
      task.name,
      Array.from({ length: count }, (_, i): TaskPrediction => ({
        ...(ofResidues(task) && { residue: i + 1 }),
        ...valueOf(numbers.subarray(i * width, (i + 1) * width), task),
        ...(spread && spread.uncertainty !== null && { uncertainty: spread.uncertainty }),
      })),
    );
  }
  return found;
}

function valueOf(numbers: Float32Array, { classes }: LabelTask): Pick<TaskPrediction, "value" | "class"> {
  if (!classes) return { value: numbers[0] };
  const most = numbers.reduce((a, b) => Math.max(a, b));
  const weights = Array.from(numbers, (x) => Math.exp(x - most));
  const value = numbers.indexOf(most);
  const probability = weights[value] / weights.reduce((a, b) => a + b, 0);
  return { value, ...(value >= 0 && { class: { name: classes[value], probability } }) };
}

/** A prediction and what is known of it. */
interface TaskRow extends TaskPrediction {
  readonly id: string;
  readonly set: typeof SETS[number];
  /** NaN where it is not known. */
  readonly label: number;
  readonly length: number;
}

/** What a run came to, by task. */
export interface TaskOutcome {
  /** Metrics by task and set. */
  readonly metrics: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, number>>>>>>;
  /** Files by name: predictions of each task, and the metrics. */
  readonly files: ReadonlyMap<string, string>;
}

/** Predicts all proteins with the average's parameters. */
export async function taskOutcome(
  device: Device,
  tuner: FineTuner,
  config: FineTunedConfig,
  { labels: tasks, structureWeight }: LearnedTasks,
  sets: Sets,
  labelled: Readonly<Record<string, LabelledSet>>,
  seed: number,
): Promise<TaskOutcome> {
  const rows = new Map<string, TaskRow[]>(tasks.map(({ name }) => [name, []]));
  const structures: { id: string; set: string; lddt_ca: number; length: number }[] = [];
  const key = Key.fromSeed(seed);
  await tuner.withAverage(async (params) => {
    for (const set of SETS) {
      for (const [index, { id, sequence: { length } }] of sets[set].entries()) {
        using _ = device.scope("predictRow");
        if (!tasks.length) continue;
        const { input, labels } = await labelled[set].load(index);
        const known = isKnown(input) ? input : headInputsOf(params.model, input, config);
        for (const [name, found] of await predictAll(params, known, config, tasks, length, { key })) {
          for (const { [name]: given = [] } of labelRows({ labels })) {
            rows.get(name)!.push(
              ...found.map((prediction, i) => ({ ...prediction, id, set, length, label: given[i] ?? NaN })),
            );
          }
        }
      }
    }
  });
  for (const set of structureWeight === undefined ? [] : SETS) {
    if (!sets[set].length) continue;
    const { lddt } = await tuner.evaluate(labelled[set]);
    sets[set].forEach(({ id, sequence: { length } }, i) => structures.push({ id, set, lddt_ca: lddt![i], length }));
  }
  const metrics: Record<string, Record<string, Record<string, number>>> = {};
  const files = new Map<string, string>();
  for (const task of tasks) {
    const all = rows.get(task.name)!;
    const bySet = SETS.map((set) => [set, metricsOf(all.filter((row) => row.set === set), task, seed)] as const);
    metrics[task.name] = Object.fromEntries(bySet.flatMap(([set, found]) => found ? [[set, found]] : []));
    files.set(`predictions_${task.name}.csv`, csvOf(all, task));
  }
  if (structures.length) {
    metrics.structure = Object.fromEntries(SETS.flatMap((set) => {
      const own = structures.filter((row) => row.set === set).map(({ lddt_ca }) => lddt_ca);
      return own.length ? [[set, { n: own.length, lddt_ca: own.reduce((a, b) => a + b, 0) / own.length }]] : [];
    }));
    files.set("predictions_structure.csv", formatCsv(["id", "set", "lddt_ca", "length"], structures));
  }
  files.set(RUN_FILES.taskMetrics, `${JSON.stringify(metrics, undefined, 2)}\n`);
  return { metrics, files };
}

/** Of intervals; those of residues, of which there are many, are of proteins. */
const RESAMPLES = 500;

/** Of numbers, with the interval of 95 % of their correlation; of classes. */
function metricsOf(rows: readonly TaskRow[], task: LabelTask, seed: number): Record<string, number> | undefined {
  const known = rows.filter(({ label, value }) => Number.isFinite(label) && Number.isFinite(value));
  if (!known.length) return undefined;
  const labels = known.map(({ label }) => label), values = known.map(({ value }) => value);
  if (!isClassification(task)) {
    const groups = ofResidues(task) ? known.map(({ id }) => id) : undefined;
    const { pearson: [low, high] } = bootstrapIntervals(values, labels, { seed, groups, resamples: RESAMPLES });
    return { ...regressionMetrics(values, labels), pearson_low: low, pearson_high: high };
  }
  const counts = task.classes!.map((_, i) => labels.filter((label) => label === i).length);
  return { n: known.length, accuracy: accuracy(values, labels), majority: Math.max(...counts) / known.length };
}

function csvOf(rows: readonly TaskRow[], task: LabelTask): string {
  const nameOf = (value: number) => Number.isNaN(value) ? "" : task.classes?.[value] ?? value;
  const columns = [
    ...["id", "set", ...(ofResidues(task) ? ["residue"] : []), "label", "prediction"],
    ...[isClassification(task) ? "probability" : ofResidues(task) ? [] : "uncertainty", "length"].flat(),
  ];
  const cells = rows.map(({ id, set, residue, label, value, class: found, uncertainty, length }) => ({
    ...{ id, set, residue, label: nameOf(label), prediction: nameOf(value), probability: found?.probability },
    ...{ uncertainty, length },
  }));
  return formatCsv(columns, cells as Record<string, string | number | undefined>[]);
}
