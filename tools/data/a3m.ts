/**
 * Reads A3M and aligned FASTA.
 *
 * Source: HH-suite user guide, "File formats": in A3M, capitals and `-` stand in columns, lower case letters are
 * insertions, `.` is padding; `ss_pred`, `ss_conf` and the like are annotation. MMseqs2's databases: a NUL ends what belongs
 * together. ColabFold: `#10,8<TAB>1,2` before the alignment of a complex has the lengths of its chains and their copies.
 */
import { InputError } from "../errors.ts";
import { splitLines } from "./_lines.ts";
import { complexHeader } from "./complex_a3m.ts";
import { type Alignment, type AlignmentOptions, makeAlignment } from "./alignment.ts";
import { type CheckedRecord, FastaReader } from "./fasta.ts";
import { MORE_ROWS, ODD_ROW, Remarks, STOP, WRONG_LENGTH } from "./remarks.ts";

const [GAP, A, Z] = Array.from("-AZ", (letter) => letter.charCodeAt(0));

/** Names of rows that say something about the query's residues. */
const ANNOTATION = /^(?:ss_(?:pred|conf|dssp)|sa_(?:pred|dssp)|aa_(?:pred|dssp)|bb_(?:pred|dssp))$/;

/** Names of files in which capitals and small letters mean the same. */
const FASTA_NAME = /\.(?:afa|fasta|fa|faa|fas|mfa|aln)(?:\.gz)?$/i;

const ANNOTATION_ROW = { key: "annotation", done: "left out", unit: "row", isLeftOut: true, isUsual: true } as const;
const LOWER_QUERY = { key: "lowerCaseQuery", done: "read as capitals", unit: "row" } as const;

/**
 * Reads an alignment in A3M; FASTA rows of capitals and `-` are A3M too.
 *
 * @throws {InputError} As {@linkcode A3mReader} does.
 */
export function parseA3m(text: string, source: string, options: AlignmentOptions = {}): Alignment {
  return parse(new A3mReader(source, options), text);
}

/**
 * Reads an alignment in A3M or in FASTA, in which every letter stands in a column, lower case means the same as capitals
 * and `.` is a gap: whichever fits more rows; where both fit, FASTA if the file is called so.
 *
 * @throws {InputError} As {@linkcode A3mReader} does.
 */
export function parseA3mOrFasta(text: string, source: string, options: AlignmentOptions = {}): Alignment {
  return parse(new A3mReader(source, { ...options, orFasta: true }), text);
}

function parse(reader: A3mReader, text: string): Alignment {
  for (const [index, line] of splitLines(text).entries()) reader.push(line, index + 1);
  return reader.finish();
}

/**
 * Reads an alignment in A3M, line by line. A row other than the first that is empty, has a character outside the alphabet
 * or another number of columns is left out with a remark.
 */
export class A3mReader {
  readonly #source: string;
  readonly #orFasta: boolean;
  readonly #reader: FastaReader;
  readonly #remarks = new Remarks();

