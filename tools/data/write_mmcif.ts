/**
 * Writes mmCIF files.
 *
 * Source: wwPDB PDBx/mmCIF dictionary, version 5.
 */
import { ATOM_NAMES, ATOM_SLOTS, residueName } from "./residues.ts";
import type { Chain, Structure } from "./structure.ts";

/** What mmCIF files have besides atoms. */
export interface MmcifOptions {
  /** Comment lines at the top, such as where the coordinates come from. */
  readonly comments?: readonly string[];
  /** Entries of other archives that the structure comes from. */
  readonly related?: readonly { readonly database: string; readonly id: string; readonly details: string }[];
}

/** A value of a row; empty texts and `undefined` are written as `?`. */
type Value = string | number | undefined;

/**
 * The text of an mmCIF file: the atoms, and the sequences whole, also where residues have no atoms. Coordinates have
 * three decimals, B-factors two; every chain with the same sequence is the same entity.
 *
 * @throws {RangeError} If a coordinate or B-factor is not finite.
 */
export function formatMmcif(structure: Structure, options: MmcifOptions = {}): string {
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
  return chains.map((_, c) => letters(c));
}

function letters(index: number): string {
  const letter = String.fromCharCode(65 + index % 26);
  return index < 26 ? letter : letters(Math.floor(index / 26) - 1) + letter;
}

function elements(chains: readonly Chain[]): string[] {
  const found = new Set<string>();
  for (const { atomMask } of chains) {
    atomMask.forEach((there, at) => there && found.add(ATOM_NAMES[at % ATOM_SLOTS][0]));
  }
  return [...found].sort();
}

function schemeRows(chain: Chain, label: string, entity: number): Value[][] {
  return Array.from(chain.sequence, (letter, i) => {
    const name = residueName(letter);
    const seen = chain.atomMask.subarray(i * ATOM_SLOTS, (i + 1) * ATOM_SLOTS).includes(1);
    const number = chain.residueNumbers[i];
    const auth = seen ? [number, name, name] : [undefined, undefined, undefined];
    return [label, entity, i + 1, name, i + 1, number, ...auth, chain.id, chain.insertionCodes[i] || ".", "n"];
  });
}

function atomRows(chains: readonly Chain[], labels: readonly string[], entityOf: (chain: Chain) => number): Value[][] {
  const rows: Value[][] = [];
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

function decimal(value: number, decimals: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`Cannot write the number ${value} as mmCIF: expected a finite one`);
  return value.toFixed(decimals);
}

function items(category: string, values: Record<string, Value>): string {
  const width = Math.max(...Object.keys(values).map((name) => name.length)) + category.length + 3;
  const lines = Object.entries(values).map(([name, value]) => `_${category}.${name}`.padEnd(width) + cifText(value));
  return lines.join("\n").replaceAll(/ +\n;/g, "\n;") + "\n#\n";
}

function loop(category: string, names: string, rows: readonly Value[][]): string {
  const texts = rows.map((row) => row.map(cifText));
  const widths = texts[0]?.map((_, i) => Math.max(...column(texts, i).map((text) => text.length))) ?? [];
  const lines = texts.map((row) => row.map((text, i) => i + 1 < row.length ? text.padEnd(widths[i]) : text).join(" "));
  const head = names.split(" ").map((name) => `_${category}.${name}`);
  return ["loop_", ...head, ...lines, "#", ""].join("\n");
}

function column(texts: readonly string[][], index: number): string[] {
  return texts.map((row) => row[index]);
}

/** A value as CIF text: quoted where it has to be, on lines of its own where quotes do not do. */
function cifText(value: Value): string {
  if (value === undefined || value === "") return "?";
  const text = typeof value === "number"
    ? String(value)
    : value.replace(/[\t\r\n ]+/g, " ").replace(/[^\x20-\x7e]/g, "?");
  const reserved = /^(?:data_|loop_|save_|stop_|global_)/i.test(text);
  if (text === "." || (/^[^\s'"#$_[\];?.]\S*$/.test(text) && !reserved)) return text;
  if (!/'(?:\s|$)/.test(text)) return `'${text}'`;
  if (!/"(?:\s|$)/.test(text)) return `"${text}"`;
  return `\n;${text}\n;\n`;
}
