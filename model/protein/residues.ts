/**
 * Names of residues and atoms, in AlphaFold's orders.
 *
 * Source: Jumper et al. (2021), Suppl. 1.2 and Table 2; parents of modified residues from the wwPDB Chemical Component
 * Dictionary.
 */

/** One-letter codes in the order of `aatype`; index 20, `X`, is any other residue. */
export const RESIDUE_LETTERS = "ARNDCQEGHILKMFPSTWYVX";

/** Index of `X` (and, for the small model's 21 tokens, of the gap). */
export const UNKNOWN_RESIDUE = 20;

/** Three-letter names in the order of {@link RESIDUE_LETTERS}; `UNK` is `X`. */
export const RESIDUE_NAMES: readonly string[] = (
  "ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL UNK"
).split(" ");

/** The 37 heavy atoms of the 20 amino acids, in AlphaFold's `atom37` order. */
export const ATOM_NAMES: readonly string[] = (
  "N CA C CB O CG CG1 CG2 OG OG1 SG CD CD1 CD2 ND1 ND2 OD1 OD2 SD CE CE1 CE2 CE3 NE NE1 NE2 OE1 OE2 CH2 NH1 NH2 OH " +
  "CZ CZ2 CZ3 NZ OXT"
).split(" ");

/** Number of atom slots a residue has. */
export const ATOM_SLOTS = 37;

/** Slot of each atom name. */
export const ATOM_INDEX: ReadonlyMap<string, number> = new Map(ATOM_NAMES.map((name, index) => [name, index]));

/** Slots of the backbone nitrogen, C-alpha, carbonyl carbon and C-beta. */
export const SLOT = { N: 0, CA: 1, C: 2, CB: 3 } as const;

/** Modified residues and alternative names, each under the letter of the amino acid it stands for. */
const MODIFIED: Readonly<Record<string, string>> = {
  A: "ABA AIB DDZ",
  C: "CAF CAS CCS CME CSD CSO CSS CSX CYM CYX OCS SCH SCY SEC SMC YCM",
  D: "ASH BFD PHD SNN",
  E: "CGU GLH PCA",
  F: "MEA PHI",
  H: "HIC HID HIE HIP HSD HSE HSP MHS NEP",
  I: "IIL",
  K: "ALY KCX LLP LYN M3L MLY MLZ PYL",
  L: "MLE NLE",
  M: "FME MHO MSE SME",
  N: "MEN",
  P: "HYP",
  Q: "MEQ",
  R: "AGM ARO CIR",
  S: "SEP",
  T: "TPO",
  V: "MVA NVA",
  W: "TRO TRQ",
  Y: "PTR TYI TYS",
};

const LETTERS: ReadonlyMap<string, string> = new Map([
  ...RESIDUE_NAMES.map((name, index) => [name, RESIDUE_LETTERS[index]] as const),
  ...Object.entries(MODIFIED).flatMap(([letter, names]) => names.split(" ").map((name) => [name, letter] as const)),
]);

/** One-letter code of a three-letter residue name, modified residues as their parents; `X` if it is not known. */
export function residueLetter(name: string): string {
  return LETTERS.get(name) ?? "X";
}

/** Whether a three-letter name is one of the 20 amino acids or a modified residue of the table. */
export function isAminoAcid(name: string): boolean {
  return LETTERS.has(name);
}

/** Whether a residue name is water, as archives and simulation programs write it. */
export function isWater(name: string): boolean {
  return /^(?:HOH|WAT|TIP.?|SOL|DOD|H2O)$/.test(name);
}

/** Whether a residue name is a nucleotide of RNA or DNA. */
export function isNucleotide(name: string): boolean {
  return /^(?:[ACGUIN]|D[ACGTUIN])$/.test(name);
}

/** Three-letter name of a one-letter code; `UNK` if it is not one of the 20. */
export function residueName(letter: string): string {
  const index = RESIDUE_LETTERS.indexOf(letter);
  return RESIDUE_NAMES[index < 0 ? UNKNOWN_RESIDUE : index];
}

/** Slot of an atom in a residue, or `undefined` if it has none; the selenium of MSE takes the place of SD. */
export function atomSlot(residue: string, atom: string): number | undefined {
  return ATOM_INDEX.get(atom === "SE" && (residue === "MSE" || residue === "SME") ? "SD" : atom);
}
