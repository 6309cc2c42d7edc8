/**
 * Reads tables: CSV and TSV with a line of names, among them tables of labels and ColabFold's lists of jobs.
 *
 * Files are read row by row, plain or packed with gzip.
 */
import { CsvError, type Info, parse } from "csv-parse";
import { pipeline, Readable } from "node:stream";
import { InputError } from "../errors.ts";
import { readPiecesMaybeGzip } from "../files.ts";
import { isRelation, ofNegativeLogarithm, type Relation, relationOf } from "./bounds.ts";
import { type Line, splitLines } from "./_lines.ts";
import { looksLike } from "./looks_like.ts";
import { PDBBIND_LINE, pdbbindEntries } from "./pdbbind.ts";
import { type RemarkRow, remarkRow } from "./remarks.ts";

/** One row of a table. */
export interface TableRow {
  /** File it comes from, for messages. */
  readonly source: string;
  /** Line on which it begins, from 1. */
  readonly line: number;
  /** Cells without white space around them, by the names of their columns in lower case, in the file's order. */
  readonly cells: ReadonlyMap<string, string>;
}

/** A target as a table describes it. */
export interface TableTarget extends TableRow {
  /** Name; from columns that hold PDB codes in lower case. */
  readonly id: string;
  /** Sequences of the chains, capitals; empty if the table has none. */
  readonly sequences: readonly string[];
  /** What a model shall learn to predict, in the table's unit. */
  readonly label?: number;
  /** How the value stands to the label where it was not measured exactly. @default it is the label */
  readonly relation?: Relation;
  /** What was measured, as PDBbind writes it: `Kd<10uM`. */
  readonly measured?: string;
  /** What is doubtful about the row. @default nothing */
  readonly remarks?: readonly RemarkRow[];
  /** Resolution of the structure. */
  readonly resolutionAngstrom?: number;
  /** Year in which the structure was released. */
  readonly year?: number;
  /** Name of its family. */
  readonly family?: string;
  /** Name of the chain to take from the structure. */
  readonly chain?: string;
  /** Path of its alignment, as written. */
  readonly alignment?: string;
}

/** Choices of {@linkcode readTargetTable}. */
export interface TargetTableOptions {
  /**
   * Name of the column with the labels; false: none is read. @default the first of `affinity`, `label`, `value`, `y`, `pkd`
   * that is there
   */
  readonly label?: string | false;
  /** Refuse a table, or row, without a label. @default false, true if `label` is given */
  readonly needLabel?: boolean;
  /** Is told of rows that cannot be used, which are then left out. @default they are thrown */
  readonly onBadRow?: (row: TableRow, error: InputError) => void;
}

/** Names that the columns may have, in lower case; of several in a table the first counts. */
const COLUMNS = {
  id: ["id", "pdb_id", "pdbid", "pdb", "pdb_code", "name", "target"],
  sequence: ["sequence", "seq"],
  label: ["affinity", "label", "value", "y", "pkd", "pki", "-logkd/ki"],
  relation: ["relation", "affinity_relation", "label_relation"],
  measured: ["measured"],
  resolution: ["resolution", "resolution_angstrom"],
  year: ["year", "release_year"],
  family: ["family"],
  chain: ["chain", "chain_id"],
  alignment: ["a3mpath", "msa", "alignment"],
} as const;

/** Columns whose ids are PDB codes, for which capitals mean nothing. */
const PDB_COLUMNS: readonly string[] = ["pdb_id", "pdbid", "pdb", "pdb_code"];

/** Longest record: an opening quote that is never closed takes the rest of the file for one cell. */
const MAX_RECORD = 1 << 20;

/** What csv-parse's codes say, without the bytes that it found. */
const FAULTS: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: "the file ends inside a cell whose quote is not closed",
  INVALID_OPENING_QUOTE: "a quote stands inside a cell that does not begin with one",
  CSV_INVALID_CLOSING_QUOTE: "something stands between a closing quote and the end of its cell",
  CSV_NON_TRIMABLE_CHAR_AFTER_CLOSING_QUOTE: "something stands between a closing quote and the end of its cell",
  CSV_MAX_RECORD_SIZE: `a row has more than ${MAX_RECORD} bytes; is a quote opened that is never closed?`,
};

/** Enough characters of a file to see what kind of table it is. */
const PEEK = 1 << 16;

/** A column that must be there, or a list of names of which one must. */
export type NeededColumn = string | readonly string[];

/**
 * Reads the rows of a CSV or TSV file; the first line has the names of the columns and tells commas, tabs and
 * semicolons apart.
 *
 * A byte order mark and lines that end in CRLF are accepted, empty lines are left out.
 *
 * @param needed Columns that must be there.
 * @throws {InputError} If the file cannot be read, is empty, lacks a column or has it twice, a row has another number of
 * cells, or a quote is not closed; the message names the line, and the columns found and needed.
 */
