/** What a network with heads predicts of a set, and how well. */
import type { Device } from "../core/mod.ts";
import { joinNumbers } from "../core/join_numbers.ts";
import { labelRows, labelsOf } from "./_labels.ts";
import { type FineTunedConfig, fineTunedOutputs, type FineTunedParams } from "./fine_tuned.ts";
import { hasLabels, taskLoss } from "./heads/tasks.ts";
import type { LabelledSet } from "./labelled_set.ts";

/**
 * Predictions of a set by task, end to end, those of padding left out, once for each time that a protein was labelled; of
 * classes their logits.
 */
export type SetPredictions = Readonly<Record<string, Float32Array>>;

/** What a set comes to. */
export interface SetEvaluation {
  /** By task. */
  readonly predictions: SetPredictions;
  /** Of all labels together and of the structures in the mean; NaN where neither is known. */
  readonly loss: number;
  /** Mean lDDT of C-alphas, 0 … 1, of each protein, NaN where its structure is not known; where structures are learned. */
  readonly lddt?: Float32Array;
}

/** Predictions of a set, one protein at a time, and the loss of all of them together. */
export async function evaluateSet(
  device: Device,
  params: FineTunedParams,
  config: FineTunedConfig,
  set: LabelledSet,
): Promise<SetEvaluation> {
  const tasks = Object.entries(config.tasks), { structure: learned } = config;
  const parts: Record<string, Float32Array[]> = {}, labels: Record<string, number[]> = {};
  for (const [name] of tasks) [parts[name], labels[name]] = [[], []];
  const lddt: number[] = [];
  let structureLoss = 0, structures = 0;
  for (let i = 0; i < set.size; i++) {
    using _ = device.scope("evaluate");
    const sample = await set.load(i);
    const { residues } = sample;
    const { predictions, structure } = fineTunedOutputs(params, sample.input, { ...config, maskedMsaWeight: 0 });
    for (const [name, { head: { classes = 1, level } }] of tasks) {
      const all = await predictions[name].read() as Float32Array;
      const numbers = all.slice(0, level === "residue" && residues !== undefined ? residues * classes : all.length);
      for (const row of labelRows(sample)) {
        parts[name].push(numbers);
        labels[name].push(...labelsOf(row, name, numbers.length / classes, level === "residue"));
      }
    }
    lddt.push(structure ? await structure.lddt.item() : NaN);
    if (structure) {
      structureLoss += await structure.loss.item();
      structures++;
    }
  }
  const predictions = Object.fromEntries(tasks.map(([name]) => [name, joinNumbers(parts[name])]));
  const losses: number[] = [];
  if (hasLabels(labels, config.tasks)) losses.push(await labelLoss());
  if (learned && structures) losses.push(learned.weight * structureLoss / structures);
  return {
    predictions,
    loss: losses.length ? losses.reduce((sum, loss) => sum + loss) : NaN,
    ...(learned && { lddt: Float32Array.from(lddt) }),
  };

  async function labelLoss(): Promise<number> {
    using _ = device.scope("loss");
    const tensors = Object.fromEntries(tasks.map(([name, { head: { classes } }]) => {
      const numbers = predictions[name];
      return [name, device.tensor(numbers, classes ? [numbers.length / classes, classes] : [numbers.length])];
    }));
    return await taskLoss(tensors, labels, config.tasks).item();
  }
}
