/**
 * Reads mmCIF and BinaryCIF, through Mol*'s CIF reader.
 *
 * Source: wwPDB PDBx/mmCIF dictionary, categories atom_site, entity_poly, entity_poly_seq, pdbx_poly_seq_scheme.
 */
import { CIF, type CifBlock, type CifField } from "molstar/lib/mol-io/reader/cif.js";
import { InputError } from "../errors.ts";
import { isWholeMessagePack } from "./_message_pack.ts";
import { hasAlphaCarbon, makeChain, type Place, ResidueAtoms } from "./_residue_atoms.ts";
import { isAminoAcid } from "./residues.ts";
import type { Chain, Structure } from "./structure.ts";

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?:\(\d+\))?$/;

/**
 * Reads the protein chains of the first model of the first data block.
 *
 * Of alternative locations the one of highest occupancy is kept (the first of equals). Residues of the entity's sequence
 * that have no atoms stay in the chain with mask 0; ligands, water and nucleic acids are left out.
 *
 * @param data mmCIF as text or bytes, or the bytes of BinaryCIF.
 * @param source Name of the file, for messages.
 * @throws {InputError} If it is not a CIF, lacks `atom_site`, has a coordinate that is not a number, or no C-alpha atom.
 */
export async function parseMmcif(data: string | Uint8Array, source: string): Promise<Structure> {
  if (typeof data !== "string" && data[0] >= 0x80) {
    if (!isWholeMessagePack(data)) {
      throw new InputError(`Cannot read ${source} as BinaryCIF: it is damaged or cut short`);
    }
    try {
      return readBlock(await parseBlock(data, source), source, undefined);
    } catch (error) {
      if (error instanceof InputError) throw error;
      // Mol* decodes a column when it is first looked at.
      throw new InputError(`Cannot read ${source} as BinaryCIF: a column is damaged (${error})`);
    }
  }
  const text = typeof data === "string" ? data : new TextDecoder().decode(data);
  if (text.trim() === "") throw new InputError(`${source} is empty, expected mmCIF`);
  return readBlock(await parseBlock(text, source), source, text);
}

function readBlock(block: CifBlock, source: string, text: string | undefined): Structure {
  const atoms = readAtoms(block, source, text);
  const sequences = readSequences(block);
  const proteins = proteinAsyms(block, atoms, sequences);
  const chains: Chain[] = [];
  for (const [labelId, { authId, residues }] of atoms) {
    if (!proteins.has(labelId)) continue;
    const chain = makeChain(authId, labelId, placesOf(residues, sequences.get(labelId)));
    if (hasAlphaCarbon(chain)) chains.push(chain);
  }
  if (chains.length === 0) {
    throw new InputError(`${source} has no C-alpha atoms in its first model: expected at least one protein chain`);
  }
  return Object.freeze({ ...readFacts(block, source), source, chains: Object.freeze(chains) });
}

interface AsymAtoms {
  readonly authId: string;
  readonly entityId: string;
  /** Residues in file order, by `label_seq_id`, or by author number where that is missing. */
  readonly residues: Map<string, Place & { readonly atoms: ResidueAtoms }>;
}

async function parseBlock(data: string | Uint8Array, source: string): Promise<CifBlock> {
  let found: string;
  try {
    const result = await quietly(() => CIF.parse(data).run());
    if (result.isError) {
      found = result.line > 0 ? `line ${result.line}: ${result.message}` : result.message;
    } else {
      const block = result.result.blocks.find((block) => block.categories["atom_site"] !== undefined);
      if (block !== undefined) return block;
      found = result.result.blocks.length === 0 ? "there is no data_ block" : "there is no atom_site category";
    }
  } catch (error) {
    found = error instanceof Error ? error.message : String(error);
  }
  throw new InputError(`Cannot read ${source} as mmCIF: ${found}`);
}

/** Runs Mol*'s reader without what it prints about a token it did not expect: its message says as much. */
async function quietly<T>(read: () => Promise<T>): Promise<T> {
  const { log } = console;
  console.log = () => {};
  try {
    return await read();
  } finally {
    console.log = log;
  }
}

