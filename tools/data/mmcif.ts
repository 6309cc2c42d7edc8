/**
 * Reads mmCIF and BinaryCIF, through Mol*'s CIF reader.
 *
 * Source: wwPDB PDBx/mmCIF dictionary, categories atom_site, entity_poly, entity_poly_seq, pdbx_poly_seq_scheme.
 */
import { CIF, type CifBlock, type CifField } from "molstar/lib/mol-io/reader/cif.js";
import { InputError } from "../errors.ts";
import { faultOf, lineOfValue } from "./_cif_place.ts";
import { isWholeMessagePack } from "./_message_pack.ts";
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

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?:\(\d+\))?$/;

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
    if (!isWholeMessagePack(data)) {
      throw new InputError(`Cannot read ${source} as BinaryCIF: it is damaged or cut short`);
    }
    try {
      return readBlock(await parseBlock(data, source), source, undefined, options);
    } catch (error) {
      if (error instanceof InputError) throw error;
      // Mol* decodes a column when it is first looked at.
      throw new InputError(`Cannot read ${source} as BinaryCIF: a column is damaged (${error})`);
    }
  }
  const text = typeof data === "string" ? data : new TextDecoder().decode(data);
  if (text.trim() === "") throw new InputError(`${source} is empty, expected mmCIF`);
  return readBlock(await parseBlock(text, source), source, text, options);
}

function readBlock(
  block: CifBlock,
  source: string,
  text: string | undefined,
  { model: wanted }: ReadStructureOptions,
): Structure {
  const models = readModels(block);
  const model = selectModel([...models.keys()], wanted, source);
  const atoms = readAtoms(block, source, text, models.get(model) ?? 0);
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

async function parseBlock(data: string | Uint8Array, source: string): Promise<CifBlock> {
  const fail = (found: string): never => {
    throw new InputError(`Cannot read ${source} as ${typeof data === "string" ? "mmCIF" : "BinaryCIF"}: ${found}`);
  };
  const read = await quietly(async () => {
    try {
      return await CIF.parse(data).run();
    } catch {
      return undefined; // Mol* trips over what it does not expect
    }
  });
  if (read === undefined || read.isError) {
    const fault = typeof data === "string" ? faultOf(data) : undefined;
    if (read?.isError && read.line > 0) return fail(`line ${read.line}: ${read.message}`);
    return fail(fault === undefined ? "it is damaged" : `line ${fault.line}: ${fault.found}`);
  }
  const { blocks } = read.result;
  return blocks.find((block) => block.categories["atom_site"] !== undefined) ??
    fail(blocks.length === 0 ? "there is no data_ block" : "there is no atom_site category");
}

/** Reads that are going on, and what prints for everybody else meanwhile. */
let [reading, print] = [0, console.log];

/** Runs Mol*'s reader without what it prints about a token it did not expect: its message says as much. */
async function quietly<T>(read: () => Promise<T>): Promise<T> {
  if (reading++ === 0) {
    print = console.log;
    console.log = (...args: unknown[]) => {
      const isToken = args.length === 2 && typeof args[0] === "number" && typeof args[1] === "string";
      if (!isToken) print(...args);
    };
  }
  try {
    return await read();
  } finally {
    if (--reading === 0) console.log = print;
  }
}

/** Numbers of the models, each with the first row of its atoms. */
function readModels(block: CifBlock): Map<number, number> {
  const site = block.categories["atom_site"];
  const field = site.getField("pdbx_PDB_model_num");
  const models = new Map<number, number>();
  if (field === undefined || site.rowCount === 0) return models.set(1, 0);
  for (let row = 0; row < site.rowCount; row++) {
    if (row > 0 && field.areValuesEqual(row - 1, row)) continue;
    const written = field.valueKind(row) === 0 ? field.int(row) : 1;
    const number = Number.isSafeInteger(written) ? written : 1;
    if (!models.has(number)) models.set(number, row);
  }
  return models;
}

/** Atoms of the model whose first row is given. */
function readAtoms(
  block: CifBlock,
  source: string,
  text: string | undefined,
  first: number,
): Map<string, AsymAtoms> {
  const site = block.categories["atom_site"];
  const need = (name: string): CifField => {
    const field = site.getField(name);
    if (field === undefined) throw new InputError(`Cannot read ${source} as mmCIF: atom_site lacks the item ${name}`);
    return field;
  };
  const optional = (name: string) => {
    const field = site.getField(name);
    return (row: number, other = ""): string =>
      field !== undefined && field.valueKind(row) === 0 ? field.str(row) : other;
  };
  const names = need("label_atom_id");
  const residueNames = need("label_comp_id");
  const asyms = need("label_asym_id");
  const positionOf = coordinates(need, source, text);
  const authAsym = optional("auth_asym_id"), entity = optional("label_entity_id");
  const labelSeq = optional("label_seq_id"),
    authSeq = optional("auth_seq_id"),
    insertion = optional("pdbx_PDB_ins_code");
  const element = optional("type_symbol");
  const model = site.getField("pdbx_PDB_model_num");
  const occupancies = numbers(site.getField("occupancy"), 1);
  const bFactors = numbers(site.getField("B_iso_or_equiv"), 0);
  const fields = (...names: readonly string[]): CifField[] =>
    names.map((name) => site.getField(name)).filter((field) => field !== undefined);
  const place = fields("label_seq_id", "label_comp_id", "label_asym_id", "pdbx_PDB_model_num");
  const authPlace = fields("auth_seq_id", "pdbx_PDB_ins_code");
  const isSame = (compared: readonly CifField[], one: number, other: number): boolean => {
    for (const field of compared) if (!field.areValuesEqual(one, other)) return false;
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
      if (model !== undefined && !model.areValuesEqual(first, row)) continue;
      const labelId = asyms.str(row);
      const asym = entryOf(asymAtoms, labelId, () => {
        return { authId: authAsym(row, labelId), entityId: entity(row), residues: new Map() };
      });
      labelNumber = labelSeq(row);
      const authNumber = authSeq(row, labelNumber);
      const insertionCode = insertion(row);
      const key = labelNumber !== "" ? labelNumber : `${authNumber}|${insertionCode}`;
      name = residueNames.str(row);
      const made = { name, number: integer(authNumber), insertionCode, atoms: new ResidueAtoms() };
      atoms = entryOf(asym.residues, key, () => made).atoms;
      last = row;
    }
    atoms.add(name, names.str(row), {
      occupancy: occupancies(row),
      bFactor: bFactors(row),
      position: positionOf(row),
      element: labelNumber === "" ? element(row) : undefined, // residues of polymers need none
    });
  }
  return asymAtoms;
}

