import { type Device, type Key, stopGradient } from "../../../core/mod.ts";
import { alphafoldLoss, alphafoldLossConfig, type LossTruth } from "../../../model/alphafold/losses/mod.ts";
import {
  alphafold as runAlphaFold,
  ALPHAFOLD_PRESETS,
  type AlphaFoldConfig,
  alphafoldConfig,
  type AlphaFoldFeatures,
  type AlphaFoldParams,
  confidence,
  initAlphaFold,
  lossOutputs,
} from "../../../model/alphafold/mod.ts";
import { emptyWeights, WEIGHTS_DTYPES, type WeightsDtype } from "../../../model/weights/load_weights.ts";
import { UsageError } from "../../errors.ts";
import { paramsOf } from "../../predict/network.ts";
import { namedShapes } from "../../weights/presets.ts";
import { noiseFeatures, noiseTruth } from "./alphafold_noise.ts";
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
    {
      ...{ name: "weights-dtype", value: "f32", choices: WEIGHTS_DTYPES, forwardOnly: true },
      description: "how matrices of blocks are held; 16 bits are for forward alone",
    },
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
    const dtype = WEIGHTS_DTYPES.find((name) => name === values["weights-dtype"])!;
    if (dtype !== "f32" && learns) {
      throw new UsageError(`--weights-dtype ${dtype} is for inference alone: gradients need f32`);
    }
    return {
      params: (key) => dtype === "f32" ? initAlphaFold(device, config, key) : halfParams(device, config, dtype, key),
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

/** Parameters held in 16 bits, without ever being there in 32. */
function halfParams(device: Device, config: AlphaFoldConfig, dtype: WeightsDtype, key: Key): AlphaFoldParams {
  const shapes = namedShapes(config);
  const tensors = emptyWeights(device, shapes, dtype);
  for (const [i, tensor] of [...tensors.values()].entries()) {
    const scale = tensor.shape.length > 1 ? 1 / Math.sqrt(tensor.shape[1]) : 0.1;
    if (!device.dry) device.write(tensor, key.at(i).normal(tensor.size).map((x) => scale * x));
  }
  return paramsOf(config, tensors);
}
