/** What is learned: which columns of a table have labels of which kind, and their cells as numbers. */
import type { Tasks } from "../../finetune/mod.ts";
import { InputError } from "../errors.ts";
import type { FinetuneOptions } from "./options.ts";

/** Kinds of what is learned; all but that of structures have a column of labels. */
export const TASK_KINDS = [
  "regression",
  "classification",
  "residue-regression",
  "residue-classification",
  "structure",
] as const;

/** One of {@linkcode TASK_KINDS}. */
export type TaskKind = typeof TASK_KINDS[number];

/** A label that is learned. */
export interface LabelTask {
  /** Name of its head and in files. */
  readonly name: string;
  /** Column of the table. @default the usual names */
  readonly column?: string;
  /** Of proteins or residues, numbers or classes. */
  readonly kind: Exclude<TaskKind, "structure">;
  /** Names of the classes in their order, of classification. */
  readonly classes?: readonly string[];
  /** By what its loss counts. */
  readonly weight: number;
  /** Of the training labels that are numbers. */
  readonly range?: { readonly min: number; readonly max: number };
}

/** Name of the one label of a table that is not named otherwise. */
export const TASK = "affinity";

/** Labels of a protein by task: one number, or one a residue; NaN where it is not known. */
export type TargetLabels = Readonly<Record<string, readonly number[]>>;

/** What is learned of a table. */
export interface LearnedTasks {
  /** The labels, in the order of their columns. */
  readonly labels: readonly LabelTask[];
  /** By what AlphaFold's loss of structures counts; undefined where they are not learned. */
  readonly structureWeight?: number;
}

/** Whether residues have labels. */
export function ofResidues({ kind }: Pick<LabelTask, "kind">): boolean {
  return kind.startsWith("residue-");
}

/** Whether classes are told apart. */
export function isClassification({ kind }: Pick<LabelTask, "kind">): boolean {
  return kind.endsWith("classification");
}

/** Whether all that is learned is one number a protein, in the usual columns or a given one. */
export function isPlain({ labels, structureWeight }: LearnedTasks): boolean {
  return labels.length === 1 && labels[0].kind === "regression" && structureWeight === undefined;
}

/**
 * What choices ask for; classes are not known yet. Weights are those of the columns in their order, then that of structures.
 *
 * @throws {InputError} If columns, kinds and weights are not as many, or a column is named twice.
 */
export function learnedTasks(
  { tasks, label, taskWeights }: Pick<FinetuneOptions, "tasks" | "label" | "taskWeights">,
): LearnedTasks {
  const columns = label?.split(",").map((name) => name.trim()) ?? [];
  const kinds = tasks.filter((kind) => kind !== "structure"), structures = tasks.length - kinds.length;
  if (structures > 1) throw new InputError("--task names structure twice");
  if (columns.some((name) => !name)) throw new InputError(`--label has an empty name: ${JSON.stringify(label)}`);
  if (new Set(columns).size < columns.length) throw new InputError(`--label names a column twice: ${label}`);
  const each = kinds.length === 1 && columns.length > 1 ? columns.map(() => kinds[0]) : kinds;
  if (each.length !== Math.max(columns.length, kinds.length > 0 ? 1 : 0)) {
    throw new InputError(
      `--task has ${kinds.length} kinds of labels and --label ${columns.length} columns: give one kind for all, or one each`,
    );
  }
  const count = each.length + structures;
  if (taskWeights && taskWeights.length !== count) {
    throw new InputError(`--task-weights has ${taskWeights.length} numbers for ${count} tasks`);
  }
  const weights = taskWeights ?? new Array<number>(count).fill(1);
  const isOnly = each.length === 1 && each[0] === "regression";
  const names = columns.map((column) => column.replace(/[^A-Za-z0-9_]/g, "_").replace(/^(?=\d)/, "_"));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice) throw new InputError(`Two columns of --label would both be called ${twice}`);
  return {
    labels: each.map((kind, i) => ({
      name: isOnly ? TASK : names[i] ?? TASK,
      ...(columns[i] !== undefined && { column: columns[i] }),
      ...{ kind, weight: weights[i] },
    })),
    ...(structures && { structureWeight: weights[each.length] }),
  };
}