/** Reads the position of an atom; throws if a coordinate is none, and names its line. */
function coordinates(need: (name: string) => CifField, source: string, text: string | undefined) {
  const axes = ["Cartn_x", "Cartn_y", "Cartn_z"].map((name) => ({ name, field: need(name) }));
  const fail = (name: string, row: number, found: string): never => {
    const line = text === undefined ? undefined : lineOfValue(text, `atom_site.${name}`, row) ?? faultOf(text)?.line;
    throw new InputError(
      `${source}${line === undefined ? "" : ` line ${line}`}: ${name} of atom ${row + 1} is ${found}, expected ` +
        COORDINATE,
    );
  };
  const coordinate = ({ name, field }: typeof axes[number], row: number): number => {
    if (text === undefined) {
      const value = field.valueKind(row) === 0 ? field.float(row) : NaN;
      return isCoordinate(value) ? value : fail(name, row, Number.isNaN(value) ? "missing" : `${value}`);
    }
    const written = field.str(row); // empty where it is missing
    const value = numberIn(written);
    return isCoordinate(value) ? value : fail(name, row, written === "" ? "missing" : JSON.stringify(written));
  };
  const [x, y, z] = axes;
  return (row: number): [number, number, number] => [coordinate(x, row), coordinate(y, row), coordinate(z, row)];
}

/** The number in a text, whose uncertainty in brackets is left aside; NaN if it is none. */
function numberIn(written: string): number {
  const value = Number(written);
  // Number() takes an empty text too, and 0x10, whose mark is the second character.
  if (value === value && written !== "" && !(written.charCodeAt(1) > NINE && value % 1 === 0)) return value;
  return NUMBER.test(written) ? Number(written.replace(/\(\d+\)$/, "")) : NaN;
}

const NINE = "9".charCodeAt(0);

/** Numbers of an item, another one where there is none that can be used. */
function numbers(field: CifField | undefined, other: number): (row: number) => number {
  if (field === undefined) return () => other;
  return (row) => {
    const value = field.valueKind(row) === 0 ? field.float(row) : other;
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
