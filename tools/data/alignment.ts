/** Multiple sequence alignments as plain records, and what is most often asked of them. */
import { InputError } from "../errors.ts";
import type { Remark } from "./remarks.ts";
import { RESIDUE_LETTERS, UNKNOWN_RESIDUE } from "../../model/protein/residues.ts";

/** A multiple sequence alignment, seen from its first row, the query. */
export interface Alignment {
  /** File it was read from, for messages. */
  readonly source: string;
  /** Names of the rows, `[N_seq]`. */
  readonly names: readonly string[];
  /** Rows over the query's residues, upper case and `-`; the first has no gap. */
  readonly rows: readonly string[];
  /** How many residues each row has between this column and the one before, which the query lacks, `[N_seq][N_res]`. */
  readonly deletions: readonly Int32Array[];
  /** Rows over all columns; lower case letters are insertions that stand in no column, as in A3M. */
  readonly aligned: readonly string[];
  /**
   * The line `#=GC RF` of a Stockholm file, a character a column: those of the profile or consensus have a letter or `x`,
   * insertions `.` or `-`. It says nothing that rows and deletions need. @default none
   */
  readonly reference?: string;
  /** What was unusual in the file, and what was done about it. @default nothing */
  readonly remarks?: readonly Remark[];
}

/** Choices of the readers of alignments. */
export interface AlignmentOptions {
  /** Most rows that are kept, the first ones; the others are only counted. @default all */
  readonly maxRows?: number;
}

/** Tokens of B, Z (acid or amide), U (selenocysteine), as AlphaFold reads them. */
const LETTER_TOKENS: Readonly<Record<string, string>> = { B: "D", Z: "E", U: "C" };

const TOKENS: ReadonlyMap<string, number> = new Map(
  Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZ", (letter) => {
    const index = RESIDUE_LETTERS.indexOf(LETTER_TOKENS[letter] ?? letter);
    return [letter, index < 0 ? UNKNOWN_RESIDUE : index];
  }),
);

/** Makes an alignment of rows that were checked to have equally many columns (capitals and `-`). */
export function makeAlignment(
  source: string,
  names: readonly string[],
  aligned: readonly string[],
  { reference, remarks = [] }: Pick<Alignment, "reference" | "remarks"> = {},
): Alignment {
  return Object.freeze({
    ...{ source, names: Object.freeze(names), aligned: Object.freeze(aligned) },
    ...queryView(aligned, 0),
    ...(reference === undefined ? {} : { reference }),
    ...(remarks.length === 0 ? {} : { remarks }),
  });
}

/**
 * The alignment over the residues of one of its rows: columns where that row has a gap go, its insertions come as columns
 * in which the others have gaps, and residues of the others left out are counted in `deletions`.
 *
 * @param aligned Rows over all columns, with insertions in lower case.
 * @param query Index of the row.
 */
export function queryView(aligned: readonly string[], query: number): Pick<Alignment, "rows" | "deletions"> {
  const plan = columnPlan(aligned[query]);
  const views = aligned.map((row, index) => viewOf(row, plan, index === query));
  return {
    rows: Object.freeze(views.map((view) => view.row)),
    deletions: Object.freeze(views.map((view) => view.deletions)),
  };
}

/** Throws unless the alignment's first row is the given sequence. */
export function checkQuery(alignment: Alignment, sequence: string, owner: string = "the structure"): void {
  const found = differenceOf(alignment.rows[0], sequence);
  if (found !== undefined) {
    throw new InputError(
      `The first row of ${alignment.source}, "${alignment.names[0]}", is not the sequence of ${owner}: ${found}`,
    );
  }
}

/**
 * The first residue, from 0, at which two sequences do not say the same, the shorter's length if all of it does;
 * `undefined` if they are equal. Letters are compared as the models read them: X (and J, O) on either side fits every
 * residue, B is D, Z is E, U is C.
 */
export function firstDifference(one: string, other: string): number | undefined {
  if (one === other) return undefined;
  const shorter = Math.min(one.length, other.length);
  let at = 0;
  while (at < shorter && isSameResidue(one[at], other[at])) at++;
  return at === one.length && at === other.length ? undefined : at;
}

/** What first differs between the sequence of a row and one expected, in words; `undefined` if they say the same. */
export function differenceOf(found: string, expected: string): string | undefined {
  const at = firstDifference(found, expected);
  if (at === undefined) return undefined;
  return at < found.length && at < expected.length
    ? `residue ${at + 1} is ${found[at]} in the alignment, expected ${expected[at]}`
    : `the alignment has ${found.length} residues, expected ${expected.length}`;
}

