/**
 * Reads PDB files.
 *
 * Source: wwPDB, "Protein Data Bank Contents Guide", format version 3.30; habits of CHARMM, AMBER, GROMACS, VMD, ProDy, gemmi
 * and ChimeraX as noted where they are read.
 */
import { isAminoAcid } from "../../model/protein/residues.ts";
import { InputError } from "../errors.ts";
import { assembleChains, type SequenceFacts } from "./_assemble_chains.ts";
import { type ChainName, ChainRecords, type ResidueName, type Segment } from "./_chain_records.ts";
import { splitLines } from "./_lines.ts";
import { readPdbFacts } from "./_pdb_facts.ts";
import { PdbNumbers } from "./_pdb_numbers.ts";
import { type Atom, type AtomLog, COORDINATE, isCoordinate } from "./_residue_atoms.ts";
import { Remarks } from "./remarks.ts";
import { type ReadStructureOptions, selectModel, type Structure } from "./structure.ts";

const HEADER_RECORDS: readonly string[] = ["HEADER", "TITLE", "EXPDTA", "REMARK", "REVDAT"];

const OTHER_MODEL = { key: "otherModel", done: "left out", unit: "atom", isLeftOut: true, isUsual: true } as const;
const RENUMBERED = { key: "renumbered", done: "counted on", unit: "residue", isUsual: true } as const;
const LONE_SEQUENCE = { key: "loneSequence", done: "left aside", unit: "chain", isUsual: true } as const;

/** Amino acids whose names no program lengthens by a letter, as GROMOS does with HISH, LYSH or CYS2. */
const PLAIN_NAMES = /^(?:ALA|ASN|GLN|GLY|ILE|LEU|MET|PHE|PRO|SER|THR|TRP|TYR|VAL)$/;

/**
 * Reads the protein chains of one model.
 *
 * A chain is known by its name (columns 21-22), else its segment's (columns 73-76), else it goes from one TER record to the
 * next and is named A, B, …; a chain whose numbers begin anew is another. HETATM records are part of a chain where its SEQRES
 * records name them, where they are modified amino acids before its TER record, or where they are bound to it; others but
 * water are kept as hetero groups. Where the observed residues fit the chain's SEQRES records, the unobserved ones are put in
 * between with mask 0, numbered on from their neighbours. What else was done with what the file has is in the remarks.
 *
 * @param text Content of the file.
 * @param source Name of the file, for messages.
 * @throws {InputError} If there is no ATOM record, a coordinate is not a number (with its line), no C-alpha atom, or not the
 * model that was asked for.
 */
