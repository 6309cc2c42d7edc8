/**
 * Reads PDB files.
 *
 * Source: wwPDB, "Protein Data Bank Contents Guide", format version 3.30.
 */
import { InputError } from "../errors.ts";
import { alignToSequence } from "./_seqres.ts";
import { hasAlphaCarbon, makeChain, type Place, ResidueAtoms } from "./_residue_atoms.ts";
import { baseName } from "./mmcif.ts";
import { isAminoAcid } from "./residues.ts";
import type { Chain, Structure } from "./structure.ts";

interface SeenChain {
  readonly residues: Map<string, Place & { readonly atoms: ResidueAtoms }>;
  ended: boolean;
}

const MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(" ");

/** Nucleotides and water in ATOM records. */
const NOT_PROTEIN = /^(?:[ACGUIN]|D[ACGTUIN]|HOH|WAT|TIP|SOL|DOD|H2O)$/;

/**
 * Reads the protein chains of the first model; a blank chain name becomes the segment name (columns 73-76), else `A`.
 *
 * HETATM records count as part of a chain where they stand before its TER record and name a known modified residue, such
 * as MSE. Where the observed residues fit the chain's SEQRES records, the unobserved ones are put in between with mask 0,
 * numbered on from their neighbours; SEQRES records that do not fit are left aside.
 *
 * @param text Content of the file.
 * @param source Name of the file, for messages.
 * @throws {InputError} If there is no ATOM record, a coordinate is not a number (with its line), or no C-alpha atom.
 */
export function parsePdb(text: string, source: string): Structure {
  if (text.trim() === "") throw new InputError(`${source} is empty, expected a PDB file`);
  const chains = new Map<string, SeenChain>();
  const sequences = new Map<string, string[]>();
  const header = new Map<string, string[]>();
  let atoms = 0;
  let line = 0;
  for (const record of text.split(/\r?\n/)) {
    line++;
    const kind = record.slice(0, 6).trimEnd();
    if (kind === "ATOM" || kind === "HETATM") {
      atoms++;
      readAtom(record, kind === "HETATM", chains, `${source} line ${line}`);
    } else if (kind === "TER") {
      const chain = record[21]?.trim() ? chains.get(record[21]) : [...chains.values()].at(-1);
      if (chain !== undefined) chain.ended = true;
    } else if (kind === "SEQRES") {
      const id = record[11]?.trim() || "A";
      const names = record.slice(19).trim().split(/\s+/).filter((name) => name !== "");
      sequences.set(id, [...sequences.get(id) ?? [], ...names]);
    } else if (kind === "ENDMDL" || kind === "END") {
      if (atoms > 0) break;
    } else if (["HEADER", "TITLE", "EXPDTA", "REMARK", "REVDAT"].includes(kind)) {
      header.set(kind, [...header.get(kind) ?? [], record]);
    }
  }
  if (atoms === 0) throw new InputError(`Cannot read ${source} as PDB: it has no ATOM record`);

  const read: Chain[] = [];
  for (const [id, { residues }] of chains) {
    const places = [...residues.values()].filter(({ name, atoms }) => isAminoAcid(name) || atoms.atoms(name).has("CA"));
    const chain = makeChain(id, id, alignToSequence(places, sequences.get(id) ?? []) ?? places);
    if (hasAlphaCarbon(chain)) read.push(chain);
  }
  if (read.length === 0) {
    throw new InputError(`${source} has no C-alpha atoms in its first model: expected at least one protein chain`);
  }
  return Object.freeze({ ...readFacts(header, source), source, chains: Object.freeze(read) });
}

function readAtom(record: string, hetero: boolean, chains: Map<string, SeenChain>, place: string): void {
  const residueName = record.slice(17, 20).trim();
  const id = chainName(record);
  const chain = chains.get(id);
  if (hetero ? !isAminoAcid(residueName) || chain?.ended : NOT_PROTEIN.test(residueName)) return;
  // Written from column 13 on, CA is calcium.
  if (!isAminoAcid(residueName) && record.slice(12, 16) === "CA  ") return;
  const number = residueNumber(record.slice(22, 26).trim());
  if (number === undefined) {
    throw new InputError(
      `${place}: the residue number is "${record.slice(22, 26)}" (columns 23-26), expected an integer`,
    );
  }
  const coordinate = (axis: number): number => {
    const written = record.slice(30 + 8 * axis, 38 + 8 * axis).trim();
    const value = Number(written);
    if (written !== "" && Number.isFinite(value)) return value;
    const columns = `columns ${31 + 8 * axis}-${38 + 8 * axis}`;
    throw new InputError(`${place}: the ${"xyz"[axis]} coordinate is "${written}" (${columns}), expected a number`);
  };
  const optional = (from: number, to: number, other: number): number => {
    const written = record.slice(from, to).trim();
    return written === "" || !Number.isFinite(Number(written)) ? other : Number(written);
  };
  const insertionCode = record[26]?.trim() ?? "";
  const key = `${number}|${insertionCode}`;
  const seen = chain ?? { residues: new Map(), ended: false };
  chains.set(id, seen);
  let residue = seen.residues.get(key);
  if (residue === undefined) {
    residue = { name: residueName, number, insertionCode, atoms: new ResidueAtoms() };
    seen.residues.set(key, residue);
  }
  residue.atoms.add(residueName, record.slice(12, 16).trim(), {
    position: [coordinate(0), coordinate(1), coordinate(2)],
    occupancy: optional(54, 60, 1),
    bFactor: optional(60, 66, 0),
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

function readFacts(header: ReadonlyMap<string, readonly string[]>, source: string) {
  const joined = (kind: string): string | undefined => {
    const lines = header.get(kind);
    return lines?.map((line) => line.slice(10, 80).trim()).join(" ").trim() || undefined;
  };
  const resolution = header.get("REMARK")?.map((line) =>
    /^REMARK {3}2 RESOLUTION\. +([\d.]+) +ANGSTROM/.exec(line)?.[1]
  )
    .find((written) => written !== undefined);
  const firstRelease = header.get("REVDAT")?.find((line) => Number(line.slice(7, 10)) === 1);
  const [day, month, year] = firstRelease?.slice(13, 22).split("-") ?? [];
  const monthNumber = MONTHS.indexOf(month) + 1;
  const entry = header.get("HEADER")?.[0].slice(62, 66) ?? "";
  return {
    id: /^[1-9][0-9A-Za-z]{3}$/.test(entry) ? entry : baseName(source),
    title: joined("TITLE"),
    method: joined("EXPDTA")?.toLowerCase(),
    resolutionAngstrom: resolution === undefined ? undefined : Number(resolution),
    releaseDate: monthNumber === 0
      ? undefined
      : `${Number(year) < 70 ? "20" : "19"}${year}-${String(monthNumber).padStart(2, "0")}-${day}`,
  };
}
