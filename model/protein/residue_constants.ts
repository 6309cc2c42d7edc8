/**
 * What is known of the 20 amino acids besides their names, as tables over `aatype` (21 rows, the last for `X`).
 *
 * Source: Jumper et al. (2021), Suppl. 1.8.1 and Table 2 (rigid groups), Suppl. 1.8.5 (names that may be exchanged);
 * IUPAC-IUB (1970), "Abbreviations and Symbols for the Description of the Conformation of Polypeptide Chains" (chi).
 */
import { ATOM_INDEX, ATOM_SLOTS, RESIDUE_LETTERS } from "./residues.ts";

/** Rows of the tables: 20 amino acids and `X`. */
export const RESIDUE_TYPES = 21;

/** Most heavy atoms of one amino acid. */
export const ATOM14_SLOTS = 14;

/** Rigid groups of a residue: backbone, pre-omega, phi, psi, chi 1 to 4. */
export const RIGID_GROUPS = 8;

/** Side chain torsions. */
export const CHI_ANGLES = 4;

/** Heavy atoms of the side chains, in `atom14` order; N, CA, C and O go before them. */
const SIDE_CHAINS: Readonly<Record<string, string>> = {
  A: "CB",
  R: "CB CG CD NE CZ NH1 NH2",
  N: "CB CG OD1 ND2",
  D: "CB CG OD1 OD2",
  C: "CB SG",
  Q: "CB CG CD OE1 NE2",
  E: "CB CG CD OE1 OE2",
  G: "",
  H: "CB CG ND1 CD2 CE1 NE2",
  I: "CB CG1 CG2 CD1",
  L: "CB CG CD1 CD2",
  K: "CB CG CD CE NZ",
  M: "CB CG SD CE",
  F: "CB CG CD1 CD2 CE1 CE2 CZ",
  P: "CB CG CD",
  S: "CB OG",
  T: "CB OG1 CG2",
  W: "CB CG CD1 CD2 NE1 CE2 CE3 CZ2 CZ3 CH2",
  Y: "CB CG CD1 CD2 CE1 CE2 CZ OH",
  V: "CB CG1 CG2",
};

/** Atoms along the side chain whose windows of four, after N and CA, are chi 1, chi 2, …. */
const CHI_PATHS: Readonly<Record<string, string>> = {
  R: "CB CG CD NE CZ",
  N: "CB CG OD1",
  D: "CB CG OD1",
  C: "CB SG",
  Q: "CB CG CD OE1",
  E: "CB CG CD OE1",
  H: "CB CG ND1",
  I: "CB CG1 CD1",
  L: "CB CG CD1",
  K: "CB CG CD CE NZ",
  M: "CB CG SD CE",
  F: "CB CG CD1",
  P: "CB CG CD",
  S: "CB OG",
  T: "CB OG1",
  W: "CB CG CD1",
  Y: "CB CG CD1",
  V: "CB CG1",
};

/** Atoms whose names may be exchanged, two by two, because the last chi looks the same after half a turn. */
const EXCHANGEABLE: Readonly<Record<string, string>> = {
  D: "OD1 OD2",
  E: "OE1 OE2",
  F: "CD1 CD2 CE1 CE2",
  Y: "CD1 CD2 CE1 CE2",
};

/** Atom names in `atom14` order, one list a residue type; empty for `X`. */
export const ATOM14_NAMES: readonly (readonly string[])[] = Array.from(
  RESIDUE_LETTERS,
  (letter) => letter === "X" ? [] : ["N", "CA", "C", "O", ...words(SIDE_CHAINS[letter])],
);

/** Slot in `atom37` of each `atom14` slot, `[21, 14]`; 0 where there is no atom. */
export const ATOM14_TO_ATOM37: Int32Array = new Int32Array(RESIDUE_TYPES * ATOM14_SLOTS);

/** 1 where a residue type has an atom, `[21, 14]`. */
export const ATOM14_EXISTS: Float32Array = new Float32Array(RESIDUE_TYPES * ATOM14_SLOTS);

