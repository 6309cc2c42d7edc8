/**
 * Aligns two sequences.
 *
 * Source: Smith and Waterman (1981), "Identification of common molecular subsequences", with affine gaps as in Gotoh (1982),
 * "An improved algorithm for matching biological sequences".
 */
import { encodeTokens } from "./alignment.ts";
import { BLOSUM62, LETTER_COUNT } from "../split/blosum62.ts";

/** A gap of k residues costs `GAP_OPEN + k · GAP_EXTEND`, as in BLAST. */
const GAP_OPEN = 11;
const GAP_EXTEND = 1;

/** Which residues of two sequences stand together. */
export interface PairAlignment {
  /** Residues of the two, from 0, rising. */
  readonly pairs: readonly (readonly [first: number, second: number])[];
  /** Score under BLOSUM62. */
  readonly score: number;
  /** Pairs of identical residues. */
  readonly identical: number;
}

/** States of the traceback: which matrix, and where it came from. */
const END = 0, MATCH = 1, GAP_FIRST = 2, GAP_SECOND = 3;

/**
 * The best local alignment of two sequences (BLOSUM62, a gap of k residues costs 11 + k). Takes time and memory of the
 * product of the lengths.
 *
 * @example
 * ```ts
 * import { alignPair } from "@denofold/denofold/tools";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(alignPair("MKTAYIAKQR", "TAYIAK").pairs[0], [2, 0]);
 * ```
 */
export function alignPair(first: string, second: string): PairAlignment {
  const a = encodeTokens([first]), b = encodeTokens([second]);
  const width = b.length + 1;
  const none = -1e9;
  let matches = new Float64Array(width), gapFirst = new Float64Array(width).fill(none);
  const gapSecond = new Float64Array(width).fill(none);
  const from = {
    match: new Uint8Array((a.length + 1) * width),
    first: new Uint8Array((a.length + 1) * width),
    second: new Uint8Array((a.length + 1) * width),
  };
  let best = 0, bestAt = 0;
  for (let i = 1; i <= a.length; i++) {
    const above = matches, aboveFirst = gapFirst, aboveSecond = gapSecond.slice();
    matches = new Float64Array(width);
    gapFirst = new Float64Array(width).fill(none);
    gapSecond.fill(none);
    for (let j = 1; j <= b.length; j++) {
      const at = i * width + j;
      // Residues i and j stand together.
      const before = Math.max(0, above[j - 1], aboveFirst[j - 1], aboveSecond[j - 1]);
      matches[j] = before + BLOSUM62[a[i - 1] * LETTER_COUNT + b[j - 1]];
      from.match[at] = before === 0
        ? END
        : before === above[j - 1]
        ? MATCH
        : before === aboveFirst[j - 1]
        ? GAP_FIRST
        : GAP_SECOND;
      // Residue j stands against a gap of the first sequence.
      const openFirst = matches[j - 1] - GAP_OPEN - GAP_EXTEND, longerFirst = gapFirst[j - 1] - GAP_EXTEND;
      gapFirst[j] = Math.max(openFirst, longerFirst);
      from.first[at] = openFirst >= longerFirst ? MATCH : GAP_FIRST;
      // Residue i stands against a gap of the second.
      const openSecond = above[j] - GAP_OPEN - GAP_EXTEND, longerSecond = aboveSecond[j] - GAP_EXTEND;
      gapSecond[j] = Math.max(openSecond, longerSecond);
      from.second[at] = openSecond >= longerSecond ? MATCH : GAP_SECOND;
      if (matches[j] > best) [best, bestAt] = [matches[j], at];
    }
  }
  const pairs: [number, number][] = [];
  let state = best > 0 ? MATCH : END;
  for (let at = bestAt; state !== END;) {
    const i = Math.floor(at / width), j = at % width;
    if (state === MATCH) {
      pairs.push([i - 1, j - 1]);
      state = from.match[at];
      at -= width + 1;
    } else if (state === GAP_FIRST) {
      state = from.first[at];
      at -= 1;
    } else {
      state = from.second[at];
      at -= width;
    }
  }
  pairs.reverse();
  return { pairs, score: best, identical: pairs.filter(([i, j]) => a[i] === b[j] && first[i] !== "X").length };
}
