/** Groups of sequences such that no two of different groups are more alike than a threshold. */
import { type PairSearch, visitPairs } from "./candidates.ts";
import { commonLetters, encodeSequence, identicalResidues } from "./identity.ts";
import { numberGroups, UnionFind } from "./union_find.ts";

export type { PairSearch };

/** Clusters of sequences. */
export interface IdentityClusters {
  /** Cluster of each sequence, from 0 in the order of their first members. */
  readonly clusterOf: Int32Array;
  /** Members of each cluster, in the order given. */
  readonly members: readonly (readonly number[])[];
  /** Which pairs were looked at. */
  readonly search: PairSearch;
  /** Pairs that were aligned. */
  readonly alignedPairs: number;
}

/**
 * Single-linkage clusters: sequences whose identity ({@linkcode IDENTITY_DEFINITION}) is the threshold or more are in one
 * cluster, and so are those joined through others. Identities are exact, of whole alignments; where all pairs would be
 * too many, pairs are chosen by words of three letters that they share.
 *
 * @param sequences Sequences of letters; gaps are left out.
 * @param threshold Identity, above 0 and at most 1.
 * @param progress Called with the number of sequences that are done.
 * @throws {RangeError} If the threshold is outside its range or a sequence has no letters.
 *
 * @example
 * ```ts
 * import { clusterByIdentity } from "@denofold/denofold/tools";
 * import assert from "node:assert/strict";
 *
 * const { clusterOf } = clusterByIdentity(["MKTAYIAKQR", "GGSWEDPPLV", "MKTAYLAKQR"], 0.9);
 * assert.deepEqual([...clusterOf], [0, 1, 0]);
 * ```
 */
export function clusterByIdentity(
  sequences: readonly string[],
  threshold: number,
  progress?: (done: number) => void,
): IdentityClusters {
  if (!(threshold > 0 && threshold <= 1)) {
    throw new RangeError(`Cannot cluster at an identity of ${threshold}: expected one above 0 and at most 1`);
  }
  const { letters, distinct, distinctOf } = distinctSequences(sequences);
  const groups = new UnionFind(distinct.length);
  let alignedPairs = 0;
  const search = visitPairs(letters, threshold, {
    wanted: (i, j) => groups.find(i) !== groups.find(j),
    visit(i, j) {
      const needed = neededResidues(letters[i], letters[j], threshold);
      if (commonLetters(letters[i], letters[j]) < needed) return;
      alignedPairs++;
      if (identicalResidues(letters[i], letters[j]) >= needed) groups.join(i, j);
    },
    progress: progress && ((i) => progress(distinct[i])),
  });
  const { groupOf, members } = numberGroups(sequences.length, (index) => groups.find(distinctOf[index]));
  return { clusterOf: groupOf, members, search, alignedPairs };
}

/** Identical residues that make two sequences as alike as the threshold; rounding does not decide. */
export function neededResidues(a: Int32Array, b: Int32Array, threshold: number): number {
  return Math.ceil(Math.min(a.length, b.length) * threshold - 1e-9);
}

/** Equal sequences once: tokens and index of the first of each, and which of them every sequence is. */
export function distinctSequences(
  sequences: readonly string[],
): { letters: Int32Array[]; distinct: number[]; distinctOf: Int32Array } {
  const letters: Int32Array[] = [];
  const distinct: number[] = [];
  const seen = new Map<string, number>();
  const distinctOf = Int32Array.from(sequences, (sequence, index) => {
    const tokens = encodeSequence(sequence);
    if (tokens.length === 0) throw new RangeError(`Cannot compare sequence ${index + 1}: it has no letters`);
    const key = tokens.join();
    const known = seen.get(key);
    if (known !== undefined) return known;
    seen.set(key, letters.length);
    distinct.push(index);
    return letters.push(tokens) - 1;
  });
  return { letters, distinct, distinctOf };
}
