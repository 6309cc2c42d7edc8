import { stopGradient } from "../../../core/mod.ts";
import { alphafoldLoss, alphafoldLossConfig, type LossTruth } from "../../../model/alphafold/losses/mod.ts";
import {
  alphafold as runAlphaFold,
  ALPHAFOLD_PRESETS,
  alphafoldConfig,
  type AlphaFoldFeatures,
  type AlphaFoldParams,
  confidence,
  initAlphaFold,
  lossOutputs,
} from "../../../model/alphafold/mod.ts";
import { noiseFeatures, noiseTruth } from "./_alphafold_noise.ts";
import { RECOMPUTE, RECOMPUTE_FLAG } from "./_recompute.ts";
import type { Workload } from "./workload.ts";
import { modelWorkload } from "./model_workload.ts";

type Inputs = { features: AlphaFoldFeatures; truth: LossTruth };

/** AlphaFold 2: an iteration and its confidence, or where it goes back, the loss of the first stage of training. */
export const alphafold: Workload = modelWorkload({
  description: "an iteration of AlphaFold 2 on noise, with its loss where it goes back",
  flags: [
    { name: "preset", description: "the published model", value: "model_1_ptm", choices: ALPHAFOLD_PRESETS },
    { name: "blocks", description: "Evoformer blocks", value: 1 },
    { name: "n-seq", description: "sequences", value: 32 },
    { name: "n-extra", description: "sequences of the extra stack", value: 64 },
    { name: "n-templates", description: "templates, where the model reads any", value: 4, least: 0 },
    { name: "n-res", description: "residues", value: 64 },
    { name: "batch", description: "samples", value: 1 },
    RECOMPUTE_FLAG,
  ],
  make(device, values) {
    const size = (name: string) => Number(values[name]);
    const preset = ALPHAFOLD_PRESETS.find((name) => name === values.preset)!;
    const recompute = RECOMPUTE.find((name) => name === values.recompute);
    const config = alphafoldConfig(preset, { evoformer: { nBlock: size("blocks") } });
    const [nRes, nSeq, nExtra, nTemplates, batch] = ["n-res", "n-seq", "n-extra", "n-templates", "batch"].map(size);
    const sizes = { nRes, nSeq, nExtra, nTemplates, batch };
    const losses = alphafoldLossConfig("initial", { tm: config.heads.tm, auxiliary: config.ablations.auxiliaryLosses });
    const learns = values.train === true || values.backward === true;
    return {
      params: (key) => initAlphaFold(device, config, key),
      inputs(key) {
        const [featuresKey, truthKey] = key.split(2);
        const features = noiseFeatures(device, config, sizes, featuresKey);
        return { features, ...(learns && { truth: noiseTruth(device, sizes, truthKey) }) };
      },
      run(params, inputs, key) {
        const { features, truth } = stopGradient(inputs) as Inputs;
        const own = params as AlphaFoldParams;
        if (!learns) {
          const outputs = runAlphaFold(own, features, undefined, config, { msa: false, trajectory: false });
          return { positions: outputs.positions, ...confidence(own.auxHeads, outputs, features.seqMask) };
        }
        const outputs = runAlphaFold(own, features, undefined, config, { key, recompute });
        return { loss: alphafoldLoss(lossOutputs(own.auxHeads, outputs), truth, losses).loss };
      },
    };
  },
});
