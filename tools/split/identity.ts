/**
 * How alike two sequences are.
 *
 * Source: Smith and Waterman (1981), "Identification of common molecular subsequences", with affine gaps as in Gotoh
 * (1982); Hyyrö (2004), "Bit-parallel LCS-length computation revisited", for the bound.
 */
import { encodeTokens } from "../data/alignment.ts";
import { UNKNOWN_RESIDUE } from "../../model/protein/residues.ts";
import { BLOSUM62, LETTER_COUNT } from "./blosum62.ts";

/** What an identity is here, for reports. */
export const IDENTITY_DEFINITION: string =
  "identical residues in the best local alignment (Smith-Waterman, BLOSUM62, a gap of k residues costs 11 + k; of " +
  "equally good alignments the one with most identical residues) divided by the length of the shorter sequence";

const GAP_OPEN = 11;
const GAP_EXTEND = 1;

/** Sequences of this length and longer need wider numbers in {@linkcode identicalResidues}. */
const LONG = 8192;

/** Bits of a word of {@linkcode commonLetters}: sums of two words stay small integers. */
const WORD_BITS = 30;
const WORD_MASK = 2 ** WORD_BITS - 1;

/** Letters of a sequence as tokens; lower case is raised, gaps and a final `*` go, U counts as C, B as D, Z as E. */
export function encodeSequence(sequence: string): Int32Array {
  return encodeTokens([sequence.toUpperCase().replace(/[-.*\s]/g, "")]);
}

/**
 * Identity of two sequences, 0 to 1: {@linkcode IDENTITY_DEFINITION}. Exact: no band, no seeds. Unknown residues (`X`)
 * are identical to nothing.
 *
 * @example
 * ```ts
 * import { alignmentIdentity } from "@denofold/denofold/tools";
 * import assert from "node:assert/strict";
 *
 * assert.equal(alignmentIdentity("MKTAYIAKQR", "TAYIAK"), 1);
 * assert.equal(alignmentIdentity("MKTAYIAKQR", "MKTAYLAKQR"), 0.9);
 * ```
 */
export function alignmentIdentity(a: string, b: string): number {
  return tokenIdentity(encodeSequence(a), encodeSequence(b));
}

/** {@linkcode alignmentIdentity} of tokens. */
export function tokenIdentity(a: Int32Array, b: Int32Array): number {
  const shorter = Math.min(a.length, b.length);
  return shorter === 0 ? 0 : identicalResidues(a, b) / shorter;
}

/**
 * Number of identical residues in the best local alignment.
 *
 * Score and count travel in one number, `score * unit + count`, so that one maximum decides on both.
 */
export function identicalResidues(a: Int32Array, b: Int32Array): number {
  const [outer, inner] = a.length < b.length ? [b, a] : [a, b];
  const isLong = inner.length >= LONG;
  const rows = isLong ? WIDE : NARROW;
  rows.fit(inner.length);
  const best = bestPacked(outer, inner, rows);
  return best - Math.floor(best / rows.unit) * rows.unit;
}

/** Rows of the dynamic programme, kept from pair to pair. */
class Rows<T extends Int32Array | Float64Array> {
  /** Best alignments that end at each residue. */
  ends: T;
  /** Best alignments that end there in a gap of the shorter sequence. */
  gaps: T;
  /** Scores of pairs of letters, with the count. */
  readonly scores: T;

  constructor(readonly unit: number, readonly make: (length: number) => T) {
    this.scores = make(BLOSUM62.length);
    BLOSUM62.forEach((score, at) => {
      const letter = Math.floor(at / LETTER_COUNT);
      const isSame = letter === at % LETTER_COUNT && letter !== UNKNOWN_RESIDUE;
      this.scores[at] = score * unit + Number(isSame);
    });
    this.ends = make(0);
    this.gaps = make(0);
  }

  fit(length: number): void {
    if (this.ends.length < length) [this.ends, this.gaps] = [this.make(2 * length), this.make(2 * length)];
    this.ends.fill(0, 0, length);
    this.gaps.fill(0, 0, length);
  }
}

const NARROW = new Rows(LONG, (length) => new Int32Array(length));
const WIDE = new Rows(2 ** 26, (length) => new Float64Array(length));

function bestPacked(
  outer: Int32Array,
  inner: Int32Array,
  { ends, gaps, scores, unit }: Rows<Int32Array> | Rows<Float64Array>,
): number {
  const open = (GAP_OPEN + GAP_EXTEND) * unit;
  const extend = GAP_EXTEND * unit;
  const columns = inner.length;
  let best = 0;
  for (let i = 0; i < outer.length; i++) {
    const base = outer[i] * LETTER_COUNT;
    let diagonal = 0;
    let along = 0;
    for (let j = 0; j < columns; j++) {
      const gap = gaps[j];
      const end = Math.max(Math.max(diagonal + scores[base + inner[j]], gap), Math.max(along, 0));
      diagonal = ends[j];
      ends[j] = end;
      best = Math.max(best, end);
      gaps[j] = Math.max(gap - extend, end - open);
      along = Math.max(along - extend, end - open);
    }
  }
  return best;
}

/**
 * Length of the longest common subsequence of two sequences: no alignment, by whatever scores, has more identical
 * residues. Takes a twentieth of the time of an alignment.
 */
export function commonLetters(a: Int32Array, b: Int32Array): number {
  const [outer, inner] = a.length < b.length ? [b, a] : [a, b];
  const words = Math.ceil(inner.length / WORD_BITS);
  const masks = new Int32Array(LETTER_COUNT * words);
  inner.forEach((letter, at) => {
    if (letter === UNKNOWN_RESIDUE) return;
    masks[letter * words + Math.floor(at / WORD_BITS)] |= 1 << at % WORD_BITS;
  });
  const row = new Int32Array(words).fill(WORD_MASK);
  for (let i = 0; i < outer.length; i++) {
    const base = outer[i] * words;
    let carry = 0;
    for (let w = 0; w < words; w++) {
      const value = row[w];
      const match = masks[base + w];
      const sum = value + (value & match) + carry;
      carry = sum >>> WORD_BITS;
      row[w] = (sum & WORD_MASK) | (value & ~match);
    }
  }
  let zeros = 0;
  for (let at = 0; at < inner.length; at++) {
    if ((row[Math.floor(at / WORD_BITS)] >>> at % WORD_BITS & 1) === 0) zeros++;
  }
  return zeros;
}