export async function* readTableRows(path: string, needed: readonly NeededColumn[] = []): AsyncGenerator<TableRow> {
  yield* parseTableRows(readPiecesMaybeGzip(path), path, needed);
}

/**
 * Reads the rows of a table that comes in pieces; see {@linkcode readTableRows}.
 *
 * @param pieces Bytes of the file.
 * @param source Name of the file, for messages.
 * @throws {InputError} As {@linkcode readTableRows} does.
 */
export async function* parseTableRows(
  pieces: AsyncIterable<Uint8Array>,
  source: string,
  needed: readonly NeededColumn[] = [],
): AsyncGenerator<TableRow> {
  const [first, all] = await peek(pieces, source);
  const parser = parse({
    bom: true,
    delimiter: delimiterOf(first),
    info: true,
    maxRecordSize: MAX_RECORD,
    recordDelimiter: ["\r\n", "\n", "\r"],
    relaxColumnCount: true,
    skipEmptyLines: true,
    trim: true,
  });
  pipeline(Readable.from(all), parser, () => {}); // errors arrive by the loop
  let columns: readonly string[] | undefined;
  let rows = 0;
  let countedTwice = 0;
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: Info }>) {
      const inside = record.join("").match(/\r\n|\n|\r/g) ?? [];
      countedTwice += inside.filter((end) => end === "\r\n").length; // csv-parse takes both for ends of lines
      const line = info.lines - countedTwice - inside.length;
      if (columns === undefined) {
        columns = checkHeader(record, needed, `${source} line ${line}`);
        continue;
      }
      if (record.every((cell) => cell === "")) continue;
      if (record.length !== columns.length) {
        throw new InputError(
          `${source} line ${line} has ${record.length} cells, expected ${columns.length}: ${listOf(columns)}`,
        );
      }
      rows++;
      yield { source, line, cells: new Map(columns.map((column, k) => [column, record[k]])) };
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const found = FAULTS[error.code] ?? `this is no CSV (${error.code})`;
    throw new InputError(`${source} line ${error.lines}: ${found}`);
  }
  if (columns === undefined) {
    const names = needed.length > 0 ? `: ${wanted(needed)}` : "";
    throw new InputError(`${source} is empty, expected a table whose first line names its columns${names}`);
  }
  if (rows === 0) throw new InputError(`${source} has no row below the names of its columns`);
}

/**
 * Reads targets from a table of labels (`pdb_id,affinity[,resolution,year,sequence,…]`), a list of jobs of ColabFold
 * (`id,sequence` with `:` between chains) or an INDEX file of PDBbind.
 *
 * A column `relation` (`<`, `>`, `<=`, `>=`, `~`; `=` or nothing for exact values) says which labels are bounds or estimates.
 *
 * @throws {InputError} As {@linkcode readTableRows} does, or if an id is missing, or no PDB code where the column has these, a
 * label, year or resolution is not a number, a relation is none, or a sequence has a character other than a letter; the message
 * names the line.
 */
export async function* readTargetTable(
  path: string,
  options: TargetTableOptions = {},
): AsyncGenerator<TableTarget> {
  const [first, pieces] = await peek(readPiecesMaybeGzip(path), path);
  if (looksLikePdbbind(first)) {
    const onBadLine = options.onBadRow && (({ text, number }: Line, error: InputError): void => {
      const cells = new Map([["id", text.trim().split(/\s/, 1)[0]]]);
      options.onBadRow?.({ source: path, line: number, cells }, error);
    });
    for await (const entry of pdbbindEntries(pieces, path, onBadLine)) {
      if (typeof options.label === "string") {
        throw new InputError(`${path} is an INDEX file of PDBbind, which has no column "${options.label}"`);
      }
      const { id, line, resolutionAngstrom, year, value, measured, remarks } = entry;
      yield {
        ...{ id, line, source: path, cells: new Map(), sequences: [], label: value, measured, remarks },
        ...{ relation: ofNegativeLogarithm(relationOf(entry.relation)), resolutionAngstrom, year },
      };
    }
    return;
  }
  const { label: column } = options;
  const labels = column === undefined ? COLUMNS.label : column === false ? [] : [column.toLowerCase()];
  const needLabel = options.needLabel ?? typeof column === "string";
  for await (const row of parseTableRows(pieces, path, needLabel ? [COLUMNS.id, labels] : [COLUMNS.id])) {
    let target: TableTarget;
    try {
      target = targetOf(row, labels, needLabel);
    } catch (error) {
      if (!options.onBadRow || !(error instanceof InputError)) throw error;
      options.onBadRow(row, error);
      continue;
    }
    yield target;
  }
}

