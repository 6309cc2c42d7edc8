/** Joins the features of chains to those of a complex. */
import { ATOM_SLOTS } from "../../../../model/protein/residues.ts";
import { makeSequenceFeatures, type SequenceFeatures } from "../chain.ts";
import { GAP_TOKEN, type MsaFeatures } from "../msa.ts";
import type { TemplateAtoms } from "../template_feats.ts";
import { type ChainPlace, placeChains } from "./chain_places.ts";
import { NO_ROW, type PairingOptions, pairRowsBySpecies } from "./pair_rows.ts";

/** What is known of a chain by itself. */
export interface ChainInputs {
  /** Its residues. */
  readonly sequence: string;
  /** Its alignments, tokens in HHblits' order. */
  readonly msa: Pick<MsaFeatures, "msa" | "deletion_matrix_int">;
  /** Rows that are paired with those of other chains: by their species, or one by one. */
  readonly pairable?: Pick<MsaFeatures, "msa" | "deletion_matrix_int" | "msa_species_identifiers">;
  /** Its templates. */
  readonly templates?: TemplateAtoms;
}

/** Choices of {@linkcode makeComplexFeatures}. */
export interface ComplexOptions extends PairingOptions {
  /**
   * How rows of different chains are brought together: by species, row by row where the alignments were paired before, or
   * not at all. Copies of one sequence alone are never paired. @default "species"
   */
  readonly pairing?: "species" | "rows" | "none";
  /** Most rows of a chain, of which at most half are paired. @default 2048 */
  readonly maxRowsPerChain?: number;
  /** Places for templates. @default 4 */
  readonly maxTemplates?: number;
}

/** Features of a complex up to random choices, under AlphaFold's names; copies of a sequence stand together. */
export interface ComplexFeatures extends SequenceFeatures, TemplateAtoms {
  /** Number of the chain, from 1, `[N_res]`. */
  readonly asym_id: Int32Array;
  /** Number of its sequence, from 1, `[N_res]`. */
  readonly entity_id: Int32Array;
  /** Number of the chain among those with its sequence, from 1, `[N_res]`. */
  readonly sym_id: Int32Array;
  /** Tokens in HHblits' order: paired rows, then those of each sequence in its own columns, `[N_seq, N_res]`. */
  readonly msa: Int32Array;
  /** Residues left out before each, `[N_seq, N_res]`. */
  readonly deletion_matrix_int: Int32Array;
  /** Their mean over the rows of the chain's own alignments, `[N_res]`. */
  readonly deletion_mean: Float32Array;
  /** Sequence of whose chains a row is, or 0 for a paired one, `[N_seq]`. */
  readonly msa_row_entity: Int32Array;
  /** 1 for rows that are always among the clusters: the queries, `[N_seq]`. */
  readonly cluster_bias_mask: Float32Array;
  /** 1 for rows that are there, 0 for what fills an alignment up, `[N_seq]`. @default all are */
  readonly msa_row_mask?: Float32Array;
}

/** A complex, and where its chains are. */
export interface Complex {
  /** Of all chains together. */
  readonly features: ComplexFeatures;
  /** In the order of the features. */
  readonly places: readonly ChainPlace[];
  /** Rows that were paired, the queries among them; 0 where nothing was. */
  readonly pairedRows: number;
}

/** A chain's rows, ready to be joined. */
interface Rows {
  readonly msa: Int32Array;
  readonly deletions: Int32Array;
}

/**
 * Features of a complex from those of its chains: residues one chain after the other, numbered anew in each; paired rows
 * first, then the rows of each sequence, whose copies stand side by side, with gaps in all other columns.
 *
 * Source: Evans et al. (2021), Suppl. 7.3; AlphaFold's `feature_processing.pair_and_merge` and `msa_pairing`.
 *
 * @param chains As they are given.
 * @throws {TypeError} If a chain's rows are not of its length, or rows to be paired one by one differ in number.
 */
