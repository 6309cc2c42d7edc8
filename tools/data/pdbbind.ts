/**
 * Reads INDEX files of PDBbind: structures of complexes and how strongly their ligands bind.
 *
 * Source: PDBbind v.2019, `INDEX_general_PL_data`, `INDEX_general_PL`, `INDEX_general_PL_name`.
 */
import { InputError } from "../errors.ts";
import { readPiecesMaybeGzip } from "../files.ts";
import { isRelation, type Relation, relationOf } from "./bounds.ts";
import { type Line, linesOf } from "./_lines.ts";
import { type RemarkRow, remarkRow } from "./remarks.ts";

/** One complex of an INDEX file. */
export interface PdbbindEntry {
  /** PDB code in lower case. */
  readonly id: string;
  /** Line of the file, from 1. */
  readonly line: number;
  /** Resolution; missing for structures by NMR. */
  readonly resolutionAngstrom?: number;
  /** Year of release. */
  readonly year: number;
  /** -log10 of the constant in mol/l: the file's, or computed where the file has none. */
  readonly value: number;
  /** What was measured. */
  readonly kind: "Kd" | "Ki" | "IC50";
  /** How the measured constant stands to the one written; -log10 of it stands the other way round to `value`. */
  readonly relation: "=" | Relation;
  /** What was measured, as written: `Kd<10uM`. */
  readonly measured: string;
  /** The constant as written, in mol/l. */
  readonly concentrationMolar: number;
  /** Names of the ligand, as written in brackets. */
  readonly ligand: string;
  /** What stands behind the ligand, such as `covalent complex`. */
  readonly comment: string;
  /** What is doubtful. @default nothing */
  readonly remarks?: readonly RemarkRow[];
}

/** Name and protein of one complex. */
export interface PdbbindName {
  /** PDB code in lower case. */
  readonly id: string;
  /** Line of the file, from 1. */
  readonly line: number;
  /** Year of release. */
  readonly year: number;
  /** Accession in UniProt; missing where the file has dashes. */
  readonly uniprot?: string;
  /** Name of the protein. */
  readonly protein: string;
}

const UNITS: Readonly<Record<string, number>> = { M: 0, mM: -3, uM: -6, nM: -9, pM: -12, fM: -15 };

/** Beginning of a line with data: code, resolution, year, perhaps -logKd/Ki, and the measured constant. */
export const PDBBIND_LINE =
  /^\s*([0-9][A-Za-z0-9]{3})\s+(\d*\.?\d+|NMR)\s+(\d{4})\s+(?:(-?\d*\.?\d+(?:[eE][+-]?\d+)?)\s+)?(Kd|Ki|IC50)([=<>~≤≥]{1,2})(\d*\.?\d+(?:[eE][+-]?\d+)?)([munpfµ]?M)(?![A-Za-z])/;

/** The column -logKd/Ki has two decimals, some lines fewer. */
const MOST_DIFFERENCE = 0.1;

const NAME_LINE = /^\s*([0-9][A-Za-z0-9]{3})\s+(\d{4})\s+(\S+)\s+(.*\S)\s*$/;

/** `// 1abc.pdf (LIG) remark`; names of ligands may have brackets themselves. */
const REFERENCE = /^\s*\/\/\s*\S+\s*(?:\((.*)\))?\s*([^()]*)$/;

/**
 * Reads INDEX files with data, with the column -logKd/Ki or without.
 *
 * @throws {InputError} If the file cannot be read, has no entry, or a line is of another form; names the line.
 */
export async function readPdbbindIndex(path: string): Promise<PdbbindEntry[]> {
  const entries: PdbbindEntry[] = [];
  for await (const entry of pdbbindEntries(readPiecesMaybeGzip(path), path)) entries.push(entry);
  return entries;
}

/**
 * Reads an INDEX file with data, line by line; see {@linkcode readPdbbindIndex}.
 *
 * @param source Name of the file, for messages.
 * @param onBadLine Is told of lines that cannot be used, which are then left out. @default they are thrown
 * @throws {InputError} As {@linkcode readPdbbindIndex} does.
 */
