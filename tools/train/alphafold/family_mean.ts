/** The other naive answer to a held-out target: the mean of its family's structures among those learnt from. */
import { applyMotion, kabsch } from "../../../model/protein/metrics/mod.ts";
import { RESIDUE_LETTERS } from "../../../model/protein/residues.ts";
import { alignPair } from "../../data/align_pair.ts";
import { correctMsaRestypes } from "../../data/features/msa.ts";
import type { FeatureFile } from "../../prep/feature_file.ts";
import type { Example } from "../examples.ts";
import { copiedTrace, measureTrace, total, type Trace, type TraceMeasures, traceOf } from "./trace.ts";

/** The mean of a family as the answer. */
export interface FamilyMean {
  /** Members that it is the mean of. */
  readonly members: number;
  /** Its measures. */
  readonly measures: TraceMeasures;
}

/** Superpositions on the mean so far. */
const ROUNDS = 3;

/** Least part of a member's residues that its row of the alignment has. */
const COVERED = 0.7;

/** Fewest residues that a member shares with the mean to be laid on it. */
const FEWEST = 3;

/**
 * The family's mean structure: its members, aligned with the target by sequence, are superposed on their mean in turn, the
 * longest first. A member is who has a row in the target's alignment.
 *
 * @param examples What was learnt from.
 * @returns undefined where none is a member, or the mean has fewer than three residues of the target.
 */
export function familyMean(target: FeatureFile, examples: readonly Example[]): FamilyMean | undefined {
  const rows = rowsOf(target), n = target.sequence.length;
  const traces = examples.filter((example) => example.target && rows.some((row) => isRowOf(row, example.sequence)))
    .map(({ sequence, target: member }) =>
      copiedTrace(n, member!.features(), alignPair(target.sequence, sequence).pairs)
    )
    .filter(({ mask }) => total(mask) >= FEWEST)
    .sort((a, b) => total(b.mask) - total(a.mask));
  if (traces.length === 0) return undefined;
  let mean = meanOf([traces[0]], n);
  for (let round = 0; round < ROUNDS; round++) mean = meanOf(traces.map((trace) => laidOn(trace, mean)), n);
  const measures = measureTrace(mean, traceOf(target));
  return measures && { members: traces.length, measures };
}

/** Rows of a target's alignment without gaps, the target's own left out. */
function rowsOf({ features: { msa }, sequence: { length: n } }: FeatureFile): string[] {
  const types = correctMsaRestypes(msa);
  const letters = Array.from(types, (type) => RESIDUE_LETTERS[type] ?? "").slice(n);
  return Array.from({ length: letters.length / n }, (_, r) => letters.slice(r * n, (r + 1) * n).join(""));
}

/** Whether a row, of which insertions are left out, is of a sequence: its letters in their order, most of them. */
function isRowOf(row: string, sequence: string): boolean {
  if (row.length < COVERED * sequence.length) return false;
  let at = 0;
  for (const letter of row) {
    at = sequence.indexOf(letter, at) + 1;
    if (at === 0) return false;
  }
  return true;
}

function laidOn(trace: Trace, mean: Trace): Trace {
  const mask = trace.mask.map((x, i) => x * mean.mask[i]);
  if (total(mask) < FEWEST) return { ...trace, mask: new Float32Array(mask.length) };
  const motion = kabsch(trace.points, mean.points, { mask });
  return { ...trace, points: Float32Array.from(applyMotion(motion, trace.points)) };
}

function meanOf(traces: readonly Trace[], n: number): Trace {
  const points = new Float32Array(3 * n), mask = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    const there = traces.filter((trace) => trace.mask[i] > 0);
    for (let axis = 0; axis < 3; axis++) {
      const sum = there.reduce((sum, trace) => sum + trace.points[3 * i + axis], 0);
      points[3 * i + axis] = sum / Math.max(1, there.length);
    }
    mask[i] = Number(there.length > 0);
  }
  return { points, mask };
}
