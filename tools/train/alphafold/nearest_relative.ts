/** The naive answer to a held-out target: the structure of its nearest relative among those learnt from. */
import { kabsch, lddt, tmScore } from "../../../model/protein/metrics/mod.ts";
import { ATOM_SLOTS, SLOT } from "../../../model/protein/residues.ts";
import { alignPair } from "../../data/align_pair.ts";
import type { FeatureFile } from "../../prep/feature_file.ts";
import type { Example } from "../examples.ts";

/** A relative's structure as the answer. */
export interface RelativeCopy {
  /** Its name. */
  readonly id: string;
  /** Identical residues of the shorter sequence's, 0 to 1. */
  readonly identity: number;
  /** Measures over the target's residues; what the relative lacks counts as wrong in lDDT and TM-score. */
  readonly measures: { readonly lddt: number; readonly tmScore: number; readonly caRmsd: number };
}

/**
 * Copies the nearest relative by sequence onto a target and measures it.
 *
 * @param examples What was learnt from.
 * @returns undefined where no relative shares three residues with the target.
 */
export function nearestRelative(target: FeatureFile, examples: readonly Example[]): RelativeCopy | undefined {
  let best: { example: Example; identity: number; pairs: readonly (readonly [number, number])[] } | undefined;
  for (const example of examples) {
    if (!example.target || example.sequence.length === 0) continue;
    const { pairs, identical } = alignPair(target.sequence, example.sequence);
    const identity = identical / Math.min(target.sequence.length, example.sequence.length);
    if (!best || identity > best.identity) best = { example, identity, pairs };
  }
  if (!best) return undefined;
  const truth = target.supervised!, relative = best.example.target!.features().supervised!;
  const n = target.sequence.length;
  const known = Array.from({ length: n }, (_, i) => truth.all_atom_mask[i * ATOM_SLOTS + SLOT.CA]);
  const expected = alphas(truth.all_atom_positions, n);
  const copied = new Float32Array(3 * n), shared = new Float32Array(n);
  for (const [i, j] of best.pairs) {
    const at = j * ATOM_SLOTS + SLOT.CA;
    if (known[i] === 0 || relative.all_atom_mask[at] === 0) continue;
    copied.set(relative.all_atom_positions.subarray(3 * at, 3 * at + 3), 3 * i);
    shared[i] = 1;
  }
  if (shared.reduce((sum, x) => sum + x, 0) < 3) return undefined;
  const length = known.reduce((sum, x) => sum + x, 0);
  const neighbours = (mask: ArrayLike<number>) =>
    lddt(expected, expected, { mask }).neighbours.reduce((a, b) => a + b, 0);
  const found = lddt(copied, expected, { mask: shared }).overall;
  return {
    id: best.example.id,
    identity: best.identity,
    measures: {
      lddt: found * neighbours(shared) / Math.max(1, neighbours(known)),
      tmScore: tmScore(copied, expected, { mask: shared, length }).score,
      caRmsd: kabsch(copied, expected, { mask: shared }).rmsd,
    },
  };
}

function alphas(positions: Float32Array, n: number): Float32Array {
  const points = new Float32Array(3 * n);
  for (let i = 0; i < n; i++) {
    const at = 3 * (i * ATOM_SLOTS + SLOT.CA);
    points.set(positions.subarray(at, at + 3), 3 * i);
  }
  return points;
}
