/**
 * Reads mmCIF and BinaryCIF.
 *
 * Source: wwPDB PDBx/mmCIF dictionary, categories atom_site, entity_poly, entity_poly_seq, pdbx_poly_seq_scheme.
 */
import { standardResidue } from "../../model/protein/residues.ts";
import { InputError } from "../errors.ts";
import { assembleChains } from "./_assemble_chains.ts";
import { parseBinaryCif } from "./_binary_cif.ts";
import { type ChainName, ChainRecords, type Segment } from "./_chain_records.ts";
import { type CifBlock, type CifColumn, type CifTable, parseCif } from "./_cif_reader.ts";
import { readMmcifFacts } from "./_mmcif_facts.ts";
import { readMoleculeFacts } from "./_mmcif_molecules.ts";
import { assemblyChains } from "./_mmcif_assembly.ts";
import { type AtomLog, COORDINATE, isCoordinate } from "./_residue_atoms.ts";
import { Remarks } from "./remarks.ts";
import { type ReadStructureOptions, selectModel, type Structure } from "./structure.ts";

const OTHER_MODEL = { key: "otherModel", done: "left out", unit: "atom", isLeftOut: true, isUsual: true } as const;

/**
 * Reads the protein chains of one model of the first data block with atoms.
 *
 * Of alternative locations the one of highest occupancy is kept (the first of equals). Residues of the entity's sequence
 * that have no atoms stay in the chain with mask 0; ligands are kept apart, water and nucleic acids left out. Names and numbers
 * of the archive (`label_…`) and the authors' (`auth_…`) stand in for each other; what the file does not say of entities is
 * taken from the residues. What else was done with what the file has is in the remarks.
 *
 * @param data mmCIF as text or bytes, or the bytes of BinaryCIF.
 * @param source Name of the file, for messages.
 * @throws {InputError} If it is not a CIF, lacks `atom_site`, has a coordinate that is not a number, no C-alpha atom,
 * or not the model or assembly that was asked for.
 */
// deno-lint-ignore require-await -- errors come as rejections, as with the other readers
export async function parseMmcif(
  data: string | Uint8Array,
  source: string,
  options: ReadStructureOptions = {},
): Promise<Structure> {
  if (typeof data !== "string" && data[0] >= 0x80) {
    return readBlock(withAtoms(parseBinaryCif(data, source), source, "BinaryCIF"), source, options);
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
  { model: wanted, assembly }: ReadStructureOptions,
): Structure {
  const { site } = block;
  const models = readModels(site);
  const model = selectModel([...models.keys()], wanted, source);
  const remarks = new Remarks();
  const lines = site.column("id") ?? site.column("Cartn_x");
  const log: AtomLog = { remarks, line: (row) => lines?.line(row) };
  const segments = readAtoms(site, source, models.get(model) ?? 0, log);
  const { chains, heteroGroups } = assembleChains(segments, readMoleculeFacts(block), log);
  if (chains.length === 0) {
    throw new InputError(`${source} has no C-alpha atoms in model ${model}: expected at least one protein chain`);
  }
  return Object.freeze({
    ...readMmcifFacts(block, source, chains),
    source,
    chains: Object.freeze(assembly === undefined ? chains : assemblyChains(block, source, chains, assembly)),
    heteroGroups: Object.freeze(assembly === undefined ? heteroGroups : []),
    models: Object.freeze([...models.keys()]),
    ...remarks.field(),
  });
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
function readAtoms(site: CifTable, source: string, first: number, log: AtomLog): Segment[] {
  const records = new ChainRecords(log);
  // The archive's names go first, and the authors' where there is none; programs write one of the two, or both.
  const names = site.column("label_atom_id"), authNames = site.column("auth_atom_id");
  const residues = site.column("label_comp_id"), authResidues = site.column("auth_comp_id");
  for (const [item, column] of [["atom_id", names ?? authNames], ["comp_id", residues ?? authResidues]] as const) {
    if (column === undefined) {
      throw new InputError(`Cannot read ${source} as mmCIF: atom_site lacks the items label_${item} and auth_${item}`);
    }
  }
  const textOf = (column: CifColumn | undefined, other?: CifColumn) => (row: number): string =>
    column?.text(row) || other?.text(row) || "";
  const nameOf = textOf(names, authNames), residueOf = textOf(residues, authResidues);
  const labels = site.column("label_asym_id"), authors = site.column("auth_asym_id");
  const labelOf = textOf(labels), authorOf = textOf(authors, labels);
  const sequenceIds = site.column("label_seq_id"), numbers = site.column("auth_seq_id");
  const sequenceIdOf = textOf(sequenceIds), numberOf = textOf(numbers, sequenceIds);
  const codeOf = textOf(site.column("pdbx_PDB_ins_code")), entityOf = textOf(site.column("label_entity_id"));
  const group = site.column("group_PDB");
  const altLocOf = textOf(site.column("label_alt_id")), elementOf = textOf(site.column("type_symbol"));
  const positionOf = coordinates(site, source);
  const occupancyOf = numbersOf(site.column("occupancy"), 1), bFactorOf = numbersOf(site.column("B_iso_or_equiv"), 0);
  const model = site.column("pdbx_PDB_model_num");
  const identity = [
    sequenceIds,
    numbers,
    residues ?? authResidues,
    site.column("pdbx_PDB_ins_code"),
    labels,
    authors,
    model,
  ]
    .filter((column) => column !== undefined);
  const isSame = (one: number, other: number): boolean => {
    for (const column of identity) if (!column.isSame(one, other)) return false;
    return true;
  };

  const chains = new Map<string, ChainName>();
  let last = -1; // row of the residue at hand
  for (let row = 0; row < site.rowCount; row++) {
    const isNext = last < 0 || !isSame(last, row);
    if (isNext && (row < first || (model !== undefined && !model.isSame(first, row)))) {
      log.remarks.add(OTHER_MODEL, () => log.line(row), () => "atoms of another model");
      continue;
    }
    if (isNext) {
      const [author, label] = [authorOf(row), labelOf(row)];
      const key = `${author}\0${label}`;
      let chain = chains.get(key);
      if (chain === undefined) chains.set(key, chain = { author, segment: "", label });
      const name = residueOf(row);
      const isHetero = group === undefined ? standardResidue(name) === undefined : group.text(row) === "HETATM";
      records.begin(chain, {
        ...{ name, number: integer(numberOf(row)), insertionCode: codeOf(row), sequenceId: sequenceIdOf(row) },
        ...{ entity: entityOf(row), isHetero },
      }, row);
      last = row;
    }
    records.add(nameOf(row), {
      altLoc: altLocOf(row),
      occupancy: occupancyOf(row),
      bFactor: bFactorOf(row),
      position: positionOf(row),
      element: elementOf(row),
    }, row);
  }
  return records.finish();
}

/** Reads the position of an atom; throws if a coordinate is none, and names its line. */
function coordinates(site: CifTable, source: string) {
  const coordinate = (name: string) => {
    const column = site.column(name);
    if (column === undefined) throw new InputError(`Cannot read ${source} as mmCIF: atom_site lacks the item ${name}`);
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
function numbersOf(field: CifColumn | undefined, other: number): (row: number) => number {
  if (field === undefined) return () => other;
  return (row) => {
    const value = field.number(row);
    return Number.isFinite(Math.fround(value)) ? value : other;
  };
}

function integer(text: string): number {
  const value = Number.parseInt(text, 10);
  return Number.isNaN(value) ? 0 : value;
}
