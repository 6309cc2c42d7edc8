/** Atoms of residues as they are read, and chains and groups made of them. */
import { atomName, atomSlot } from "../../model/protein/atom_names.ts";
import { ATOM_INDEX, ATOM_SLOTS, residueLetter, residueName, standardResidue } from "../../model/protein/residues.ts";
import type { RemarkKind, Remarks } from "./remarks.ts";
import type { Chain, HeteroGroup } from "./structure.ts";

/** No structure is as large as this, in Å. */
const MOST_ANGSTROM = 1e6;

/** Words for what a coordinate must be. */
export const COORDINATE = "a number below a million";

/** Whether a number can be a coordinate in Å. */
export function isCoordinate(value: number): boolean {
  return Math.abs(value) < MOST_ANGSTROM;
}

/** Å; locations of one atom are nearer to each other, those of atoms of the same name in two residues are not. */
const SAME_PLACE = 2;

/** One location of one atom. */
export interface Atom {
  /** Mark of the alternative location; empty where there is none. */
  readonly altLoc: string;
  /** Part of the molecules that have the atom here. */
  readonly occupancy: number;
  /** Å² */
  readonly bFactor: number;
  /** Å */
  readonly position: readonly [number, number, number];
  /** Chemical element as the file writes it; empty where it does not. */
  readonly element: string;
  /** The next location of the same atom, if it has several. */
  next?: Atom;
}

/** The atoms of one kind of residue at one place. */
export class AtomSet {
  /** The first location of each atom, in the file's order. */
  readonly first = new Map<string, Atom>();
  /** Locations of all atoms. */
  size = 0;
  /** The highest of their occupancies. */
  occupancy = -Infinity;
  #begins: string | undefined;

  /** Adds a location. */
  add(name: string, atom: Atom): void {
    this.#begins ??= name;
    const known = this.first.get(name);
    if (known === undefined) this.first.set(name, atom);
    else lastOf(known).next = atom;
    this.size++;
    if (atom.occupancy > this.occupancy) this.occupancy = atom.occupancy;
  }

  /** Takes all that another has over. */
  addAll(other: AtomSet): void {
    for (const [name, first] of other.first) {
      for (const atom of [...locationsOf(first)]) {
        atom.next = undefined;
        this.add(name, atom);
      }
    }
  }

  /** The location of highest occupancy, the first of equals. */
  best(name: string): Atom | undefined {
    const first = this.first.get(name);
    return first?.next === undefined ? first : mostOccupied(first);
  }

  /** Whether this location would begin a second residue: the first atom once more, somewhere else, and not by halves. */
  isRepeatedBy(name: string, atom: Atom): boolean {
    if (name !== this.#begins) return false;
    const other = this.#elsewhere(name, atom);
    if (other === undefined) return false;
    return !(other.occupancy > 0 && atom.occupancy > 0 && other.occupancy + atom.occupancy <= 1.01);
  }

  /** Whether all of another's atoms can be further atoms, or locations, of the same residue. */
  fits(other: AtomSet): boolean {
    for (const [name, first] of other.first) {
      for (const atom of locationsOf(first)) if (this.#elsewhere(name, atom) !== undefined) return false;
    }
    return true;
  }

  /** Whether another kind of residue stands where this one does: by its marks, or by where its C-alpha or what it has is. */
  isBeside(other: AtomSet): boolean {
    const [own, others] = [this.#altLocs(), other.#altLocs()];
    if (!own.has("") && !others.has("")) return own.isDisjointFrom(others);
    const shared = [...other.first.keys()].filter((name) => this.first.has(name));
    const compared = shared.includes("CA") ? ["CA"] : shared;
    return compared.some((name) => distance(this.first.get(name)!, other.first.get(name)!) < SAME_PLACE);
  }

  #altLocs(): Set<string> {
    return new Set(
      Array.from(this.first.values(), (first) => Array.from(locationsOf(first), ({ altLoc }) => altLoc)).flat(),
    );
  }

  /** A known location that this cannot be another of: with the same mark, or one of them without, and far away. */
  #elsewhere(name: string, atom: Atom): Atom | undefined {
    const first = this.first.get(name);
    if (first === undefined) return undefined;
    let unlike: Atom | undefined;
    for (const known of locationsOf(first)) {
      if (known.altLoc !== atom.altLoc && known.altLoc !== "" && atom.altLoc !== "") continue;
      if (distance(known, atom) <= SAME_PLACE) return undefined;
      unlike ??= known;
    }
    return unlike;
  }
}

function* locationsOf(first: Atom): Generator<Atom> {
  for (let atom: Atom | undefined = first; atom !== undefined; atom = atom.next) yield atom;
}

function lastOf(first: Atom): Atom {
  let atom = first;
  while (atom.next !== undefined) atom = atom.next;
  return atom;
}

function mostOccupied(first: Atom): Atom {
  let best = first;
  for (const atom of locationsOf(first)) if (atom.occupancy > best.occupancy) best = atom;
  return best;
}

/** A place in a chain's sequence. */
export interface Place {
  /** Three-letter name in the sequence; what the atoms say goes before it. */
  readonly name: string;
  /** The authors' number. */
  readonly number: number;
  /** Empty where there is none. */
  readonly insertionCode: string;
  /** What was read, unless the residue was not seen. */
  readonly residue?: Residue;
}

/** A residue of a file: one place, of which there may be several kinds. */
export class Residue {
  /** Kinds by name, in the file's order. */
  readonly kinds = new Map<string, AtomSet>();