export async function* pdbbindEntries(
  pieces: AsyncIterable<Uint8Array>,
  source: string,
  onBadLine?: (line: Line, error: InputError) => void,
): AsyncGenerator<PdbbindEntry> {
  for await (const line of dataLines(pieces, source)) {
    let entry: PdbbindEntry;
    try {
      entry = entryOf(line, source);
    } catch (error) {
      if (!onBadLine || !(error instanceof InputError)) throw error;
      onBadLine(line, error);
      continue;
    }
    yield entry;
  }
}

function entryOf({ text, number }: Line, source: string): PdbbindEntry {
  const match = PDBBIND_LINE.exec(text);
  if (match === null) {
    throw unexpected(source, number, text, 'a line such as "2tpi  2.10  1982  Kd=49uM  // 2tpi.pdf (2-mer)"');
  }
  const [start, id, resolution, year, given, kind, relation, amount, unit] = match;
  const [mantissa, exponent = "0"] = amount.toLowerCase().split("e");
  const concentrationMolar = Number(`${mantissa}e${Number(exponent) + UNITS[unit.replace("µ", "u")]}`);
  const computed = -Math.log10(concentrationMolar);
  const value = given === undefined ? computed : Number(given);
  if (!(concentrationMolar > 0 && Number.isFinite(concentrationMolar) && Number.isFinite(value))) {
    throw unexpected(source, number, text, "a constant above 0 and its logarithm, both finite");
  }
  if (!isRelation(relation)) throw unexpected(source, number, text, "one of =, <, >, <=, >= and ~");
  const measured = `${kind}${relation}${amount}${unit}`;
  const isDoubtful = Math.abs(value - computed) > MOST_DIFFERENCE;
  const remark = () =>
    remarkRow({
      ...{ kind: "logarithm", file: source, line: number, unit: "label", done: "the former is read" },
      found: `-logKd/Ki is ${given}, but ${measured} is ${computed.toFixed(2)}`,
    });
  const [, ligand = "", comment = ""] = REFERENCE.exec(text.slice(start.length)) ?? [];
  return {
    id: id.toLowerCase(),
    line: number,
    resolutionAngstrom: resolution === "NMR" ? undefined : Number(resolution),
    year: Number(year),
    value,
    kind: kind as PdbbindEntry["kind"],
    relation: relationOf(relation) ?? "=",
    measured,
    concentrationMolar,
    ligand: ligand.trim(),
    comment: comment.trim(),
    ...(isDoubtful ? { remarks: [remark()] } : {}),
  };
}

/**
 * Reads INDEX files with names of proteins.
 *
 * @throws {InputError} As {@linkcode readPdbbindIndex} does.
 */
export async function readPdbbindNames(path: string): Promise<PdbbindName[]> {
  const names: PdbbindName[] = [];
  for await (const { text, number } of dataLines(readPiecesMaybeGzip(path), path)) {
    const match = NAME_LINE.exec(text);
    if (match === null) {
      throw unexpected(path, number, text, 'a line such as "1n4k  2002  P11881  NAME OF THE PROTEIN"');
    }
    const [, id, year, uniprot, protein] = match;
    names.push({
      id: id.toLowerCase(),
      line: number,
      year: Number(year),
      uniprot: /^-+$/.test(uniprot) ? undefined : uniprot,
      protein,
    });
  }
  return names;
}

/** Lines that are neither empty nor remarks. */
async function* dataLines(pieces: AsyncIterable<Uint8Array>, source: string) {
  let isEmpty = true;
  for await (const line of linesOf(pieces, source)) {
    if (line.text.trim() === "" || line.text.startsWith("#")) continue;
    isEmpty = false;
    yield line;
  }
  if (isEmpty) throw new InputError(`${source} has no entry, expected lines of an INDEX file of PDBbind`);
}

function unexpected(source: string, line: number, text: string, expected: string): InputError {
  return new InputError(
    `${source} line ${line}: found ${JSON.stringify(text.trim().slice(0, 60))}, expected ${expected}`,
  );
}
