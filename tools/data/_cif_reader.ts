/**
 * Reads the text of CIF files, and finds places in it for messages.
 *
 * Source: Hall, Allen and Brown (1991), "The Crystallographic Information File (CIF)"; CIF 1.1 syntax.
 */
import { InputError } from "../errors.ts";

/** Values of an item. */
export interface CifColumn {
  /** How many there are. */
  readonly rowCount: number;
  /** Whether there is a value: neither `.` nor `?` without quotes. */
  has(row: number): boolean;
  /** The value as written, without its quotes; empty where there is none. */
  text(row: number): string;
  /** The number, without its uncertainty in brackets; NaN where there is none. */
  number(row: number): number;
  /** Whether two rows say the same. */
  isSame(one: number, other: number): boolean;
  /** Line of a value from 1, where the file has lines. */
  line(row: number): number | undefined;
}

/** Items of one category; names are in lower case. */
export interface CifTable {
  /** Rows. */
  readonly rowCount: number;
  /** Values of an item; `undefined` if it is not there. */
  column(item: string): CifColumn | undefined;
}

/** A data block. */
export interface CifBlock {
  /** What stands after `data_`. */
  readonly header: string;
  /** A category, without the `_` before its name; `undefined` if it is not there. */
  table(category: string): CifTable | undefined;
}

/**
 * Reads the data blocks of a CIF; save frames are left out.
 *
 * @param source Name of the file, for messages.
 * @throws {InputError} If its form is wrong; names the first fault and its line.
 */
export function parseCif(text: string, source: string): CifBlock[] {
  return new CifParser(text, source).parse();
}

const [TAB, NEW_LINE, RETURN, SPACE] = [9, 10, 13, 32];
const [DOUBLE, HASH, SINGLE, DOT, SEMICOLON, QUESTION, UNDERSCORE] = Array.from("\"#'.;?_", (c) => c.charCodeAt(0));

/** Values of a loop, or of one item: where each begins and ends. */
interface Values {
  readonly text: string;
  starts: Int32Array;
  ends: Int32Array;
  count: number;
}

type Token = "value" | "name" | "loop" | "data" | "save" | "end";

class CifParser {
  #at: number;
  #start = 0;
  #end = 0;
  #token: Token = "end";

  constructor(readonly text: string, readonly source: string) {
    this.#at = text.startsWith("\uFEFF") ? 1 : 0;
  }

