/** Writes small structures record by record, as programs of all kinds do, for tests of their readers. */
import { ATOM_SLOTS, RESIDUE_LETTERS, RESIDUE_NAMES } from "../../../model/protein/residues.ts";
import type { Structure } from "../../../tools/data/structure.ts";

/** One atom. */
export interface AtomSpec {
  readonly name: string;
  readonly position: readonly number[];
  readonly element?: string;
  readonly altLoc?: string;
  readonly occupancy?: number;
}

/** One residue, and how its records are written. */
export interface ResidueSpec {
  readonly name: string;
  readonly number: number | string;
  readonly chain?: string;
  readonly insertionCode?: string;
  readonly segment?: string;
  readonly isHetero?: boolean;
  readonly label?: string;
  readonly entity?: string;
  readonly sequenceId?: string;
  readonly atoms: readonly AtomSpec[];
}

/** Three-letter name of a one-letter code. */
export function nameOf(letter: string): string {
  return RESIDUE_NAMES[RESIDUE_LETTERS.indexOf(letter)];
}

/** The backbone and C-beta of the residue of a number in a straight chain, bonded to that before it; Å. */
export function backbone(index: number, x = 0, glycine = false): AtomSpec[] {
  const z = 3.6 * index;
  const atoms: AtomSpec[] = [
    { name: "N", position: [x, 0, z] },
    { name: "CA", position: [x, 0.5, z + 1.3] },
    { name: "C", position: [x, 0, z + 2.4] },
    { name: "O", position: [x, 1.2, z + 2.4] },
  ];
  return glycine ? atoms : [...atoms, { name: "CB", position: [x + 1.5, 0.5, z + 1.3] }];
}

/** Residues of a sequence in a straight chain. */
export function peptide(
  sequence: string,
  more: Partial<ResidueSpec> & { first?: number; x?: number; at?: number } = {},
): ResidueSpec[] {
  const { first = 1, x = 0, at = 0, ...rest } = more;
  return Array.from(sequence, (letter, i) => ({
    name: nameOf(letter),
    number: first + i,
    atoms: backbone(at + i, x, letter === "G"),
    ...rest,
  }));
}

/** A residue of one atom. */
export function single(
  name: string,
  atom: string,
  position: readonly number[],
  more: Partial<ResidueSpec>,
): ResidueSpec {
  return {
    name,
    number: 1,
    isHetero: true,
    atoms: [{ name: atom, position, element: atom.replace(/\d.*/, "") }],
    ...more,
  };
}

/** The text of a PDB file; texts among the residues are records of their own. */
export function pdbText(items: readonly (ResidueSpec | string)[], options: { elements?: boolean } = {}): string {
  let serial = 0;
  return items.flatMap((item) => {
    if (typeof item === "string") return [item];
    const { name, number, chain = "", insertionCode = "", segment = "", isHetero, atoms } = item;
    return atoms.map((atom) => {
      const isWide = atom.name.length > 3 || (atom.element?.length ?? 1) > 1;
      return [
        (isHetero ? "HETATM" : "ATOM").padEnd(6) + String(++serial % 100_000).padStart(5) + " ",
        (isWide ? atom.name : ` ${atom.name}`).padEnd(4) + (atom.altLoc ?? " "),
        name.length > 3 ? name + chain.padStart(1) : name.padStart(3) + chain.padStart(2),
        String(number).padStart(4) + insertionCode.padEnd(1) + "   ",
        atom.position.map((value) => value.toFixed(3).padStart(8)).join(""),
        (atom.occupancy ?? 1).toFixed(2).padStart(6) + "  20.00".slice(1) + "      " + segment.padEnd(4),
        options.elements === false ? "" : (atom.element ?? atom.name.replace(/\d/g, "")[0]).padStart(2),
      ].join("");
    });
  }).join("\n") + "\n";
}

