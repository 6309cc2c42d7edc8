/** Runs a trained small model on an alignment. */
import type { Device } from "../../core/mod.ts";
import type { CaptureOptions } from "../../model/layers/attention_capture.ts";
import type { Checkpoint } from "../../finetune/checkpoint.ts";
import {
  loadTinyOpenFold,
  parameterCount,
  tinyOpenFold,
  type TinyOpenFoldConfig,
  tinyOpenFoldConfig,
  type TinyOpenFoldParams,
  tinyOpenFoldShapes,
} from "../../model/tiny_openfold/mod.ts";
import { InputError } from "../errors.ts";
import {
  checkpointConfig,
  checkpointParams,
  type DistanceModel,
  otherNetwork,
  readCheckpoint,
} from "./distance_model.ts";
import { RELATIVE_POSITION_CLASSES, relativePositionFeatures } from "./features.ts";

/** The value of a checkpoint's fact `model` for the small Evoformer. */
export const TINY_OPENFOLD = "tiny-openfold";

/** A trained small model, read but not yet on a device. */
export interface TrainedModel extends DistanceModel {
  /** Its sizes. */
  readonly config: TinyOpenFoldConfig;
  /** Puts the parameters, averaged where a moving average was kept, on a device; they belong to the current scope. */
  load(device: Device): TinyOpenFoldParams;
}

/**
 * Reads a checkpoint of the small Evoformer.
 *
 * @throws {InputError} If the file cannot be read, is damaged, is of another model, or its parameters do not have the
 * shapes of its configuration.
 */
export async function readTrainedModel(path: string): Promise<TrainedModel> {
  const checkpoint = await readCheckpoint(path);
  if (checkpoint.facts.model !== TINY_OPENFOLD) throw otherNetwork(path, checkpoint, [TINY_OPENFOLD]);
  return tinyDistanceModel(checkpoint, path);
}

/**
 * A small Evoformer of a checkpoint whose facts hold `model: "tiny-openfold"` and `config`.
 *
 * @throws {InputError} If it is damaged, or its parameters do not have the shapes of its configuration.
 */
export function tinyDistanceModel(checkpoint: Checkpoint, source: string): TrainedModel {
  const config = checkpointConfig(checkpoint, source, (given) => tinyOpenFoldConfig(given));
  const load = checkpointParams(
    checkpoint,
    source,
    tinyOpenFoldShapes(config),
    (device, find) => loadTinyOpenFold(device, config, find),
  );
  return {
    ...{ source, config, facts: checkpoint.facts, load, sequences: config.nSeqs, title: "A small Evoformer" },
    description: `${config.nBlocks} Evoformer blocks, ${config.msaDim} MSA and ${config.pairDim} pair channels, ` +
      `${parameterCount(config).toLocaleString("en")} parameters`,
    checkLength: (nRes, owner) => checkLength(nRes, config, owner),
    open(device) {
      const params = load(device);
      return (input) => predictDistances(device, params, config, input);
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
