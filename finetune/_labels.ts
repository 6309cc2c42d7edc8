/** Labels of a protein, one a prediction. */
import type { LabelledSample } from "./fine_tuned.ts";
import type { TaskLabels } from "./heads/tasks.ts";

/** All labels of a protein, an item for each time that it was labelled. */
export function labelRows({ labels }: Pick<LabelledSample, "labels">): readonly TaskLabels[] {
  return Array.isArray(labels) ? labels as readonly TaskLabels[] : [labels as TaskLabels];
}

/**
 * Labels of a task, NaN where there is none, and for the padding behind residues.
 *
 * @throws {TypeError} If they are not as many as predictions.
 */
export function labelsOf(labels: TaskLabels, name: string, count: number, ofResidues: boolean): number[] {
  const given = Array.from(labels[name] ?? []);
  const isPadded = given.length === 0 || (ofResidues && given.length < count);
  if (given.length !== count && !isPadded) {
    throw new TypeError(`A protein has ${given.length} labels of ${name}, its predictions are ${count}`);
  }
  return [...given, ...new Array<number>(count - given.length).fill(NaN)];
}
