/**
 * Reads alignments in Stockholm format, whole or in interleaved blocks.
 *
 * Source: HMMER user's guide, "Stockholm, the recommended multiple sequence alignment format".
 */
import { InputError } from "../errors.ts";
import { checked } from "./a3m.ts";
import { splitLines } from "./_lines.ts";
import { type Alignment, makeAlignment } from "./alignment.ts";

/** A name and letters. */
const ROW = /^(\S+)\s+(\S+)$/;

/**
 * Reads the first alignment of a Stockholm file; every letter stands in a column, `.`, `-`, `_` and `~` are gaps. The line
 * `#=GC RF` is kept.
 *
 * @throws {InputError} If there is no row, a row has another length than the first, or a character outside the alphabet, or the
 * line `#=GC RF` has another length.
 */
export function parseStockholm(text: string, source: string): Alignment {
  const rows = new Map<string, { parts: string[]; line: number }>();
  const lines = splitLines(text);
  const block = new Set<string>(); // names since the last empty line
  const reference: { text: string; line: number } = { text: "", line: 0 };
  let repeated: { name: string; line: number } | undefined;
  if (!lines.find((line) => line.trim() !== "")?.startsWith("# STOCKHOLM")) {
    throw new InputError(`${source} line 1: expected "# STOCKHOLM 1.0"`);
  }
  for (const [index, raw] of lines.entries()) {
    const line = raw.trim();
    if (line === "") block.clear();
    const [, marks] = /^#=GC\s+RF\s+(\S+)$/.exec(line) ?? [];
    if (marks !== undefined) [reference.text, reference.line] = [reference.text + marks, index + 1];
    if (line === "" || line.startsWith("#")) continue;
    if (line === "//") break;
    const [, name, letters] = ROW.exec(line) ?? [];
    if (letters === undefined) {
      const { length } = line.split(/\s+/);
      throw new InputError(
        `${source} line ${index + 1}: expected a name and its letters, found ${length} word${length > 1 ? "s" : ""}`,
      );
    }
    const at = letters.search(/[^A-Za-z.\-_~]/);
    if (at >= 0) {
      throw new InputError(
        `${source} line ${index + 1}: row "${name}" has ${JSON.stringify(letters[at])} at column ${
          at + 1
        } of the line, ` +
          `expected a letter, '-' or '.'`,
      );
    }
    if (block.has(name)) repeated ??= { name, line: index + 1 };
    block.add(name);
    let row = rows.get(name);
    if (row === undefined) rows.set(name, row = { parts: [], line: index + 1 });
    row.parts.push(/[^A-Z-]/.test(letters) ? letters.toUpperCase().replace(/[._~]/g, "-") : letters);
  }
  if (rows.size === 0) throw new InputError(`${source} has no rows, expected names and aligned letters`);
  const names = [...rows.keys()];
  const aligned = [...rows.values()].map(({ parts }) => parts.join(""));
  aligned.forEach((row, index) => {
    if (row.length === aligned[0].length) return;
    if (repeated !== undefined) {
      throw new InputError(
        `${source} line ${repeated.line}: row "${repeated.name}" stands twice in a block, expected each name once`,
      );
    }
    throw new InputError(
      `${source} line ${rows.get(names[index])?.line}: row ${index + 1} "${names[index]}" has ${row.length} columns, ` +
        `expected ${aligned[0].length} as in row 1 "${names[0]}"`,
    );
  });
  const { text: marks, line } = reference;
  if (marks !== "" && marks.length !== aligned[0].length) {
    throw new InputError(
      `${source} line ${line}: #=GC RF has ${marks.length} columns, expected ${aligned[0].length} as in row 1`,
    );
  }
  return checked(makeAlignment(source, names, aligned, marks === "" ? undefined : marks));
}
