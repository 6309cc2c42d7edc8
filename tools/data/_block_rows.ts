/** Rows of alignments in interleaved blocks, as Stockholm and Clustal files have them. */
import { InputError } from "../errors.ts";
import { rowsThatFit } from "./a3m.ts";
import { MORE_ROWS, ODD_ROW, type Remarks } from "./remarks.ts";

const SAME_NAME = { key: "sameName", done: "each is a row of its own", unit: "row", isUsual: true } as const;

interface Row {
  readonly name: string;
  readonly line: number;
  readonly parts: string[];
  fault?: { readonly line: number; readonly found: string };
}

/** How the letters of rows are read. */
export interface Letters {
  /** A character that is none. */
  readonly odd: RegExp;
  /** What is expected instead, in words. */
  readonly expected: string;
  /** Characters that stand for `-`. */
  readonly gaps: RegExp;
}

/**
 * Gathers rows block by block; every letter stands in a column. In a block a row is known by its name and how often that was
 * there before. A row other than the first that has a character outside the alphabet or another number of columns is left
 * out with a remark.
 */
export class BlockRows {
  readonly #source: string;
  readonly #maxRows: number;
  readonly #letters: Letters;
  readonly #remarks: Remarks;
  readonly #rows = new Map<string, Row>();
  /** Names in the present block, and how often. */
  readonly #block = new Map<string, number>();
  readonly #left = new Set<string>();

  /** @param source Name of the file, for messages. */
  constructor(source: string, maxRows: number, letters: Letters, remarks: Remarks) {
    this.#source = source;
    this.#maxRows = maxRows;
    this.#letters = letters;
    this.#remarks = remarks;
  }

  /** Ends a block. */
  endBlock(): void {
    this.#block.clear();
  }

  /** Takes a row's letters of the present block. */
  push(name: string, letters: string, line: number): void {
    const before = this.#block.get(name) ?? 0;
    this.#block.set(name, before + 1);
    const key = before === 0 ? name : `${name}\0${before}`;
    let row = this.#rows.get(key);
    if (row === undefined) {
      if (this.#rows.size >= this.#maxRows) {
        if (!this.#left.has(key)) this.#remarks.add(MORE_ROWS, line, () => `rows beyond the first ${this.#maxRows}`);
        this.#left.add(key);
        return;
      }
      if (before > 0) this.#remarks.add(SAME_NAME, line, () => `the name "${name}" stands twice in a block`);
      this.#rows.set(key, row = { name, line, parts: [] });
    }
    const { odd, expected, gaps } = this.#letters;
    const at = letters.search(odd);
    if (at >= 0) {
      const found = `row "${name}" has ${JSON.stringify(letters[at])} at column ${
        at + 1
      } of the line, expected ${expected}`;
      row.fault ??= { line, found };
    }
    row.parts.push(/[^A-Z-]/.test(letters) ? letters.toUpperCase().replace(gaps, "-") : letters);
  }

  /**
   * Names and letters of the rows that can be used.
   *
   * @returns Besides, the columns of the first row.
   * @throws {InputError} If there is no row, the first cannot be used, or most rows have another number of columns than it.
   */
  finish(): { readonly names: string[]; readonly aligned: string[]; readonly columns: number } {
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
    return { names: kept.map((r) => rows[r].name), aligned: kept.map((r) => aligned[r]), columns: aligned[0].length };
  }
}
