/**
 * Reads PDB files.
 *
 * Source: wwPDB, "Protein Data Bank Contents Guide", format version 3.30.
 */
import { InputError } from "../errors.ts";
import { alignToSequence } from "./_seqres.ts";
import { splitLines } from "./_lines.ts";
import { readPdbFacts } from "./_pdb_facts.ts";
import {
  COORDINATE,
  hasAlphaCarbon,
  isCoordinate,
  makeChain,
  makeHeteroGroup,
  type Place,
  ResidueAtoms,
} from "./_residue_atoms.ts";
import { isAminoAcid, isNucleotide, isWater } from "../../model/protein/residues.ts";
import { type Chain, type ReadStructureOptions, selectModel, type Structure } from "./structure.ts";

const HEADER_RECORDS: readonly string[] = ["HEADER", "TITLE", "EXPDTA", "REMARK", "REVDAT"];

type Residues = Map<string, Place & { readonly atoms: ResidueAtoms }>;

/** The records of one chain name. */
interface SeenChain {
  readonly residues: Residues;
  /** What is listed under the chain's name but is no part of it. */
  readonly others: Residues;
  /** Names in its SEQRES records. */
  readonly sequence: string[];
  /** Whether its TER record was seen. */
  ended: boolean;
}

/**
 * Reads the protein chains of one model; a blank chain name becomes the segment name (columns 73-76), else `A`.
 *
 * HETATM records count as part of a chain where they stand before its TER record and name a known modified residue, such
 * as MSE, or one of its SEQRES records; others but water are kept as hetero groups. Where the observed residues fit the chain's SEQRES records, the unobserved ones are put in between with mask 0,
 * numbered on from their neighbours; SEQRES records that do not fit are left aside.
 *
 * @param text Content of the file.
 * @param source Name of the file, for messages.
 * @throws {InputError} If there is no ATOM record, a coordinate is not a number (with its line), no C-alpha atom, or not the
 * model that was asked for.
 */
export function parsePdb(text: string, source: string, options: ReadStructureOptions = {}): Structure {
  if (text.trim() === "") throw new InputError(`${source} is empty, expected a PDB file`);
  const chains = new Map<string, SeenChain>();
  const header = new Map<string, string[]>();
  const models = new Set<number>();
  let { model: wanted } = options;
  let model = 1;
  let line = 0;
  for (const record of splitLines(text)) {
    line++;
    const kind = record.slice(0, 6).trimEnd();
    if (kind === "ATOM" || kind === "HETATM") {
      models.add(model);
      wanted ??= model;
      if (model === wanted) readAtom(record, kind === "HETATM", chains, `${source} line ${line}`);
    } else if (kind === "TER") {
      const chain = record[21]?.trim() ? chains.get(record[21]) : [...chains.values()].at(-1);
      if (chain !== undefined && model === wanted) chain.ended = true;
    } else if (kind === "SEQRES") {
      const names = record.slice(19).trim().split(/\s+/).filter((name) => name !== "");
      chainOf(chains, record[11]?.trim() || "A").sequence.push(...names);
    } else if (kind === "MODEL") {
      const number = Number.parseInt(record.slice(6), 10);
      model = !Number.isSafeInteger(number) || models.has(number) ? Math.max(0, ...models) + 1 : number;
    } else if (kind === "ENDMDL") {
      model++;
    } else if (kind === "END") {
      if (models.size > 0) break;
    } else if (HEADER_RECORDS.includes(kind)) {
      const records = header.get(kind);
      if (records === undefined) header.set(kind, [record]);
      else records.push(record);
    }
  }
  if (models.size === 0) throw new InputError(`Cannot read ${source} as PDB: it has no ATOM record`);
  selectModel([...models], wanted, source);

  const read: Chain[] = [];
  for (const [id, { residues, sequence }] of chains) {
    const places = [...residues.values()].filter(({ name, atoms }) => isAminoAcid(name) || atoms.atoms(name).has("CA"));
    const chain = makeChain(id, id, alignToSequence(places, sequence) ?? places);
    if (hasAlphaCarbon(chain)) read.push(chain);
  }
  if (read.length === 0) {
    throw new InputError(`${source} has no C-alpha atoms in model ${wanted}: expected at least one protein chain`);
  }
  return Object.freeze({
    ...readPdbFacts(header, source, read.map(({ id }) => id)),
    source,
    chains: Object.freeze(read),
    heteroGroups: Object.freeze(
      [...chains].flatMap(([id, { others }]) => [...others.values()].map((group) => makeHeteroGroup(id, group))),
    ),
    models: Object.freeze([...models]),
  });
}

function chainOf(chains: Map<string, SeenChain>, id: string): SeenChain {
  let chain = chains.get(id);
  if (chain === undefined) {
    chains.set(id, chain = { residues: new Map(), others: new Map(), sequence: [], ended: false });
  }
  return chain;
}

function readAtom(record: string, hetero: boolean, chains: Map<string, SeenChain>, place: string): void {
  const residueName = record.slice(17, 20).trim();
  if (isWater(residueName) || isNucleotide(residueName)) return;
  const chain = chainOf(chains, chainName(record));
  const isResidue = isAminoAcid(residueName) || chain.sequence.includes(residueName);
  const isCalcium = !isResidue && record.slice(12, 16) === "CA  "; // C-alpha is written from column 14 on
  const residues = isCalcium || (hetero && (chain.ended || !isResidue)) ? chain.others : chain.residues;
  const number = residueNumber(record.slice(22, 26).trim());
  if (number === undefined) {
    throw new InputError(
      `${place}: the residue number is ${JSON.stringify(record.slice(22, 26))} (columns 23-26), expected an integer`,
    );
  }
  const coordinate = (axis: number): number => {
    const written = record.slice(30 + 8 * axis, 38 + 8 * axis).trim();
    const value = Number(written);
    if (/^[-+.\de]+$/i.test(written) && isCoordinate(value)) return value;
    const columns = `columns ${31 + 8 * axis}-${38 + 8 * axis}`;
    throw new InputError(
      `${place}: the ${"xyz"[axis]} coordinate is ${JSON.stringify(written)} (${columns}), expected ${COORDINATE}`,
    );
  };
  const optional = (from: number, to: number, other: number): number => {
    const written = record.slice(from, to).trim();
    return written === "" || !Number.isFinite(Math.fround(Number(written))) ? other : Number(written);
  };
  const insertionCode = record[26]?.trim() ?? "";
  const key = `${number}|${insertionCode}`;
  let residue = residues.get(key);
  if (residue === undefined) {
    residue = { name: residueName, number, insertionCode, atoms: new ResidueAtoms() };
    residues.set(key, residue);
  }
  residue.atoms.add(residueName, record.slice(12, 16).trim(), {
    position: [coordinate(0), coordinate(1), coordinate(2)],
    occupancy: optional(54, 60, 1),
    bFactor: optional(60, 66, 0),
    element: record.slice(76, 78).trim(),
  });
}

function chainName(record: string): string {
  return record[21]?.trim() || record.slice(72, 76).trim() || "A";
}

/** A residue number in decimal or, beyond 9999, in the hybrid-36 notation; `undefined` if it is neither. */
function residueNumber(text: string): number | undefined {
  if (/^[+-]?\d+$/.test(text)) return Number(text);
  if (/^[A-Z][0-9A-Z]{3}$/.test(text)) return Number.parseInt(text, 36) - 10 * 36 ** 3 + 10_000;
  if (/^[a-z][0-9a-z]{3}$/.test(text)) return Number.parseInt(text, 36) + 16 * 36 ** 3 + 10_000;
  return undefined;
}
