/** Runs of fine-tuning beside each other, in numbers. */
import { basename, resolve } from "node:path";
import type { FinetunePlan } from "./finetune.ts";
import type { SetMetrics } from "./outcome.ts";
import { bestEpoch, comparable, trainedCount } from "./report.ts";
import type { FinetuneRun } from "./run_files.ts";
import { SETS } from "./sets.ts";

/** A run in a comparison. */
export interface ComparedRun {
  /** Its folder. */
  readonly run: string;
  readonly strategy: FinetunePlan["strategy"]["name"];
  /** Numbers that are trained. */
  readonly trained: number;
  /** Epochs that are done. */
  readonly epochs: number;
  /** The one with the smallest validation loss; null where nothing was validated. */
  readonly best: number | null;
  /** That loss. */
  readonly validationLoss: number | null;
  /** Seconds of all epochs. */
  readonly seconds: number;
  /** Metrics by set; empty while the run goes on. */
  readonly metrics: Readonly<Record<string, SetMetrics>>;
  /** By task and set, of runs that learn others than one number a protein. */
  readonly taskMetrics: FinetuneRun["taskMetrics"];
}

/** Runs in the order given, and whether they are of the same sets of the same data. */
export interface Comparison {
  readonly comparable: boolean;
  readonly runs: readonly ComparedRun[];
}

/** Compares runs. */
export function compareRuns(runs: readonly FinetuneRun[]): Comparison {
  return {
    comparable: comparable(runs),
    runs: runs.map((run) => {
      const { folder, history, metrics, taskMetrics, config: { strategy } } = run;
      const best = bestEpoch(run);
      return {
        ...{ run: folder, strategy, trained: trainedCount(run), epochs: history.length, best },
        ...{ metrics, taskMetrics },
        validationLoss: history.find(({ epoch }) => epoch === best)?.val_loss ?? null,
        seconds: history.reduce((sum, { seconds }) => sum + seconds, 0),
      };
    }),
  };
}

const METRICS = ["pearson", "spearman", "rmse", "mae", "r2"] as const;

/** A comparison as a table for terminals, the metrics of each set below each other. */
export function comparisonText({ runs, comparable }: Comparison): string {
  const shown = (value: number | null | undefined) =>
    value === null || value === undefined || !Number.isFinite(value) ? "–" : value.toPrecision(3);
  const facts = tableText(
    ["run", "strategy", "trained", "epochs", "best", "val loss", "seconds"],
    runs.map(({ run, strategy, trained, epochs, best, validationLoss, seconds }) => [
      ...[basename(resolve(run)), strategy, trained.toLocaleString("en-US"), `${epochs}`, `${best ?? "–"}`],
      ...[shown(validationLoss), seconds.toFixed(0)],
    ]),
    2,
  );
  const sets = SETS.filter((set) => runs.some(({ metrics }) => metrics[set])).map((set) => {
    const rows = runs.map(({ run, metrics: { [set]: found } }) => [
      ...[basename(resolve(run)), `${found?.n ?? "–"}`],
      ...METRICS.map((name) => {
        const [low, high] = found?.intervals[name] ?? [NaN, NaN];
        const hasInterval = found && Number.isFinite(low ?? NaN) && Number.isFinite(high ?? NaN);
        return `${shown(found?.[name])}${hasInterval ? ` (${shown(low)} to ${shown(high)})` : ""}`;
      }),
    ]);
    return `${set}\n${tableText(["run", "n", ...METRICS], rows, 1)}`;
  });
  const tasks = runs.flatMap(({ run, taskMetrics }) =>
    Object.entries(taskMetrics).flatMap(([task, sets]) =>
      Object.entries(sets).map(([set, metrics]) => {
        const found = Object.entries(metrics).map(([name, value]) => `${name} ${shown(value)}`).join(", ");
        return [basename(resolve(run)), task, set, found];
      })
    )
  );
  const ofTasks = tasks.length ? [tableText(["run", "task", "set", "metrics"], tasks, 4)] : [];
  const note = comparable
    ? []
    : ["These runs do not have the same sets of the same data: numbers are of different rows."];
  return [facts, ...sets, ...ofTasks, ...note].join("\n\n");
}

/** Columns that are as wide as they need; those from `numbers` on are to the right. */
function tableText(head: readonly string[], rows: readonly (readonly string[])[], numbers: number): string {
  const widths = head.map((name, k) => Math.max(name.length, ...rows.map((row) => row[k].length)));
  return [head, ...rows].map((row) =>
    row.map((cell, k) => k < numbers ? cell.padEnd(widths[k]) : cell.padStart(widths[k])).join("  ").trimEnd()
  ).join("\n");
}
