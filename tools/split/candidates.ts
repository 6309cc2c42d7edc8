/**
 * Which pairs of sequences are worth an alignment: those that share words of three letters, also with a letter between
 * them, on one diagonal, which has a stretch that scores well.
 *
 * Source: Altschul et al. (1997), "Gapped BLAST and PSI-BLAST", the two-hit idea; Ma, Tromp and Li (2002),
 * "PatternHunter", words with letters left out.
 */
import { BLOSUM62, LETTER_COUNT } from "./blosum62.ts";

/** Places of the three letters of words. */
const SHAPES = [[0, 1, 2], [0, 1, 3], [0, 2, 3]] as const;

/** Different words, of all shapes. */
const WORD_COUNT = SHAPES.length * LETTER_COUNT ** 3;

/** All pairs are aligned while that takes no more than so many cells of dynamic programming: under ten seconds. */
const ALL_PAIRS_CELLS = 2.5e9;

/** Which pairs {@linkcode visitPairs} goes through. */
export type PairSearch = "all pairs" | "pairs that share words";

/** What to do with a pair `i > j`. */
export interface PairVisitor {
  /** Whether the pair matters still; asked before any work is done for it. */
  wanted(i: number, j: number): boolean;
  /** Deals with the pair. */
  visit(i: number, j: number): void;
  /** Called before each sequence's pairs, for progress. */
  progress?(i: number): void;
}

/**
 * Goes through the pairs of sequences that may be related: all of them where they are few, else those that share words.
 *
 * @param sequences Tokens of the sequences.
 * @param threshold Identity from which pairs matter, 0 to 1; with a high one, pairs with few words in common are passed
 * over early.
 */
export function visitPairs(sequences: readonly Int32Array[], threshold: number, visitor: PairVisitor): PairSearch {
  if (allPairsCells(sequences) <= ALL_PAIRS_CELLS) {
    for (let i = 0; i < sequences.length; i++) {
      visitor.progress?.(i);
      for (let j = 0; j < i; j++) if (visitor.wanted(i, j)) visitor.visit(i, j);
    }
    return "all pairs";
  }
  const index = makeIndex(sequences);
  const hits = new Hits(sequences.length);
  for (let i = 0; i < sequences.length; i++) {
    visitor.progress?.(i);
    hits.collect(index, sequences, i);
    const found: { j: number; words: number; score: number }[] = [];
    for (const j of hits.others) {
      const shorter = Math.min(sequences[i].length, sequences[j].length);
      if (hits.count(j) < wordsExpected(shorter, threshold) / 4 || !visitor.wanted(i, j)) continue;
      const { words, diagonals } = hits.bestDiagonals(j);
      if (words < leastWords(shorter)) continue;
      const score = Math.max(...diagonals.map((diagonal) => stretchScore(sequences[i], sequences[j], diagonal)));
      if (score >= leastScore(shorter)) found.push({ j, words, score });
    }
    found.sort((a, b) => b.words - a.words || b.score - a.score || a.j - b.j);
    for (const { j } of found) if (visitor.wanted(i, j)) visitor.visit(i, j);
  }
  return "pairs that share words";
}

function allPairsCells(sequences: readonly Int32Array[]): number {
  let before = 0;
  let cells = 0;
  for (const { length } of sequences) {
    cells += before * length;
    before += length;
  }
  return cells;
}

/**
 * Words on a diagonal from which it is scored: of random sequences of 300 letters one pair in ten has as many, of those
 * with a third of their letters in common all but one in 100.
 */
function leastWords(length: number): number {
  return Math.min(5, 1 + Math.floor(length / 75));
}

/**
 * Best score of a stretch without gaps (BLOSUM62, half bits) from which a pair is aligned: of random sequences one pair in
 * 100 or fewer reaches it; of those with a third of their letters in common 98 in 100 if they have 300 letters, 95 if 130.
 */
function leastScore(length: number): number {
  return Math.min(46, Math.max(32, 28 + length / 17));
}

/** Words that two sequences of this identity have in common if the identical residues lie anywhere. */
function wordsExpected(length: number, identity: number): number {
  return SHAPES.length * Math.max(0, length - 2) * identity ** 3;
}

/** Where each word occurs: sequences and positions, by word. */
interface WordIndex {
  readonly starts: Int32Array;
  readonly sequences: Int32Array;
  readonly positions: Int32Array;
}