export function parsePdb(text: string, source: string, options: ReadStructureOptions = {}): Structure {
  if (text.trim() === "") throw new InputError(`${source} is empty, expected a PDB file`);
  const remarks = new Remarks();
  const log: AtomLog = { remarks, line: (row) => row };
  const lines = splitLines(text);
  const atoms = new PdbAtoms(log, source, hasLongChainNames(lines));
  const sequences = new Map<string, string[][]>();
  const header = new Map<string, string[]>();
  const models = new Set<number>();
  if (options.assembly !== undefined) {
    throw new InputError(
      `${source} is a PDB file, of which no assemblies are built: take the entry's mmCIF file, or --assembly asymmetric`,
    );
  }
  let { model: wanted } = options;
  let model = 1;
  for (const [index, record] of lines.entries()) {
    const kind = record.slice(0, 6).trimEnd();
    if (kind === "ATOM" || kind === "HETATM") {
      models.add(model);
      wanted ??= model;
      if (model === wanted) atoms.add(record, index + 1);
      else remarks.add(OTHER_MODEL, index + 1, () => `atoms of model ${model}`);
    } else if (kind === "TER") {
      if (model === wanted) atoms.end(record);
    } else if (kind === "SEQRES") addSequence(sequences, record);
    else if (kind === "MODEL") {
      const number = Number.parseInt(record.slice(6), 10);
      model = !Number.isSafeInteger(number) || models.has(number) ? Math.max(0, ...models) + 1 : number;
    } else if (kind === "ENDMDL" || kind === "END") {
      if (models.has(model)) model = Math.max(...models) + 1; // VMD parts the frames of a simulation by END
    } else if (HEADER_RECORDS.includes(kind)) {
      const records = header.get(kind);
      if (records === undefined) header.set(kind, [record]);
      else records.push(record);
    }
  }
  if (models.size === 0) throw new InputError(`Cannot read ${source} as PDB: it has no ATOM record`);
  selectModel([...models], wanted, source);
  const segments = atoms.finish();
  for (const name of sequences.keys()) {
    if (segments.some((segment) => sequenceName(segment) === name)) continue;
    remarks.add(LONE_SEQUENCE, undefined, () => `SEQRES records of chain "${name}", which has no atoms`);
  }
  const { chains, heteroGroups } = assembleChains(segments, factsOf(sequences), log);
  if (chains.length === 0) {
    throw new InputError(`${source} has no C-alpha atoms in model ${wanted}: expected at least one protein chain`);
  }
  return Object.freeze({
    ...readPdbFacts(header, source, chains.map(({ id }) => id)),
    source,
    chains: Object.freeze(chains),
    heteroGroups: Object.freeze(heteroGroups),
    models: Object.freeze([...models]),
    ...remarks.field(),
  });
}

/** Takes ATOM, HETATM and TER records of one model. */
class PdbAtoms {
  readonly #log: AtomLog;
  readonly #source: string;
  /** Columns of the residue's and the chain's names. */
  readonly #nameEnd: number;
  readonly #records: ChainRecords;
  readonly #chains = new Map<string, { name: ChainName; numbers: PdbNumbers }>();
  #chain: ChainName | undefined;
  #residue: ResidueName | undefined;

  constructor(log: AtomLog, source: string, hasLongNames: boolean) {
    this.#log = log;
    this.#source = source;
    this.#nameEnd = hasLongNames ? 20 : 21;
    this.#records = new ChainRecords(log);
  }

