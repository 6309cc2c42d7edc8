/** Atoms, sequences and facts of structures as mmCIF; what the writers of mmCIF and ModelCIF share. */
import { type CifValue, decimal, items, loop } from "./_cif_text.ts";
import { ATOM_NAMES, ATOM_SLOTS, residueName } from "../../model/protein/residues.ts";
import type { Chain, Structure } from "./structure.ts";

/** What mmCIF files have besides atoms. */
export interface MmcifOptions {
  /** Comment lines at the top, such as where the coordinates come from. */
  readonly comments?: readonly string[];
  /** Entries of other archives that the structure comes from. */
  readonly related?: readonly { readonly database: string; readonly id: string; readonly details: string }[];
}

/** What the atoms of a file are called. */
export interface MmcifNames {
  /** Entry. */
  readonly id: string;
  /** `label_asym_id` of each chain. */
  readonly labels: readonly string[];
  /** Sequence of each entity. */
  readonly sequences: readonly string[];
  /** Number of a chain's entity, from 1. */
  readonly entityOf: (chain: Chain) => number;
}

/** The text of a file with categories of its own before the atoms; see `formatMmcif`. */
export function formatBlock(
  structure: Structure,
  options: MmcifOptions,
  more: (names: MmcifNames) => readonly string[],
): string {
  const { chains } = structure;
  const labels = labelIds(chains);
  const sequences = [...new Set(chains.map((chain) => chain.sequence))];
  const entityOf = (chain: Chain): number => sequences.indexOf(chain.sequence) + 1;
  const id = structure.id.replace(/[^\x21-\x7e]+/g, "_") || "structure";
  const blocks = [
    ...(options.comments ?? []).map((line) => `# ${line.replace(/\s+/g, " ")}\n`),
    `data_${id}\n#\n`,
    items("entry", { id }),
    items("struct", { entry_id: id, title: structure.title }),
  ];
  if (structure.method !== undefined) {
    blocks.push(items("exptl", { entry_id: id, method: structure.method.toUpperCase() }));
  }
  if (structure.resolutionAngstrom !== undefined) {
    const method = (structure.method ?? "?").toUpperCase();
    blocks.push(items("refine", { entry_id: id, pdbx_refine_id: method, ls_d_res_high: structure.resolutionAngstrom }));
  }
  if (structure.releaseDate !== undefined) {
    const revision = { ordinal: 1, data_content_type: "Structure model", major_revision: 1, minor_revision: 0 };
    blocks.push(items("pdbx_audit_revision_history", { ...revision, revision_date: structure.releaseDate }));
  }
  if (options.related !== undefined && options.related.length > 0) {
    const rows = options.related.map(({ database, id, details }) => [database, id, details, "unspecified"]);
    blocks.push(loop("pdbx_database_related", "db_name db_id details content_type", rows));
  }
  const names = [...new Set(sequences.join(""))].sort().map(residueName);
  blocks.push(
    loop("chem_comp", "id type", names.map((name) => [name, name === "GLY" ? "peptide linking" : "L-peptide linking"])),
    loop("entity", "id type pdbx_description", sequences.map((_, e) => [e + 1, "polymer", `protein ${e + 1}`])),
    loop(
      "entity_poly",
      "entity_id type nstd_linkage nstd_monomer pdbx_seq_one_letter_code pdbx_seq_one_letter_code_can pdbx_strand_id",
      sequences.map((sequence, e) => {
        const strands = chains.filter((chain) => chain.sequence === sequence).map((chain) => chain.id).join(",");
        const written = sequence.replaceAll("X", "(UNK)");
        return [e + 1, "polypeptide(L)", "no", "no", written, sequence, strands];
      }),
    ),
    loop(
      "entity_poly_seq",
      "entity_id num mon_id hetero",
      sequences.flatMap((sequence, e) => Array.from(sequence, (letter, i) => [e + 1, i + 1, residueName(letter), "n"])),
    ),
    loop("struct_asym", "id entity_id", chains.map((chain, c) => [labels[c], entityOf(chain)])),
    loop(
      "pdbx_poly_seq_scheme",
      "asym_id entity_id seq_id mon_id ndb_seq_num pdb_seq_num auth_seq_num pdb_mon_id auth_mon_id pdb_strand_id " +
        "pdb_ins_code hetero",
      chains.flatMap((chain, c) => schemeRows(chain, labels[c], entityOf(chain))),
    ),
    ...more({ id, labels, sequences, entityOf }),
    loop("atom_type", "symbol", elements(chains).map((symbol) => [symbol])),
    loop(
      "atom_site",
      "group_PDB id type_symbol label_atom_id label_alt_id label_comp_id label_asym_id label_entity_id label_seq_id " +
        "pdbx_PDB_ins_code Cartn_x Cartn_y Cartn_z occupancy B_iso_or_equiv auth_seq_id auth_comp_id auth_asym_id " +
        "auth_atom_id pdbx_PDB_model_num",
      atomRows(chains, labels, entityOf),
    ),
  );
  return blocks.join("");
}

/** The chains' own `label_asym_id` where these are there and differ, else letters. */
function labelIds(chains: readonly Chain[]): string[] {
  const own = chains.map((chain) => chain.labelId);
  if (new Set(own).size === own.length && own.every((id) => id !== "")) return own;
  return chains.map((_, c) => chainLetters(c));
}

/** Name of the chain of a number: A, B, … Z, AA, AB, … */
export function chainLetters(index: number): string {
  const letter = String.fromCharCode(65 + index % 26);
  return index < 26 ? letter : chainLetters(Math.floor(index / 26) - 1) + letter;
}

function elements(chains: readonly Chain[]): string[] {
  const found = new Set<string>();
  for (const { atomMask } of chains) {
    atomMask.forEach((there, at) => there && found.add(ATOM_NAMES[at % ATOM_SLOTS][0]));
  }
  return [...found].sort();
}

function schemeRows(chain: Chain, label: string, entity: number): CifValue[][] {
  return Array.from(chain.sequence, (letter, i) => {
    const name = residueName(letter);
    const seen = chain.atomMask.subarray(i * ATOM_SLOTS, (i + 1) * ATOM_SLOTS).includes(1);
    const number = chain.residueNumbers[i];
    const auth = seen ? [number, name, name] : [undefined, undefined, undefined];
    return [label, entity, i + 1, name, i + 1, number, ...auth, chain.id, chain.insertionCodes[i] || ".", "n"];
  });
}

function atomRows(
  chains: readonly Chain[],
  labels: readonly string[],
  entityOf: (chain: Chain) => number,
): CifValue[][] {
  const rows: CifValue[][] = [];
  chains.forEach((chain, c) => {
    const entity = entityOf(chain);
    for (let at = 0; at < chain.atomMask.length; at++) {
      if (chain.atomMask[at] === 0) continue;
      const residue = Math.floor(at / ATOM_SLOTS);
      const atom = ATOM_NAMES[at % ATOM_SLOTS];
      const name = residueName(chain.sequence[residue]);
      const xyz = Array.from(chain.atomPositions.subarray(at * 3, at * 3 + 3), (value) => decimal(value, 3));
      rows.push([
        ...["ATOM", rows.length + 1, atom[0], atom, ".", name, labels[c], entity, residue + 1],
        ...[chain.insertionCodes[residue], ...xyz, "1.00", decimal(chain.bFactors[at], 2)],
        ...[chain.residueNumbers[residue], name, chain.id, atom, 1],
      ]);
    }
  });
  return rows;
}
