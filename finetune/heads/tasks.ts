/** Several labels at once: a head for each, and one loss of all. */
import type { Device, Key, Tensor } from "../../core/mod.ts";
import { add, multiplyScalar } from "../../ops/mod.ts";
import {
  initLabelHead,
  labelHead,
  type LabelHeadConfig,
  type LabelHeadInputs,
  type LabelHeadParams,
} from "./label_head.ts";
import { classificationLoss, REGRESSION_LOSSES, type RegressionLoss, regressionLoss } from "./label_loss.ts";

/** A label to learn. */
export interface Task {
  /** The head that predicts it. */
  readonly head: LabelHeadConfig;
  /** Loss of its predictions; cross entropy where it has classes. @default "mse" */
  readonly loss?: RegressionLoss | "cross_entropy";
  /** By what its loss counts in the sum. @default 1 */
  readonly weight?: number;
}

/** Tasks by name; the names are those of the labels. */
export type Tasks = Readonly<Record<string, Task>>;

/** Parameters of all heads, by the names of their tasks. */
export type TaskHeads = { readonly [task: string]: LabelHeadParams };

/** Labels by task: one number a prediction, NaN where it is not known; a task that is missing has none. */
export type TaskLabels = Readonly<Record<string, ArrayLike<number>>>;

/**
 * Checks tasks.
 *
 * @throws {RangeError} If there is none, a name is no single part of a path, a weight is not above 0, or a loss does not
 * fit the head.
 */
export function checkTasks(tasks: Tasks): void {
  const names = Object.keys(tasks);
  if (!names.length) throw new RangeError("There is no head: give one task at least");
  for (const name of names) {
    const { head, loss, weight = 1 } = tasks[name];
    if (!/^[A-Za-z_]\w*$/.test(name)) {
      throw new RangeError(`A task's name is of letters, digits and _, got ${JSON.stringify(name)}`);
    }
    if (!(weight > 0 && weight < Infinity)) throw new RangeError(`The weight of ${name} is above 0, got ${weight}`);
    const choices: readonly string[] = head.classes === undefined ? REGRESSION_LOSSES : ["cross_entropy"];
    if (loss !== undefined && !choices.includes(loss)) {
      throw new RangeError(`The loss of ${name} is one of ${choices.join(", ")}, got ${loss}`);
    }
  }
}

/**
 * Fresh heads of all tasks.
 *
 * @param key Source of the random numbers; used up.
 * @returns Owned by the current scope.
 * @throws {RangeError} If {@linkcode checkTasks} finds fault with them.
 */
export function initTaskHeads(device: Device, tasks: Tasks, key: Key): TaskHeads {
  checkTasks(tasks);
  const names = Object.keys(tasks);
  const keys = key.split(names.length);
  return Object.fromEntries(names.map((name, i) => [name, initLabelHead(device, tasks[name].head, keys[i])]));
}

/**
 * Predictions of all tasks, by their names, as `labelHead` gives them.
 *
 * @param options `key` makes dropout's decisions; it is not used up. @default no dropout
 * @returns Owned by the current scope.
 */
export function predictTasks(
  heads: TaskHeads,
  inputs: LabelHeadInputs,
  tasks: Tasks,
  { key }: { readonly key?: Key } = {},
): Record<string, Tensor> {
  return Object.fromEntries(
    Object.keys(tasks).map((name, i) => [name, labelHead(heads[name], inputs, tasks[name].head, { key: key?.at(i) })]),
  );
}

/** Whether a label of any task is known. */
export function hasLabels(labels: TaskLabels, tasks: Tasks): boolean {
  return Object.keys(tasks).some((name) => isLabelled(labels[name]));
}

function isLabelled(given: ArrayLike<number> | undefined): boolean {
  return given !== undefined && Array.from(given).some((label) => !Number.isNaN(label));
}

/**
 * The sum of the tasks' losses times their weights. A task without a known label counts nothing.
 *
 * @param predictions As {@linkcode predictTasks} gives them.
 * @returns `[]`, owned by the current scope.
 * @throws {TypeError} If no label of any task is known.
 */
export function taskLoss(predictions: Readonly<Record<string, Tensor>>, labels: TaskLabels, tasks: Tasks): Tensor {
  const names = Object.keys(tasks).filter((name) => isLabelled(labels[name]));
  if (!names.length) throw new TypeError(`There is no label of ${Object.keys(tasks).join(", ")} to learn from`);
  const { device } = predictions[names[0]];
  using scope = device.scope("taskLoss");
  return scope.keep(
    names.map((name) => {
      const { head, loss = "mse", weight = 1 } = tasks[name];
      const value = head.classes === undefined
        ? regressionLoss(loss as RegressionLoss, predictions[name], labels[name])
        : classificationLoss(predictions[name], labels[name]);
      return weight === 1 ? value : multiplyScalar(value, weight);
    }).reduce(add),
  );
}