/**
 * A cell as a number, in decimal or with an exponent; `undefined` if it is empty or there is no such column.
 *
 * @throws {InputError} If it is anything else: words, `nan`, `inf`, a decimal comma; names line and column.
 */
export function numberCell(row: TableRow, column: string): number | undefined {
  const cell = row.cells.get(column.toLowerCase()) ?? "";
  if (cell === "") return undefined;
  const value = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(cell) ? Number(cell) : NaN;
  if (Number.isFinite(value)) return value;
  throw new InputError(
    `${row.source} line ${row.line}: column "${column}" has ${JSON.stringify(shortened(cell))}, expected a number`,
  );
}

/**
 * Sequences of the chains in a text with `:` between them, as capitals; white space and a `*` at the end of each go.
 *
 * @param place Words for messages: file and line.
 * @throws {InputError} If a chain is empty or has a character other than a letter.
 */
export function chainsOf(text: string, place: string): string[] {
  return text.split(":").map((part, index) => {
    const chain = part.replace(/\s+/g, "").replace(/\*$/, "").toUpperCase();
    if (chain === "") throw new InputError(`${place}: chain ${index + 1} of the sequence is empty, expected letters`);
    const at = chain.search(/[^A-Z]/);
    if (at < 0) return chain;
    throw new InputError(
      `${place}: the sequence has ${JSON.stringify(chain[at])} at residue ${at + 1} of chain ${
        index + 1
      }, expected letters, and ":" between chains`,
    );
  });
}

function targetOf(row: TableRow, labels: readonly string[], needLabel: boolean): TableTarget {
  const place = `${row.source} line ${row.line}`;
  const find = (names: readonly string[]): string | undefined => names.find((name) => row.cells.has(name));
  const text = (names: readonly string[]): string | undefined => row.cells.get(find(names) ?? "") || undefined;
  const number = (names: readonly string[]): number | undefined => numberCell(row, find(names) ?? "");
  const idColumn = find(COLUMNS.id) ?? "";
  const id = row.cells.get(idColumn) ?? "";
  if (id === "") throw new InputError(`${place}: column "${idColumn}" is empty, expected a name`);
  const mangled = mangledBySpreadsheet(id);
  if (mangled !== undefined && PDB_COLUMNS.includes(idColumn)) {
    throw new InputError(`${place}: column "${idColumn}" has ${mangled}, expected a PDB code`);
  }
  const label = number(labels);
  const relation = text(COLUMNS.relation) ?? "";
  if (!isRelation(relation)) {
    throw new InputError(
      `${place}: column "${find(COLUMNS.relation)}" has ${
        JSON.stringify(shortened(relation))
      }, expected =, <, >, <=, >= or ~`,
    );
  }
  if (needLabel && label === undefined) {
    throw new InputError(`${place}: column "${find(labels)}" of "${id}" is empty, expected a number`);
  }
  const year = number(COLUMNS.year);
  if (year !== undefined && !(Number.isInteger(year) && year >= 1900 && year <= 2200)) {
    throw new InputError(`${place}: column "${find(COLUMNS.year)}" has ${year}, expected a year`);
  }
  const resolution = isNmr(text(COLUMNS.resolution)) ? undefined : number(COLUMNS.resolution);
  if (resolution !== undefined && !(resolution > 0)) {
    throw new InputError(
      `${place}: column "${find(COLUMNS.resolution)}" has ${resolution}, expected Å above 0, or NMR`,
    );
  }
  const sequence = text(COLUMNS.sequence);
  return {
    ...row,
    id: PDB_COLUMNS.includes(idColumn) ? id.toLowerCase() : id,
    sequences: sequence === undefined ? [] : chainsOf(sequence, place),
    label,
    relation: relationOf(relation),
    measured: text(COLUMNS.measured),
    remarks: mangled === undefined ? undefined : [mangledId(row.source, row.line, mangled)],
    resolutionAngstrom: resolution,
    year,
    family: text(COLUMNS.family),
    chain: text(COLUMNS.chain),
    alignment: text(COLUMNS.alignment),
  };
}

/** Months as spreadsheets write them. */
const MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec";

/** Dates such as `2-Mar` and `Mar-02`, numbers such as `1.00E+10`. */
const DATE = new RegExp(`^(?:0?(\\d{1,2})-(${MONTHS})|(${MONTHS})-0?(\\d{1,2}))$`, "i");
const POWER = /^(\d)(?:\.0+)?E\+0?(\d+)$/i;

/**
 * Words for an id that a spreadsheet took for a date or a number, as it does with codes such as 2MAR and 1E10; `undefined` if
 * it is none.
 */
