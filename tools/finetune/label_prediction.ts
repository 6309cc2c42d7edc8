/** A label with its uncertainty, from what the heads read. */
import type { Key } from "../../core/mod.ts";
import { sampleDeviation } from "../../core/statistics.ts";
import { type FineTunedConfig, type FineTunedParams, type LabelHeadInputs, predictTasks } from "../../finetune/mod.ts";
import { TASK } from "./label_tasks.ts";

/** A label and how far predictions of it with dropout spread. */
export interface UncertainLabel {
  /** Without dropout. */
  readonly prediction: number;
  /** Standard deviation of predictions with the head's dropout; null where it has none, or fewer than two are drawn. */
  readonly uncertainty: number | null;
}

/** Predictions with dropout, where nobody says how many. */
export const DRAWS = 16;

/**
 * Predicts a label.
 *
 * @param known What the heads read.
 * @param options.key Makes dropout's decisions; it is not used up.
 * @param options.draws Predictions with dropout. @default 16
 * @param options.task Name of the label. @default the one of a plain run
 */
export async function predictLabel(
  { heads }: FineTunedParams,
  known: LabelHeadInputs,
  { tasks }: FineTunedConfig,
  { key, draws = DRAWS, task = TASK }: { readonly key: Key; readonly draws?: number; readonly task?: string },
): Promise<UncertainLabel> {
  using _ = known.s.device.scope("predictLabel");
  const once = async (key?: Key) => await predictTasks(heads, known, tasks, { key })[task].item();
  const prediction = await once();
  if (!(tasks[task].head.dropout > 0 && draws > 1)) return { prediction, uncertainty: null };
  const drawn: number[] = [];
  for (let i = 0; i < draws; i++) drawn.push(await once(key.at(i)));
  return { prediction, uncertainty: sampleDeviation(drawn) };
}
