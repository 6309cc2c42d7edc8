/** Files of a run, and a run read back from them. */
import { parse } from "csv-parse/sync";
import { join } from "node:path";
import type { EpochRecord, GroupReport } from "../../finetune/mod.ts";
import { formatCsv } from "../data/matrix.ts";
import { InputError } from "../errors.ts";
import { decodeText, readFileBytes } from "../files.ts";
import type { SplitReport } from "../split/split.ts";
import type { FinetuneFacts } from "./checkpoint.ts";
import type { Movement } from "./movement.ts";
import type { RowPrediction, SetMetrics } from "./outcome.ts";
import type { TaskOutcome } from "./task_outcome.ts";

/** Names of the files. */
export const RUN_FILES = {
  config: "config.json",
  recipe: "recipe.yaml",
  historyLines: "history.jsonl",
  history: "history.csv",
  predictions: "predictions.csv",
  metrics: "metrics.json",
  taskMetrics: "task_metrics.json",
  parameters: "parameters.csv",
  report: "report.html",
  events: "events",
} as const;

/** What `config.json` says: known before the first step. */
export type RunConfig = Omit<FinetuneFacts, "progress"> & {
  /** How the sets were made. */
  readonly split?: SplitReport;
  /** Numbers of the network and its heads, and of each group that is trained. */
  readonly parameters: { readonly total: number; readonly groups: readonly GroupReport[] };
};

/** An epoch as the history's files have it. */
export interface HistoryLine {
  readonly epoch: number;
  readonly train_loss: number | null;
  readonly val_loss: number | null;
  readonly lr: Readonly<Record<string, number>>;
  readonly steps: number;
  readonly skipped: number;
  readonly seconds: number;
}

/** A run read back; what is made at its end is empty where it has not ended. */
export interface FinetuneRun {
  /** Its folder. */
  readonly folder: string;
  readonly config: RunConfig;
  readonly history: readonly HistoryLine[];
  readonly rows: readonly RowPrediction[];
  readonly metrics: Readonly<Record<string, SetMetrics>>;
  /** By task and set, of runs that learn others than one number a protein. */
  readonly taskMetrics: TaskOutcome["metrics"];
  readonly moved: readonly Movement[];
}

/** The history as lines of JSON and as a table. */
export function historyFiles(history: readonly EpochRecord[]): Map<string, string> {
  const records = history.map((record): HistoryLine => ({
    epoch: record.epoch,
    train_loss: record.trainLoss,
    val_loss: record.validationLoss,
    lr: record.learningRates,
    steps: record.steps,
    skipped: record.skippedSteps,
    seconds: record.seconds,
  }));
  const groups = Object.keys(history[0]?.learningRates ?? {});
  const rates = groups.map((name) => `lr_${name}`);
  const rows = records.map(({ lr, train_loss, val_loss, ...others }) => ({
    ...others,
    train_loss: train_loss ?? undefined,
    val_loss: val_loss ?? undefined,
    ...Object.fromEntries(groups.map((name) => [`lr_${name}`, lr[name]])),
  }));
  return new Map([
    [RUN_FILES.historyLines, records.map((record) => `${JSON.stringify(record)}\n`).join("")],
    [
      RUN_FILES.history,
      formatCsv(
        ["epoch", "train_loss", "val_loss", ...rates, "steps", "skipped", "seconds"],
        rows as Record<string, number | undefined>[],
      ),
    ],
  ]);
}

/** What is made at the end. */
export function outcomeFiles(
  rows: readonly RowPrediction[],
  metrics: Readonly<Record<string, SetMetrics>>,
  moved: readonly Movement[],
): Map<string, string> {
  const columns = ["id", "set", "label", "prediction", "uncertainty", "length", "family"] as const;
  const cells = rows.map((row) => ({ ...row, uncertainty: row.uncertainty ?? undefined, family: row.family ?? "" }));
  return new Map([
    [RUN_FILES.predictions, formatCsv(columns, cells)],
    [RUN_FILES.metrics, jsonText(metrics)],
    [RUN_FILES.parameters, formatCsv(["name", "parameters", "relative"], moved)],
  ]);
}

/** JSON as files have it. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

/**
 * Reads the files of a run.
 *
 * @throws {InputError} If there is no run in the folder, or a file is damaged.
 */
export async function readRun(folder: string): Promise<FinetuneRun> {
  const textOf = async (name: string): Promise<string | undefined> => {
    const path = join(folder, name);
    if (!await Deno.stat(path).then(({ isFile }) => isFile, () => false)) return undefined;
    return decodeText(await readFileBytes(path), path);
  };
  const read = async <T>(name: string, parser: (text: string) => T, otherwise: T): Promise<T> => {
    const text = await textOf(name);
    if (text === undefined) return otherwise;
    try {
      return parser(text);
    } catch (error) {
      throw new InputError(`Cannot read ${join(folder, name)}: ${error instanceof Error ? error.message : error}`);
    }
  };
  const config = await read<RunConfig | undefined>(RUN_FILES.config, JSON.parse, undefined);
  if (!config?.options || !config.data) {
    throw new InputError(`${folder} is no folder of \`denofold finetune\`: expected a ${RUN_FILES.config} of it`);
  }
  const lines = (text: string) => text.split("\n").filter(Boolean).map((line): HistoryLine => JSON.parse(line));
  return {
    ...{ folder, config },
    history: await read(RUN_FILES.historyLines, lines, []),
    rows: await read(RUN_FILES.predictions, (text) => tableOf(text).map(rowOf), []),
    metrics: await read<FinetuneRun["metrics"]>(RUN_FILES.metrics, JSON.parse, {}),
    taskMetrics: await read<FinetuneRun["taskMetrics"]>(RUN_FILES.taskMetrics, JSON.parse, {}),
    moved: await read(RUN_FILES.parameters, (text) => tableOf(text).map(movementOf), []),
  };
}

function tableOf(text: string): Record<string, string>[] {
  return parse(text, { columns: true });
}

function rowOf({ id, set, label, prediction, uncertainty, length, family }: Record<string, string>): RowPrediction {
  return {
    ...{ id, set: set as RowPrediction["set"], label: Number(label), prediction: Number(prediction) },
    ...{ uncertainty: uncertainty ? Number(uncertainty) : null, length: Number(length) },
    ...(family && { family }),
  };
}

function movementOf({ name, parameters, relative }: Record<string, string>): Movement {
  return { name, parameters: Number(parameters), relative: Number(relative) };
}