function makeIndex(sequences: readonly Int32Array[]): WordIndex {
  const starts = new Int32Array(WORD_COUNT + 1);
  forEachWord(sequences, (word) => starts[word + 1]++);
  for (let word = 0; word < WORD_COUNT; word++) starts[word + 1] += starts[word];
  const next = starts.slice();
  const index = {
    starts,
    sequences: new Int32Array(starts[WORD_COUNT]),
    positions: new Int32Array(starts[WORD_COUNT]),
  };
  forEachWord(sequences, (word, sequence, position) => {
    const at = next[word]++;
    index.sequences[at] = sequence;
    index.positions[at] = position;
  });
  return index;
}

function forEachWord(
  sequences: readonly Int32Array[],
  visit: (word: number, sequence: number, position: number) => void,
): void {
  sequences.forEach((letters, sequence) => wordsOf(letters, (word, position) => visit(word, sequence, position)));
}

/** Goes through the words of a sequence. */
function wordsOf(letters: Int32Array, visit: (word: number, position: number) => void): void {
  SHAPES.forEach(([first, second, third], shape) => {
    for (let at = 0; at + third < letters.length; at++) {
      const word = (letters[at + first] * LETTER_COUNT + letters[at + second]) * LETTER_COUNT + letters[at + third];
      visit(word * SHAPES.length + shape, at);
    }
  });
}

/** Diagonals of the words that one sequence shares with those before it. */
class Hits {
  /** The sequences that share any word. */
  others: number[] = [];
  readonly #counts: Int32Array;
  readonly #starts: Int32Array;
  #diagonals = new Int32Array(1024);

  constructor(sequences: number) {
    this.#counts = new Int32Array(sequences);
    this.#starts = new Int32Array(sequences);
  }

  count(j: number): number {
    return this.#counts[j];
  }

  collect({ starts, sequences, positions }: WordIndex, all: readonly Int32Array[], i: number): void {
    const letters = all[i];
    const counts = this.#counts;
    for (const j of this.others) counts[j] = 0;
    this.others = [];
    let total = 0;
    wordsOf(letters, (word) => {
      for (let k = starts[word]; k < starts[word + 1] && sequences[k] < i; k++) {
        if (counts[sequences[k]]++ === 0) this.others.push(sequences[k]);
        total++;
      }
    });
    if (this.#diagonals.length < total) this.#diagonals = new Int32Array(2 * total);
    let start = 0;
    for (const j of this.others) {
      this.#starts[j] = start;
      start += counts[j];
      counts[j] = 0;
    }
    const diagonals = this.#diagonals;
    const first = this.#starts;
    wordsOf(letters, (word, at) => {
      for (let k = starts[word]; k < starts[word + 1] && sequences[k] < i; k++) {
        const j = sequences[k];
        diagonals[first[j] + counts[j]++] = at - positions[k];
      }
    });
  }

  /** Most words on a diagonal, and the first two diagonals that have so many. */
  bestDiagonals(j: number): { words: number; diagonals: number[] } {
    const sorted = this.#diagonals.subarray(this.#starts[j], this.#starts[j] + this.#counts[j]);
    sortFew(sorted);
    let words = 0;
    let diagonals: number[] = [];
    for (let from = 0, to = 0; from < sorted.length; from = to) {
      while (to < sorted.length && sorted[to] === sorted[from]) to++;
      if (to - from > words) diagonals = [];
      words = Math.max(words, to - from);
      if (to - from === words && diagonals.length < 2) diagonals.push(sorted[from]);
    }
    return { words, diagonals };
  }
}

/** Sorts in place; most lists have a few dozen numbers. */
function sortFew(numbers: Int32Array): void {
  if (numbers.length > 80) {
    numbers.sort();
    return;
  }
  for (let i = 1; i < numbers.length; i++) {
    const number = numbers[i];
    let at = i;
    for (; at > 0 && numbers[at - 1] > number; at--) numbers[at] = numbers[at - 1];
    numbers[at] = number;
  }
}

/** Best score of a stretch without gaps on a diagonal. */
function stretchScore(a: Int32Array, b: Int32Array, diagonal: number): number {
  const end = Math.min(a.length, b.length + diagonal);
  let score = 0;
  let best = 0;
  for (let i = Math.max(0, diagonal); i < end; i++) {
    score = Math.max(0, score + BLOSUM62[a[i] * LETTER_COUNT + b[i - diagonal]]);
    best = Math.max(best, score);
  }
  return best;
}
