import { type Device, Key } from "../../../core/mod.ts";
import { REFINERS } from "../../../model/equivariant/mod.ts";
import {
  endToEnd,
  type EndToEndConfig,
  type EndToEndParams,
  initEndToEnd,
  initTrunk2021,
  trunk2021,
  trunk2021Config,
  type Trunk2021Inputs,
  type Trunk2021Params,
} from "../../../model/trunk2021/mod.ts";
import { endToEndConfigOf, trunk2021Network, trunk2021Noise, TRUNK_2021_OWN } from "../../train/trunk2021.ts";
import {
  type OwnSettings,
  type Trunk2021Settings,
  TRUNK_2021_MODEL,
  TRUNK_2021_TRAINING,
} from "../../train/settings.ts";
import { modelWorkload, type RunnableModel } from "./model_workload.ts";
import { constantBatch, openSession, stepsOf } from "./train_step.ts";
import type { Workload, WorkloadFlag, WorkloadValues } from "./workload.ts";

const M = TRUNK_2021_MODEL;

/** Sizes and choices of the trunk of 2021. */
const FLAGS: readonly WorkloadFlag[] = [
  { name: "depth", description: "layers", value: M.depth },
  { name: "n-seq", description: "sequences; 1: no MSA", value: M.numSeqs },
  { name: "n-res", description: "residues", value: M.seqLen },
  { name: "batch", description: "samples", value: TRUNK_2021_TRAINING.batchSize },
  { name: "dim", description: "channels of both representations", value: M.dim },
  { name: "heads", description: "heads of every attention", value: M.heads },
  { name: "dim-head", description: "channels of a head", value: M.dimHead },
  {
    name: "cross-attn-compress-ratio",
    description: "keys of cross attention made one",
    value: M.crossAttnCompressRatio,
  },
  { name: "reversible", description: "activations computed again on the way back", value: false },
  { name: "sparse", description: "block-sparse self attention", value: false },
  { name: "end-to-end", description: "from N, CA and C of all residues to their atoms", value: false },
  { name: "refiner", description: "what moves them then", value: "none", choices: [...REFINERS, "none"] },
  {
    ...{ name: "refiner-atoms", description: "which atoms it moves" },
    ...{ value: TRUNK_2021_OWN.refinerAtoms, choices: ["backbone", "heavy"] },
  },
  { name: "refiner-dim", description: "its channels", value: TRUNK_2021_OWN.refinerDim },
  { name: "refiner-depth", description: "its layers", value: TRUNK_2021_OWN.refinerDepth },
];

function settingsOf(values: WorkloadValues): Trunk2021Settings {
  const size = (name: string) => Number(values[name]);
  const [numSeqs, seqLen] = [size("n-seq"), size("n-res")];
  return {
    ...{
      ...M,
      numSeqs,
      seqLen,
      depth: size("depth"),
      dim: size("dim"),
      heads: size("heads"),
      dimHead: size("dim-head"),
    },
    ...{
      maxSeqLen: Math.max(M.maxSeqLen, values["end-to-end"] ? 3 * seqLen : seqLen),
      maxNumMsa: Math.max(M.maxNumMsa, numSeqs),
    },
    crossAttnCompressRatio: size("cross-attn-compress-ratio"),
    ...{ reversible: Boolean(values.reversible), sparseSelfAttn: Boolean(values.sparse) },
  };
}

/** What follows the trunk. */
function ownOf(values: WorkloadValues): OwnSettings {
  return {
    ...TRUNK_2021_OWN,
    ...{ endToEnd: Boolean(values["end-to-end"]), refiner: `${values.refiner}` },
    refinerAtoms: `${values["refiner-atoms"]}`,
    ...{ refinerDim: Number(values["refiner-dim"]), refinerDepth: Number(values["refiner-depth"]) },
  };
}

/** The trunk of 2021; a whole step of its training is `trunk2021-train-step`. */
export const trunk2021Forward: Workload = modelWorkload({
  description: "the trunk of 2021 on noise",
  flags: FLAGS,
  make(device, values) {
    const settings = settingsOf(values), own = ownOf(values);
    trunk2021Network(settings, own); // checks that choices fit together
    const { network: _, numSeqs, seqLen, ...sizes } = settings;
    const config = trunk2021Config(sizes);
    const batch = Number(values.batch);
    const inputs = () => ({
      seq: device.zeros([batch, seqLen], "i32"),
      msa: numSeqs === 1 ? undefined : device.zeros([batch, numSeqs, seqLen], "i32"),
    });
    if (own.endToEnd) return wholeNetwork(device, endToEndConfigOf(settings, own), inputs);
    return {
      params: (key) => initTrunk2021(device, config, key),
      inputs,
      run: (params, inputs) => trunk2021(params as Trunk2021Params, inputs as Trunk2021Inputs, config),
    };
  },
});

/** From sequences to refined atoms. */
function wholeNetwork(device: Device, config: EndToEndConfig, inputs: () => Trunk2021Inputs): RunnableModel {
  return {
    params: (key) => initEndToEnd(device, config, key),
    inputs,
    run(params, inputs) {
      const { logits, atoms } = endToEnd(params as EndToEndParams, inputs as Trunk2021Inputs, config);
      return { logits, atoms };
    },
  };
}

/** One step of training it. */
export const trunk2021TrainStep: Workload = {
  description: "a training step of the trunk of 2021 (forward, backward, Adam) on one sample of noise",
  flags: FLAGS,
  open(device: Device, values: WorkloadValues) {
    const model = settingsOf(values), own = ownOf(values);
    const batch = Number(values.batch);
    const noise = trunk2021Noise(model, batch, Key.fromSeed(TRUNK_2021_TRAINING.seed)).batch(0);
    const training = { ...TRUNK_2021_TRAINING, accumulate: 1, ...stepsOf(batch) };
    return openSession(device, { model, training, own }, {
      network: trunk2021Network(model, own),
      source: constantBatch(noise),
    });
  },
};
