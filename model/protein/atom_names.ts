/**
 * Atoms of residues under the names of today: those of the Protein Data Bank's format 3 and of IUPAC.
 *
 * Source: names of CHARMM, GROMOS and AMBER in their residue topologies (`ILE CD`, `OT1`, `O1`, `OC1`); wwPDB Chemical
 * Component Dictionary.
 */
import { ATOM37_EXISTS } from "./residue_constants.ts";
import { ATOM_INDEX, ATOM_SLOTS, RESIDUE_LETTERS, residueLetter, standardResidue } from "./residues.ts";

/** Other programs' names of the carboxylate at the end of a chain. */
const TERMINAL: Readonly<Record<string, string>> = {
  ...{ OT1: "O", OT2: "OXT", OT: "OXT", O1: "O", O2: "OXT", OC1: "O", OC2: "OXT", OCT1: "O", OCT2: "OXT" },
  ...{ "O'": "O", "O''": "OXT" },
};

/** Name of an atom in a residue as it is today; the name itself where it has no other. */
export function atomName(residue: string, atom: string): string {
  if (atom === "SE" && (residue === "MSE" || residue === "SME")) return "SD"; // selenium takes the place of sulfur
  const name = standardResidue(residue);
  if (name === undefined) return atom;
  if (name === "ILE" && atom === "CD") return "CD1";
  return hasAtom(name, atom) ? atom : TERMINAL[atom] ?? atom;
}

/**
 * Slot of an atom in a residue, or `undefined` if it has none. A standard residue takes its own heavy atoms alone, any other
 * those of any.
 */
export function atomSlot(residue: string, atom: string): number | undefined {
  const name = atomName(residue, atom);
  const standard = standardResidue(residue);
  return standard === undefined || hasAtom(standard, name) ? ATOM_INDEX.get(name) : undefined;
}

function hasAtom(residue: string, atom: string): boolean {
  const slot = ATOM_INDEX.get(atom);
  if (slot === undefined) return false;
  return atom === "OXT" || ATOM37_EXISTS[RESIDUE_LETTERS.indexOf(residueLetter(residue)) * ATOM_SLOTS + slot] === 1;
}
