/**
 * Feature files: the features of one target as safetensors, with texts and lists in the JSON header.
 *
 * Every feature has the type that {@linkcode FEATURE_TYPES} says, whatever its numbers are; whole numbers are read back as
 * `Int32Array`, all others as `Float32Array`.
 */
import { basename } from "node:path";
import { encodeSafetensors, type NamedArray, parseSafetensors, toFloat32 } from "../../model/weights/safetensors.ts";
import type { ChainFeatures } from "../data/features/chain.ts";
import { FEATURE_AXES, featureShape } from "../data/features/window.ts";
import { asInputError, InputError } from "../errors.ts";
import { readFileBytes } from "../files.ts";
import type { PreparedTarget } from "./prepare_target.ts";
import type { TargetFeatures } from "./target_features.ts";

/** Version of the features and of the way they are stored; another one makes all files be made anew. */
export const FEATURE_VERSION = "3";

/** Entry of the header that tells feature files from others. */
const FORMAT_KEY = "format";
const FORMAT = "denofold.features";

/** Types of the features that are whole numbers; all others are float32. The two of many rows are short. */
const WHOLE = {
  aatype: "I32",
  residue_index: "I32",
  between_segment_residues: "I32",
  seq_length: "I32",
  msa: "I8",
  deletion_matrix_int: "I16",
  num_alignments: "I32",
  template_aatype: "I32",
  asym_id: "I32",
  entity_id: "I32",
  sym_id: "I32",
  msa_row_entity: "I32",
  residx_atom14_to_atom37: "I32",
  residx_atom37_to_atom14: "I32",
} as const;

/** Features that depend on random choices; they are made when a network reads the file, and are in none. */
const DRAWN: ReadonlySet<string> = new Set([
  ...["msa_feat", "msa_mask", "msa_row_mask", "true_msa", "bert_mask", "extra_msa", "extra_msa_mask"],
  ...["extra_msa_row_mask", "extra_has_deletion", "extra_deletion_value", "complex_target_feat"],
]);

/** The type of every feature in a file, as safetensors names types. */
export const FEATURE_TYPES: Readonly<Record<string, "F32" | "I8" | "I16" | "I32">> = Object.freeze({
  ...Object.fromEntries(
    Object.keys(FEATURE_AXES).filter((name) => !DRAWN.has(name)).map((name) => [name, "F32" as const]),
  ),
  ...WHOLE,
});

/** Lists of texts among the features; they stand in the header. */
const TEXT_LISTS = ["msa_species_identifiers", "template_domain_names", "template_sequence"] as const;

/** What a feature file holds. */
export interface FeatureFile extends PreparedTarget {
  /** Version of the features. */
  readonly version: string;
}

/**
 * A target as a feature file, safetensors with a checksum.
 *
 * @throws {InputError} If more than 32,767 residues are left out at one place of an alignment.
 */
export function encodeFeatureFile(target: PreparedTarget): Uint8Array<ArrayBuffer> {
  const { features, supervised } = target;
  const sizes = {
    residues: target.sequence.length,
    sequences: features.num_alignments[0] ?? 0,
    templates: features.template_mask.length,
  };
  const { id } = target;
  const tensors = new Map<string, NamedArray>();
  for (const [name, data] of Object.entries({ ...features, ...supervised })) {
    if (data instanceof Int32Array || data instanceof Float32Array) {
      tensors.set(name, typed(name, data, featureShape(name, sizes), id));
    }
  }
  const { sequence, chains, label, relation, bound, chain, releaseDate, observedResidues, depth, warnings } = target;
  // Without their folders, so that the same files give the same bytes wherever they lie.
  const sources = target.sources.map(({ path, sha256 }) => ({ path: basename(path), sha256 }));
  const lists = TEXT_LISTS.map((name) => [name, JSON.stringify(features[name])]);
  const header = {
    [FORMAT_KEY]: FORMAT,
    version: FEATURE_VERSION,
    domain_name: id,
    sequence,
    ...Object.fromEntries(lists),
    report: JSON.stringify({
      ...{ label, relation, bound, chain, chains, releaseDate, observedResidues, depth, warnings, sources },
    }),
  };
  return encodeSafetensors(tensors, header, { checksum: true });
}

