/**
 * Reads mmCIF and BinaryCIF.
 *
 * Source: wwPDB PDBx/mmCIF dictionary, categories atom_site, entity_poly, entity_poly_seq, pdbx_poly_seq_scheme.
 */
import { InputError } from "../errors.ts";
import { parseBinaryCif } from "./_binary_cif.ts";
import { type CifBlock, type CifColumn, type CifTable, parseCif } from "./_cif_reader.ts";
import { readMmcifFacts, rowsOf } from "./_mmcif_facts.ts";
import {
  COORDINATE,
  hasAlphaCarbon,
  isCoordinate,
  makeChain,
  makeHeteroGroup,
  type Place,
  ResidueAtoms,
} from "./_residue_atoms.ts";
import { isAminoAcid, isNucleotide, isWater } from "../../model/protein/residues.ts";
import { type Chain, type HeteroGroup, type ReadStructureOptions, selectModel, type Structure } from "./structure.ts";

/**
 * Reads the protein chains of one model of the first data block with atoms.
 *
 * Of alternative locations the one of highest occupancy is kept (the first of equals). Residues of the entity's sequence
 * that have no atoms stay in the chain with mask 0; ligands are kept apart, water and nucleic acids left out.
 *
 * @param data mmCIF as text or bytes, or the bytes of BinaryCIF.
 * @param source Name of the file, for messages.
 * @throws {InputError} If it is not a CIF, lacks `atom_site`, has a coordinate that is not a number, no C-alpha atom,
 * or not the model that was asked for.
 */
export async function parseMmcif(
  data: string | Uint8Array,
  source: string,
  options: ReadStructureOptions = {},
): Promise<Structure> {
  if (typeof data !== "string" && data[0] >= 0x80) {
    const blocks = await parseBinaryCif(data, source);
    try {
      return readBlock(withAtoms(blocks, source, "BinaryCIF"), source, options);
    } catch (error) {
      if (error instanceof InputError) throw error;
      throw new InputError(`Cannot read ${source} as BinaryCIF: a column is damaged (${error})`);
    }
  }
  const text = typeof data === "string" ? data : new TextDecoder().decode(data);
  if (text.trim() === "") throw new InputError(`${source} is empty, expected mmCIF`);
  return readBlock(withAtoms(parseCif(text, source), source, "mmCIF"), source, options);
}

/** The first block with atoms. */
function withAtoms(
  blocks: readonly CifBlock[],
  source: string,
  format: string,
): CifBlock & { readonly site: CifTable } {
  for (const block of blocks) {
    const site = block.table("atom_site");
    if (site !== undefined) return { header: block.header, table: (category) => block.table(category), site };
  }
  const found = blocks.length === 0 ? "there is no data_ block" : "there is no atom_site category";
  throw new InputError(`Cannot read ${source} as ${format}: ${found}`);
}

function readBlock(
  block: CifBlock & { readonly site: CifTable },
  source: string,
  { model: wanted }: ReadStructureOptions,
): Structure {
  const models = readModels(block.site);
  const model = selectModel([...models.keys()], wanted, source);
  const atoms = readAtoms(block.site, source, models.get(model) ?? 0);
  const sequences = readSequences(block);
  const { proteins, polymers } = polymerAsyms(block, atoms, sequences);
  const chains: Chain[] = [];
  const heteroGroups: HeteroGroup[] = [];
  for (const [labelId, { authId, residues }] of atoms) {
    const places = proteins.has(labelId) ? placesOf(residues, sequences.get(labelId)) : [];
    if (places.length > 0) {
      const chain = makeChain(authId, labelId, places);
      if (hasAlphaCarbon(chain)) chains.push(chain);
    }
    if (polymers.has(labelId)) continue;
    const placed = new Set(places);
    for (const residue of residues.values()) {
      if (placed.has(residue) || isWater(residue.name) || isNucleotide(residue.name)) continue;
      heteroGroups.push(makeHeteroGroup(authId, residue));
    }
  }
  if (chains.length === 0) {
    throw new InputError(`${source} has no C-alpha atoms in model ${model}: expected at least one protein chain`);
  }
  return Object.freeze({
    ...readMmcifFacts(block, source, chains),
    source,
    chains: Object.freeze(chains),
    heteroGroups: Object.freeze(heteroGroups),
    models: Object.freeze([...models.keys()]),
  });
}

