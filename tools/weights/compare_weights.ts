/** How far the weights of two files are apart. */
import { toFloat32 } from "../../model/weights/safetensors.ts";
import type { OpenfoldWeights } from "../../model/weights/openfold_weights.ts";

/** A parameter of two files. */
export interface WeightDifference {
  /** OpenFold's name. */
  readonly name: string;
  /** Whether it is in both, in one alone, or in both with other sizes. */
  readonly kind: "both" | "only first" | "only second" | "other shape";
  /** Its sizes in the first file, else in the second. */
  readonly shape: readonly number[];
  /** Its sizes in the second file, where they differ. */
  readonly otherShape?: readonly number[];
  /** Largest absolute difference of two numbers; null where nothing was compared. */
  readonly largest: number | null;
  /** Root of the mean squared difference, divided by that of the first file's numbers. */
  readonly relative: number | null;
  /** Whether all numbers are the same to the bit, signs of zero and NaN included. */
  readonly equal: boolean;
}

/**
 * Compares two files parameter by parameter, whatever their formats and names.
 *
 * @param progress Called after each parameter with how many are done, of how many.
 */
export async function compareWeights(
  first: OpenfoldWeights,
  second: OpenfoldWeights,
  progress: (done: number, total: number) => void = () => {},
): Promise<WeightDifference[]> {
  const differences: WeightDifference[] = [];
  let done = 0;
  for (const [name, entry] of first.entries) {
    progress(++done, first.entries.size);
    const other = second.entries.get(name);
    const none = { name, shape: entry.shape, largest: null, relative: null, equal: false };
    if (!other) differences.push({ ...none, kind: "only first" });
    else if (String(other.shape) !== String(entry.shape)) {
      differences.push({ ...none, kind: "other shape", otherShape: other.shape });
    } else {
      const a = toFloat32(await entry.read()), b = toFloat32(await other.read());
      differences.push({ name, kind: "both", shape: entry.shape, ...distance(a, b) });
    }
  }
  for (const [name, { shape }] of second.entries) {
    if (first.entries.has(name)) continue;
    differences.push({ name, kind: "only second", shape, largest: null, relative: null, equal: false });
  }
  return differences;
}

function distance(a: Float32Array, b: Float32Array): { largest: number; relative: number; equal: boolean } {
  let largest = 0, square = 0, norm = 0, equal = true;
  for (let i = 0; i < a.length; i++) {
    if (Object.is(a[i], b[i])) {
      norm += a[i] * a[i];
      continue;
    }
    equal = false;
    const difference = Math.abs(a[i] - b[i]);
    if (!(difference <= largest)) largest = difference; // NaN stays
    square += difference * difference;
    norm += a[i] * a[i];
  }
  return { largest, relative: square === 0 ? 0 : Math.sqrt(square / norm), equal };
}