  parse(): CifBlock[] {
    const blocks: TextBlock[] = [];
    let block: TextBlock | undefined;
    let frame: TextBlock | undefined; // a save frame, which nobody looks at
    const current = (): TextBlock => {
      if (frame) return frame;
      if (!block) blocks.push(block = new TextBlock(""));
      return block;
    };
    this.#next();
    while (this.#token !== "end") {
      const start = this.#start;
      if (this.#token === "data") {
        blocks.push(block = new TextBlock(this.text.slice(start + 5, this.#end)));
        this.#next();
      } else if (this.#token === "save") {
        frame = this.#end - start > 5 ? new TextBlock("") : undefined;
        this.#next();
      } else if (this.#token === "loop") this.#loop(current());
      else if (this.#token === "name") this.#item(current());
      else this.#fail(start, `${this.#shown()}, expected a name or loop_`);
    }
    return blocks;
  }

  #item(block: TextBlock): void {
    const nameAt = this.#start;
    const name = this.text.slice(nameAt, this.#end);
    this.#next();
    if (this.#token !== "value") this.#fail(nameAt, "a name without a value");
    const starts = Int32Array.of(this.#start);
    this.#add(block, name, nameAt, { text: this.text, starts, ends: Int32Array.of(this.#end), count: 1 }, 0, 1);
    this.#next();
  }

  #loop(block: TextBlock): void {
    const loopAt = this.#start;
    const names: { name: string; at: number }[] = [];
    this.#next();
    while (this.#token === "name") {
      names.push({ name: this.text.slice(this.#start, this.#end), at: this.#start });
      this.#next();
    }
    if (names.length === 0) this.#fail(loopAt, "loop_ without names");
    const values: Values = { text: this.text, starts: new Int32Array(64), ends: new Int32Array(64), count: 0 };
    while (this.#token === "value") {
      if (values.count === values.starts.length) {
        // As many more as there would be if the rest of the text were values too, but at most sixteen times as many.
        const rest = (this.text.length - loopAt) / (this.#at - loopAt);
        const size = Math.ceil(values.count * Math.min(16, Math.max(1.5, 1.02 * rest)));
        values.starts = grown(values.starts, size);
        values.ends = grown(values.ends, size);
      }
      values.starts[values.count] = this.#start;
      values.ends[values.count++] = this.#end;
      this.#next();
    }
    if (values.count % names.length !== 0) {
      this.#fail(loopAt, `a loop of ${names.length} names with ${values.count} values, expected whole rows`);
    }
    for (const [k, { name, at }] of names.entries()) this.#add(block, name, at, values, k, names.length);
  }

  #add(block: TextBlock, name: string, at: number, values: Values, first: number, step: number): void {
    const problem = block.add(name, new TextColumn(values, first, step));
    if (problem !== undefined) this.#fail(at, `the item ${name} ${problem}`);
  }

  /** Goes to the next token. */
  #next(): void {
    const { text } = this;
    let at = this.#at;
    for (;;) {
      const code = text.charCodeAt(at);
      if (code === SPACE || code === NEW_LINE || code === RETURN || code === TAB) at++;
      else if (code === HASH) at = this.#endOfLine(at);
      else break;
    }
    this.#start = at;
    if (at >= text.length) {
      this.#token = "end";
      return;
    }
    this.#token = "value";
    const first = text.charCodeAt(at);
    if (first === SINGLE || first === DOUBLE) return this.#quoted(at, first);
    if (first === SEMICOLON && (at === 0 || isLineEnd(text.charCodeAt(at - 1)))) return this.#field(at);
    let end = at + 1;
    for (let code = text.charCodeAt(end); end < text.length && !isSpace(code); code = text.charCodeAt(++end));
    this.#at = this.#end = end;
    if (first === UNDERSCORE) this.#token = "name";
    else if (end - at >= 5 && text.charCodeAt(at + 4) === UNDERSCORE) this.#token = keyword(text.slice(at, end));
  }

  #quoted(at: number, quote: number): void {
    const { text } = this;
    for (let end = at + 1; end < text.length; end++) {
      const code = text.charCodeAt(end);
      if (isLineEnd(code)) break;
      if (code !== quote || (end + 1 < text.length && !isSpace(text.charCodeAt(end + 1)))) continue;
      [this.#start, this.#end, this.#at] = [at + 1, end, end + 1];
      return;
    }
    this.#fail(at, "a quote that does not end on its line");
  }

  /** A text field: lines between one that begins with `;` and the next such. */
  #field(at: number): void {
    const { text } = this;
    for (let end = text.indexOf(";", at + 1); end >= 0; end = text.indexOf(";", end + 1)) {
      if (!isLineEnd(text.charCodeAt(end - 1))) continue;
      const isPair = text.charCodeAt(end - 1) === NEW_LINE && text.charCodeAt(end - 2) === RETURN;
      [this.#start, this.#end, this.#at] = [at + 1, Math.max(at + 1, end - (isPair ? 2 : 1)), end + 1];
      return;
    }
    this.#fail(at, "a text field that does not end");
  }

  #endOfLine(at: number): number {
    let end = at;
    while (end < this.text.length && !isLineEnd(this.text.charCodeAt(end))) end++;
    return end;
  }

  #shown(): string {
    return JSON.stringify(this.text.slice(this.#start, Math.min(this.#end, this.#start + 40)));
  }

  #fail(at: number, found: string): never {
    throw new InputError(`Cannot read ${this.source} as mmCIF: line ${lineAt(this.text, at)}: ${found}`);
  }
}

class TextBlock implements CifBlock {
  readonly #tables = new Map<string, TextTable>();

  constructor(readonly header: string) {}

  table(category: string): CifTable | undefined {
    return this.#tables.get(category.toLowerCase());
  }

  /** Adds an item; says what is wrong with it if anything is. */
  add(name: string, column: CifColumn): string | undefined {
    const [, category, item] = /^_([^.]*)\.?(.*)$/.exec(name.toLowerCase()) ?? ["", name, ""];
    let table = this.#tables.get(category);
    if (table === undefined) this.#tables.set(category, table = new TextTable(column.rowCount));
    if (table.columns.has(item)) return "stands twice";
    if (column.rowCount !== table.rowCount) {
      return `has ${column.rowCount} values, expected ${table.rowCount} as other items of its category`;
    }
    table.columns.set(item, column);
    return undefined;
  }
}

class TextTable implements CifTable {
  readonly columns = new Map<string, CifColumn>();

  constructor(readonly rowCount: number) {}

  column(item: string): CifColumn | undefined {
    return this.columns.get(item.toLowerCase());
  }
}

class TextColumn implements CifColumn {
  readonly rowCount: number;

  /**
   * @param first Index of the first value.
   * @param step From one row's value to the next row's.
   */
  constructor(readonly values: Values, readonly first: number, readonly step: number) {
    this.rowCount = values.count / step;
  }

  has(row: number): boolean {
    const { text, starts, ends } = this.values;
    const k = this.first + row * this.step;
    const start = starts[k];
    if (!(row < this.rowCount)) return false;
    if (ends[k] - start !== 1) return true;
    const code = text.charCodeAt(start);
    return (code !== DOT && code !== QUESTION) || (start > 0 && !isSpace(text.charCodeAt(start - 1)));
  }

  text(row: number): string {
    const k = this.first + row * this.step;
    return this.has(row) ? this.values.text.slice(this.values.starts[k], this.values.ends[k]) : "";
  }

  number(row: number): number {
    return numberIn(this.text(row));
  }

  isSame(one: number, other: number): boolean {
    const { text, starts, ends } = this.values;
    const [k, l] = [this.first + one * this.step, this.first + other * this.step];
    const [a, b] = [starts[k], starts[l]];
    const length = ends[k] - a;
    if (ends[l] - b !== length) return false;
    for (let i = 0; i < length; i++) if (text.charCodeAt(a + i) !== text.charCodeAt(b + i)) return false;
    return true;
  }

  line(row: number): number {
    return lineAt(this.values.text, this.values.starts[this.first + row * this.step]);
  }
}

const NINE = "9".charCodeAt(0);
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?:\(\d+\))?$/;

/** The number in a text, whose uncertainty in brackets is left aside; NaN if it is none. */
function numberIn(written: string): number {
  const value = Number(written);
  // Number() takes an empty text too, and 0x10, whose mark is the second character.
  if (value === value && written !== "" && !(written.charCodeAt(1) > NINE && value % 1 === 0)) return value;
  return NUMBER.test(written) ? Number(written.replace(/\(\d+\)$/, "")) : NaN;
}

/** The line, from 1, on which a character stands; lines end in LF, CRLF or CR. */
function lineAt(text: string, at: number): number {
  let line = 1;
  for (let i = 0; i < at; i++) {
    const code = text.charCodeAt(i);
    if (code === NEW_LINE || (code === RETURN && text.charCodeAt(i + 1) !== NEW_LINE)) line++;
  }
  return line;
}

function keyword(word: string): Token {
  const start = word.slice(0, 5).toLowerCase();
  if (start === "data_") return "data";
  if (start === "save_") return "save";
  return start === "loop_" && word.length === 5 ? "loop" : "value";
}

function isLineEnd(code: number): boolean {
  return code === NEW_LINE || code === RETURN;
}

function isSpace(code: number): boolean {
  return code === SPACE || code === NEW_LINE || code === RETURN || code === TAB;
}

function grown(array: Int32Array, size: number): Int32Array {
  const larger = new Int32Array(size);
  larger.set(array);
  return larger;
}
