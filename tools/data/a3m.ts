/**
 * Reads A3M and aligned FASTA.
 *
 * Source: HH-suite user guide, "File formats": in A3M, capitals and `-` stand in columns, lower case letters are
 * insertions, `.` is padding.
 */
import { InputError } from "../errors.ts";
import { type Alignment, makeAlignment } from "./alignment.ts";
import { parseFastaRecords } from "./fasta.ts";

/**
 * Reads an alignment in A3M; FASTA rows of capitals and `-` are A3M too.
 *
 * @throws {InputError} If the file is empty, a row has another number of columns than the first, or a character outside
 * the alphabet; the message names line, row and column.
 */
export function parseA3m(text: string, source: string): Alignment {
  const records = parseFastaRecords(text, source, /[A-Za-z.-]/, "a letter, '-' or '.'");
  const aligned = records.map((record) => record.text.replace(/[.*]/g, ""));
  const columns = columnCount(aligned[0]);
  aligned.forEach((row, index) => {
    const found = columnCount(row);
    if (found !== columns) {
      const { line, name } = records[index];
      throw new InputError(
        `${source} line ${line}: row ${index + 1} "${name}" has ${found} columns, expected ${columns} as in row 1 ` +
          `"${records[0].name}"`,
      );
    }
  });
  return checked(makeAlignment(source, records.map((record) => record.name), aligned));
}

/**
 * Reads an alignment in FASTA: every letter stands in a column, lower case is raised, `.` is a gap.
 *
 * @throws {InputError} As {@link parseA3m} does.
 */
export function parseAlignedFasta(text: string, source: string): Alignment {
  const raised = text.split("\n").map((line) => line.startsWith(">") ? line : line.toUpperCase().replaceAll(".", "-"));
  return parseA3m(raised.join("\n"), source);
}

/** Whether the rows are FASTA with lower case letters in columns: all of equal length though A3M would not have them so. */
export function isAlignedFasta(text: string): boolean {
  const rows = text.split(/^>.*$/m).slice(1).map((row) => row.replace(/[\s*]/g, ""));
  return rows.every((row) => row.length === rows[0].length) &&
    !rows.every((row) => columnCount(row) === columnCount(rows[0]));
}

/** Throws if the query has no residue; otherwise returns the alignment. */
export function checked(alignment: Alignment): Alignment {
  if (alignment.rows[0].length > 0) return alignment;
  throw new InputError(`${alignment.source}: the first row "${alignment.names[0]}" has only gaps, expected residues`);
}

function columnCount(row: string): number {
  let count = 0;
  for (const letter of row) if (letter === "-" || (letter >= "A" && letter <= "Z")) count++;
  return count;
}
