/** The HTML report of fine-tuning: one run, or several beside each other. */
import { basename, resolve } from "node:path";
import { type RegressionMetrics, regressionMetrics } from "../../finetune/mod.ts";
import { htmlPage } from "../report/html_page.ts";
import { builtAssets, type PageAssets } from "../report/page_assets.ts";
import { duration } from "../train/run_facts.ts";
import { counted } from "../words.ts";
import { choiceDifferences } from "./choices.ts";
import type { LearnedTasks } from "./label_tasks.ts";
import type { RowPrediction, SetMetrics } from "./outcome.ts";
import type { FinetuneReportData, GroupData, MetricName, MetricValues, RunData, SetData } from "./report_data.ts";
import type { FinetuneRun } from "./run_files.ts";
import { SETS } from "./sets.ts";

/** Set by the bundler of a single-file program; not there when run from source. */
declare const DENOFOLD_FINETUNE_PAGE_ASSETS: PageAssets | undefined;

/** Modules of the table of those that moved most. */
const MOST_MOVED = 15;

/** Makes one HTML page with data and plots that asks for nothing from the network. */
export async function renderRuns(runs: readonly FinetuneRun[]): Promise<string> {
  const assets = typeof DENOFOLD_FINETUNE_PAGE_ASSETS === "undefined"
    ? await builtAssets("finetune")
    : DENOFOLD_FINETUNE_PAGE_ASSETS;
  const data = reportData(runs);
  return await htmlPage(assets, {
    id: "finetuning",
    title: data.title,
    description: data.summary,
    withoutScript: "This report draws its tables and plots with JavaScript, which is switched off in this browser.",
    data: JSON.stringify(data),
  });
}

/** What the page shows. */
export function reportData(runs: readonly FinetuneRun[], created = new Date()): FinetuneReportData {
  const all = runs.map(runData);
  const [first] = runs;
  const one = all.length === 1;
  const { n } = first.config.data.labels;
  return {
    title: one ? `Fine-tuning, ${all[0].name}` : `${all.length} runs of fine-tuning`,
    summary: one
      ? `AlphaFold 2 (${first.config.base.preset}) fine-tuned by ${all[0].strategy} on ${counted(n, "label")}.`
      : "Runs of fine-tuning beside each other: how well they predict, how they learned, and what was chosen differently.",
    created: created.toISOString(),
    runs: all,
    differences: one ? [] : choiceDifferences(runs),
    notices: comparable(runs)
      ? []
      : ["These runs do not have the same sets of the same data: numbers are of different rows."],
  };
}

/** Whether runs have the same rows in the same sets. */
export function comparable(runs: readonly FinetuneRun[]): boolean {
  return new Set(runs.map(({ config: { data: { fingerprint } } }) => fingerprint)).size <= 1;
}

/** The epoch with the smallest validation loss, the first of equal ones. */
export function bestEpoch({ history }: Pick<FinetuneRun, "history">): number | null {
  const known = history.filter(({ val_loss }) => val_loss !== null);
  return known.length ? known.reduce((a, b) => (b.val_loss! < a.val_loss! ? b : a)).epoch : null;
}

/** Numbers that a run trains. */
export function trainedCount({ config: { parameters } }: FinetuneRun): number {
  return parameters.groups.reduce((sum, { parameters }) => sum + parameters, 0);
}

