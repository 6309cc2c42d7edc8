/** Answers of C-alphas alone, made of relatives' structures, and how near they are to the truth. */
import { kabsch, lddt, tmScore } from "../../../model/protein/metrics/mod.ts";
import { ATOM_SLOTS, SLOT } from "../../../model/protein/residues.ts";
import type { PairAlignment } from "../../data/align_pair.ts";
import type { FeatureFile } from "../../prep/feature_file.ts";

/** C-alphas for the residues of a target. */
export interface Trace {
  /** Å, `[N_res, 3]`. */
  readonly points: Float32Array;
  /** 1 where there is one, `[N_res]`. */
  readonly mask: Float32Array;
}

/** How near an answer is over the target's residues; what it lacks counts as wrong in lDDT and TM-score, not in the RMSD (Å). */
export interface TraceMeasures {
  readonly lddt: number;
  readonly tmScore: number;
  readonly caRmsd: number;
}

/** Fewest residues that a superposition needs. */
const FEWEST = 3;

/** The C-alphas that a structure shows. */
export function traceOf({ supervised, sequence: { length: n } }: FeatureFile): Trace {
  const { all_atom_positions: positions, all_atom_mask: there } = supervised!;
  const points = new Float32Array(3 * n), mask = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    const at = i * ATOM_SLOTS + SLOT.CA;
    points.set(positions.subarray(3 * at, 3 * at + 3), 3 * i);
    mask[i] = there[at];
  }
  return { points, mask };
}

/** A relative's C-alphas for a target's residues. */
export function copiedTrace(residues: number, relative: FeatureFile, pairs: PairAlignment["pairs"]): Trace {
  const own = traceOf(relative);
  const points = new Float32Array(3 * residues), mask = new Float32Array(residues);
  for (const [i, j] of pairs) {
    points.set(own.points.subarray(3 * j, 3 * j + 3), 3 * i);
    mask[i] = own.mask[j];
  }
  return { points, mask };
}

/**
 * Measures an answer.
 *
 * @returns undefined where it has fewer than three residues whose C-alpha is known.
 */
export function measureTrace(answer: Trace, truth: Trace): TraceMeasures | undefined {
  const mask = answer.mask.map((x, i) => x * truth.mask[i]);
  if (total(mask) < FEWEST) return undefined;
  const neighbours = (mask: Float32Array) => total(lddt(truth.points, truth.points, { mask }).neighbours);
  return {
    lddt: lddt(answer.points, truth.points, { mask }).overall * neighbours(mask) / Math.max(1, neighbours(truth.mask)),
    tmScore: tmScore(answer.points, truth.points, { mask, length: total(truth.mask) }).score,
    caRmsd: kabsch(answer.points, truth.points, { mask }).rmsd,
  };
}

/** Sum of numbers. */
export function total(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum;
}
