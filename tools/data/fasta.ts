/** Reads and writes FASTA. */
import { InputError } from "../errors.ts";
import { splitLines } from "./_lines.ts";

/** One entry of a FASTA file. */
export interface FastaRecord {
  /** First word of the header. */
  readonly name: string;
  /** Rest of the header. */
  readonly description: string;
  /** The letters as written, without white space. */
  readonly text: string;
  /** Line of the header, from 1. */
  readonly line: number;
}

/** An entry and what is wrong with it. */
export interface CheckedRecord extends FastaRecord {
  /** What is wrong with its letters, with the line, if anything is. */
  readonly fault?: { readonly line: number; readonly found: string };
}

/** Choices of a {@linkcode FastaReader}. */
export interface FastaReaderOptions {
  /** Which single characters sequences may have (a final `*` besides). */
  readonly allowed: RegExp;
  /** Words for them, for messages. */
  readonly expected: string;
  /** Names of entries whose characters are not looked at, and that do not count among the most. @default none */
  readonly unchecked?: RegExp;
  /** Most entries that are kept; the others are only counted. @default all */
  readonly maxRecords?: number;
}

/** What a {@linkcode FastaReader} has read. */
export interface FastaContent {
  /** Entries, as many as shall be kept. */
  readonly records: readonly CheckedRecord[];
  /** Entries beyond those, and the line of the first. */
  readonly more: { readonly count: number; readonly line?: number };
  /** The first line, where it begins with `#` and stands before all entries. */
  readonly header?: string;
  /** Line of the first entry after a NUL, with which MMseqs2 ends what it keeps together. */
  readonly afterNul?: number;
}

/**
 * Reads sequences; a `*` at the end of one (a stop codon) is dropped and lower case is raised.
 *
 * @throws {InputError} If the file is empty, is not FASTA, or has a character other than a letter, naming line and entry.
 */
export function parseFasta(text: string, source: string): { name: string; description: string; sequence: string }[] {
  return parseFastaRecords(text, source, /[A-Za-z]/, "a letter").map(({ name, description, text }) => ({
    name,
    description,
    sequence: text.replace(/\*$/, "").toUpperCase(),
  }));
}

/**
 * Splits FASTA into its entries, whose chains (of complexes) have `:` between them.
 *
 * @throws {InputError} As {@linkcode parseFasta} does.
 */
export function parseChainRecords(text: string, source: string): FastaRecord[] {
  return parseFastaRecords(text, source, /[A-Za-z:]/, 'a letter, or ":" between chains');
}

/** Writes sequences, or rows of an alignment, on lines of 80 letters (0: on one line each). */
export function formatFasta(records: readonly { name: string; sequence: string }[], width = 80): string {
  return records.map(({ name, sequence }) => {
    const lines = width > 0 ? sequence.match(new RegExp(`.{1,${width}}`, "g")) ?? [""] : [sequence];
    return `>${name}\n${lines.join("\n")}\n`;
  }).join("");
}

/**
 * Splits FASTA-like text into its entries and checks every character.
 *
 * @param allowed Which single characters sequences may have (a final `*` besides).
 * @param expected Words for them, for messages.
 * @throws {InputError} If the text is empty or not FASTA, or an entry has no or other characters; names line and entry.
 */
export function parseFastaRecords(text: string, source: string, allowed: RegExp, expected: string): FastaRecord[] {
  return checkedFastaRecords(text, source, allowed, expected).map(({ fault, ...record }) => {
    if (fault === undefined) return record;
    throw new InputError(`${source} line ${fault.line}: ${fault.found}`);
  });
}

/**
 * {@linkcode parseFastaRecords}, but what is wrong with an entry comes with it.
 *
 * @throws {InputError} If the text is empty or not FASTA.
 */
export function checkedFastaRecords(
  text: string,
  source: string,
  allowed: RegExp,
  expected: string,
): readonly CheckedRecord[] {
  const reader = new FastaReader(source, { allowed, expected });
  for (const [index, line] of splitLines(text).entries()) reader.push(line, index + 1);
  return reader.finish().records;
}

