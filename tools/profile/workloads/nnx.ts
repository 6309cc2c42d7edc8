import {
  initNnxEvoformer,
  nnxEvoformerBlock,
  nnxEvoformerConfig,
  type NnxEvoformerParams,
  type NnxRepresentations,
} from "../../../model/nnx_evoformer/mod.ts";
import { NNX_MODEL, NNX_TRAINING } from "../../train/settings.ts";
import type { Workload } from "./workload.ts";
import { modelWorkload, randomTensor } from "./model_workload.ts";

/** The Flax notebook's block. */
export const nnx: Workload = modelWorkload({
  description: "the Flax notebook's Evoformer block on random representations",
  flags: [
    { name: "n-seq", description: "sequences", value: NNX_MODEL.numSeqs },
    { name: "n-res", description: "residues", value: NNX_MODEL.seqLen },
    { name: "batch", description: "samples", value: NNX_TRAINING.batchSize },
    { name: "c-m", description: "channels of the MSA representation", value: NNX_MODEL.msaDim },
    { name: "c-z", description: "channels of the pair representation", value: NNX_MODEL.pairDim },
  ],
  make(device, values) {
    const size = (name: string) => Number(values[name]);
    const [batch, nSeq, nRes, cM, cZ] = ["batch", "n-seq", "n-res", "c-m", "c-z"].map(size);
    const config = nnxEvoformerConfig({ cM, cZ });
    return {
      params: (key) => initNnxEvoformer(device, config, key),
      inputs(key) {
        const [msaKey, pairsKey] = key.split(2);
        return {
          msa: randomTensor(device, msaKey, [batch, nSeq, nRes, cM]),
          pairs: randomTensor(device, pairsKey, [batch, nRes, nRes, cZ]),
        };
      },
      run(params, inputs) {
        const { msa, pairs } = nnxEvoformerBlock(params as NnxEvoformerParams, inputs as NnxRepresentations, config);
        return { msa, pairs };
      },
    };
  },
});
