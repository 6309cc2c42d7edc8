/** Labels of a protein, one a prediction. */
import type { LabelledSample } from "./fine_tuned.ts";

/**
 * Labels of a protein, NaN where it has none of a task, and for the padding behind residues.
 *
 * @throws {TypeError} If they are not as many as predictions.
 */
export function labelsOf({ labels }: LabelledSample, name: string, count: number, ofResidues: boolean): number[] {
  const given = Array.from(labels[name] ?? []);
  const isPadded = given.length === 0 || (ofResidues && given.length < count);
  if (given.length !== count && !isPadded) {
    throw new TypeError(`A protein has ${given.length} labels of ${name}, its predictions are ${count}`);
  }
  return [...given, ...new Array<number>(count - given.length).fill(NaN)];
}