export function mangledBySpreadsheet(id: string): string | undefined {
  const [, day, month, otherMonth, otherDay] = DATE.exec(id) ?? [];
  const [, digit, exponent] = POWER.exec(id) ?? [];
  const before = month !== undefined
    ? `${day}${month}`
    : otherMonth !== undefined
    ? `${otherMonth}${otherDay}`
    : digit !== undefined
    ? `${digit}E${exponent}`
    : undefined;
  if (before === undefined) return undefined;
  const kind = digit === undefined ? "a date" : "a number";
  return `${JSON.stringify(id)}, which a spreadsheet made ${kind} of, perhaps of ${before.toUpperCase()}`;
}

/** The remark on such an id, which is taken as it is. */
export function mangledId(file: string, line: number, mangled: string): RemarkRow {
  return remarkRow({ kind: "mangledId", file, line, found: `the id is ${mangled}`, unit: "id", done: "it is kept" });
}

/** Names of the columns in lower case, each once, with those needed among them. */
function checkHeader(record: readonly string[], needed: readonly NeededColumn[], place: string): string[] {
  const columns = record.map((name) => name.toLowerCase());
  const twice = columns.find((name, k) => columns.indexOf(name) !== k);
  if (twice !== undefined) throw new InputError(`${place} names the column "${twice}" twice: ${listOf(columns)}`);
  const missing = needed.filter((names) => ![names].flat().some((name) => columns.includes(name.toLowerCase())));
  if (missing.length === 0) return columns;
  throw new InputError(
    `${place} has the columns ${listOf(columns.map((name) => shortened(name)))}; needed: ${wanted(needed)}`,
  );
}

/** The separator that the first line has most often. */
function delimiterOf(start: string): string {
  const line = start.replace(/^\uFEFF/, "").trimStart().split(/\r|\n/, 1)[0];
  const counts = [",", "\t", ";"].map((mark) => ({ mark, count: line.split(mark).length }));
  return counts.reduce((best, next) => next.count > best.count ? next : best).mark;
}

/**
 * Whether a file is an INDEX file of PDBbind and no table with separators.
 *
 * @throws {InputError} If it cannot be read.
 */
export async function isPdbbindIndex(path: string): Promise<boolean> {
  for await (const piece of readPiecesMaybeGzip(path)) return looksLikePdbbind(new TextDecoder().decode(piece));
  return false;
}

function looksLikePdbbind(start: string): boolean {
  const lines = splitLines(start).slice(0, 100);
  const line = lines.find((line) => line.trim() !== "" && !line.startsWith("#"));
  return line === undefined ? lines[0].startsWith("#") : PDBBIND_LINE.test(line);
}

function isNmr(text: string | undefined): boolean {
  return text?.toUpperCase() === "NMR";
}

/** Refuses what is plainly a file of another kind; a line with separators may begin as one and be a table all the same. */
function refuseOther(start: string, source: string): void {
  const [line] = start.replace(/^\uFEFF/, "").trimStart().split(/[\r\n]/, 1);
  const other = looksLike(new TextEncoder().encode(start.slice(0, 4000)));
  if (other === undefined || other.kind === "table" || (other.kind === "structure" && /[,;\t]/.test(line))) return;
  throw new InputError(`${source} is ${other.words}, expected a table: were two arguments swapped?`);
}

/** The beginning of a file as text, at least a line of it if there is one, and all of it. */
async function peek(
  pieces: AsyncIterable<Uint8Array>,
  source: string,
): Promise<[string, AsyncIterable<Uint8Array>]> {
  const iterator = pieces[Symbol.asyncIterator]();
  const start: Uint8Array[] = [];
  const decoder = new TextDecoder();
  let text = "";
  while (text.length < PEEK && !/[\r\n]/.test(text.trimStart())) {
    const { done, value } = await iterator.next();
    if (done) break;
    if (start.length === 0 && /^(?:255,254|254,255)$/.test(`${value.subarray(0, 2)}`)) {
      throw new InputError(`${source} line 1: the text is in UTF-16, expected UTF-8 (in Excel: "CSV UTF-8")`);
    }
    start.push(value);
    text += decoder.decode(value, { stream: true });
  }
  refuseOther(text, source);
  const all = async function* () {
    try {
      yield* start;
      yield* { [Symbol.asyncIterator]: () => iterator };
    } finally {
      await iterator.return?.();
    }
  };
  return [text, all()];
}

function listOf(columns: readonly string[]): string {
  const shown = columns.slice(0, 20).map((name) => /^$|[\r\n]/.test(name) ? JSON.stringify(name) : name).join(", ");
  return columns.length > 20 ? `${shown} and ${columns.length - 20} more` : shown;
}

function wanted(needed: readonly NeededColumn[]): string {
  return needed.map((names) => [names].flat().join(" or ")).join("; and ");
}

function shortened(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