  add(record: string, line: number): void {
    const { chain, numbers } = this.#chainOf(record);
    const isHetero = record.startsWith("HETATM");
    const name = record.slice(17, this.#nameEnd).trim();
    const residue = { name, ...this.#place(record, line, numbers), sequenceId: "", entity: "", isHetero };
    if (chain !== this.#chain || !isSame(residue, this.#residue)) {
      this.#records.begin(chain, residue, line);
      [this.#chain, this.#residue] = [chain, residue];
    }
    this.#records.add(record.slice(12, 16).trim(), this.#atom(record, line, name), line);
  }

  end(record: string): void {
    this.#records.end(record.slice(this.#nameEnd, 22).trim());
    this.#residue = undefined;
  }

  finish(): Segment[] {
    return this.#records.finish();
  }

  #chainOf(record: string): { chain: ChainName; numbers: PdbNumbers } {
    const author = record.slice(this.#nameEnd, 22).trim();
    const segment = author === "" && !isOldLineNumber(record) ? record.slice(72, 76).trim() : "";
    const key = `${author}\0${segment}`;
    let known = this.#chains.get(key);
    if (known === undefined) {
      this.#chains.set(key, known = { name: { author, segment, label: "" }, numbers: new PdbNumbers() });
    }
    return { chain: known.name, numbers: known.numbers };
  }

  #place(record: string, line: number, numbers: PdbNumbers): { number: number; insertionCode: string } {
    const long = record.slice(22, 27);
    const isLong = /^\d{5}$/.test(long); // the fifth digit stands in the column of the insertion code
    const text = isLong ? long : record.slice(22, 26).trim();
    const before = numbers.renumbered;
    const number = numbers.read(text);
    if (number === undefined) {
      throw new InputError(
        `${this.#source} line ${line}: the residue number is ${
          JSON.stringify(record.slice(22, 26))
        } (columns 23-26), ` +
          "expected an integer",
      );
    }
    if (numbers.renumbered > before) {
      this.#log.remarks.add(RENUMBERED, line, () => `the residue number ${JSON.stringify(text)} is ${number}`);
    }
    return { number, insertionCode: isLong ? "" : record[26]?.trim() ?? "" };
  }

  #atom(record: string, line: number, residue: string): Atom {
    const coordinate = (axis: number): number => {
      const written = record.slice(30 + 8 * axis, 38 + 8 * axis).trim();
      const value = Number(written);
      if (/^[-+.\de]+$/i.test(written) && isCoordinate(value)) return value;
      throw new InputError(
        `${this.#source} line ${line}: the ${"xyz"[axis]} coordinate is ${JSON.stringify(written)} (columns ` +
          `${31 + 8 * axis}-${38 + 8 * axis}), expected ${COORDINATE}`,
      );
    };
    const optional = (from: number, to: number, other: number): number => {
      const written = record.slice(from, to).trim();
      return written === "" || !Number.isFinite(Math.fround(Number(written))) ? other : Number(written);
    };
    return {
      altLoc: record[16]?.trim() ?? "",
      position: [coordinate(0), coordinate(1), coordinate(2)],
      occupancy: optional(54, 60, 1),
      bFactor: optional(60, 66, 0),
      element: record.slice(76, 78).replace(/[^A-Za-z]+/g, "") || elementOf(record.slice(12, 14), residue),
    };
  }
}

/** Whether columns 73-80 are the entry's code and the line's number, as in files from before 1996. */
function isOldLineNumber(record: string): boolean {
  return /^\d[A-Za-z0-9]{3}[ \d]{3}\d$/.test(record.slice(72, 80));
}

/** The element of an ion where its columns are empty: its name begins in column 13, an atom of carbon's in 14. */
function elementOf(start: string, residue: string): string {
  return /^[A-Z]{2}$/.test(start) && !isAminoAcid(residue) && residue.startsWith(start) ? start : "";
}

function isSame(one: ResidueName, other: ResidueName | undefined): boolean {
  return other !== undefined && one.number === other.number && one.insertionCode === other.insertionCode &&
    one.name === other.name && one.isHetero === other.isHetero;
}

/**
 * Whether columns 21 and 22 are the names of chains, as ProDy, gemmi and ChimeraX write large complexes; else a letter in
 * column 21 is the fourth of a residue's name.
 */
function hasLongChainNames(lines: readonly string[]): boolean {
  return lines.some((line) => {
    return /^(?:ATOM {2}|HETATM)/.test(line) && line[20]?.trim() && PLAIN_NAMES.test(line.slice(17, 20));
  });
}

/** Adds the names of a SEQRES record to the sequences of its chain; record 1 begins a sequence. */
function addSequence(sequences: Map<string, string[][]>, record: string): void {
  const chain = record.slice(10, 12).trim();
  const names = record.slice(19).trim().split(/\s+/).filter((name) => name !== "");
  let known = sequences.get(chain);
  if (known === undefined) sequences.set(chain, known = []);
  if (known.length === 0 || Number(record.slice(7, 10)) === 1) known.push([]);
  known[known.length - 1].push(...names);
}

function sequenceName({ chain: { author } }: Segment): string {
  return author;
}

/** PDB files tell of chains by SEQRES records alone; molecules of one name share theirs where they have no others. */
function factsOf(sequences: ReadonlyMap<string, readonly (readonly string[])[]>): SequenceFacts {
  return {
    kindOf: () => undefined,
    places: () => undefined,
    sequence(segment) {
      const known = sequences.get(sequenceName(segment)) ?? [];
      if (segment.chain.segment !== "" && known.length > 1) return undefined;
      return known[segment.index] ?? known[0];
    },
  };
}
