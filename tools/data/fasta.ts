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
 */
export function parseFastaRecords(text: string, source: string, allowed: RegExp, expected: string): FastaRecord[] {
  const records: { name: string; description: string; parts: string[]; line: number }[] = [];
  const beginning = new RegExp(`^(?:${allowed.source})*`);
  let stop: number | undefined; // line that ended in *, if it was the last one
  const check = (letters: string, line: number, isLast: boolean): void => {
    const plain = isLast && letters.endsWith("*") ? letters.slice(0, -1) : letters;
    const at = beginning.exec(plain)?.[0].length ?? 0;
    if (at === plain.length) return;
    throw new InputError(
      `${source} line ${line}: sequence ${records.length} "${records.at(-1)?.name}" has ${JSON.stringify(plain[at])} ` +
        `at column ${at + 1}, expected ${expected}`,
    );
  };
  splitLines(text).forEach((raw, index) => {
    const line = raw.trim();
    if (line === "" || line.startsWith("#") || (line.startsWith(";") && records.length === 0)) return;
    if (line.startsWith(">")) {
      const [, name, description] = /^>\s*(\S*)\s*(.*)$/.exec(line) ?? ["", "", ""];
      records.push({ name, description, parts: [], line: index + 1 });
      stop = undefined;
      return;
    }
    const record = records.at(-1);
    if (record === undefined) {
      throw new InputError(
        `${source} line ${index + 1}: expected ">" and a name, found ${JSON.stringify(line.slice(0, 40))}`,
      );
    }
    if (stop !== undefined) check(record.parts.at(-1) ?? "", stop, false);
    const letters = /\s/.test(line) ? line.replace(/\s+/g, "") : line;
    check(letters, index + 1, true);
    stop = letters.endsWith("*") ? index + 1 : undefined;
    record.parts.push(letters);
  });
  if (records.length === 0) throw new InputError(`${source} is empty, expected FASTA: ">" and a name, then a sequence`);
  return records.map(({ name, description, parts, line }, index) => {
    if (parts.length === 0) {
      throw new InputError(`${source} line ${line}: sequence ${index + 1} "${name}" is empty, expected letters`);
    }
    return { name, description, text: parts.join(""), line };
  });
}