function readAtoms(block: CifBlock, source: string, text: string | undefined): Map<string, AsymAtoms> {
  const site = block.categories["atom_site"];
  const need = (name: string): CifField => {
    const field = site.getField(name);
    if (field === undefined) throw new InputError(`Cannot read ${source} as mmCIF: atom_site lacks the item ${name}`);
    return field;
  };
  const at = (name: string, row: number, other = ""): string => {
    const field = site.getField(name);
    return field !== undefined && field.valueKind(row) === 0 ? field.str(row) : other;
  };
  const coordinates = ["Cartn_x", "Cartn_y", "Cartn_z"].map(need);
  const names = need("label_atom_id");
  const residueNames = need("label_comp_id");
  const asyms = need("label_asym_id");
  const number = (field: CifField, name: string, row: number): number => {
    const value = field.float(row);
    const written = field.valueKind(row) === 0 ? field.str(row) : "";
    if (text === undefined ? Number.isFinite(value) && written !== "" : NUMBER.test(written)) return value;
    const line = text === undefined ? undefined : lineOfRow(text, row, site.fieldNames.length, names.str(row));
    throw new InputError(
      `${source}${line === undefined ? "" : ` line ${line}`}: ${name} of atom ${row + 1} is ` +
        `${written === "" ? "missing" : `"${written}"`}, expected a number`,
    );
  };

  const asymAtoms = new Map<string, AsymAtoms>();
  const firstModel = site.rowCount > 0 ? at("pdbx_PDB_model_num", 0) : "";
  const occupancies = site.getField("occupancy");
  const bFactors = site.getField("B_iso_or_equiv");
  for (let row = 0; row < site.rowCount; row++) {
    if (at("pdbx_PDB_model_num", row) !== firstModel) continue;
    const position = coordinates.map((field, axis) => number(field, `Cartn_${"xyz"[axis]}`, row));
    const labelId = asyms.str(row);
    let asym = asymAtoms.get(labelId);
    if (asym === undefined) {
      const authId = at("auth_asym_id", row, labelId);
      asymAtoms.set(labelId, asym = { authId, entityId: at("label_entity_id", row), residues: new Map() });
    }
    const labelNumber = at("label_seq_id", row);
    const authNumber = at("auth_seq_id", row, labelNumber);
    const insertionCode = at("pdbx_PDB_ins_code", row);
    const key = labelNumber !== "" ? labelNumber : `${authNumber}|${insertionCode}`;
    const name = residueNames.str(row);
    let residue = asym.residues.get(key);
    if (residue === undefined) {
      residue = { name, number: integer(authNumber), insertionCode, atoms: new ResidueAtoms() };
      asym.residues.set(key, residue);
    }
    residue.atoms.add(name, names.str(row), {
      occupancy: occupancies?.valueKind(row) === 0 ? occupancies.float(row) : 1,
      bFactor: bFactors?.valueKind(row) === 0 ? bFactors.float(row) : 0,
      position: [position[0], position[1], position[2]],
    });
  }
  return asymAtoms;
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

/** Which `label_asym_id` are proteins: by entity_poly where it is there, else by the names of their residues. */
function proteinAsyms(
  block: CifBlock,
  atoms: ReadonlyMap<string, AsymAtoms>,
  sequences: ReadonlyMap<string, ReadonlyMap<string, Place>>,
): Set<string> {
  const types = new Map(rowsOf(block, "entity_poly").map((row) => [row("entity_id"), row("type")]));
  const proteins = new Set<string>();
  for (const [labelId, { entityId, residues }] of atoms) {
    const type = types.get(entityId);
    const names = [...(sequences.get(labelId) ?? residues).values()].map((place) => place.name);
    const isProtein = type ? type.toLowerCase().includes("polypeptide") : types.size === 0 && names.some(isAminoAcid);
    if (isProtein) proteins.add(labelId);
  }
  return proteins;
}

function placesOf(residues: AsymAtoms["residues"], sequence: ReadonlyMap<string, Place> | undefined): Place[] {
  if (sequence === undefined || ![...residues.keys()].every((key) => sequence.has(key))) {
    return [...residues.values()].filter((place) => isAminoAcid(place.name) || place.atoms.atoms(place.name).has("CA"));
  }
  return [...sequence].map(([key, place]) => residues.get(key) ?? place);
}

function readFacts(block: CifBlock, source: string) {
  const value = (category: string, item: string): string | undefined => {
    const row = rowsOf(block, category)[0];
    return row === undefined || row(item) === "" ? undefined : row(item).trim();
  };
  const resolution = [
    value("refine", "ls_d_res_high"),
    value("em_3d_reconstruction", "resolution"),
    value("reflns", "d_resolution_high"),
  ].map(Number).find((number) => Number.isFinite(number) && number > 0);
  const dates = rowsOf(block, "pdbx_audit_revision_history").map((row) => row("revision_date")).filter((date) => date);
  return {
    id: value("entry", "id") ?? (block.header || baseName(source)),
    title: value("struct", "title"),
    method: value("exptl", "method")?.toLowerCase(),
    resolutionAngstrom: resolution,
    releaseDate: dates.sort()[0],
  };
}

/** Rows of a category as functions from an item to its text, empty where it is missing, `.` or `?`. */
function rowsOf(block: CifBlock, name: string): ((item: string) => string)[] {
  const category = block.categories[name];
  if (category === undefined) return [];
  return Array.from({ length: category.rowCount }, (_, row) => (item: string) => {
    const field = category.getField(item);
    return field !== undefined && field.valueKind(row) === 0 ? field.str(row) : "";
  });
}

/** Line of a row of atom_site, if the file has one row a line as is usual; otherwise `undefined`. */
function lineOfRow(text: string, row: number, columns: number, atomName: string): number | undefined {
  const lines = text.split("\n");
  const lastItem = lines.findLastIndex((line) => line.trimStart().startsWith("_atom_site."));
  const line = lines[lastItem + 1 + row]?.trim();
  return line !== undefined && line.split(/\s+/).length === columns && line.includes(atomName)
    ? lastItem + 2 + row
    : undefined;
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

/** A file's name without folder and endings. */
export function baseName(path: string): string {
  return (path.split(/[\\/]/).pop() ?? path).replace(/(\.(gz|cif|bcif|mmcif|pdb|ent))+$/i, "");
}
