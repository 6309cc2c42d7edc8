/**
 * Reads ColabFold's alignments of complexes: one A3M whose rows run over all distinct chains.
 *
 * Source: Mirdita et al. (2022), "ColabFold: making protein folding accessible to all"; the layout as ColabFold reads it: a
 * first line `#10,8<TAB>1,2` with the chains' lengths and copies, rows with residues in several chains are paired, those
 * with residues in one are its own.
 */
import { InputError } from "../errors.ts";
import { splitLines } from "./_lines.ts";
import { type Alignment, makeAlignment } from "./alignment.ts";
import { FastaReader } from "./fasta.ts";
import { ODD_ROW, Remarks, WRONG_LENGTH } from "./remarks.ts";

/** The first line: lengths of the chains, and how often each is there. */
const HEADER = /^#(\d+(?:,\d+)*)\t(\d+(?:,\d+)*)\s*$/;

/** Chains that a first line tells. */
export interface ComplexHeader {
  /** Residues of each distinct chain. */
  readonly lengths: readonly number[];
  /** How often each is there. */
  readonly copies: readonly number[];
}

/** A distinct chain of a complex and its part of the alignment. */
export interface ComplexPart {
  /** Its residues. */
  readonly sequence: string;
  /** How often it is there. */
  readonly copies: number;
  /** Rows with residues in this chain alone, the chain first. */
  readonly own: Alignment;
  /** Rows with residues in several chains, the chain first, as many for every chain; undefined where there is one chain. */
  readonly paired?: Alignment;
}

/** What the first line of an alignment says of a complex; undefined where it is that of one chain. */
export function complexHeader(line: string): ComplexHeader | undefined {
  const [, lengths, copies] = HEADER.exec(line) ?? [];
  if (lengths === undefined || (!lengths.includes(",") && Number(copies) === 1)) return undefined;
  return { lengths: lengths.split(",").map(Number), copies: copies.split(",").map(Number) };
}

/**
 * Reads the alignment of a complex into its chains' parts. Rows of another length, and rows with other characters, are left
 * out with a remark.
 *
 * @param source Name of the file, for messages.
 * @throws {InputError} If it has no such first line, lengths and copies are not of as many chains, or the rows are not as
 * long as the chains; the message says which.
 */
export function parseComplexA3m(text: string, source: string): ComplexPart[] {
  const reader = new FastaReader(source, { allowed: /[A-Za-z.-]/, expected: "a letter, '-' or '.'" });
  for (const [index, line] of splitLines(text).entries()) reader.push(line.replaceAll("\0", ""), index + 1);
  const { records, header = "" } = reader.finish();
  const { lengths, copies } = complexHeader(header) ?? noHeader(source, header);
  const counts = `${lengths.join(", ")} residues`;
  if (copies.length !== lengths.length || [...lengths, ...copies].includes(0)) {
    throw new InputError(
      `${source}: its first line ${JSON.stringify(header)} has lengths ${lengths.join(", ")} and copies ` +
        `${copies.join(", ")}, expected one of each for every chain, none 0`,
    );
  }
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const remarks = new Remarks(), seen = new Set<string>();
  const rows: { name: string; parts: string[] }[] = [];
  for (const [index, { name, text, line, fault }] of records.entries()) {
    if (fault) {
      if (index === 0) throw new InputError(`${source} line ${fault.line}: ${fault.found}`);
      remarks.add(ODD_ROW, fault.line, () => fault.found);
      continue;
    }
    const letters = text.replaceAll(".", ""), columns = letters.replace(/[a-z]/g, "").length;
    if (columns !== total) {
      const found = `row ${index + 1} "${name}" has ${columns} columns, expected ${total}: chains of ${counts}`;
      if (index === 0) throw new InputError(`${source} line ${line}: ${found}, as the first line says`);
      remarks.add(WRONG_LENGTH, line, () => found);
      continue;
    }
    const key = `${name}\0${letters}`;
    if (seen.has(key)) continue;
    seen.add(key);
    rows.push({ name, parts: partsOf(letters, lengths) });
  }
  const hasResidues = (part: string) => /[A-Z]/.test(part);
  const isPaired = ({ parts }: { parts: string[] }) => parts.filter(hasResidues).length > 1;
  const paired = rows.filter(isPaired), single = rows.filter((row) => !isPaired(row));
  return lengths.map((length, k): ComplexPart => {
    const sequence = rows.find(({ parts }) => hasResidues(parts[k]))?.parts[k];
    if (sequence === undefined || !/^[A-Z]+$/.test(sequence)) {
      throw new InputError(
        `${source}: the first row of chain ${k + 1}, of ${length} residues, is ${
          sequence === undefined
            ? "missing"
            : `${JSON.stringify(sequence.slice(0, 40))}, expected a residue in each column`
        }`,
      );
    }
    const own = single.filter(({ parts }) => hasResidues(parts[k]));
    const alignment = (rows: readonly { name: string; parts: string[] }[], field = {}): Alignment => {
      const isThere = rows[0]?.parts[k] === sequence, others = isThere ? rows.slice(1) : rows;
      const names = [isThere ? rows[0].name : `chain ${k + 1}`, ...others.map(({ name }) => name)];
      return makeAlignment(source, names, [sequence, ...others.map(({ parts }) => parts[k])], field);
    };
    return {
      ...{ sequence, copies: copies[k] },
      own: alignment(own, k === 0 ? remarks.field() : {}), // told once
      ...(lengths.length > 1 && { paired: alignment(withQueries(paired, rows, lengths.length)) }),
    };
  });
}

/** Paired rows after one of all queries, so that every chain has as many. */
function withQueries(
  paired: readonly { name: string; parts: string[] }[],
  rows: readonly { name: string; parts: string[] }[],
  count: number,
): { name: string; parts: string[] }[] {
  const queries = Array.from({ length: count }, (_, k) => rows.find(({ parts }) => /[A-Z]/.test(parts[k]))!.parts[k]);
  const isThere = paired[0]?.parts.every((part, k) => part === queries[k]);
  return isThere ? [...paired] : [{ name: "queries", parts: queries }, ...paired];
}

/** A row's letters by chain; insertions between two chains are those of the second. */
function partsOf(letters: string, lengths: readonly number[]): string[] {
  let at = 0;
  return lengths.map((length, k) => {
    const from = at;
    for (let columns = 0; columns < length; at++) if (!/[a-z]/.test(letters[at])) columns++;
    return letters.slice(from, k === lengths.length - 1 ? undefined : at);
  });
}

function noHeader(source: string, header: string): never {
  throw new InputError(
    `${source} begins with ${
      JSON.stringify(header.slice(0, 40))
    }, expected the lengths of a complex's chains and their ` +
      'copies, as in "#10,8<TAB>1,2"',
  );
}
