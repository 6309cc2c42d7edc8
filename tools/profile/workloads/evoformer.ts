import type { Tensor } from "../../../core/mod.ts";
import {
  evoformerConfig,
  evoformerStack,
  type EvoformerStackParams,
  initEvoformer,
} from "../../../model/evoformer/mod.ts";
import { RECOMPUTE, RECOMPUTE_FLAG } from "./_recompute.ts";
import type { Workload } from "./workload.ts";
import { modelWorkload, randomTensor } from "./model_workload.ts";

type Inputs = { m: Tensor; z: Tensor };

/** AlphaFold 2's Evoformer. */
export const evoformer: Workload = modelWorkload({
  description: "blocks of AlphaFold 2's Evoformer on random representations",
  flags: [
    { name: "blocks", description: "Evoformer blocks", value: 1 },
    { name: "n-seq", description: "sequences", value: 32 },
    { name: "n-res", description: "residues", value: 64 },
    { name: "batch", description: "samples", value: 1 },
    { name: "c-m", description: "channels of the MSA representation", value: 256 },
    { name: "c-z", description: "channels of the pair representation", value: 128 },
    RECOMPUTE_FLAG,
  ],
  make(device, values) {
    const size = (name: string) => Number(values[name]);
    const [batch, nSeq, nRes, cM, cZ] = ["batch", "n-seq", "n-res", "c-m", "c-z"].map(size);
    const recompute = RECOMPUTE.find((name) => name === values.recompute);
    const config = evoformerConfig({ nBlock: size("blocks"), cM, cZ });
    return {
      params: (key) => initEvoformer(device, config, key),
      inputs(key) {
        const [mKey, zKey] = key.split(2);
        return {
          m: randomTensor(device, mKey, [batch, nSeq, nRes, cM]),
          z: randomTensor(device, zKey, [batch, nRes, nRes, cZ]),
        };
      },
      run(params, inputs, key) {
        const { m, z } = evoformerStack(params as EvoformerStackParams, inputs as Inputs, config, { recompute, key });
        return { m, z };
      },
    };
  },
});