/** A row whose labels are in its cells. */
interface LabelledRow {
  readonly id: string;
  readonly place: string;
  readonly cells: ReadonlyMap<string, string>;
}

/**
 * The labels of rows, in their order, and the tasks with the classes that were found.
 *
 * @param lengthOf Residues of a row's protein.
 * @throws {InputError} If there is no such column, a cell is no label, or a row has none; the message names file and line.
 */
export function readLabels(
  tasks: readonly LabelTask[],
  rows: readonly LabelledRow[],
  lengthOf: (id: string) => number,
): { readonly tasks: LabelTask[]; readonly labels: readonly TargetLabels[] } {
  const found = rows.map((): Record<string, readonly number[]> => ({}));
  const named = tasks.map((task): LabelTask => {
    const column = columnOf(task, rows);
    const cells = rows.map((row) => ({ row, parts: partsOf(row, column, task, lengthOf(row.id)) }));
    const names = isClassification(task) ? classesOf(cells.flatMap(({ parts }) => parts)) : undefined;
    if (names && names.length < 2) {
      throw new InputError(
        `The column ${column} has ${names.length ? `one class, ${names[0]}` : "no class"}: expected two at least`,
      );
    }
    for (const [i, { row, parts }] of cells.entries()) {
      found[i][task.name] = parts.map((part) => {
        if (part === undefined) return NaN;
        return names ? names.indexOf(part) : numberOf(part, row, column);
      });
    }
    return { ...task, column, ...(names && { classes: names }) };
  });
  for (const [i, { id, place }] of rows.entries()) {
    const own = Object.values(found[i]);
    if (own.length && own.every((labels) => labels.every(Number.isNaN))) {
      throw new InputError(`${place}: ${id} has no label in ${named.map(({ column }) => column).join(", ")}`);
    }
  }
  return { tasks: named, labels: found };
}

/** The usual names of columns with labels. */
const USUAL = ["affinity", "label", "value", "y", "class"];

function columnOf({ column }: LabelTask, rows: readonly LabelledRow[]): string {
  const there = [...rows[0].cells.keys()];
  const found = [column?.toLowerCase() ?? USUAL].flat().find((name) => there.includes(name));
  if (found) return found;
  throw new InputError(
    `${rows[0].place}: there is no column ${column ?? USUAL.join(" or ")} with labels; there are ${there.join(", ")}`,
  );
}

/** What a cell has for each label; undefined where one is not known. */
function partsOf({ id, place, cells }: LabelledRow, column: string, task: LabelTask, length: number) {
  const cell = cells.get(column) ?? "";
  if (!ofResidues(task)) return [isUnknown(cell) ? undefined : cell];
  if (cell === "") return new Array<string | undefined>(length).fill(undefined);
  const isList = !isClassification(task) || /[\s;|]/.test(cell);
  const parts = isList ? cell.split(/\s*[;|]\s*|\s+/) : cell.split("");
  if (parts.length !== length) {
    throw new InputError(`${place}: column "${column}" has ${parts.length} labels for the ${length} residues of ${id}`);
  }
  return parts.map((part) => isUnknown(part) ? undefined : part);
}

function isUnknown(part: string): boolean {
  return part === "" || part === "?" || /^nan$/i.test(part);
}

/** Classes in the order of numbers where they are such, else of letters. */
function classesOf(parts: readonly (string | undefined)[]): string[] {
  const names = [...new Set(parts.filter((part) => part !== undefined))];
  return names.every((name) => Number.isFinite(Number(name)))
    ? names.sort((a, b) => Number(a) - Number(b))
    : names.sort((a, b) => (a < b ? -1 : 1));
}

function numberOf(part: string, { place }: LabelledRow, column: string): number {
  const number = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(part) ? Number(part) : NaN;
  if (Number.isFinite(number)) return number;
  throw new InputError(`${place}: column "${column}" has ${JSON.stringify(part)}, expected a number`);
}

/** The tasks of heads, whose loss of numbers is the same for all. */
export function headTasks(
  tasks: readonly LabelTask[],
  head: (task: LabelTask) => Tasks[string]["head"],
  loss: FinetuneOptions["loss"],
): Tasks {
  return Object.fromEntries(tasks.map((task) => [task.name, {
    head: head(task),
    loss: isClassification(task) ? "cross_entropy" as const : loss,
    weight: task.weight,
  }]));
}