function runData(run: FinetuneRun): RunData {
  const { folder, config, history, rows, metrics, moved } = run;
  const { options, base, strategy, data, parameters } = config;
  const trained = trainedCount(run), seconds = history.reduce((sum, { seconds }) => sum + seconds, 0);
  const groups = Object.keys(history[0]?.lr ?? {});
  const count = (n: number) => n.toLocaleString("en-US");
  const { labels, learned } = data;
  const sets = SETS.filter((name) => data.sets[name]?.length).map((name) => `${data.sets[name].length} ${name}`);
  const skipped = history.at(-1)?.skipped ?? 0;
  return {
    name: basename(resolve(folder)),
    strategy,
    unit: options.unit,
    history: {
      epoch: history.map(({ epoch }) => epoch),
      train: history.map(({ train_loss }) => train_loss),
      validation: history.map(({ val_loss }) => val_loss),
      rates: groups.map((name) => ({ name, values: history.map(({ lr }) => lr[name]) })),
    },
    ...{ best: bestEpoch(run), seconds, trained },
    sets: SETS.flatMap((set) => metrics[set] ? [setData(set, metrics[set])] : []),
    tasks: Object.entries(run.taskMetrics).flatMap(([task, sets]) =>
      Object.entries(sets).map(([set, metrics]) => ({
        ...{ task, set },
        metrics: Object.entries(metrics).map(([name, value]) => ({ name, value: finite(value) })),
      }))
    ),
    rows: rows.map(({ id, set, label, prediction, uncertainty, length }) => {
      return { id, set, label, prediction, uncertainty, length };
    }),
    breakdown: breakdownOf(rows),
    moved: moved.slice(0, MOST_MOVED).map((row) => ({ ...row })),
    movedCount: moved.length,
    facts: [
      { label: "Data", value: `${options.data || "random proteins"}: ${sets.join(", ")}, split by ${options.split}` },
      { label: "Labels", value: learned ? tasksText(learned) : labelsText(labels) },
      { label: "Weights", value: `${base.preset}, ${base.weights}` },
      { label: "Parameters", value: `${count(trained)} trained of ${count(parameters.total)} with heads` },
      ...parameters.groups.slice(0, 6).map(({ name, parameters, learningRate }) => {
        return { label: `Group ${name}`, value: `${count(parameters)} at ${learningRate.toPrecision(3)}` };
      }),
      ...(parameters.groups.length > 6
        ? [{ label: "", value: `and ${parameters.groups.length - 6} groups more` }]
        : []),
      { label: "Loss", value: options.loss },
      { label: "Steps", value: `${history.at(-1)?.steps ?? 0}${skipped ? `, ${skipped} of them skipped` : ""}` },
      { label: "Time", value: duration(seconds) },
      { label: "Data's SHA-256", value: data.fingerprint },
    ],
    notices: [
      ...(/^RANDOM/.test(base.weights)
        ? ["The network began with random weights: what it predicts says nothing about the published one."]
        : []),
      ...(base.insteadOf
        ? [`The run went on with other weights than those it was begun with: ${base.insteadOf}.`]
        : []),
      ...(learned
        ? ["Predictions are in predictions_*.csv, a file a task, and their metrics in task_metrics.json."]
        : []),
      ...(learned || metrics.train || metrics.validation
        ? []
        : ["This run has not ended: there are no predictions as yet."]),
    ],
  };
}

function labelsText({ min, max, mean }: FinetuneRun["config"]["data"]["labels"]): string {
  return `${min} to ${max}, mean ${mean.toPrecision(4)} (training)`;
}

function tasksText({ labels, structureWeight }: LearnedTasks): string {
  const tasks = labels.map(({ name, kind, classes }) => `${name} (${kind}${classes ? ` of ${classes.length}` : ""})`);
  return [...tasks, ...(structureWeight === undefined ? [] : ["structures"])].join(", ");
}

const METRIC_NAMES: readonly MetricName[] = ["pearson", "spearman", "rmse", "mae", "r2"];

function setData(set: SetData["set"], metrics: SetMetrics): SetData {
  const { intervals, baselines } = metrics;
  return {
    set,
    values: valuesOf(metrics),
    intervals: Object.fromEntries(
      METRIC_NAMES.map((name) => [name, intervals[name].map(finite)]),
    ) as SetData["intervals"],
    baselines: [
      { name: "mean of the training labels", values: valuesOf(baselines.mean) },
      { name: "straight line by length", values: valuesOf(baselines.length) },
    ],
  };
}

function valuesOf(metrics: RegressionMetrics): MetricValues {
  const values = Object.fromEntries(METRIC_NAMES.map((name) => [name, finite(metrics[name])]));
  return { n: metrics.n, ...values } as MetricValues;
}

/** A number; null where it is none, as JSON has it. */
function finite(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null;
}

/** Rows that were not trained on, or all where there are no others, by length and by family. */
function breakdownOf(rows: readonly RowPrediction[]): RunData["breakdown"] {
  const finiteRows = rows.filter(({ prediction }) => Number.isFinite(prediction));
  const unseen = finiteRows.filter(({ set }) => set !== "train");
  const shown = unseen.length ? unseen : finiteRows;
  if (!shown.length) return [];
  const byLength = thirds(shown).map((group) => {
    const lengths = group.map(({ length }) => length);
    const [least, most] = [Math.min(...lengths), Math.max(...lengths)];
    return groupData(least === most ? `${least} residues` : `${least} to ${most} residues`, group);
  });
  const families = Map.groupBy(shown.filter(({ family }) => family), ({ family }) => family!);
  const byFamily = [...families].map(([name, group]) => groupData(name, group)).sort((a, b) => b.n - a.n);
  return [{ by: "Length", groups: byLength }, ...(byFamily.length ? [{ by: "Family", groups: byFamily }] : [])];
}

/** Rows in three groups by length; equal lengths stay together. */
function thirds(rows: readonly RowPrediction[]): RowPrediction[][] {
  const sorted = rows.toSorted((a, b) => a.length - b.length);
  const groupOf = (row: RowPrediction) =>
    Math.floor(3 * sorted.findIndex(({ length }) => length === row.length) / sorted.length);
  return [...Map.groupBy(sorted, groupOf).values()];
}

function groupData(name: string, rows: readonly RowPrediction[]): GroupData {
  const labels = rows.map(({ label }) => label), predictions = rows.map(({ prediction }) => prediction);
  const bias = rows.reduce((sum, { label, prediction }) => sum + prediction - label, 0) / rows.length;
  return { name, bias, ...valuesOf(regressionMetrics(predictions, labels)) };
}