  /**
   * @param number The authors' number.
   * @param insertionCode Empty where there is none.
   * @param sequenceId `label_seq_id` of mmCIF; empty where there is none.
   * @param entity `label_entity_id` of mmCIF; empty where there is none.
   * @param isHetero Whether it is of HETATM records.
   * @param isEnded Whether the chain's TER record stands before it.
   * @param row Its first line or row in the file, for messages.
   */
  constructor(
    readonly number: number,
    readonly insertionCode: string,
    readonly sequenceId: string,
    readonly entity: string,
    readonly isHetero: boolean,
    readonly isEnded: boolean,
    readonly row: number,
  ) {}

  /** Names of the kinds, the most occupied first. */
  names(): string[] {
    if (this.kinds.size === 1) return [...this.kinds.keys()];
    return [...this.kinds].sort(([, a], [, b]) => b.occupancy - a.occupancy).map(([name]) => name);
  }

  /** Name of the most occupied kind. */
  get name(): string {
    return this.names()[0];
  }

  /** Atoms of the most occupied kind. */
  get atoms(): AtomSet {
    return this.kinds.get(this.name)!;
  }

  /** Locations of the atoms of all kinds. */
  get size(): number {
    let size = 0;
    for (const set of this.kinds.values()) size += set.size;
    return size;
  }

  /** Adds atoms, of a new kind or one that is known. */
  add(name: string, atoms: AtomSet): void {
    const known = this.kinds.get(name);
    if (known === undefined) this.kinds.set(name, atoms);
    else known.addAll(atoms);
  }

  /** Whether atoms of a kind can be the residue's too. */
  takes(name: string, atoms: AtomSet): boolean {
    const known = this.kinds.get(name);
    return known === undefined ? [...this.kinds.values()].every((kind) => kind.isBeside(atoms)) : known.fits(atoms);
  }

