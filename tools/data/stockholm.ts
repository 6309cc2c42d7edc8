/**
 * Reads alignments in Stockholm format, whole or in interleaved blocks.
 *
 * Source: HMMER user's guide, "Stockholm, the recommended multiple sequence alignment format"; its programs write names
 * that begin with `#` or `//` and names that stand twice in a block.
 */
import { InputError } from "../errors.ts";
import { checked } from "./a3m.ts";
import { splitLines } from "./_lines.ts";
import { type Alignment, type AlignmentOptions, makeAlignment } from "./alignment.ts";
import { BlockRows, type Letters } from "./_block_rows.ts";
import { Remarks } from "./remarks.ts";

/** A name and letters. */
const ROW = /^(\S+)\s+(\S+)$/;

const AFTER_END = { key: "afterEnd", done: "left out, the first is read", unit: "record", isLeftOut: true } as const;

const LETTERS: Letters = { odd: /[^A-Za-z.\-_~]/, expected: "a letter, '-' or '.'", gaps: /[._~]/g };

/**
 * Reads the first alignment of a Stockholm file.
 *
 * @throws {InputError} As {@linkcode StockholmReader} does.
 */
export function parseStockholm(text: string, source: string, options: AlignmentOptions = {}): Alignment {
  const reader = new StockholmReader(source, options);
  for (const [index, line] of splitLines(text).entries()) reader.push(line, index + 1);
  return reader.finish();
}

/**
 * Reads the first alignment of a Stockholm file, line by line; every letter stands in a column, `.`, `-`, `_` and `~` are
 * gaps, the line `#=GC RF` is kept. In a block a row is known by its name and how often that was there before. A row other
 * than the first that has a character outside the alphabet or another number of columns is left out with a remark.
 */
export class StockholmReader {
  readonly #source: string;
  readonly #remarks = new Remarks();
  readonly #rows: BlockRows;
  /** Names with lines `#=GS`. */
  readonly #described = new Set<string>();
  readonly #reference: { text: string; line: number } = { text: "", line: 0 };
  #isBegun = false;
  #isEnded = false;

  /** @param source Name of the file, for messages. */
  constructor(source: string, { maxRows = Infinity }: AlignmentOptions = {}) {
    this.#source = source;
    this.#rows = new BlockRows(source, maxRows, LETTERS, this.#remarks);
  }

  /**
   * Takes the next line.
   *
   * @throws {InputError} If the first is no mark of the format, or it is no name and letters; names the line.
   */
  push(raw: string, number: number): void {
    const line = raw.trim();
    if (line === "") return this.#rows.endBlock();
    if (!this.#isBegun) {
      if (!line.startsWith("# STOCKHOLM")) {
        throw new InputError(`${this.#source} line ${number}: expected "# STOCKHOLM 1.0"`);
      }
      this.#isBegun = true;
    } else if (this.#isEnded) {
      if (line.startsWith("# STOCKHOLM")) this.#remarks.add(AFTER_END, number, () => "another alignment");
    } else if (line === "//") this.#isEnded = true;
    else if (line.startsWith("#=")) this.#mark(line, number);
    else if (!line.startsWith("#") || this.#described.has(line.split(/\s/, 1)[0])) this.#row(line, number);
  }

  /**
   * The alignment.
   *
   * @throws {InputError} If there is no row, the first cannot be used, most rows or the line `#=GC RF` have another number of
   * columns than the first.
   */
  finish(): Alignment {
    const source = this.#source;
    if (!this.#isBegun) throw new InputError(`${source} line 1: expected "# STOCKHOLM 1.0"`);
    const { names, aligned, columns } = this.#rows.finish();
    const { text: marks, line } = this.#reference;
    if (marks !== "" && marks.length !== columns) {
      throw new InputError(
        `${source} line ${line}: #=GC RF has ${marks.length} columns, expected ${columns} as in row 1`,
      );
    }
    return checked(
      makeAlignment(source, names, aligned, {
        reference: marks === "" ? undefined : marks,
        ...this.#remarks.field(),
      }),
    );
  }

  #mark(line: string, number: number): void {
    const [kind, name, ...rest] = line.split(/\s+/);
    if (kind === "#=GS" && name !== undefined) this.#described.add(name);
    if (kind !== "#=GC" || name !== "RF" || rest.length !== 1) return;
    this.#reference.text += rest[0];
    this.#reference.line = number;
  }

  #row(line: string, number: number): void {
    const [, name, letters] = ROW.exec(line) ?? [];
    if (letters === undefined) {
      const { length } = line.split(/\s+/);
      throw new InputError(
        `${this.#source} line ${number}: expected a name and its letters, found ${length} word${length > 1 ? "s" : ""}`,
      );
    }
    this.#rows.push(name, letters, number);
  }
}
