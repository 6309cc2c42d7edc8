/** What a split is made of: rows of a table or entries of a FASTA file. */
import { parse } from "csv-parse/sync";
import { remarkText } from "../data/remarks.ts";
import { chainsOf, readTargetTable, type TableTarget } from "../data/table.ts";
import { parseChainRecords } from "../data/fasta.ts";
import { InputError } from "../errors.ts";
import { readFileMaybeGzip } from "../files.ts";

/** One row. */
export interface SplitRecord {
  /** Name; rows of one name stay together. */
  readonly id: string;
  /** File and line, for messages. */
  readonly place: string;
  /** Sequences of its chains; empty if there are none. */
  readonly sequences: readonly string[];
  /** Cells, in the order of the columns. */
  readonly cells: readonly string[];
  /** Whether its label is a bound or an estimate. @default false */
  readonly isBound?: boolean;
  /** What is doubtful about it, a sentence each. @default nothing */
  readonly warnings?: readonly string[];
}

/** All rows of a file. */
export interface SplitRecords {
  /** What kind of file they come from. */
  readonly format: "table" | "fasta";
  /** Names of the columns as the file writes them. */
  readonly columns: readonly string[];
  /** Rows in the file's order. */
  readonly records: readonly SplitRecord[];
}

/** Columns that an INDEX file of PDBbind gets. */
const INDEX_COLUMNS = ["id", "resolution_angstrom", "year", "label", "relation", "measured"];

/**
 * Reads a table (CSV, TSV, an INDEX file of PDBbind) or FASTA; the content tells them apart.
 *
 * @param fasta FASTA file with the sequences of a table that has none, by its ids.
 * @throws {InputError} As `readTargetTable` does, if FASTA has other characters than letters and `:`, or if a row's
 * sequence is not in `fasta`.
 */
export async function readSplitRecords(path: string, fasta?: string): Promise<SplitRecords> {
  const text = new TextDecoder().decode(await readFileMaybeGzip(path));
  if (/^\uFEFF?\s*>/.test(text)) {
    const records = readEntries(text, path).map(({ name, description, sequences, place }) => {
      return { id: name, place, sequences, cells: [name, description, sequences.join(":")] };
    });
    return { format: "fasta", columns: ["id", "description", "sequence"], records };
  }
  const targets: TableTarget[] = [];
  for await (const target of readTargetTable(path)) targets.push(target);
  const sequences = fasta === undefined ? undefined : await readSequences(fasta);
  const isIndex = targets[0].cells.size === 0;
  const records = targets.map((target) => {
    const place = `${path} line ${target.line}`;
    const own = sequences === undefined ? target.sequences : sequences(target.id, place);
    const { id, resolutionAngstrom = "", year = "", label = "", relation = "=", measured = "" } = target;
    const cells = isIndex
      ? [id, resolutionAngstrom, year, label, relation, measured].map(String)
      : [...target.cells.values()];
    return {
      id: target.id,
      place,
      sequences: own,
      cells,
      isBound: target.relation !== undefined,
      warnings: target.remarks?.map(remarkText),
    };
  });
  const columns = isIndex ? INDEX_COLUMNS : [...targets[0].cells.keys()];
  return { format: "table", columns: isIndex ? columns : spellings(text, columns), records };
}

/** Column of a name, in any spelling. */
export function columnIndex({ columns }: SplitRecords, name: string): number | undefined {
  const index = columns.findIndex((column) => column.toLowerCase() === name.toLowerCase());
  return index < 0 ? undefined : index;
}

/** Entries of FASTA with the sequences of their chains. */
function readEntries(text: string, path: string) {
  return parseChainRecords(text, path).map((record) => {
    const place = `${path} line ${record.line}`;
    if (record.name === "") throw new InputError(`${place}: the sequence has no name, expected one after ">"`);
    return { ...record, place, sequences: chainsOf(record.text, place) };
  });
}

async function readSequences(fasta: string): Promise<(id: string, place: string) => readonly string[]> {
  const byName = new Map<string, readonly string[]>();
  for (const { name, sequences } of readEntries(new TextDecoder().decode(await readFileMaybeGzip(fasta)), fasta)) {
    if (byName.has(name)) throw new InputError(`${fasta} has the name "${name}" twice`);
    byName.set(name, sequences);
  }
  return (id, place) => {
    const sequences = byName.get(id) ?? byName.get(id.toLowerCase()) ?? byName.get(id.toUpperCase());
    if (sequences === undefined) throw new InputError(`${place}: "${id}" has no sequence in ${fasta}`);
    return sequences;
  };
}

/** Names of the columns with the file's own capitals. */
function spellings(text: string, columns: readonly string[]): string[] {
  for (const delimiter of [",", "\t", ";"]) {
    const [header] = parse(text.trimStart(), { bom: true, delimiter, to: 1, trim: true, relaxColumnCount: true });
    if (isTexts(header) && header.length === columns.length) return header;
  }
  return [...columns];
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}