/**
 * Reads a feature file.
 *
 * @throws {InputError} If it cannot be read, is damaged, or is no feature file of this version.
 */
export async function readFeatureFile(path: string): Promise<FeatureFile> {
  return parseFeatureFile(await readFileBytes(path), path);
}

/** Whether the header of a safetensors file says that it holds features. */
export function isFeatureHeader(metadata: Readonly<Record<string, string>>): boolean {
  return metadata[FORMAT_KEY] === FORMAT;
}

/**
 * Reads the bytes of a feature file.
 *
 * @param source Name of the file, for messages.
 * @throws {InputError} As {@linkcode readFeatureFile} does.
 */
export function parseFeatureFile(bytes: Uint8Array, source: string): FeatureFile {
  const { tensors, metadata } = asInputError(() => parseSafetensors(bytes, source));
  if (!isFeatureHeader(metadata) || metadata.version !== FEATURE_VERSION) {
    const found = isFeatureHeader(metadata) ? `features of version ${metadata.version}` : "other tensors";
    throw new InputError(`${source} holds ${found}, expected features of version ${FEATURE_VERSION}`);
  }
  const arrays = new Map<string, Int32Array | Float32Array>();
  for (const [name, array] of tensors) {
    if (Object.hasOwn(FEATURE_AXES, name)) arrays.set(name, widened(name, array));
  }
  const json = (name: string) => {
    try {
      return JSON.parse(metadata[name] ?? "");
    } catch {
      throw new InputError(`Cannot read ${source}: "${name}" in its header is damaged`);
    }
  };
  const lists = TEXT_LISTS.map((name) => [name, json(name)]);
  const report: Report = json("report");
  const { domain_name: id, sequence, version } = metadata;
  if (arrays.get("aatype")?.length !== sequence?.length) {
    throw new InputError(`Cannot read ${source}: its sequence has another length than its features`);
  }
  const all = { ...Object.fromEntries(arrays), ...Object.fromEntries(lists) };
  const isSupervised = arrays.has("all_atom_positions");
  return {
    ...report,
    ...{ version, id, sequence },
    features: all as TargetFeatures,
    supervised: isSupervised ? all as ChainFeatures : undefined,
  };
}

/** What the header says beside the features. */
type Report = Pick<
  PreparedTarget,
  | "label"
  | "relation"
  | "bound"
  | "chain"
  | "chains"
  | "releaseDate"
  | "observedResidues"
  | "depth"
  | "warnings"
  | "sources"
>;

/** An array in the type of its feature. */
function typed(name: string, data: Int32Array | Float32Array, shape: readonly number[], id: string): NamedArray {
  const dtype = FEATURE_TYPES[name];
  if (dtype === "F32") return { dtype, shape, data: data instanceof Float32Array ? data : Float32Array.from(data) };
  if (dtype === "I32") return { dtype, shape, data: data instanceof Int32Array ? data : Int32Array.from(data) };
  const short = dtype === "I8" ? Int8Array.from(data) : Int16Array.from(data);
  const at = short.findIndex((value, i) => value !== data[i]);
  if (at < 0) return { dtype, shape, data: short };
  throw new InputError(
    `Cannot write the features of ${id}: ${name} has ${data[at]}, more than its type ${dtype} holds`,
  );
}

function widened(name: string, array: NamedArray): Int32Array | Float32Array {
  if (!Object.hasOwn(WHOLE, name)) return toFloat32(array);
  const { data } = array;
  return data instanceof BigInt64Array ? Int32Array.from(data, Number) : Int32Array.from(data);
}
