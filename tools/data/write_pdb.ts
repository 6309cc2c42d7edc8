/**
 * Writes PDB files.
 *
 * Source: wwPDB, "Protein Data Bank Contents Guide", format version 3.30.
 */
import { ATOM_NAMES, ATOM_SLOTS, residueName } from "../../model/protein/residues.ts";
import type { Chain, Structure } from "./structure.ts";

/** What PDB files have besides atoms. */
export interface PdbOptions {
  /** Lines of REMARK 1, such as where the coordinates come from. */
  readonly remarks?: readonly string[];
  /** A HEADER record is written with this classification, whatever the entry's name. @default only for PDB codes */
  readonly classification?: string;
  /** Whether to write the CRYST1 record of a structure without a crystal, which some programs ask for. @default false */
  readonly unitCell?: boolean;
}

/**
 * The text of a PDB file of the structure's atoms, with SEQRES records for the whole sequences.
 *
 * @throws {RangeError} If the structure does not fit the format's columns: more than 99,999 atoms, chain names of more
 * than one letter, coordinates beyond ±9,999 Å. mmCIF has no such limits.
 */
export function formatPdb(structure: Structure, options: PdbOptions = {}): string {
  const lines: string[] = [];
  const { classification = "" } = options;
  const code = /^[0-9A-Za-z]{4}$/.test(structure.id) ? structure.id : "";
  if (classification || code) {
    lines.push(`HEADER    ${classification.toUpperCase().slice(0, 40).padEnd(40)}${" ".repeat(12)}${code}`.trimEnd());
  }
  pushWrapped(lines, "TITLE ", structure.title);
  pushWrapped(lines, "EXPDTA", structure.method?.toUpperCase());
  for (const remark of options.remarks ?? []) lines.push(`REMARK   1 ${remark}`.slice(0, 80).trimEnd());
  if (structure.resolutionAngstrom !== undefined) {
    lines.push(`REMARK   2 RESOLUTION. ${structure.resolutionAngstrom.toFixed(2).padStart(7)} ANGSTROMS.`);
  }
  for (const chain of structure.chains) {
    fits(chain.id.length === 1, `chain ${chain.id}`, "names of one letter, to which chains can be renamed");
    pushSequence(lines, chain);
  }
  if (options.unitCell) lines.push("CRYST1    1.000    1.000    1.000  90.00  90.00  90.00 P 1           1");
  let serial = 0;
  for (const chain of structure.chains) serial = pushAtoms(lines, chain, serial);
  lines.push("END");
  return lines.map((line) => line.padEnd(80)).join("\n") + "\n";
}

function pushWrapped(lines: string[], kind: string, text: string | undefined): void {
  let rest = text ?? "";
  for (let part = 1; rest !== ""; part++) {
    const cut = rest.length <= 68 ? rest.length : rest.lastIndexOf(" ", 68) > 0 ? rest.lastIndexOf(" ", 68) : 68;
    lines.push(`${kind}  ${part === 1 ? "  " : String(part).padStart(2)}${part === 1 ? "" : " "}${rest.slice(0, cut)}`);
    rest = rest.slice(cut).trimStart();
  }
}

function pushSequence(lines: string[], chain: Chain): void {
  const names = Array.from(chain.sequence, residueName);
  fits(names.length <= 9999, `chain ${chain.id} of ${names.length} residues`, "at most 9,999");
  for (let at = 0, row = 1; at < names.length; at += 13, row++) {
    const count = String(names.length).padStart(4);
    lines.push(`SEQRES ${String(row).padStart(3)} ${chain.id} ${count}  ${names.slice(at, at + 13).join(" ")}`);
  }
}

function pushAtoms(lines: string[], chain: Chain, serial: number): number {
  let last = -1;
  for (let residue = 0; residue < chain.sequence.length; residue++) {
    for (let atom = 0; atom < ATOM_SLOTS; atom++) {
      const at = residue * ATOM_SLOTS + atom;
      if (chain.atomMask[at] === 0) continue;
      fits(++serial <= 99_999, `${serial} atoms`, "at most 99,999");
      last = residue;
      const name = ATOM_NAMES[atom];
      const xyz = Array.from(chain.atomPositions.subarray(at * 3, at * 3 + 3), (value) => column(value, 8, 3)).join("");
      lines.push(
        `ATOM  ${String(serial).padStart(5)}  ${name.padEnd(3)} ${place(chain, residue)}   ${xyz}` +
          `${column(1, 6, 2)}${column(chain.bFactors[at], 6, 2)}          ${name[0].padStart(2)}`,
      );
    }
  }
  if (last < 0) return serial;
  lines.push(`TER   ${String(serial + 1).padStart(5)}      ${place(chain, last)}`);
  return serial + 1;
}

/** Columns 18 to 27: residue name, chain, number, insertion code. */
function place(chain: Chain, residue: number): string {
  const number = chain.residueNumbers[residue];
  fits(number >= -999 && number <= 9999, `residue number ${number}`, "a number from -999 to 9,999");
  const code = chain.insertionCodes[residue] || " ";
  return `${residueName(chain.sequence[residue])} ${chain.id}${String(number).padStart(4)}${code}`;
}

function column(value: number, width: number, decimals: number): string {
  const text = value.toFixed(decimals).padStart(width);
  fits(Number.isFinite(value) && text.length === width, `the number ${value}`, `one of ${width} characters`);
  return text;
}

function fits(condition: boolean, given: string, expected: string): asserts condition {
  if (!condition) {
    throw new RangeError(`Cannot write ${given} as PDB: the format takes ${expected}; write mmCIF instead`);
  }
}
