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

/** Modified residues, each under the letter of the amino acid it stands for. */
const MODIFIED: Readonly<Record<string, string>> = {
  A: "ABA AIB DDZ",
  C: "CAF CAS CCS CME CSD CSO CSS CSX OCS SCH SCY SEC SMC YCM",
  D: "BFD PHD SNN",
  E: "CGU PCA",
  F: "MEA PHI",
  H: "HIC MHS NEP",
  I: "IIL",
  K: "ALY KCX LLP M3L MLY MLZ PYL",
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

/** Names that AMBER, CHARMM, GROMOS and OPLS give the amino acids by their protons and bridges. */
const PROTONATED: Readonly<Record<string, string>> = {
  ARG: "ARGN",
  ASP: "ASH ASPH ASPP",
  CYS: "CYM CYN CYX CYSH CYSS CYS1 CYS2",
  GLU: "GLH GLUH GLUP",
  HIS: "HID HIE HIP HSD HSE HSP HISA HISB HISD HISE HISH HIS1 HIS2",
  LYS: "LYN LYSH LSN",
};

const STANDARD: ReadonlyMap<string, string> = new Map([
  ...RESIDUE_NAMES.slice(0, UNKNOWN_RESIDUE).map((name) => [name, name] as const),
  ...Object.entries(PROTONATED).flatMap(([name, others]) => others.split(" ").map((other) => [other, name] as const)),
]);

/**
 * Name of the amino acid that a residue is but for its protons: of HIE, HSD and AMBER's NHIS and CHIS at the ends of chains
 * `HIS`; `undefined` if it is none of the 20.
 */
export function standardResidue(name: string): string | undefined {
  return STANDARD.get(name) ?? (/^[NC]...$/.test(name) ? STANDARD.get(name.slice(1)) : undefined);
}

const LETTERS: ReadonlyMap<string, string> = new Map([
  ...RESIDUE_NAMES.map((name, index) => [name, RESIDUE_LETTERS[index]] as const),
  ...Object.entries(MODIFIED).flatMap(([letter, names]) => names.split(" ").map((name) => [name, letter] as const)),
]);

/** One-letter code of a three-letter residue name, modified residues as their parents; `X` if it is not known. */
export function residueLetter(name: string): string {
  return LETTERS.get(standardResidue(name) ?? name) ?? "X";
}

/** Whether a three-letter name is one of the 20 amino acids or a modified residue of the table. */
export function isAminoAcid(name: string): boolean {
  return LETTERS.has(standardResidue(name) ?? name);
}

/** Whether a residue name is water, as archives and simulation programs write it. */
export function isWater(name: string): boolean {
  return /^(?:HOH|WAT|TIP.?|SOL|SPCE?|T[34]P|DOD|H2O)$/.test(name);
}

/** Whether a residue name is a nucleotide of RNA or DNA, as archives, AMBER (DA5, RG3) and CHARMM (ADE) write it. */
export function isNucleotide(name: string): boolean {
  return /^(?:[ACGUIN]|D[ACGTUIN]|[DR][ACGTU][35]|ADE|CYT|GUA|THY|URA)$/.test(name);
}

/** Three-letter name of a one-letter code; `UNK` if it is not one of the 20. */
export function residueName(letter: string): string {
  const index = RESIDUE_LETTERS.indexOf(letter);
  return RESIDUE_NAMES[index < 0 ? UNKNOWN_RESIDUE : index];
}
