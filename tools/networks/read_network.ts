/** Finds the network that a file has parameters of. */
import type { AttentionModel, ParameterFile } from "../attention/attention_model.ts";
import { looksLike } from "../data/looks_like.ts";
import { InputError } from "../errors.ts";
import { type DistanceModel, otherNetwork, readCheckpoint } from "../fold/distance_model.ts";
import { openWeights } from "../weights/open_weights.ts";
import { NETWORKS } from "./mod.ts";
import type { Arrays } from "./network_row.ts";

/**
 * The network in a file, ready to record its attention.
 *
 * @param path A checkpoint of `denofold train`, or published weights.
 * @throws {InputError} If it cannot be read, or is of no network whose attention can be recorded.
 */
export async function readAttentionModel(path: string): Promise<AttentionModel> {
  const file = await parameterFile(path);
  for (const { attention } of Object.values(NETWORKS)) {
    const model = await attention?.(file);
    if (model) return model;
  }
  const titles = Object.values(NETWORKS).filter(({ attention }) => attention).map(({ title }) => title).join(" or ");
  const found = file.facts ? `its model is ${JSON.stringify(file.facts.model)}` : "it is of none that is known";
  throw new InputError(`Cannot record the attention of ${path}: ${found}, expected ${titles}`);
}

/**
 * The network in a checkpoint, ready to predict distances.
 *
 * @throws {InputError} If the file cannot be read, is damaged, is of a network that predicts none, or its parameters do not
 * have the shapes of its configuration.
 */
export async function readDistanceModel(path: string): Promise<DistanceModel> {
  const checkpoint = await readCheckpoint(path);
  const rows = Object.values(NETWORKS).filter(({ distances }) => distances);
  const row = rows.find(({ training }) => training?.model.network === checkpoint.facts.model);
  if (row) return row.distances!(checkpoint, path);
  throw otherNetwork(path, checkpoint, rows.flatMap(({ training }) => training ? [training.model.network] : []));
}

/** What arrays are the parameters of, in words; undefined: of no network that is known. */
export function recognizeNetwork(arrays: Arrays, facts?: ParameterFile["facts"]): string | undefined {
  for (const { recognize } of Object.values(NETWORKS)) {
    const found = recognize?.(arrays, facts);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Reads the facts of a file that may be a checkpoint of denofold. */
async function parameterFile(path: string): Promise<ParameterFile> {
  const other = looksLike(await fileStart(path));
  if (other !== undefined && !["safetensors", "weights"].includes(other.kind)) {
    throw new InputError(`${path} is ${other.words}, expected parameters of a network: were two arguments swapped?`);
  }
  using opened = await openWeights(path);
  const { format, facts } = opened.file.metadata;
  if (!format?.startsWith("denofold-checkpoint")) return { path };
  try {
    return { path, facts: JSON.parse(facts) };
  } catch {
    throw new InputError(`Cannot read ${path}: its facts are no JSON: damaged`);
  }
}

/** The first bytes of a file; none where it cannot be read, which whoever opens it tells. */
async function fileStart(path: string): Promise<Uint8Array> {
  try {
    using file = await Deno.open(path);
    const bytes = new Uint8Array(4096);
    return bytes.subarray(0, await file.read(bytes) ?? 0);
  } catch {
    return new Uint8Array();
  }
}
