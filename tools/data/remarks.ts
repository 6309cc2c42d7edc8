/** What readers tell of unusual things in files, so that nothing is dropped or changed in silence. */
import { counted } from "../words.ts";

/** What a remark counts. */
export type RemarkUnit = "atom" | "residue" | "chain" | "record" | "row" | "hit" | "template" | "id" | "label";

/** A kind of thing that a reader may find. */
export interface RemarkKind {
  /** Short name, one word, for tables and JSON. */
  readonly key: string;
  /** What was done about it, such as "left out". */
  readonly done: string;
  /** What is counted. */
  readonly unit: RemarkUnit;
  /** Whether what was found is not in the result. @default false */
  readonly isLeftOut?: boolean;
  /** Whether files of this format have it as a rule, such as water, so that only who asks is told. @default false */
  readonly isUsual?: boolean;
}

/** Something that a reader found, how often, and what it did about it. */
export interface Remark extends RemarkKind {
  /** How many there are. */
  readonly count: number;
  /** The first of them, in words. */
  readonly found: string;
  /** Line of the first, from 1, where the format has lines. */
  readonly line?: number;
  /** Atoms of the residues, chains or groups that are counted. */
  readonly atoms?: number;
}

/** Collects remarks while a file is read. */
export class Remarks {
  readonly #found = new Map<
    string,
    { kind: RemarkKind; count: number; found: string; line?: number; atoms?: number }
  >();

  /**
   * Counts something.
   *
   * @param line Its line; like the words a function, which is asked for the first of its kind alone.
   * @param found Words for it.
   * @param count How many it is.
   * @param atoms How many atoms they have, where these are not counted themselves.
   */
  add(
    kind: RemarkKind,
    line: number | undefined | (() => number | undefined),
    found: () => string,
    count = 1,
    atoms?: number,
  ): void {
    if (count === 0) return;
    let known = this.#found.get(kind.key);
    if (known === undefined) {
      known = { kind, count: 0, found: found(), line: typeof line === "function" ? line() : line };
      this.#found.set(kind.key, known);
    }
    known.count += count;
    if (atoms !== undefined) known.atoms = (known.atoms ?? 0) + atoms;
  }

  /** The remarks in the order in which their first were found, as the field of what was read; none where there are none. */
  field(): { readonly remarks?: readonly Remark[] } {
    if (this.#found.size === 0) return {};
    const remarks = [...this.#found.values()].map(({ kind, ...first }) => Object.freeze({ ...kind, ...first }));
    return { remarks: Object.freeze(remarks) };
  }
}

/** Something that was read, with remarks. */
export interface Remarked {
  /** File it was read from. */
  readonly source: string;
  /** What was unusual. @default nothing */
  readonly remarks?: readonly Remark[];
}

/** A remark with its file: a row of the table that `inspect` shows and the manifest of `prep` keeps. */
export interface RemarkRow {
  /** Short name of its kind, one word. */
  readonly kind: string;
  /** The file. */
  readonly file: string;
  /** Line of the first, from 1, where it is known. */
  readonly line?: number;
  /** The first of them, in words. */
  readonly found: string;
  /** How many there are. */
  readonly count: number;
  /** What is counted. */
  readonly unit: RemarkUnit;
  /** Atoms of the residues, chains or groups that are counted. */
  readonly atoms?: number;
  /** What was done about it. */
  readonly done: string;
  /** Whether what was found is not in the result. */
  readonly isLeftOut: boolean;
  /** Whether files of this format have it as a rule. */
  readonly isUsual: boolean;
}

/** File and line of a place as messages name it, `table.csv line 3`. */
export function fileAndLine(place: string): { file: string; line?: number } {
  const [, file, line] = /^(.*) line (\d+)$/s.exec(place) ?? [];
  return file === undefined ? { file: place } : { file, line: Number(line) };
}

/** Makes a row: of one thing that was kept and is not usual, unless it is said otherwise. */
export function remarkRow(
  row: Pick<RemarkRow, "kind" | "file" | "found" | "unit" | "done"> & Partial<RemarkRow>,
): RemarkRow {
  const { kind, file, line, found, count = 1, unit, atoms, done, isLeftOut = false, isUsual = false } = row;
  return { kind, file, line, found, count, unit, atoms, done, isLeftOut, isUsual };
}

/** All remarks as rows. */
export function remarkRows({ source: file, remarks = [] }: Remarked): RemarkRow[] {
  return remarks.map(({ key: kind, ...remark }) => remarkRow({ kind, file, ...remark }));
}

/** A row as a sentence. */
export function remarkText({ file, line, found, done, count, unit }: RemarkRow): string {
  const place = line === undefined ? file : `${file} line ${line}`;
  return `${place}: ${found}: ${done}${count > 1 ? ` (the first of ${counted(count, unit)})` : ""}`;
}

/** The remarks on what is unusual, a sentence each, with file and line. */
export function warningsOf(remarked: Remarked): string[] {
  return remarkRows(remarked).filter(({ isUsual }) => !isUsual).map(remarkText);
}

/** A row with a character that no row may have, or without any. */
export const ODD_ROW = { key: "oddRow", done: "the row is left out", unit: "row", isLeftOut: true } as const;

/** A row with another number of columns than the first. */
export const WRONG_LENGTH = { key: "wrongLength", done: "the row is left out", unit: "row", isLeftOut: true } as const;

/** Rows beyond those that were asked for. */
export const MORE_ROWS = { key: "moreRows", done: "left out", unit: "row", isLeftOut: true, isUsual: true } as const;

/** A stop codon at the end of a row. */
export const STOP = { key: "stop", done: "the mark is left out", unit: "row", isUsual: true } as const;
