/** Runs a trained small model on an alignment. */
import type { Device } from "../../core/mod.ts";
import type { CaptureOptions } from "../../model/layers/attention_capture.ts";
import { applyAverage, type Checkpoint, decodeCheckpoint, findParameter } from "../../finetune/checkpoint.ts";
import {
  loadTinyOpenFold,
  tinyOpenFold,
  type TinyOpenFoldConfig,
  tinyOpenFoldConfig,
  type TinyOpenFoldParams,
  tinyOpenFoldShapes,
} from "../../model/tiny_openfold/mod.ts";
import { snakeCase } from "../../model/weights/names.ts";
import { looksLike } from "../data/looks_like.ts";
import { asInputError, InputError } from "../errors.ts";
import { readFileBytes } from "../files.ts";
import { RELATIVE_POSITION_CLASSES, relativePositionFeatures } from "./features.ts";

/** The value of a checkpoint's fact `model` for the small Evoformer. */
export const TINY_OPENFOLD = "tiny-openfold";

/** A trained small model, read but not yet on a device. */
export interface TrainedModel {
  /** Its file. */
  readonly source: string;
  /** Its sizes. */
  readonly config: TinyOpenFoldConfig;
  /** All facts of the checkpoint. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Puts the parameters, averaged where a moving average was kept, on a device; they belong to the current scope. */
  load(device: Device): TinyOpenFoldParams;
}

/**
 * Reads a checkpoint of the small Evoformer: its facts hold `model: "tiny-openfold"` and `config`.
 *
 * @throws {InputError} If the file cannot be read, is damaged, is of another model, or its parameters do not have the
 * shapes of its configuration.
 */
export async function readTrainedModel(path: string): Promise<TrainedModel> {
  const bytes = await readFileBytes(path);
  const other = looksLike(bytes);
  if (other !== undefined && other.kind !== "safetensors") {
    throw new InputError(`${path} is ${other.words}, expected a checkpoint: were two arguments swapped?`);
  }
  const checkpoint = asInputError(() => decodeCheckpoint(bytes, path));
  return trainedModel(checkpoint, path);
}

/** {@linkcode readTrainedModel} of a checkpoint that was read. */
function trainedModel(checkpoint: Checkpoint, path: string): TrainedModel {
  const { facts } = checkpoint;
  if (facts.model !== TINY_OPENFOLD) {
    const found = facts.model === undefined ? "it names no model" : `its model is ${JSON.stringify(facts.model)}`;
    throw new InputError(`Cannot predict with ${path}: ${found}, expected "${TINY_OPENFOLD}"`);
  }
  const config = readConfig(facts.config, path);
  const arrays = new Map<string, Float32Array>();
  try {
    for (const [name, shape] of tinyOpenFoldShapes(config)) {
      arrays.set(name, findParameter(checkpoint, name, shape, path));
    }
  } catch (error) {
    if (error instanceof TypeError) throw new InputError(error.message);
    throw error;
  }
  const known = new Set([...arrays.keys()].map(snakeCase));
  const extra = [...checkpoint.params.keys()].find((name) => !known.has(name));
  if (extra !== undefined) {
    throw new InputError(`${path} has a parameter ${extra} that a model of its configuration has not`);
  }
  return {
    ...{ source: path, config, facts },
    load(device) {
      const params = loadTinyOpenFold(device, config, (at) => arrays.get(at)!);
      applyAverage(device, params, checkpoint);
      return params;
    },
  };
}

/** What {@link predictDistances} reads. */
export interface PredictionInput {
  /** Tokens, the target's row first, `[N_seq, N_res]`, as `msaTokens` makes them. */
  readonly tokens: Int32Array;
  /** Residues of the target. */
  readonly nRes: number;
}

/**
 * Predicts the distances of one chain.
 *
 * @returns C-beta (C-alpha for glycine) distances in Å as the model gives them, below 20 and not quite symmetric,
 * `[N_res, N_res]`.
 * @throws {TypeError} If the tokens are no whole rows of residues.
 * @throws {InputError} If there are more residues than the model's `maxSeqLen`, or its pair features are others.
 */
export async function predictDistances(
  device: Device,
  params: TinyOpenFoldParams,
  config: TinyOpenFoldConfig,
  { tokens, nRes }: PredictionInput,
  options: CaptureOptions = {},
): Promise<Float32Array> {
  const nSeq = tokens.length / nRes;
  if (!Number.isInteger(nSeq) || nSeq < 1) {
    throw new TypeError(`Cannot read ${tokens.length} tokens as rows of ${nRes} residues`);
  }
  checkLength(nRes, config, "the sequence");
  if (config.pairInputDim !== RELATIVE_POSITION_CLASSES) {
    throw new InputError(
      `The model reads ${config.pairInputDim} features a pair, expected ${RELATIVE_POSITION_CLASSES} relative positions`,
    );
  }
  using scope = device.scope("predictDistances");
  void scope;
  const { distances } = tinyOpenFold(
    params,
    {
      msaTokens: device.tensor(tokens, [1, nSeq, nRes], "i32"),
      pairFeatures: device.tensor(relativePositionFeatures(nRes), [1, nRes, nRes, RELATIVE_POSITION_CLASSES]),
    },
    config,
    options,
  );
  return Float32Array.from(await distances.read());
}

/**
 * Checks that a chain is not longer than the model was made for.
 *
 * @param name Words for the message.
 * @throws {InputError} If it is.
 */
export function checkLength(nRes: number, config: TinyOpenFoldConfig, name: string): void {
  if (nRes <= config.maxSeqLen) return;
  throw new InputError(`${name} has ${nRes} residues, more than the ${config.maxSeqLen} that the model takes`);
}

function readConfig(given: unknown, path: string): TinyOpenFoldConfig {
  if (typeof given !== "object" || given === null) {
    throw new InputError(`${path} is damaged: its facts hold no config of the model`);
  }
  try {
    return tinyOpenFoldConfig(given);
  } catch (error) {
    if (error instanceof RangeError) throw new InputError(`${path} has a wrong config: ${error.message}`);
    throw error;
  }
}
