/** What a block of mmCIF says of molecules and their sequences. */
import type { MoleculeKind, SequenceFacts } from "./_assemble_chains.ts";
import type { Segment } from "./_chain_records.ts";
import type { CifBlock } from "./_cif_reader.ts";
import { rowsOf } from "./_mmcif_facts.ts";
import type { Place, Residue } from "./_residue_atoms.ts";
import { residueName } from "../../model/protein/residues.ts";

/**
 * Kinds and sequences of molecules: from entity_poly and entity, by the entity of an atom, or else by struct_asym or the
 * author's chain that entity_poly lists; from pdbx_poly_seq_scheme, entity_poly_seq or the letters of entity_poly. Each is used
 * where it is there.
 */
export function readMoleculeFacts(block: CifBlock): SequenceFacts {
  const kinds = readKinds(block);
  const ofAsym = new Map(rowsOf(block, "struct_asym").map((row) => [row("id"), row("entity_id")]));
  const ofStrand = new Map<string, string>();
  const letters = new Map<string, readonly string[]>();
  for (const row of rowsOf(block, "entity_poly")) {
    for (const strand of row("pdbx_strand_id").split(",")) {
      if (strand.trim() !== "") ofStrand.set(strand.trim(), row("entity_id"));
    }
    const names = namesOf(row("pdbx_seq_one_letter_code") || row("pdbx_seq_one_letter_code_can"));
    if (names.length > 0) letters.set(row("entity_id"), names);
  }
  const places = readPlaces(block);
  const entityOf = ({ chain, residues }: Segment, residue?: Residue): string =>
    (residue ?? residues[0])?.entity || ofAsym.get(chain.label) || ofStrand.get(chain.author) || "";
  return {
    kindOf(residue, segment) {
      const entity = entityOf(segment, residue);
      const kind = kinds.get(entity);
      // The strands of entity_poly are the authors' chains, of which ligands and water are part too.
      const isOfPolymer = residue.entity !== "" || ofAsym.has(segment.chain.label) || residue.sequenceId !== "";
      return kind === undefined || isOfPolymer ? kind : undefined;
    },
    places: (segment) => places.get(segment.chain.label),
    sequence(segment) {
      const own = places.get(segment.chain.label);
      return own === undefined ? letters.get(entityOf(segment)) : Array.from(own.values(), ({ name }) => name);
    },
  };
}

/** Kinds of entities that are known. */
function readKinds(block: CifBlock): Map<string, MoleculeKind> {
  const kinds = new Map<string, MoleculeKind>();
  for (const row of rowsOf(block, "entity")) {
    const type = row("type").toLowerCase();
    if (type !== "" && type !== "polymer") kinds.set(row("id"), "other");
  }
  for (const row of rowsOf(block, "entity_poly")) {
    const type = row("type").toLowerCase();
    if (type !== "") kinds.set(row("entity_id"), type.includes("polypeptide") ? "protein" : "polymer");
  }
  return kinds;
}

/** Places of every polymer by `label_asym_id` and `label_seq_id`. */
function readPlaces(block: CifBlock): Map<string, ReadonlyMap<string, Place>> {
  const scheme = new Map<string, Map<string, Place>>();
  for (const row of rowsOf(block, "pdbx_poly_seq_scheme")) {
    const places = entryOf(scheme, row("asym_id"));
    if (places.has(row("seq_id"))) continue; // another kind of residue at the same place
    const number = integer(row("pdb_seq_num") || row("auth_seq_num") || row("seq_id"));
    places.set(row("seq_id"), { name: row("mon_id"), number, insertionCode: row("pdb_ins_code") });
  }
  const entities = new Map<string, Map<string, Place>>();
  for (const row of rowsOf(block, "entity_poly_seq")) {
    const places = entryOf(entities, row("entity_id"));
    if (places.has(row("num"))) continue;
    places.set(row("num"), { name: row("mon_id"), number: integer(row("num")), insertionCode: "" });
  }
  for (const row of rowsOf(block, "struct_asym")) {
    const places = entities.get(row("entity_id"));
    if (places !== undefined && !scheme.has(row("id"))) scheme.set(row("id"), places);
  }
  return scheme;
}

/** Names of the residues of a sequence in one-letter code, in which others stand in brackets: `MK(MSE)L`. */
function namesOf(sequence: string): string[] {
  const parts = sequence.replace(/\s+/g, "").match(/\([^()]*\)|[A-Za-z]/g) ?? [];
  return parts.map((part) => part.startsWith("(") ? part.slice(1, -1) : residueName(part.toUpperCase()));
}

function entryOf(map: Map<string, Map<string, Place>>, key: string): Map<string, Place> {
  let entry = map.get(key);
  if (entry === undefined) map.set(key, entry = new Map());
  return entry;
}

function integer(text: string): number {
  const value = Number.parseInt(text, 10);
  return Number.isNaN(value) ? 0 : value;
}
