/** Collects the atoms of residues while a file is read, and makes chains of them. */
import { ATOM_SLOTS, atomSlot, residueLetter, SLOT } from "../../model/protein/residues.ts";
import type { Chain, HeteroGroup } from "./structure.ts";

/** No structure is as large as this, in Å. */
const MOST_ANGSTROM = 1e6;

/** Words for what a coordinate must be. */
export const COORDINATE = "a number below a million";

/** Whether a number can be a coordinate in Å. */
export function isCoordinate(value: number): boolean {
  return Math.abs(value) < MOST_ANGSTROM;
}

/** One location of one atom. */
export interface Atom {
  /** Part of the molecules that have the atom here. */
  readonly occupancy: number;
  /** Å² */
  readonly bFactor: number;
  /** Å */
  readonly position: readonly [number, number, number];
  /** As the file writes it. @default the first letter of the atom's name */
  readonly element?: string;
}

/**
 * The atoms read for one residue. Of alternative locations the one with the highest occupancy is kept, the first of
 * equals; where a place holds several kinds of residue, the kind with the most occupied atom is.
 */
export class ResidueAtoms {
  readonly #kinds = new Map<string, { atoms: Map<string, Atom>; occupancy: number }>();

  /** Adds a location of an atom. */
  add(residueName: string, atomName: string, atom: Atom): void {
    let kind = this.#kinds.get(residueName);
    if (kind === undefined) this.#kinds.set(residueName, kind = { atoms: new Map(), occupancy: -Infinity });
    kind.occupancy = Math.max(kind.occupancy, atom.occupancy);
    const known = kind.atoms.get(atomName);
    if (known === undefined || atom.occupancy > known.occupancy) kind.atoms.set(atomName, atom);
  }

  /** Names of the residue's kinds, best first. */
  names(): string[] {
    return [...this.#kinds].sort(([, a], [, b]) => b.occupancy - a.occupancy).map(([name]) => name);
  }

  /** Atoms of one kind of residue, by name. */
  atoms(residueName: string): ReadonlyMap<string, Atom> {
    return this.#kinds.get(residueName)?.atoms ?? new Map();
  }
}

/** A place in a chain's sequence. */
export interface Place {
  /** Three-letter name in the sequence; what the atoms say goes before it. */
  readonly name: string;
  /** The authors' number. */
  readonly number: number;
  /** Empty where there is none. */
  readonly insertionCode: string;
  /** The atoms read, or none where the residue was not seen. */
  readonly atoms?: ResidueAtoms;
}

/** Makes a group of a residue that is no part of a chain. */
export function makeHeteroGroup(chainId: string, residue: Place & { readonly atoms: ResidueAtoms }): HeteroGroup {
  const name = residue.atoms.names()[0];
  const atoms = [...residue.atoms.atoms(name)];
  return Object.freeze({
    name,
    chainId,
    residueNumber: residue.number,
    insertionCode: residue.insertionCode,
    atomNames: Object.freeze(atoms.map(([atom]) => atom)),
    elements: Object.freeze(
      atoms.map(([atom, { element }]) => (element || /[A-Za-z]/.exec(atom)?.[0] || "X").toUpperCase()),
    ),
    atomPositions: Float32Array.from(atoms.flatMap(([, { position }]) => position)),
  });
}

/** Makes a chain of its places. */
export function makeChain(id: string, labelId: string, places: readonly Place[]): Chain {
  const n = places.length;
  const atomPositions = new Float32Array(n * ATOM_SLOTS * 3);
  const atomMask = new Float32Array(n * ATOM_SLOTS);
  const bFactors = new Float32Array(n * ATOM_SLOTS);
  let sequence = "";
  places.forEach((place, i) => {
    const name = place.atoms?.names()[0] ?? place.name;
    sequence += residueLetter(name);
    for (const [atomName, atom] of place.atoms?.atoms(name) ?? []) {
      const slot = atomSlot(name, atomName);
      if (slot === undefined) continue;
      const at = i * ATOM_SLOTS + slot;
      atomPositions.set(atom.position, at * 3);
      atomMask[at] = 1;
      bFactors[at] = atom.bFactor;
    }
    if (sequence[i] === "R") nameArginine(i, atomPositions, atomMask, bFactors);
  });
  return Object.freeze({
    id,
    labelId,
    sequence,
    residueNumbers: Int32Array.from(places, (place) => place.number),
    insertionCodes: Object.freeze(places.map((place) => place.insertionCode)),
    atomPositions,
    atomMask,
    bFactors,
  });
}

/**
 * Gives the names NH1 and NH2 of an arginine by the rule that NH1 is the nearer to CD, which many files break.
 *
 * Source: IUPAC-IUB (1970), "Abbreviations and Symbols for the Description of the Conformation of Polypeptide Chains".
 */
function nameArginine(residue: number, positions: Float32Array, mask: Float32Array, bFactors: Float32Array): void {
  const [cd, nh1, nh2] = ["CD", "NH1", "NH2"].map((name) => residue * ATOM_SLOTS + (atomSlot("ARG", name) ?? 0));
  if (mask[cd] === 0 || mask[nh1] === 0 || mask[nh2] === 0) return;
  const toCd = (atom: number): number =>
    Math.hypot(...[0, 1, 2].map((axis) => positions[atom * 3 + axis] - positions[cd * 3 + axis]));
  if (toCd(nh1) <= toCd(nh2)) return;
  const swap = (values: Float32Array, width: number): void => {
    const kept = values.slice(nh1 * width, (nh1 + 1) * width);
    values.copyWithin(nh1 * width, nh2 * width, (nh2 + 1) * width);
    values.set(kept, nh2 * width);
  };
  swap(positions, 3);
  swap(bFactors, 1);
}

/** Whether any residue of the chain has its C-alpha atom. */
export function hasAlphaCarbon(chain: Chain): boolean {
  for (let i = SLOT.CA; i < chain.atomMask.length; i += ATOM_SLOTS) if (chain.atomMask[i] !== 0) return true;
  return false;
}