/** Where two sequences that say the same have different letters, in words; `undefined` if nowhere. */
export function unlikeLetters(found: string, expected: string): string | undefined {
  const places = Array.from({ length: expected.length }, (_, i) => i).filter((i) => found[i] !== expected[i]);
  if (places.length === 0) return undefined;
  const [first] = places;
  const more = places.length > 1 ? ` (the first of ${places.length} such residues)` : "";
  return `residue ${first + 1} is ${found[first]} in the alignment and ${expected[first]} in the structure${more}`;
}

function isSameResidue(one: string, other: string): boolean {
  const [a, b] = [TOKENS.get(one) ?? UNKNOWN_RESIDUE, TOKENS.get(other) ?? UNKNOWN_RESIDUE];
  return a === b || a === UNKNOWN_RESIDUE || b === UNKNOWN_RESIDUE;
}

/**
 * Rows as tokens: the 20 amino acids in AlphaFold's `aatype` order, then 20.
 *
 * The small model has 21 tokens, so that gaps and residues that are not known (X, J, O) share token 20; B counts as D, Z
 * as E, U as C.
 *
 * @param rows Rows of equal length.
 * @returns `[N_seq, N_res]`
 */
export function encodeTokens(rows: readonly string[]): Int32Array {
  const columns = rows[0]?.length ?? 0;
  const tokens = new Int32Array(rows.length * columns);
  rows.forEach((row, r) => {
    if (row.length !== columns) {
      throw new RangeError(
        `Cannot encode rows of unequal length: row 1 has ${columns} columns, row ${r + 1} ${row.length}`,
      );
    }
    for (let c = 0; c < columns; c++) tokens[r * columns + c] = TOKENS.get(row[c]) ?? UNKNOWN_RESIDUE;
  });
  return tokens;
}

/** Fraction of columns with equal residues among those where both rows have one; 0 if there are none. */
export function sequenceIdentity(a: string, b: string): number {
  let both = 0;
  let equal = 0;
  for (let i = 0; i < a.length && i < b.length; i++) {
    if (a[i] === "-" || b[i] === "-") continue;
    both++;
    if (a[i] === b[i]) equal++;
  }
  return both === 0 ? 0 : equal / both;
}

/** Which columns of the rows are kept, and where columns come in. */
interface ColumnPlan {
  /** 1 for each column that is kept. */
  readonly match: Uint8Array;
  /** Number of the query's own insertions before each column, and after the last. */
  readonly inserted: Int32Array;
  /** Residues of the query. */
  readonly length: number;
}

const GAP = "-".charCodeAt(0);

function columnPlan(query: string): ColumnPlan {
  const match = new Uint8Array(query.length);
  const inserted = new Int32Array(query.length + 1);
  let columns = 0;
  let length = 0;
  for (let i = 0; i < query.length; i++) {
    const code = query.charCodeAt(i);
    if (isInsertion(code)) inserted[columns]++;
    else match[columns++] = code === GAP ? 0 : 1;
    if (code !== GAP) length++;
  }
  return { match: match.subarray(0, columns), inserted: inserted.subarray(0, columns + 1), length };
}

const ASCII = new TextDecoder("latin1");

function viewOf(
  aligned: string,
  { match, inserted, length }: ColumnPlan,
  isQuery: boolean,
): { row: string; deletions: Int32Array } {
  const letters = new Uint8Array(length).fill(GAP);
  const deletions = new Int32Array(length);
  let at = 0; // residue of the query
  let column = 0;
  let pending = 0;
  if (!isQuery) at += inserted[0];
  for (let i = 0; i < aligned.length; i++) {
    const code = aligned.charCodeAt(i);
    if (isInsertion(code)) {
      if (isQuery) letters[at++] = code - RAISE;
      else pending++;
      continue;
    }
    if (match[column] === 1) {
      letters[at] = code;
      deletions[at++] = pending;
      pending = 0;
    } else if (code !== GAP) {
      pending++;
    }
    column++;
    if (isQuery || inserted[column] === 0) continue;
    deletions[at] = pending; // left out before the query's insertion
    pending = 0;
    at += inserted[column];
  }
  return { row: ASCII.decode(letters), deletions };
}

/** How far small letters lie above capitals. */
const RAISE = 32;

function isInsertion(code: number): boolean {
  return code >= 97 && code <= 122;
}