export function makeComplexFeatures(chains: readonly ChainInputs[], options: ComplexOptions = {}): Complex {
  const { pairing = "species", maxRowsPerChain = 2048, maxTemplates = 4 } = options;
  const places = placeChains(chains.map(({ sequence }) => sequence));
  // Copies of a sequence share the alignments of the first.
  const firsts = places.filter(({ sym }) => sym === 1).map(({ input }) => chains[input]);
  const ordered = places.map(({ input, entity }) => ({ ...firsts[entity - 1], templates: chains[input].templates }));
  const isPaired = pairing !== "none" && places.at(-1)!.entity > 1 && ordered.every(({ pairable }) => pairable);
  const table = isPaired ? pairedTable(ordered, pairing, options) : [];
  const cutTable = table.slice(0, Math.floor(maxRowsPerChain / 2));
  const columns = ordered.map(({ sequence }) => sequence.length);
  const offsets = columns.map((_, k) => columns.slice(0, k).reduce((sum, n) => sum + n, 0));
  const total = columns.reduce((sum, n) => sum + n, 0);
  const parts = ordered.map((chain, k) => {
    const column = (rows: readonly (readonly number[])[]) => rows.map((row) => row[k]);
    const paired = isPaired ? takePadded(chain.pairable!, columns[k], column(cutTable)) : undefined;
    const own = { msa: chain.msa.msa, deletions: chain.msa.deletion_matrix_int };
    const known = isPaired ? takePadded(chain.pairable!, columns[k], column(table)) : undefined;
    const kept = known ? withoutRows(own, known, columns[k]) : own;
    const room = Math.max(maxRowsPerChain - (paired ? countRows(paired, columns[k]) : 0), 0);
    return { paired, unpaired: firstRows(kept, columns[k], room) };
  });

  const entities = places.at(-1)!.entity;
  const rowsOfEntity = Array.from({ length: entities }, (_, e) => {
    const first = places.findIndex(({ entity }) => entity === e + 1);
    return parts[first].unpaired.msa.length / columns[first];
  });
  const nSeq = cutTable.length + rowsOfEntity.reduce((sum, rows) => sum + rows, 0);
  const msa = new Int32Array(nSeq * total).fill(GAP_TOKEN);
  const deletions = new Int32Array(nSeq * total);
  const put = (rows: Rows, k: number, from: number) => {
    for (let row = 0; row < rows.msa.length / columns[k]; row++) {
      const at = (from + row) * total + offsets[k];
      msa.set(rows.msa.subarray(row * columns[k], (row + 1) * columns[k]), at);
      deletions.set(rows.deletions.subarray(row * columns[k], (row + 1) * columns[k]), at);
    }
  };
  const msa_row_entity = new Int32Array(nSeq);
  const cluster_bias_mask = new Float32Array(nSeq);
  let from = cutTable.length;
  const beginnings = rowsOfEntity.map((rows, e) => {
    const begin = from;
    msa_row_entity.fill(e + 1, begin, begin + rows);
    if (!isPaired && rows > 0) cluster_bias_mask[begin] = 1;
    from += rows;
    return begin;
  });
  if (isPaired) cluster_bias_mask[0] = 1;
  parts.forEach(({ paired, unpaired }, k) => {
    if (paired) put(paired, k, 0);
    put(unpaired, k, beginnings[places[k].entity - 1]);
  });

  const perResidue = (of: (place: ChainPlace, k: number) => number) =>
    Int32Array.from(places.flatMap((place, k) => new Array<number>(columns[k]).fill(of(place, k))));
  const sequences = ordered.map(({ sequence }) => makeSequenceFeatures(sequence));
  const joined = (name: keyof SequenceFeatures) =>
    Int32Array.from(sequences.flatMap((features) => Array.from(features[name])));
  return {
    places,
    pairedRows: cutTable.length,
    features: {
      aatype: joined("aatype"),
      residue_index: joined("residue_index"),
      between_segment_residues: joined("between_segment_residues"),
      asym_id: perResidue(({ asym }) => asym),
      entity_id: perResidue(({ entity }) => entity),
      sym_id: perResidue(({ sym }) => sym),
      ...{ msa, deletion_matrix_int: deletions, msa_row_entity, cluster_bias_mask },
      deletion_mean: Float32Array.from(ordered.flatMap(({ msa }, k) => meanDeletions(msa, columns[k]))),
      ...joinTemplates(ordered.map(({ templates }) => templates), columns, maxTemplates),
    },
  };
}