interface AsymAtoms {
  readonly authId: string;
  readonly entityId: string;
  /** Residues in file order, by `label_seq_id`, or by author number where that is missing. */
  readonly residues: Map<string, Place & { readonly atoms: ResidueAtoms }>;
}

/** Numbers of the models, each with the first row of its atoms. */
function readModels(site: CifTable): Map<number, number> {
  const field = site.column("pdbx_PDB_model_num");
  const models = new Map<number, number>();
  if (field === undefined || site.rowCount === 0) return models.set(1, 0);
  for (let row = 0; row < site.rowCount; row++) {
    if (row > 0 && field.isSame(row - 1, row)) continue;
    const written = field.number(row);
    const number = Number.isSafeInteger(written) ? written : 1;
    if (!models.has(number)) models.set(number, row);
  }
  return models;
}

/** Atoms of the model whose first row is given. */
function readAtoms(
  site: CifTable,
  source: string,
  first: number,
): Map<string, AsymAtoms> {
  const need = (name: string): CifColumn => {
    const field = site.column(name);
    if (field === undefined) throw new InputError(`Cannot read ${source} as mmCIF: atom_site lacks the item ${name}`);
    return field;
  };
  const optional = (name: string) => {
    const field = site.column(name);
    return (row: number, other = ""): string => field?.text(row) || other;
  };
  const names = need("label_atom_id");
  const residueNames = need("label_comp_id");
  const asyms = need("label_asym_id");
  const positionOf = coordinates(need, source);
  const authAsym = optional("auth_asym_id"), entity = optional("label_entity_id");
  const labelSeq = optional("label_seq_id"),
    authSeq = optional("auth_seq_id"),
    insertion = optional("pdbx_PDB_ins_code");
  const element = optional("type_symbol");
  const model = site.column("pdbx_PDB_model_num");
  const occupancies = numbers(site.column("occupancy"), 1);
  const bFactors = numbers(site.column("B_iso_or_equiv"), 0);
  const fields = (...names: readonly string[]): CifColumn[] =>
    names.map((name) => site.column(name)).filter((field) => field !== undefined);
  const place = fields("label_seq_id", "label_comp_id", "label_asym_id", "pdbx_PDB_model_num");
  const authPlace = fields("auth_seq_id", "pdbx_PDB_ins_code");
  const isSame = (compared: readonly CifColumn[], one: number, other: number): boolean => {
    for (const field of compared) if (!field.isSame(one, other)) return false;
    return true;
  };

  const asymAtoms = new Map<string, AsymAtoms>();
  let last = -1; // row of the residue at hand
  let labelNumber = "";
  let name = "";
  let atoms = new ResidueAtoms();
  for (let row = first; row < site.rowCount; row++) {
    const isNext = last < 0 || !isSame(place, last, row) || (labelNumber === "" && !isSame(authPlace, last, row));
    if (isNext) {
      if (model !== undefined && !model.isSame(first, row)) continue;
      const labelId = asyms.text(row);
      const asym = entryOf(asymAtoms, labelId, () => {
        return { authId: authAsym(row, labelId), entityId: entity(row), residues: new Map() };
      });
      labelNumber = labelSeq(row);
      const authNumber = authSeq(row, labelNumber);
      const insertionCode = insertion(row);
      const key = labelNumber !== "" ? labelNumber : `${authNumber}|${insertionCode}`;
      name = residueNames.text(row);
      const made = { name, number: integer(authNumber), insertionCode, atoms: new ResidueAtoms() };
      atoms = entryOf(asym.residues, key, () => made).atoms;
      last = row;
    }
    atoms.add(name, names.text(row), {
      occupancy: occupancies(row),
      bFactor: bFactors(row),
      position: positionOf(row),
      element: labelNumber === "" ? element(row) : undefined, // residues of polymers need none
    });
  }
  return asymAtoms;
}

