/**
 * Reads alignments in Stockholm format, whole or in interleaved blocks.
 *
 * Source: HMMER user's guide, "Stockholm, the recommended multiple sequence alignment format".
 */
import { InputError } from "../errors.ts";
import { checked } from "./a3m.ts";
import { type Alignment, makeAlignment } from "./alignment.ts";

/**
 * Reads the first alignment of a Stockholm file; every letter stands in a column, `.`, `-`, `_` and `~` are gaps.
 *
 * @throws {InputError} If there is no row, a row has another length than the first, or a character outside the alphabet.
 */
export function parseStockholm(text: string, source: string): Alignment {
  const rows = new Map<string, { parts: string[]; line: number }>();
  const lines = text.split(/\r\n|\n|\r/);
  if (!lines.find((line) => line.trim() !== "")?.startsWith("# STOCKHOLM")) {
    throw new InputError(`${source} line 1: expected "# STOCKHOLM 1.0"`);
  }
  for (const [index, raw] of lines.entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    if (line === "//") break;
    const [name, letters, ...more] = line.split(/\s+/);
    if (letters === undefined || more.length > 0) {
      throw new InputError(
        `${source} line ${index + 1}: expected a name and its letters, found ${more.length + 1} words`,
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
    const row = rows.get(name) ?? { parts: [], line: index + 1 };
    rows.set(name, row);
    row.parts.push(letters.toUpperCase().replace(/[._~]/g, "-"));
  }
  if (rows.size === 0) throw new InputError(`${source} has no rows, expected names and aligned letters`);
  const names = [...rows.keys()];
  const aligned = [...rows.values()].map(({ parts }) => parts.join(""));
  aligned.forEach((row, index) => {
    if (row.length === aligned[0].length) return;
    throw new InputError(
      `${source} line ${rows.get(names[index])?.line}: row ${index + 1} "${names[index]}" has ${row.length} columns, ` +
        `expected ${aligned[0].length} as in row 1 "${names[0]}"`,
    );
  });
  return checked(makeAlignment(source, names, aligned));
}
