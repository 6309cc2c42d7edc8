/** Networks that predict the distances of a chain from an alignment, whichever they are. */
import type { Device, Shape, Tensor, Tree } from "../../core/mod.ts";
import { applyAverage, type Checkpoint, decodeCheckpoint, findParameter } from "../../finetune/checkpoint.ts";
import { snakeCase } from "../../model/weights/names.ts";
import { looksLike } from "../data/looks_like.ts";
import { asInputError, InputError } from "../errors.ts";
import { readFileBytes } from "../files.ts";
import type { PredictionInput } from "./predict.ts";

/** A trained network, read but not yet on a device. */
export interface DistanceModel {
  /** Its file. */
  readonly source: string;
  /** All facts of the checkpoint. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Rows of an alignment that it reads. */
  readonly sequences: number;
  /** What it is, as a sentence begins: `A small Evoformer`. */
  readonly title: string;
  /** Its sizes in words. */
  readonly description: string;
  /**
   * Checks that it takes a chain of so many residues.
   *
   * @param owner Whose chain, for the message.
   * @throws {InputError} If it does not.
   */
  checkLength(nRes: number, owner: string): void;
  /** Puts the parameters on a device, in the current scope; what comes back gives the distances of a chain, `[N_res, N_res]`. */
  open(device: Device): (input: PredictionInput) => Promise<Float32Array>;
}

/**
 * Reads a checkpoint.
 *
 * @throws {InputError} If the file cannot be read, is damaged, or is something else.
 */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const bytes = await readFileBytes(path);
  const other = looksLike(bytes);
  if (other !== undefined && other.kind !== "safetensors") {
    throw new InputError(`${path} is ${other.words}, expected a checkpoint: were two arguments swapped?`);
  }
  return asInputError(() => decodeCheckpoint(bytes, path));
}

/** What says that a checkpoint is of none of the networks that are expected. */
export function otherNetwork(path: string, { facts: { model } }: Checkpoint, expected: readonly string[]): InputError {
  const found = model === undefined ? "it names no model" : `its model is ${JSON.stringify(model)}`;
  const names = expected.map((name) => JSON.stringify(name)).join(" or ");
  return new InputError(`Cannot predict with ${path}: ${found}, expected ${names}`);
}

/**
 * The configuration in a checkpoint's facts.
 *
 * @throws {InputError} If there is none, or its sizes do not fit together.
 */
export function checkpointConfig<C>({ facts }: Checkpoint, source: string, make: (given: object) => C): C {
  const given = facts.config;
  if (typeof given !== "object" || given === null) {
    throw new InputError(`${source} is damaged: its facts hold no config of the model`);
  }
  try {
    return make(given);
  } catch (error) {
    if (error instanceof RangeError) throw new InputError(`${source} has a wrong config: ${error.message}`);
    throw error;
  }
}

/**
 * What puts a checkpoint's parameters on a device, averaged where a moving average was kept.
 *
 * @param shapes Of all parameters, by path.
 * @throws {InputError} If parameters are missing, left over, or of other shapes.
 */
export function checkpointParams<P extends Tree<Tensor>>(
  checkpoint: Checkpoint,
  source: string,
  shapes: ReadonlyMap<string, Shape>,
  load: (device: Device, find: (path: string) => Float32Array) => P,
): (device: Device) => P {
  const arrays = new Map<string, Float32Array>();
  try {
    for (const [name, shape] of shapes) arrays.set(name, findParameter(checkpoint, name, shape, source));
  } catch (error) {
    if (error instanceof TypeError) throw new InputError(error.message);
    throw error;
  }
  const known = new Set([...arrays.keys()].map(snakeCase));
  const extra = [...checkpoint.params.keys()].find((name) => !known.has(name));
  if (extra !== undefined) {
    throw new InputError(`${source} has a parameter ${extra} that a model of its configuration has not`);
  }
  return (device) => {
    const params = load(device, (path) => arrays.get(path)!);
    applyAverage(device, params, checkpoint);
    return params;
  };
}