/** Splits FASTA-like text into its entries, line by line, and looks at every character. */
export class FastaReader {
  readonly #source: string;
  readonly #options: FastaReaderOptions;
  readonly #allowed: RegExp;
  readonly #records: {
    name: string;
    description: string;
    line: number;
    parts: string[];
    fault?: CheckedRecord["fault"];
  }[] = [];
  /** Entries that count among the most that are kept. */
  #kept = 0;
  #more: { count: number; line?: number } = { count: 0 };
  #header: string | undefined;
  #afterNul: number | undefined;
  /** Whether a NUL was read, and nothing since. */
  #isEnded = false;
  /** Line that ended in `*`, if it was the last one of its entry. */
  #stop: number | undefined;

  /**
   * Has read nothing yet.
   *
   * @param source Name of the file, for messages.
   */
  constructor(source: string, options: FastaReaderOptions) {
    this.#source = source;
    this.#options = options;
    this.#allowed = new RegExp(`^(?:${options.allowed.source})*`);
  }

  /**
   * Takes the next line.
   *
   * @throws {InputError} If it stands before the first entry.
   */
  push(line: string, number: number): void {
    if (!line.includes("\0")) return this.#take(line.trim(), number);
    for (const [k, part] of line.split("\0").entries()) {
      if (k > 0) this.#isEnded = true;
      this.#take(part.trim(), number);
    }
  }

  /**
   * What was read.
   *
   * @throws {InputError} If there was no entry.
   */
  finish(): FastaContent {
    if (this.#records.length === 0) {
      throw new InputError(`${this.#source} is empty, expected FASTA: ">" and a name, then a sequence`);
    }
    const records = this.#records.map(({ parts, ...record }, index): CheckedRecord => {
      const { name, line } = record;
      const fault = parts.length > 0
        ? record.fault
        : { line, found: `sequence ${index + 1} "${name}" is empty, expected letters` };
      return { ...record, text: parts.length === 1 ? parts[0] : parts.join(""), fault };
    });
    return { records, more: this.#more, header: this.#header, afterNul: this.#afterNul };
  }

  #take(line: string, number: number): void {
    if (line === "") return;
    if (line.startsWith("#") || (line.startsWith(";") && this.#records.length === 0)) {
      if (this.#records.length === 0) this.#header ??= line;
      return;
    }
    if (this.#isEnded) {
      this.#afterNul ??= number;
      this.#isEnded = false;
    }
    if (line.startsWith(">")) return this.#begin(line, number);
    const record = this.#records.at(-1);
    if (record === undefined) {
      throw new InputError(
        `${this.#source} line ${number}: expected ">" and a name, found ${JSON.stringify(line.slice(0, 40))}`,
      );
    }
    if (this.#more.count > 0) return;
    if (this.#stop !== undefined) this.#check(record.parts.at(-1) ?? "", this.#stop, false);
    const letters = /\s/.test(line) ? line.replace(/\s+/g, "") : line;
    this.#check(letters, number, true);
    this.#stop = letters.endsWith("*") ? number : undefined;
    record.parts.push(letters);
  }

  #begin(line: string, number: number): void {
    this.#stop = undefined;
    const { unchecked, maxRecords = Infinity } = this.#options;
    const [, name, description] = /^>\s*(\S*)\s*(.*)$/.exec(line) ?? ["", "", ""];
    if (!unchecked?.test(name) && ++this.#kept > maxRecords) {
      this.#more = { count: this.#more.count + 1, line: this.#more.line ?? number };
      return;
    }
    this.#records.push({ name, description, parts: [], line: number });
  }

  #check(letters: string, line: number, isLast: boolean): void {
    const record = this.#records[this.#records.length - 1];
    if (record.fault !== undefined || this.#options.unchecked?.test(record.name)) return;
    const plain = isLast && letters.endsWith("*") ? letters.slice(0, -1) : letters;
    const at = this.#allowed.exec(plain)?.[0].length ?? 0;
    if (at === plain.length) return;
    const found = `sequence ${this.#records.length} "${record.name}" has ${JSON.stringify(plain[at])} at column ${
      at + 1
    }`;
    record.fault = { line, found: `${found}, expected ${this.#options.expected}` };
  }
}
