/** Runs a trained trunk of 2021 on an alignment. */
import type { Device } from "../../core/mod.ts";
import { centerDistogram } from "../../model/distance_geometry/mod.ts";
import { sidechainContainer } from "../../model/equivariant/mod.ts";
import { countParams, shapesByPath } from "../../model/layers/params.ts";
import type { CaptureOptions } from "../../model/layers/attention_capture.ts";
import {
  endToEnd,
  type EndToEndConfig,
  type EndToEndParams,
  endToEndShapes,
  loadEndToEnd,
  loadTrunk2021,
  trunk2021,
  type Trunk2021Config,
  trunk2021Config,
  type Trunk2021Params,
  trunk2021ParamShapes,
  trunk2021Shapes,
  TRUNK_2021_RANGE,
} from "../../model/trunk2021/mod.ts";
import { RESIDUE_LETTERS, UNKNOWN_RESIDUE } from "../../model/protein/residues.ts";
import { reshape, slice } from "../../ops/mod.ts";
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

/**
 * Predicts the distances of one chain by a network that was trained end to end: those of the atoms that it has refined, up to
 * 20 Å as all distances here.
 *
 * @returns C-beta (C-alpha for glycine) distances in Å, symmetric, `[N_res, N_res]`.
 * @throws {InputError} If there are more atoms or rows than positions.
 */
export async function predictEndToEndDistances(
  device: Device,
  params: EndToEndParams,
  config: EndToEndConfig,
  { tokens, nRes }: PredictionInput,
  options: CaptureOptions = {},
): Promise<Float32Array> {
  checkTrunkLength(nRes, config, "the sequence");
  const nSeq = Math.min(tokens.length / nRes, config.maxNumMsa);
  using scope = device.scope("predictDistances");
  void scope;
  const seq = device.tensor(tokens.subarray(0, nRes), [1, nRes], "i32");
  const msa = nSeq === 1 ? undefined : device.tensor(tokens.subarray(0, nSeq * nRes), [1, nSeq, nRes], "i32");
  const { atoms } = endToEnd(params, { seq, msa }, config, options);
  const backbone = reshape(slice(atoms, [0, 0, 0, 0], [1, nRes, 3, 3]), [1, 3 * nRes, 3]);
  const placed = await (atoms.shape[2] > BETA ? atoms : sidechainContainer(backbone, { oxygen: true, aatype: seq }))
    .read();
  const slots = placed.length / 3 / nRes;
  const at = (i: number) =>
    3 * (i * slots + (RESIDUE_LETTERS[tokens[i]] === "G" || tokens[i] >= UNKNOWN_RESIDUE ? ALPHA : BETA));
  return Float32Array.from({ length: nRes * nRes }, (_, k) => {
    const [i, j] = [at(Math.floor(k / nRes)), at(k % nRes)];
    const distance = Math.hypot(placed[i] - placed[j], placed[i + 1] - placed[j + 1], placed[i + 2] - placed[j + 2]);
    return Math.min(distance, TRUNK_2021_RANGE.max);
  });
}

/** Slots of C-alpha and C-beta among the 14 of a residue. */
const ALPHA = 1, BETA = 4;

/** A trained trunk as predictions see it; undefined where a checkpoint is of another network. */
export function trunkDistanceModel(checkpoint: Checkpoint, source: string): DistanceModel & TrunkModel {
  const config = checkpointConfig(
    checkpoint,
    source,
    (given): Trunk2021Config | EndToEndConfig => trunk2021Config(given),
  );
  const whole = isEndToEnd(config) ? config : undefined;
  const load = checkpointParams<EndToEndParams>(
    checkpoint,
    source,
    whole ? shapesByPath(endToEndShapes(whole)) : trunk2021ParamShapes(config),
    (device, find) => whole ? loadEndToEnd(device, whole, find) : loadTrunk2021(device, config, find),
  );
  const { facts } = checkpoint;
  const settings = Object(facts.settings).model;
  const { refiner } = whole?.endToEnd ?? {};
  return {
    ...{ source, facts, config, load },
    sequences: Math.min(config.maxNumMsa, Number(Object(settings).numSeqs) || config.maxNumMsa),
    title: "A trunk of 2021",
    description: `${config.depth} layers of the trunk of 2021, ${config.dim} channels, ` +
      (whole ? `trained end to end${refiner ? ` with a refiner (${refiner.kind})` : ""}, ` : "") +
      `${parameterCount(config).toLocaleString("en")} parameters`,
    checkLength: (nRes, owner) => checkTrunkLength(nRes, config, owner),
    open(device) {
      const params = load(device);
      return (input) =>
        whole
          ? predictEndToEndDistances(device, params, whole, input)
          : predictTrunkDistances(device, params, config, input);
    },
  };
}

function isEndToEnd(config: Trunk2021Config | EndToEndConfig): config is EndToEndConfig {
  return "endToEnd" in config;
}

function parameterCount(config: Trunk2021Config | EndToEndConfig): number {
  return countParams(isEndToEnd(config) ? endToEndShapes(config) : trunk2021Shapes(config));
}

/** What {@linkcode trunkDistanceModel} knows besides. */
export interface TrunkModel {
  /** Its sizes and choices. */
  readonly config: Trunk2021Config | EndToEndConfig;
  /** Puts the parameters on a device; they belong to the current scope. */
  load(device: Device): Trunk2021Params;
}

function checkTrunkLength(nRes: number, config: Trunk2021Config | EndToEndConfig, owner: string): void {
  const points = isEndToEnd(config) ? 3 * nRes : nRes, { maxSeqLen } = config;
  if (points <= maxSeqLen) return;
  const what = points === nRes ? `${nRes} residues` : `${nRes} residues of 3 atoms`;
  throw new InputError(`${owner} has ${what}, more than the ${maxSeqLen} (max-seq-len) that the trunk takes`);
}
