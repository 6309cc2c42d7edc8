/**
 * Reads alignments as Clustal and many other programs write them: interleaved blocks of names and columns below a title.
 *
 * Source: the habits of Clustal W, Clustal Omega, MAFFT (`--clustalout`), MUSCLE (`-clw`) and PROBCONS.
 */
import { InputError } from "../errors.ts";
import { checked } from "./a3m.ts";
import { type Alignment, type AlignmentOptions, makeAlignment } from "./alignment.ts";
import { BlockRows, type Letters } from "./_block_rows.ts";
import { Remarks } from "./remarks.ts";

/** The line that such a file begins with. */
const TITLE = /^(?:CLUSTAL|MUSCLE|PROBCONS|MSAPROBS)\b/;

/** A name, letters, and maybe the number of residues up to there. */
const ROW = /^(\S+)\s+(\S+)(?:\s+\d+)?$/;

/** Marks of how much a column is conserved, below a block. */
const MARKS = /^[*:.\s]*$/;

const LETTERS: Letters = { odd: /[^A-Za-z.~-]/, expected: "a letter or '-'", gaps: /[.~]/g };

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
  readonly #remarks = new Remarks();
  readonly #rows: BlockRows;
  #isBegun = false;

  /** @param source Name of the file, for messages. */
  constructor(source: string, { maxRows = Infinity }: AlignmentOptions = {}) {
    this.#source = source;
    this.#rows = new BlockRows(source, maxRows, LETTERS, this.#remarks);
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
    if (raw.trim() === "") return this.#rows.endBlock();
    if (/^\s/.test(raw) && MARKS.test(raw)) return;
    const [, name, letters] = ROW.exec(raw.trim()) ?? [];
    if (letters === undefined) {
      throw new InputError(
        `${this.#source} line ${number}: expected a name and its letters, found ${JSON.stringify(raw.slice(0, 40))}`,
      );
    }
    this.#rows.push(name, letters, number);
  }

  /**
   * The alignment.
   *
   * @throws {InputError} If there is no row, the first cannot be used, or most rows have another number of columns than it.
   */
  finish(): Alignment {
    const { names, aligned } = this.#rows.finish();
    return checked(makeAlignment(this.#source, names, aligned, this.#remarks.field()));
  }
}