  /** Words for messages. */
  get text(): string {
    return `${this.name} ${this.number}${this.insertionCode}`;
  }
}

const HYDROGEN = { key: "hydrogen", done: "left out", unit: "atom", isLeftOut: true, isUsual: true } as const;
const ALTERNATE = {
  key: "alternateLocation",
  done: "left out, the most occupied is taken",
  unit: "atom",
  isLeftOut: true,
  isUsual: true,
} as const;
const UNMARKED = {
  key: "unmarkedLocation",
  done: "left out, the most occupied is taken",
  unit: "atom",
  isLeftOut: true,
} as const;
const OTHER_KIND = {
  key: "otherKind",
  done: "left out, the most occupied kind is taken",
  unit: "atom",
  isLeftOut: true,
} as const;
const RENAMED = { key: "renamedAtom", done: "read under today's name", unit: "atom", isUsual: true } as const;
const FOREIGN = { key: "foreignAtom", done: "left out", unit: "atom", isLeftOut: true } as const;
const UNKNOWN_NAME = { key: "unknownResidue", done: "read as X", unit: "residue", isUsual: true } as const;
const MODIFIED = {
  key: "modifiedResidue",
  done: "read as the amino acid that it is made of",
  unit: "residue",
} as const;
const SELENIUM = { ...MODIFIED, key: "selenomethionine", done: "read as methionine", isUsual: true } as const;
const MODIFICATION = { key: "modification", done: "left out", unit: "atom", isLeftOut: true, isUsual: true } as const;

/** Takes note of atoms of a chain or group. */
export interface AtomLog {
  readonly remarks: Remarks;
  /** Line of a row. */
  line(row: number): number | undefined;
}

/** The best location of every atom of the residue's best kind, by name; notes what is left out. */
function chosenAtoms(residue: Residue, { remarks, line }: AtomLog, isWanted?: AtomFilter): Map<string, Atom> {
  const [name, ...others] = residue.names();
  const at = () => line(residue.row);
  for (const other of others) {
    const { size } = residue.kinds.get(other)!;
    remarks.add(OTHER_KIND, at, () => `${other} stands at the place of ${residue.text}`, size);
  }
  const chosen = new Map<string, Atom>();
  for (const [atom, first] of residue.kinds.get(name)!.first) {
    if (isWanted?.(atom, first) === false) continue;
    chosen.set(atom, first.next === undefined ? first : mostOccupied(first));
    if (first.next === undefined) continue;
    const marks = Array.from(locationsOf(first), ({ altLoc }) => altLoc);
    const isMarked = new Set(marks).size === marks.length;
    const text = () => `${atom} of ${residue.text} has ${marks.length} locations${isMarked ? "" : " without marks"}`;
    remarks.add(isMarked ? ALTERNATE : UNMARKED, at, text, marks.length - 1);
  }
  return chosen;
}

/** Whether an atom is looked at; one that is not is noted by the filter. */
type AtomFilter = (name: string, first: Atom) => boolean;

/** Makes a group of a residue that is no part of a chain. */
export function makeHeteroGroup(chainId: string, residue: Residue, log: AtomLog): HeteroGroup {
  const atoms = [...chosenAtoms(residue, log)];
  return Object.freeze({
    name: residue.name,
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
export function makeChain(id: string, labelId: string, places: readonly Place[], log: AtomLog): Chain {
  const n = places.length;
  const atomPositions = new Float32Array(n * ATOM_SLOTS * 3);
  const atomMask = new Float32Array(n * ATOM_SLOTS);
  const bFactors = new Float32Array(n * ATOM_SLOTS);
  let sequence = "";
  places.forEach((place, i) => {
    const { name, residue } = place;
    sequence += residueLetter(residue?.name ?? name);
    tellModified(place, sequence[i], log);
    if (residue === undefined) return;
    for (const [slot, atom] of slottedAtoms(residue, log)) {
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

/** Notes a residue that is none of the 20 amino acids. */
function tellModified({ name: written, number, insertionCode, residue }: Place, letter: string, log: AtomLog): void {
  const name = residue?.name ?? written;
  if (standardResidue(name) !== undefined) return;
  const kind = letter === "X" ? UNKNOWN_NAME : name === "MSE" ? SELENIUM : MODIFIED;
  const words = letter === "X" ? "is no amino acid that is known" : `is a modified ${residueName(letter)}`;
  const line = () => residue && log.line(residue.row);
  log.remarks.add(kind, line, () => `${name} ${number}${insertionCode} ${words}`);
}

/** The residue's atoms that have a slot, each once; notes the others. */
function slottedAtoms(residue: Residue, log: AtomLog): Map<number, Atom> {
  const { remarks, line } = log;
  const { name } = residue;
  const slots = new Map<number, Atom>();
  const leave = (kind: RemarkKind, atom: string, words: string) =>
    remarks.add(kind, () => line(residue.row), () => `${atom} of ${residue.text} ${words}`);
  const isHeavy: AtomFilter = (atom, first) => {
    if (!isHydrogen(atom, first.element)) return true;
    const count = [...locationsOf(first)].length;
    remarks.add(HYDROGEN, () => line(residue.row), () => `${atom} of ${residue.text} is a hydrogen`, count);
    return false;
  };
  for (const [written, atom] of chosenAtoms(residue, log, isHeavy)) {
    const slot = atomSlot(name, written);
    const today = atomName(name, written);
    if (slot !== undefined && !slots.has(slot)) {
      slots.set(slot, atom);
      if (today !== written && written !== "SE") leave(RENAMED, written, `is ${today}`);
    } else if (standardResidue(name) === undefined && !ATOM_INDEX.has(today)) {
      leave(MODIFICATION, written, "is none of the amino acids' atoms");
    } else leave(FOREIGN, written, slot === undefined ? "is no atom of that residue" : `is a second ${today}`);
  }
  return slots;
}

function isHydrogen(name: string, element: string): boolean {
  return element === "" ? /^\d*[HD]/.test(name) : /^[HD]$/i.test(element);
}

function distance(one: Atom, other: Atom): number {
  return Math.hypot(...one.position.map((x, axis) => x - other.position[axis]));
}

/**
 * Gives the names NH1 and NH2 of an arginine by the rule that NH1 is the nearer to CD, which many files break.
 *
 * Source: IUPAC-IUB (1970), "Abbreviations and Symbols for the Description of the Conformation of Polypeptide Chains".
 */
function nameArginine(residue: number, positions: Float32Array, mask: Float32Array, bFactors: Float32Array): void {
  const [cd, nh1, nh2] = ["CD", "NH1", "NH2"].map((name) => residue * ATOM_SLOTS + (ATOM_INDEX.get(name) ?? 0));
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
