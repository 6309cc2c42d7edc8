/** Runs a trained trunk of 2021 on an alignment. */
import type { Device } from "../../core/mod.ts";
import { centerDistogram } from "../../model/distance_geometry/mod.ts";
import type { CaptureOptions } from "../../model/layers/attention_capture.ts";
import {
  loadTrunk2021,
  trunk2021,
  type Trunk2021Config,
  trunk2021Config,
  trunk2021ParameterCount,
  type Trunk2021Params,
  trunk2021ParamShapes,
  TRUNK_2021_RANGE,
} from "../../model/trunk2021/mod.ts";
import type { Checkpoint } from "../../finetune/mod.ts";
import { InputError } from "../errors.ts";
import { checkpointConfig, checkpointParams, type DistanceModel } from "./distance_model.ts";
import type { PredictionInput } from "./predict.ts";

/**
 * Predicts the distances of one chain: the means of the distogram, up to 20 Å as all distances here.
 *
 * @returns C-beta (C-alpha for glycine) distances in Å, symmetric, `[N_res, N_res]`.
 * @throws {InputError} If there are more residues or rows than positions.
 */
export async function predictTrunkDistances(
  device: Device,
  params: Trunk2021Params,
  config: Trunk2021Config,
  { tokens, nRes }: PredictionInput,
  options: CaptureOptions = {},
): Promise<Float32Array> {
  checkTrunkLength(nRes, config, "the sequence");
  const nSeq = Math.min(tokens.length / nRes, config.maxNumMsa);
  using scope = device.scope("predictDistances");
  void scope;
  const logits = await trunk2021(
    params,
    {
      seq: device.tensor(tokens.subarray(0, nRes), [1, nRes], "i32"),
      msa: nSeq === 1 ? undefined : device.tensor(tokens.subarray(0, nSeq * nRes), [1, nSeq, nRes], "i32"),
    },
    config,
    options,
  ).read();
  const { distances } = centerDistogram(Float32Array.from(logits), nRes, { softmax: true });
  return Float32Array.from(distances, (distance) => Math.min(distance, TRUNK_2021_RANGE.max));
}

/** A trained trunk as predictions see it; undefined where a checkpoint is of another network. */
export function trunkDistanceModel(checkpoint: Checkpoint, source: string): DistanceModel & TrunkModel {
  const config = checkpointConfig(checkpoint, source, (given) => trunk2021Config(given));
  const load = checkpointParams(
    checkpoint,
    source,
    trunk2021ParamShapes(config),
    (device, find) => loadTrunk2021(device, config, find),
  );
  const { facts } = checkpoint;
  const settings = Object(facts.settings).model;
  return {
    ...{ source, facts, config, load },
    sequences: Math.min(config.maxNumMsa, Number(Object(settings).numSeqs) || config.maxNumMsa),
    title: "A trunk of 2021",
    description: `${config.depth} layers of the trunk of 2021, ${config.dim} channels, ` +
      `${trunk2021ParameterCount(config).toLocaleString("en")} parameters`,
    checkLength: (nRes, owner) => checkTrunkLength(nRes, config, owner),
    open(device) {
      const params = load(device);
      return (input) => predictTrunkDistances(device, params, config, input);
    },
  };
}

/** What {@linkcode trunkDistanceModel} knows besides. */
export interface TrunkModel {
  /** Its sizes and choices. */
  readonly config: Trunk2021Config;
  /** Puts the parameters on a device; they belong to the current scope. */
  load(device: Device): Trunk2021Params;
}

function checkTrunkLength(nRes: number, { maxSeqLen }: Trunk2021Config, owner: string): void {
  if (nRes <= maxSeqLen) return;
  throw new InputError(`${owner} has ${nRes} residues, more than the ${maxSeqLen} (max-seq-len) that the trunk takes`);
}
