/** The naive answer to a held-out target: the structure of its nearest relative among those learnt from. */
import { alignPair, type PairAlignment } from "../../data/align_pair.ts";
import type { FeatureFile } from "../../prep/feature_file.ts";
import type { Example } from "../examples.ts";
import { copiedTrace, measureTrace, type TraceMeasures, traceOf } from "./trace.ts";

/** A relative's structure as the answer. */
export interface RelativeCopy {
  /** Its name. */
  readonly id: string;
  /** Identical residues of the shorter sequence's, 0 to 1. */
  readonly identity: number;
  /** Its measures. */
  readonly measures: TraceMeasures;
}

/**
 * Copies the nearest relative by sequence onto a target and measures it.
 *
 * @param examples What was learnt from.
 * @returns undefined where no relative shares three residues with the target.
 */
export function nearestRelative(target: FeatureFile, examples: readonly Example[]): RelativeCopy | undefined {
  let best: { example: Example; identity: number; pairs: PairAlignment["pairs"] } | undefined;
  for (const example of examples) {
    if (!example.target || example.sequence.length === 0) continue;
    const { pairs, identical } = alignPair(target.sequence, example.sequence);
    const identity = identical / Math.min(target.sequence.length, example.sequence.length);
    if (!best || identity > best.identity) best = { example, identity, pairs };
  }
  if (!best) return undefined;
  const { example: { id, target: relative }, identity, pairs } = best;
  const measures = measureTrace(copiedTrace(target.sequence.length, relative!.features(), pairs), traceOf(target));
  return measures && { id, identity, measures };
}