  /**
   * @param source Name of the file, for messages.
   * @param options.orFasta Whether it may be aligned FASTA as well. @default false
   */
  constructor(source: string, { maxRows, orFasta = false }: AlignmentOptions & { readonly orFasta?: boolean } = {}) {
    this.#source = source;
    this.#orFasta = orFasta;
    this.#reader = new FastaReader(source, {
      allowed: /[A-Za-z.-]/,
      expected: "a letter, '-' or '.'",
      unchecked: ANNOTATION,
      maxRecords: maxRows,
    });
  }

  /** Takes the next line. */
  push(line: string, number: number): void {
    this.#reader.push(line, number);
  }

  /**
   * The alignment.
   *
   * @throws {InputError} If there is none, there are several, it is that of a complex, the first row cannot be used, or most
   * rows have another number of columns than the first; the message names line, row and column.
   */
  finish(): Alignment {
    const { records, more, header, afterNul } = this.#reader.finish();
    this.#checkKind(header, afterNul);
    const rows = this.#soundRows(records);
    this.#remarks.add(MORE_ROWS, more.line, () => `rows beyond the first ${rows.length}`, more.count);
    const query = raisedQuery(rows[0].text);
    const asA3m = rows.map(({ text }, r) => a3mRow(r === 0 ? query : text));
    const columns = asA3m.map(columnCount);
    const lengths = rows.map(({ text }) => text.length); // every letter stands in a column of FASTA
    const [a3m, fasta] = [columns, lengths].map((counts) => counts.filter((count) => count === counts[0]).length);
    const isFasta = this.#orFasta && (fasta > a3m || (fasta === a3m && FASTA_NAME.test(this.#source)));
    const aligned = isFasta ? rows.map(({ text }) => text.toUpperCase().replaceAll(".", "-")) : asA3m;
    if (!isFasta && query !== rows[0].text) {
      this.#remarks.add(LOWER_QUERY, rows[0].line, () => `the query "${rows[0].name}" is in small letters`);
    }
    const kept = rowsThatFit(isFasta ? lengths : columns, rows, this.#source, this.#remarks);
    return checked(
      makeAlignment(
        this.#source,
        kept.map((r) => rows[r].name),
        kept.map((r) => aligned[r]),
        this.#remarks.field(),
      ),
    );
  }

  #checkKind(header: string | undefined, afterNul: number | undefined): void {
    if (afterNul !== undefined) {
      throw new InputError(
        `${this.#source} line ${afterNul}: a second alignment begins after a NUL, with which MMseqs2 ends each, expected ` +
          "one in a file (mmseqs unpackdb writes them apart)",
      );
    }
    const complex = complexHeader(header ?? "");
    if (complex === undefined) return;
    const { lengths, copies } = complex;
    throw new InputError(
      `${this.#source}: its first line ${
        JSON.stringify(header)
      } is ColabFold's for a complex, chains of ${lengths.join()} ` +
        `residues in ${copies.join()} copies, expected the alignment of one chain (of a homomer: without that line); prep, predict and ` +
        "screen read it as a complex",
    );
  }

  /** Rows that are neither annotation nor damaged. */
  #soundRows(records: readonly CheckedRecord[]): CheckedRecord[] {
    const rows: CheckedRecord[] = [];
    let hasQuery = false;
    for (const record of records) {
      const { name, line, fault } = record;
      if (ANNOTATION.test(name)) {
        this.#remarks.add(ANNOTATION_ROW, line, () => `row "${name}" is annotation`);
        continue;
      }
      if (fault === undefined) {
        if (record.text.endsWith("*")) this.#remarks.add(STOP, line, () => `row "${name}" ends in "*"`);
        rows.push(record.text.endsWith("*") ? { ...record, text: record.text.slice(0, -1) } : record);
      } else if (hasQuery) this.#remarks.add(ODD_ROW, fault.line, () => fault.found);
      else throw new InputError(`${this.#source} line ${fault.line}: ${fault.found}`);
      hasQuery = true;
    }
    if (rows.length > 0) return rows;
    throw new InputError(`${this.#source} has only rows of annotation, expected a query and its relatives`);
  }
}

/**
 * Indices of the rows that have as many columns as the first; remarks on the others.
 *
 * @param counts Columns of the rows.
 * @param rows Names of the rows and their lines.
 * @throws {InputError} If these are more than those that fit.
 */
export function rowsThatFit(
  counts: readonly number[],
  rows: readonly { readonly name: string; readonly line: number }[],
  source: string,
  remarks: Remarks,
): number[] {
  const kept = [...counts.keys()].filter((r) => counts[r] === counts[0]);
  const isAlignment = counts.length - kept.length <= kept.length - 1;
  for (const [r, count] of counts.entries()) {
    if (count === counts[0]) continue;
    const found = `row ${r + 1} "${rows[r].name}" has ${count} columns, expected ${counts[0]} as in row 1 "${
      rows[0].name
    }"`;
    if (!isAlignment) throw new InputError(`${source} line ${rows[r].line}: ${found}`);
    remarks.add(WRONG_LENGTH, rows[r].line, () => found);
  }
  return kept;
}

/** Throws if the query has no residue; otherwise returns the alignment. */
export function checked(alignment: Alignment): Alignment {
  if (alignment.rows[0].length > 0) return alignment;
  throw new InputError(`${alignment.source}: the first row "${alignment.names[0]}" has only gaps, expected residues`);
}

function a3mRow(text: string): string {
  return text.includes(".") ? text.replaceAll(".", "") : text;
}

/** A query without any capital stands in its columns all the same. */
function raisedQuery(text: string): string {
  return /[A-Z]/.test(text) ? text : text.toUpperCase();
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
