/** The files of `denofold attention`. */
import { joinNumbers } from "../../core/join_numbers.ts";
import type { RecordedArray } from "../../model/layers/attention_recorder.ts";
import { snakeCase } from "../../model/weights/names.ts";
import { encodeSafetensors, type NamedArray } from "../../model/weights/safetensors.ts";
import { alphaCarbons, type Chain } from "../data/structure.ts";
import { distanceRows } from "../report/distance_rows.ts";
import type { AttentionData, KindData, TreeData } from "./attention_data.ts";
import { type Captured, type CapturedKind, spread } from "./capture.ts";
import { hammingDistances } from "./hamming.ts";
import { packMaps } from "./pack_maps.ts";
import { leafOrder, type Merge, wardLinkage } from "./ward.ts";

/** What the files are made of. */
export interface AttentionResult {
  /** The attention. */
  readonly captured: Captured;
  /** Names of the sequences, the target first, `[N_seq]`. */
  readonly names: readonly string[];
  /** The alignment over the target's residues, `[N_seq]`. */
  readonly alignment: readonly string[];
  /** The target's structure. */
  readonly structure?: { readonly name: string; readonly chain: Chain };
  /** Whether sequences are clustered for the page. */
  readonly cluster: boolean;
}

/** The sequences' distances and tree, and what is known of the structure. */
export interface AttentionContext {
  /** Hamming distances, `[N_seq, N_seq]`. */
  readonly hamming: Float32Array;
  /** Merges of Ward's clustering, and the order of the sequences. */
  readonly tree?: { readonly merges: readonly Merge[]; readonly order: readonly number[] };
  /** C-alpha distances in Å, `[N_res, N_res]`; NaN where an atom is missing. */
  readonly alphaDistances?: Float32Array;
}

/** Compares the sequences, and measures the structure. */
export function attentionContext({ alignment, structure, cluster }: AttentionResult): AttentionContext {
  const n = alignment.length;
  const pairs = hammingDistances(alignment);
  const hamming = new Float32Array(n * n);
  for (let i = 0, at = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) hamming[i * n + j] = hamming[j * n + i] = pairs[at++];
  }
  const merges = cluster ? wardLinkage(pairs) : undefined;
  return {
    hamming,
    tree: merges && { merges, order: leafOrder(merges, 0) },
    alphaDistances: structure && alphaDistances(structure.chain),
  };
}

/** Distances between the C-alpha atoms of a chain in Å, `[N_res, N_res]`; NaN where one is missing. */
function alphaDistances(chain: Chain): Float32Array {
  const { positions, mask } = alphaCarbons(chain);
  const n = mask.length;
  return Float32Array.from({ length: n * n }, (_, k) => {
    const [i, j] = [Math.floor(k / n), k % n];
    if (mask[i] === 0 || mask[j] === 0) return NaN;
    return Math.hypot(...[0, 1, 2].map((c) => positions[3 * i + c] - positions[3 * j + c]));
  });
}

/**
 * All numbers as a safetensors file: for each block `blocks.0.msa_row_attention` (and `msa_column_attention`,
 * `triangle_attention_starting`, `triangle_attention_ending`), `[head, query, key]`, means over rows;
 * `blocks.0.msa_row_attention.slices`, `[row, head, query, key]`, and `msa_row_attention.rows`, the rows they are of, from
 * 0; `hamming`, `[N_seq, N_seq]`; `order` and `linkage` (as scipy's, `[N_seq − 1, 4]`) of the sequences; `alpha_distances`
 * in Å. Sequences are in the order of the metadata's `names`.
 */
export function attentionTensors(
  { captured, names, alignment }: AttentionResult,
  { hamming, tree, alphaDistances }: AttentionContext,
  origin: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const tensors = new Map<string, NamedArray>();
  const floats = (shape: readonly number[], data: Float32Array): NamedArray => ({ dtype: "F32", shape, data });
  const integers = (data: readonly number[]): NamedArray => {
    return { dtype: "I32", shape: [data.length], data: Int32Array.from(data) };
  };
  for (const { kind, means, slices, rows } of captured.kinds) {
    const name = snakeCase(kind);
    captured.blocks.forEach((block, i) => {
      tensors.set(`blocks.${block}.${name}`, floats(means[i].shape, means[i].data));
      if (rows.length) tensors.set(`blocks.${block}.${name}.slices`, floats(slices[i].shape, slices[i].data));
    });
    if (rows.length) tensors.set(`${name}.rows`, integers(rows));
  }
  tensors.set("hamming", floats([names.length, names.length], hamming));
  if (tree) {
    tensors.set("order", integers(tree.order));
    const rows = tree.merges.flatMap(({ clusters, height, size }) => [...clusters, height, size]);
    tensors.set("linkage", { dtype: "F64", shape: [tree.merges.length, 4], data: Float64Array.from(rows) });
  }
  const n = alignment[0].length;
  if (alphaDistances) tensors.set("alpha_distances", floats([n, n], alphaDistances));
  const heads = Object.fromEntries(captured.kinds.map(({ kind, heads }) => [snakeCase(kind), headNames(heads)]));
  return encodeSafetensors(tensors, {
    ...origin,
    names: JSON.stringify(names),
    sequence: alignment[0],
    heads: JSON.stringify(heads),
  });
}

/** Numbers of single rows in a page: 8 MB. */
const PAGE_NUMBERS = 4_000_000;

/** What the page shows; of many rows as many as it can hold, evenly spread. */
export function attentionData(
  { captured, names, alignment, structure }: AttentionResult,
  { hamming, tree, alphaDistances }: AttentionContext,
  about: Pick<AttentionData, "title" | "summary" | "created" | "version" | "facts">,
): AttentionData {
  const perRow = captured.kinds.reduce((sum, { means }) => sum + means.reduce((n, { data }) => n + data.length, 0), 0);
  const rows = Math.max(1, Math.floor(PAGE_NUMBERS / perRow));
  return {
    ...about,
    ...{ names, alignment, blocks: captured.blocks },
    kinds: captured.kinds.map((kind) => kindData(kind, rows)),
    hamming: distanceRows(hamming, names.length),
    tree: tree && treeData(tree),
    structure: structure && alphaDistances && {
      name: structure.name,
      residueNumbers: Array.from(structure.chain.residueNumbers),
      distances: distanceRows(alphaDistances, alignment[0].length),
    },
  };
}

function treeData({ merges, order }: NonNullable<AttentionContext["tree"]>): TreeData {
  return { order, merges: merges.map(({ clusters: [a, b], height }) => [a, b, Number(height.toFixed(5))]) };
}

function kindData({ kind, heads, means, rows, slices }: CapturedKind, most: number): KindData {
  const size = means[0].shape.at(-1)!;
  const shown = spread(rows.length, most);
  const perRow = means[0].data.length;
  const ofShown = ({ data }: RecordedArray) => shown.map((row) => data.subarray(row * perRow, (row + 1) * perRow));
  return {
    ...{ kind, heads, size },
    rows: shown.map((row) => rows[row]),
    means: packMaps(joinNumbers(means.map(({ data }) => data)), size * size),
    slices: packMaps(joinNumbers(slices.flatMap(ofShown)), size * size),
  };
}

function headNames(heads: readonly number[]): readonly number[] | "mean" {
  return heads.length ? heads : "mean";
}
