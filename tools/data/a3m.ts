/**
 * Reads A3M and aligned FASTA.
 *
 * Source: HH-suite user guide, "File formats": in A3M, capitals and `-` stand in columns, lower case letters are
 * insertions, `.` is padding.
 */
import { InputError } from "../errors.ts";
import { type Alignment, makeAlignment } from "./alignment.ts";
import { type FastaRecord, parseFastaRecords } from "./fasta.ts";

const [GAP, A, Z] = Array.from("-AZ", (letter) => letter.charCodeAt(0));

/**
 * Reads an alignment in A3M; FASTA rows of capitals and `-` are A3M too.
 *
 * @throws {InputError} If the file is empty, a row has another number of columns than the first, or a character outside
 * the alphabet; the message names line, row and column.
 */
export function parseA3m(text: string, source: string): Alignment {
  return alignmentOf(recordsOf(text, source), source);
}

/**
 * Reads an alignment in A3M or, where the rows do not fit as such but are all of equal length, in FASTA: every letter
 * stands in a column then, lower case is raised, `.` is a gap.
 *
 * @throws {InputError} As {@link parseA3m} does.
 */
export function parseA3mOrFasta(text: string, source: string): Alignment {
  const records = recordsOf(text, source);
  const isFasta = records.every((record) => record.text.length === records[0].text.length) &&
    records.some((record) => columnCount(record.text) !== columnCount(records[0].text));
  const rows = isFasta
    ? records.map((record) => ({ ...record, text: record.text.toUpperCase().replaceAll(".", "-") }))
    : records;
  return alignmentOf(rows, source);
}

function recordsOf(text: string, source: string): FastaRecord[] {
  return parseFastaRecords(text, source, /[A-Za-z.-]/, "a letter, '-' or '.'")
    .map((record) => record.text.endsWith("*") ? { ...record, text: record.text.slice(0, -1) } : record);
}

function alignmentOf(records: readonly FastaRecord[], source: string): Alignment {
  const aligned = records.map(({ text }) => text.includes(".") ? text.replaceAll(".", "") : text);
  const columns = columnCount(aligned[0]);
  aligned.forEach((row, index) => {
    const found = columnCount(row);
    if (found === columns) return;
    const { line, name } = records[index];
    throw new InputError(
      `${source} line ${line}: row ${index + 1} "${name}" has ${found} columns, expected ${columns} as in row 1 ` +
        `"${records[0].name}"`,
    );
  });
  return checked(makeAlignment(source, records.map((record) => record.name), aligned));
}

/** Throws if the query has no residue; otherwise returns the alignment. */
export function checked(alignment: Alignment): Alignment {
  if (alignment.rows[0].length > 0) return alignment;
  throw new InputError(`${alignment.source}: the first row "${alignment.names[0]}" has only gaps, expected residues`);
}

/** Capitals and gaps of a row. */
function columnCount(row: string): number {
  let count = 0;
  for (let i = 0; i < row.length; i++) {
    const code = row.charCodeAt(i);
    if (code === GAP || (code >= A && code <= Z)) count++;
  }
  return count;
}
