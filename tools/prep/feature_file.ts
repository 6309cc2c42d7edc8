/**
 * Feature files: the features of one target as safetensors, with texts and lists in the JSON header.
 *
 * Whole numbers and masks are stored in as few bytes as they need, and read back as `Int32Array` and `Float32Array`.
 */
import { basename } from "node:path";
import { encodeSafetensors, type NamedArray, parseSafetensors, toFloat32 } from "../../model/weights/safetensors.ts";
import type { ChainFeatures } from "../data/features/chain.ts";
import { FEATURE_AXES, featureShape } from "../data/features/window.ts";
import { asInputError, InputError } from "../errors.ts";
import { readFileBytes } from "../files.ts";
import type { PreparedTarget, TargetFeatures } from "./prepare_target.ts";

/** Version of the features and of the way they are stored; another one makes all files be made anew. */
export const FEATURE_VERSION = "2";

/** Entry of the header that tells feature files from others. */
const FORMAT_KEY = "format";
const FORMAT = "denofold.features";

/** Features that are whole numbers. */
const INTEGERS: ReadonlySet<string> = new Set([
  "aatype",
  "residue_index",
  "between_segment_residues",
  "seq_length",
  "msa",
  "deletion_matrix_int",
  "num_alignments",
  "template_aatype",
  "residx_atom14_to_atom37",
  "residx_atom37_to_atom14",
]);

/** Lists of texts among the features; they stand in the header. */
const TEXT_LISTS = ["msa_species_identifiers", "template_domain_names", "template_sequence"] as const;

/** What a feature file holds. */
export interface FeatureFile extends PreparedTarget {
  /** Version of the features. */
  readonly version: string;
}

/** A target as a feature file, safetensors with a checksum. */
export function encodeFeatureFile(target: PreparedTarget): Uint8Array<ArrayBuffer> {
  const { features, supervised } = target;
  const sizes = {
    residues: target.sequence.length,
    sequences: features.num_alignments[0] ?? 0,
    templates: features.template_mask.length,
  };
  const tensors = new Map<string, NamedArray>();
  for (const [name, data] of Object.entries({ ...features, ...supervised })) {
    if (data instanceof Int32Array || data instanceof Float32Array) {
      tensors.set(name, narrowed(data, featureShape(name, sizes)));
    }
  }
  const { id, sequence, label, relation, bound, chain, releaseDate, observedResidues, depth, warnings } = target;
  // Without their folders, so that the same files give the same bytes wherever they lie.
  const sources = target.sources.map(({ path, sha256 }) => ({ path: basename(path), sha256 }));
  const lists = TEXT_LISTS.map((name) => [name, JSON.stringify(features[name])]);
  const header = {
    [FORMAT_KEY]: FORMAT,
    version: FEATURE_VERSION,
    domain_name: id,
    sequence,
    ...Object.fromEntries(lists),
    report: JSON.stringify({ label, relation, bound, chain, releaseDate, observedResidues, depth, warnings, sources }),
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
  "label" | "relation" | "bound" | "chain" | "releaseDate" | "observedResidues" | "depth" | "warnings" | "sources"
>;

/** An array in the narrowest type that holds its numbers exactly. */
function narrowed(data: Int32Array | Float32Array, shape: readonly number[]): NamedArray {
  let low = 0, high = 0, isWhole = true;
  for (let i = 0; i < data.length && isWhole; i++) {
    if (data[i] < low) low = data[i];
    else if (data[i] > high) high = data[i];
    isWhole = Number.isInteger(data[i]) && !Object.is(data[i], -0);
  }
  if (isWhole && low >= 0 && high <= 0xff) return { dtype: "U8", shape, data: Uint8Array.from(data) };
  if (data instanceof Float32Array) return { dtype: "F32", shape, data };
  if (low >= -0x8000 && high <= 0x7fff) return { dtype: "I16", shape, data: Int16Array.from(data) };
  return { dtype: "I32", shape, data };
}

function widened(name: string, array: NamedArray): Int32Array | Float32Array {
  if (!INTEGERS.has(name)) return toFloat32(array);
  const { data } = array;
  return data instanceof BigInt64Array ? Int32Array.from(data, Number) : Int32Array.from(data);
}