/** Reads the position of an atom; throws if a coordinate is none, and names its line. */
function coordinates(need: (name: string) => CifColumn, source: string) {
  const coordinate = (name: string) => {
    const column = need(name);
    return (row: number): number => {
      const value = column.number(row);
      if (isCoordinate(value)) return value;
      const line = column.line(row);
      const found = column.has(row) ? JSON.stringify(column.text(row)) : "missing";
      throw new InputError(
        `${source}${line === undefined ? "" : ` line ${line}`}: ${name} of atom ${row + 1} is ${found}, expected ` +
          COORDINATE,
      );
    };
  };
  const [x, y, z] = ["Cartn_x", "Cartn_y", "Cartn_z"].map(coordinate);
  return (row: number): [number, number, number] => [x(row), y(row), z(row)];
}

/** Numbers of an item, another one where there is none that can be used. */
function numbers(field: CifColumn | undefined, other: number): (row: number) => number {
  if (field === undefined) return () => other;
  return (row) => {
    const value = field.number(row);
    return Number.isFinite(Math.fround(value)) ? value : other;
  };
}

/** Places of every polymer by `label_asym_id` and `label_seq_id`, from pdbx_poly_seq_scheme or else entity_poly_seq. */
function readSequences(block: CifBlock): Map<string, Map<string, Place>> {
  const sequences = new Map<string, Map<string, Place>>();
  const scheme = rowsOf(block, "pdbx_poly_seq_scheme");
  for (const row of scheme) {
    const places = entryOf(sequences, row("asym_id"), () => new Map<string, Place>());
    if (places.has(row("seq_id"))) continue; // another kind of residue at the same place
    const number = integer(row("pdb_seq_num") || row("auth_seq_num") || row("seq_id"));
    places.set(row("seq_id"), { name: row("mon_id"), number, insertionCode: row("pdb_ins_code") });
  }
  if (scheme.length > 0) return sequences;

  const entities = new Map<string, Map<string, Place>>();
  for (const row of rowsOf(block, "entity_poly_seq")) {
    const places = entryOf(entities, row("entity_id"), () => new Map<string, Place>());
    if (places.has(row("num"))) continue;
    places.set(row("num"), { name: row("mon_id"), number: integer(row("num")), insertionCode: "" });
  }
  for (const row of rowsOf(block, "struct_asym")) {
    const places = entities.get(row("entity_id"));
    if (places !== undefined) sequences.set(row("id"), places);
  }
  return sequences;
}

/**
 * Which `label_asym_id` are proteins, by entity_poly where it is there, else by the names of their residues, and which are
 * polymers by what the file says.
 */
function polymerAsyms(
  block: CifBlock,
  atoms: ReadonlyMap<string, AsymAtoms>,
  sequences: ReadonlyMap<string, ReadonlyMap<string, Place>>,
): { proteins: Set<string>; polymers: Set<string> } {
  const types = new Map(rowsOf(block, "entity_poly").map((row) => [row("entity_id"), row("type")]));
  const proteins = new Set<string>();
  const polymers = new Set<string>();
  for (const [labelId, { entityId, residues }] of atoms) {
    const type = types.get(entityId);
    const names = [...(sequences.get(labelId) ?? residues).values()].map((place) => place.name);
    const isProtein = type ? type.toLowerCase().includes("polypeptide") : types.size === 0 && names.some(isAminoAcid);
    if (isProtein) proteins.add(labelId);
    if (type !== undefined || sequences.has(labelId)) polymers.add(labelId);
  }
  return { proteins, polymers };
}

function placesOf(residues: AsymAtoms["residues"], sequence: ReadonlyMap<string, Place> | undefined): Place[] {
  if (sequence === undefined || ![...residues.keys()].every((key) => sequence.has(key))) {
    return [...residues.values()].filter((place) => isAminoAcid(place.name) || place.atoms.atoms(place.name).has("CA"));
  }
  return [...sequence].map(([key, place]) => residues.get(key) ?? place);
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, value = make());
  return value;
}

function integer(text: string): number {
  const value = Number.parseInt(text, 10);
  return Number.isNaN(value) ? 0 : value;
}
