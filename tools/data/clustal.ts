/**
 * Reads alignments as Clustal and many other programs write them: interleaved blocks of names and columns below a title.
 *
 * Source: the habits of Clustal W, Clustal Omega, MAFFT (`--clustalout`), MUSCLE (`-clw`) and PROBCONS.
 */
import { InputError } from "../errors.ts";
import { checked, rowsThatFit } from "./a3m.ts";
import { type Alignment, type AlignmentOptions, makeAlignment } from "./alignment.ts";
import { MORE_ROWS, ODD_ROW, Remarks } from "./remarks.ts";

/** The line that such a file begins with. */
const TITLE = /^(?:CLUSTAL|MUSCLE|PROBCONS|MSAPROBS)\b/;

/** A name, letters, and maybe the number of residues up to there. */
const ROW = /^(\S+)\s+(\S+)(?:\s+\d+)?$/;

/** Marks of how much a column is conserved, below a block. */
const MARKS = /^[*:.\s]*$/;

const SAME_NAME = { key: "sameName", done: "each is a row of its own", unit: "row", isUsual: true } as const;

interface Row {
  readonly name: string;
  readonly line: number;
  readonly parts: string[];
  fault?: { readonly line: number; readonly found: string };
}

/** Whether a line is the first of a file of this format. */
export function isClustalTitle(line: string): boolean {
  return TITLE.test(line);
}

/**
 * Reads such an alignment line by line; every letter stands in a column, `-`, `.` and `~` are gaps. In a block a row is
 * known by its name and how often that was there before. A row other than the first that has a character outside the
 * alphabet or another number of columns is left out with a remark.
 */
export class ClustalReader {
  readonly #source: string;
  readonly #maxRows: number;
  readonly #remarks = new Remarks();
  readonly #rows = new Map<string, Row>();
  /** Names since the last empty line, and how often. */
  readonly #block = new Map<string, number>();
  readonly #left = new Set<string>();
  #isBegun = false;

  /** @param source Name of the file, for messages. */
  constructor(source: string, { maxRows = Infinity }: AlignmentOptions = {}) {
    this.#source = source;
    this.#maxRows = maxRows;
  }

  /**
   * Takes the next line, with the white space that it begins with.
   *
   * @throws {InputError} If it is no title, name and letters, or marks; names the line.
   */
  push(raw: string, number: number): void {
    if (!this.#isBegun) {
      this.#isBegun = true;
      return;
    }
    if (raw.trim() === "") return this.#block.clear();
    if (/^\s/.test(raw) && MARKS.test(raw)) return;
    const [, name, letters] = ROW.exec(raw.trim()) ?? [];
    if (letters === undefined) {
      throw new InputError(
        `${this.#source} line ${number}: expected a name and its letters, found ${JSON.stringify(raw.slice(0, 40))}`,
      );
    }
    this.#row(name, letters, number);
  }

  /**
   * The alignment.
   *
   * @throws {InputError} If there is no row, the first cannot be used, or most rows have another number of columns than it.
   */
  finish(): Alignment {
    const rows: Row[] = [];
    for (const row of this.#rows.values()) {
      const { fault } = row;
      if (fault === undefined) rows.push(row);
      else if (rows.length > 0) this.#remarks.add(ODD_ROW, fault.line, () => fault.found);
      else throw new InputError(`${this.#source} line ${fault.line}: ${fault.found}`);
    }
    if (rows.length === 0) throw new InputError(`${this.#source} has no rows, expected names and aligned letters`);
    const aligned = rows.map(({ parts }) => parts.join(""));
    const kept = rowsThatFit(aligned.map(({ length }) => length), rows, this.#source, this.#remarks);
    const names = kept.map((r) => rows[r].name);
    return checked(makeAlignment(this.#source, names, kept.map((r) => aligned[r]), this.#remarks.field()));
  }

  #row(name: string, letters: string, number: number): void {
    const before = this.#block.get(name) ?? 0;
    this.#block.set(name, before + 1);
    const key = before === 0 ? name : `${name}\0${before}`;
    let row = this.#rows.get(key);
    if (row === undefined) {
      if (this.#rows.size >= this.#maxRows) {
        if (!this.#left.has(key)) this.#remarks.add(MORE_ROWS, number, () => `rows beyond the first ${this.#maxRows}`);
        this.#left.add(key);
        return;
      }
      if (before > 0) this.#remarks.add(SAME_NAME, number, () => `the name "${name}" stands twice in a block`);
      this.#rows.set(key, row = { name, line: number, parts: [] });
    }
    const at = letters.search(/[^A-Za-z.~-]/);
    if (at >= 0) {
      row.fault ??= {
        line: number,
        found: `row "${name}" has ${JSON.stringify(letters[at])} at column ${
          at + 1
        } of the line, expected a letter or '-'`,
      };
    }
    row.parts.push(letters.toUpperCase().replace(/[.~]/g, "-"));
  }
}
