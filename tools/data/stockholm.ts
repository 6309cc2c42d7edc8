/**
 * Reads alignments in Stockholm format, whole or in interleaved blocks.
 *
 * Source: HMMER user's guide, "Stockholm, the recommended multiple sequence alignment format"; its programs write names
 * that begin with `#` or `//` and names that stand twice in a block.
 */
import { InputError } from "../errors.ts";
import { checked, rowsThatFit } from "./a3m.ts";
import { splitLines } from "./_lines.ts";
import { type Alignment, type AlignmentOptions, makeAlignment } from "./alignment.ts";
import { MORE_ROWS, ODD_ROW, Remarks } from "./remarks.ts";

/** A name and letters. */
const ROW = /^(\S+)\s+(\S+)$/;

const SAME_NAME = { key: "sameName", done: "each is a row of its own", unit: "row", isUsual: true } as const;
const AFTER_END = { key: "afterEnd", done: "left out, the first is read", unit: "record", isLeftOut: true } as const;

interface Row {
  readonly name: string;
  readonly line: number;
  readonly parts: string[];
  fault?: { readonly line: number; readonly found: string };
}

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
  readonly #maxRows: number;
  readonly #remarks = new Remarks();
  readonly #rows = new Map<string, Row>();
  /** Names since the last empty line, and how often. */
  readonly #block = new Map<string, number>();
  /** Names with lines `#=GS`. */
  readonly #described = new Set<string>();
  readonly #left = new Set<string>();
  readonly #reference: { text: string; line: number } = { text: "", line: 0 };
  #isBegun = false;
  #isEnded = false;

  /** @param source Name of the file, for messages. */
  constructor(source: string, { maxRows = Infinity }: AlignmentOptions = {}) {
    this.#source = source;
    this.#maxRows = maxRows;
  }

  /**
   * Takes the next line.
   *
   * @throws {InputError} If the first is no mark of the format, or it is no name and letters; names the line.
   */
  push(raw: string, number: number): void {
    const line = raw.trim();
    if (line === "") return this.#block.clear();
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
    const rows: Row[] = [];
    for (const row of this.#rows.values()) {
      const { fault } = row;
      if (fault === undefined) rows.push(row);
      else if (rows.length > 0) this.#remarks.add(ODD_ROW, fault.line, () => fault.found);
      else throw new InputError(`${source} line ${fault.line}: ${fault.found}`);
    }
    if (rows.length === 0) throw new InputError(`${source} has no rows, expected names and aligned letters`);
    const aligned = rows.map(({ parts }) => parts.join(""));
    const kept = rowsThatFit(aligned.map(({ length }) => length), rows, source, this.#remarks);
    const { text: marks, line } = this.#reference;
    if (marks !== "" && marks.length !== aligned[0].length) {
      throw new InputError(
        `${source} line ${line}: #=GC RF has ${marks.length} columns, expected ${aligned[0].length} as in row 1`,
      );
    }
    return checked(
      makeAlignment(source, kept.map((r) => rows[r].name), kept.map((r) => aligned[r]), {
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
    const at = letters.search(/[^A-Za-z.\-_~]/);
    if (at >= 0) {
      row.fault ??= {
        line: number,
        found: `row "${name}" has ${JSON.stringify(letters[at])} at column ${
          at + 1
        } of the line, expected a letter, '-' or '.'`,
      };
    }
    row.parts.push(/[^A-Z-]/.test(letters) ? letters.toUpperCase().replace(/[._~]/g, "-") : letters);
  }
}
