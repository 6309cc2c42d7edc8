import {
  initTinyOpenFold,
  tinyOpenFold,
  type TinyOpenFoldInputs,
  type TinyOpenFoldParams,
} from "../../../model/tiny_openfold/mod.ts";
import { DEFAULT_MODEL, DEFAULT_TRAINING, type EvoformerSettings, modelConfig } from "../../train/settings.ts";
import type { Workload, WorkloadFlag, WorkloadValues } from "./workload.ts";
import { modelWorkload, randomTensor } from "./model_workload.ts";

/** Sizes of the small Evoformer. */
export const TINY_FLAGS: readonly WorkloadFlag[] = [
  { name: "blocks", description: "Evoformer blocks", value: DEFAULT_MODEL.numBlocks },
  { name: "n-seq", description: "sequences", value: DEFAULT_MODEL.numSeqs },
  { name: "n-res", description: "residues", value: DEFAULT_MODEL.seqLen },
  { name: "batch", description: "samples", value: DEFAULT_TRAINING.batchSize },
  { name: "msa-dim", description: "channels of the MSA representation", value: DEFAULT_MODEL.msaDim },
  { name: "pair-dim", description: "channels of the pair representation", value: DEFAULT_MODEL.pairDim },
];

/** The same sizes as training names them. */
export function tinySettings(values: WorkloadValues): EvoformerSettings {
  const size = (name: string) => Number(values[name]);
  return {
    ...DEFAULT_MODEL,
    msaDim: size("msa-dim"),
    pairDim: size("pair-dim"),
    numBlocks: size("blocks"),
    numSeqs: size("n-seq"),
    seqLen: size("n-res"),
  };
}

/** The small Evoformer; a whole step of its training is `train-step`. */
export const tiny: Workload = modelWorkload({
  description: "the small Evoformer on noise",
  flags: TINY_FLAGS,
  make(device, values) {
    const config = modelConfig(tinySettings(values));
    const { nSeqs, maxSeqLen: nRes, pairInputDim } = config;
    const batch = Number(values.batch);
    return {
      params: (key) => initTinyOpenFold(device, config, key),
      inputs: (key) => ({
        msaTokens: device.zeros([batch, nSeqs, nRes], "i32"),
        pairFeatures: randomTensor(device, key, [batch, nRes, nRes, pairInputDim]),
      }),
      run: (params, inputs) =>
        tinyOpenFold(params as TinyOpenFoldParams, inputs as TinyOpenFoldInputs, config).distances,
    };
  },
});