/** Rows of the chains that belong together. */
function pairedTable(
  chains: readonly ChainInputs[],
  pairing: "species" | "rows",
  options: PairingOptions,
): readonly (readonly number[])[] {
  if (pairing === "species") return pairRowsBySpecies(chains.map(({ pairable }) => pairable!), options);
  const counts = chains.map(({ pairable, sequence }) => pairable!.msa.length / sequence.length);
  if (counts.some((count) => count !== counts[0])) {
    throw new TypeError(`Cannot pair rows one by one where chains have ${counts.join(", ")}: expected as many each`);
  }
  return Array.from({ length: counts[0] }, (_, row) => chains.map(() => row));
}

/** Rows of an alignment; one of gaps where there is none. */
function takePadded(
  { msa, deletion_matrix_int }: Pick<MsaFeatures, "msa" | "deletion_matrix_int">,
  columns: number,
  rows: readonly number[],
): Rows {
  const taken = new Int32Array(rows.length * columns).fill(GAP_TOKEN), deletions = new Int32Array(taken.length);
  rows.forEach((row, k) => {
    if (row === NO_ROW) return;
    taken.set(msa.subarray(row * columns, (row + 1) * columns), k * columns);
    deletions.set(deletion_matrix_int.subarray(row * columns, (row + 1) * columns), k * columns);
  });
  return { msa: taken, deletions };
}

/** The rows that are not among others. */
function withoutRows({ msa, deletions }: Rows, { msa: others }: Rows, columns: number): Rows {
  const text = (rows: Int32Array, row: number) => rows.subarray(row * columns, (row + 1) * columns).join();
  const known = new Set(Array.from({ length: others.length / columns }, (_, row) => text(others, row)));
  const kept = Array.from({ length: msa.length / columns }, (_, row) => row).filter((row) =>
    !known.has(text(msa, row))
  );
  return takePadded({ msa, deletion_matrix_int: deletions }, columns, kept);
}

function firstRows({ msa, deletions }: Rows, columns: number, count: number): Rows {
  return { msa: msa.subarray(0, count * columns), deletions: deletions.subarray(0, count * columns) };
}

/** How many rows have anything but gaps. */
function countRows({ msa }: Rows, columns: number): number {
  let count = 0;
  for (let from = 0; from < msa.length; from += columns) {
    if (msa.subarray(from, from + columns).some((token) => token !== GAP_TOKEN)) count++;
  }
  return count;
}

function meanDeletions({ deletion_matrix_int }: Pick<MsaFeatures, "deletion_matrix_int">, columns: number): number[] {
  const rows = deletion_matrix_int.length / columns;
  const sums = new Array<number>(columns).fill(0);
  deletion_matrix_int.forEach((count, i) => sums[i % columns] += count);
  return sums.map((sum) => sum / rows);
}

/** Templates of the chains side by side; what a chain lacks is empty. */
function joinTemplates(
  templates: readonly (TemplateAtoms | undefined)[],
  columns: readonly number[],
  places: number,
): TemplateAtoms {
  const total = columns.reduce((sum, n) => sum + n, 0);
  const template_aatype = new Int32Array(places * total);
  const template_all_atom_positions = new Float32Array(places * total * ATOM_SLOTS * 3);
  const template_all_atom_mask = new Float32Array(places * total * ATOM_SLOTS);
  let offset = 0;
  columns.forEach((n, k) => {
    const own = templates[k];
    const count = own ? Math.min(own.template_aatype.length / n, places) : 0;
    for (let t = 0; t < count; t++) {
      const put = (to: Int32Array | Float32Array, from: Int32Array | Float32Array, width: number) =>
        to.set(from.subarray(t * n * width, (t + 1) * n * width), (t * total + offset) * width);
      put(template_aatype, own!.template_aatype, 1);
      put(template_all_atom_positions, own!.template_all_atom_positions, ATOM_SLOTS * 3);
      put(template_all_atom_mask, own!.template_all_atom_mask, ATOM_SLOTS);
    }
    offset += n;
  });
  return { template_aatype, template_all_atom_positions, template_all_atom_mask };
}

/** Which tokens are asked for when they are hidden: those of paired rows, and of rows in the columns of their sequence. */
export function askedFor({ msa_row_entity, entity_id }: Pick<ComplexFeatures, "msa_row_entity" | "entity_id">) {
  return (row: number, column: number): boolean =>
    msa_row_entity[row] === 0 || msa_row_entity[row] === entity_id[column];
}