/** Items of atom_site that {@linkcode cifText} writes. */
export const CIF_ITEMS = [
  ...["group_PDB", "id", "type_symbol", "label_atom_id", "label_alt_id", "label_comp_id", "label_asym_id"],
  ...["label_entity_id", "label_seq_id", "pdbx_PDB_ins_code", "Cartn_x", "Cartn_y", "Cartn_z", "occupancy"],
  ...["B_iso_or_equiv", "auth_seq_id", "auth_comp_id", "auth_asym_id", "auth_atom_id", "pdbx_PDB_model_num"],
] as const;

/** Rows of atom_site, by item. */
export function cifRows(residues: readonly ResidueSpec[], model = 1): Record<string, string>[] {
  let serial = 0;
  return residues.flatMap((residue) => {
    const { name, number, chain = ".", insertionCode = "?", isHetero, atoms } = residue;
    return atoms.map((atom) => ({
      group_PDB: isHetero ? "HETATM" : "ATOM",
      id: String(++serial),
      type_symbol: atom.element ?? atom.name.replace(/\d/g, "")[0],
      label_atom_id: atom.name,
      label_alt_id: atom.altLoc ?? ".",
      label_comp_id: name,
      label_asym_id: residue.label ?? chain,
      label_entity_id: residue.entity ?? ".",
      label_seq_id: residue.sequenceId ?? ".",
      pdbx_PDB_ins_code: insertionCode || "?",
      Cartn_x: atom.position[0].toFixed(3),
      Cartn_y: atom.position[1].toFixed(3),
      Cartn_z: atom.position[2].toFixed(3),
      occupancy: (atom.occupancy ?? 1).toFixed(2),
      B_iso_or_equiv: "20.00",
      auth_seq_id: String(number),
      auth_comp_id: name,
      auth_asym_id: chain,
      auth_atom_id: atom.name,
      pdbx_PDB_model_num: String(model),
    }));
  });
}

/** The text of an mmCIF file with these rows and items, and other categories before them. */
export function cifText(
  rows: readonly Record<string, string>[],
  { items = CIF_ITEMS, before = "" }: { items?: readonly string[]; before?: string } = {},
): string {
  const lines = rows.map((row) => items.map((item) => row[item]).join(" "));
  return `data_x\n${before}loop_\n${items.map((item) => `_atom_site.${item}\n`).join("")}${lines.join("\n")}\n`;
}

/** Chains as `NAME SEQUENCE FIRST-LAST`, for comparison at a glance. */
export function outline({ chains }: Structure): string[] {
  return chains.map(({ id, sequence, residueNumbers, insertionCodes, atomMask }) => {
    const numbers = Array.from(residueNumbers, (number, i) => {
      const isSeen = atomMask.subarray(i * ATOM_SLOTS, (i + 1) * ATOM_SLOTS).includes(1);
      return `${number}${insertionCodes[i]}${isSeen ? "" : "-"}`;
    });
    return `${id} ${sequence} ${numbers.join(" ")}`;
  });
}

/** Hetero groups as `NAME CHAIN NUMBER`. */
export function groups({ heteroGroups = [] }: Structure): string[] {
  return heteroGroups.map(({ name, chainId, residueNumber }) => `${name} ${chainId} ${residueNumber}`);
}

/** Remarks as `KEY COUNT`. */
export function remarks({ remarks = [] }: Structure): string[] {
  return remarks.map(({ key, count }) => `${key} ${count}`);
}

/** Atoms and residues that a structure has or tells to be left out. */
export function account({ chains, heteroGroups = [], remarks = [] }: Structure): { atoms: number; residues: number } {
  let [atoms, residues] = [0, 0];
  for (const { atomMask, sequence } of chains) {
    for (let i = 0; i < sequence.length; i++) {
      const count = atomMask.subarray(i * ATOM_SLOTS, (i + 1) * ATOM_SLOTS).reduce((sum, there) => sum + there, 0);
      atoms += count;
      if (count > 0) residues++;
    }
  }
  for (const { atomNames } of heteroGroups) {
    atoms += atomNames.length;
    residues++;
  }
  for (const { unit, count, isLeftOut, atoms: more = 0 } of remarks) {
    if (!isLeftOut) continue;
    atoms += unit === "atom" ? count : more;
    if (unit === "residue") residues += count;
  }
  return { atoms, residues };
}