/** Slot in `atom14` of each `atom37` slot, `[21, 37]`; 0 where there is no atom. */
export const ATOM37_TO_ATOM14: Int32Array = new Int32Array(RESIDUE_TYPES * ATOM_SLOTS);

/** 1 where a residue type has an atom, `[21, 37]`; the end's OXT does not count. */
export const ATOM37_EXISTS: Float32Array = new Float32Array(RESIDUE_TYPES * ATOM_SLOTS);

/** `atom14` slot whose name the atom may take, `[21, 14]`; its own where there is no other. */
export const ATOM14_EXCHANGE: Int32Array = new Int32Array(RESIDUE_TYPES * ATOM14_SLOTS);

/** `atom37` slots of the four atoms of each chi, `[21, 4, 4]`; 0 where there is no such chi. */
export const CHI_ATOMS: Int32Array = new Int32Array(RESIDUE_TYPES * CHI_ANGLES * 4);

/** 1 where a residue type has the chi, `[21, 4]`. */
export const CHI_EXISTS: Float32Array = new Float32Array(RESIDUE_TYPES * CHI_ANGLES);

/** 1 where half a turn of the chi changes nothing but names, `[21, 4]`. */
export const CHI_IS_PERIODIC: Float32Array = new Float32Array(RESIDUE_TYPES * CHI_ANGLES);

/** `atom37` slots of a rigid group's point on the negative x axis, origin, and point in the xy plane, `[21, 8, 3]`. */
export const RIGID_GROUP_ATOMS: Int32Array = new Int32Array(RESIDUE_TYPES * RIGID_GROUPS * 3);

/** 1 where a residue type has the rigid group as atoms of its own, `[21, 8]`: never pre-omega and phi. */
export const RIGID_GROUP_EXISTS: Float32Array = new Float32Array(RESIDUE_TYPES * RIGID_GROUPS);

fillTables();

function fillTables(): void {
  for (let type = 0; type < RESIDUE_TYPES; type++) {
    const letter = RESIDUE_LETTERS[type];
    const names = ATOM14_NAMES[type];
    const exchange = words(EXCHANGEABLE[letter]);
    for (let slot = 0; slot < ATOM14_SLOTS; slot++) {
      const at = type * ATOM14_SLOTS + slot;
      ATOM14_EXCHANGE[at] = slot;
      if (slot >= names.length) continue;
      const wide = slotOf(names[slot]);
      ATOM14_TO_ATOM37[at] = wide;
      ATOM14_EXISTS[at] = 1;
      ATOM37_TO_ATOM14[type * ATOM_SLOTS + wide] = slot;
      ATOM37_EXISTS[type * ATOM_SLOTS + wide] = 1;
      const pair = exchange.indexOf(names[slot]);
      if (pair >= 0) ATOM14_EXCHANGE[at] = names.indexOf(exchange[pair ^ 1]);
    }
    setGroup(type, 0, ["C", "CA", "N"]);
    setGroup(type, 3, ["CA", "C", "O"]);
    const path = ["N", "CA", ...words(CHI_PATHS[letter])];
    for (let chi = 0; chi + 4 <= path.length; chi++) {
      const atoms = path.slice(chi, chi + 4);
      CHI_ATOMS.set(atoms.map(slotOf), (type * CHI_ANGLES + chi) * 4);
      CHI_EXISTS[type * CHI_ANGLES + chi] = 1;
      if (exchange.length > 0 && chi + 4 === path.length) CHI_IS_PERIODIC[type * CHI_ANGLES + chi] = 1;
      setGroup(type, 4 + chi, atoms.slice(1));
    }
  }
}

function setGroup(type: number, group: number, atoms: readonly string[]): void {
  RIGID_GROUP_ATOMS.set(atoms.map(slotOf), (type * RIGID_GROUPS + group) * 3);
  RIGID_GROUP_EXISTS[type * RIGID_GROUPS + group] = 1;
}

function slotOf(name: string): number {
  const slot = ATOM_INDEX.get(name);
  if (slot === undefined) throw new RangeError(`There is no atom37 slot for ${name}`);
  return slot;
}

function words(text: string | undefined): string[] {
  return text ? text.split(" ") : [];
}
