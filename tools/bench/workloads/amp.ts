/** What mixed precision changes: loss, gradients and memory of fine-tuning. */
import { combine, Key, type Part, type Tensor } from "../../../core/mod.ts";
import {
  type FineTunedParams,
  fineTuningLoss,
  type HalfType,
  labelHeadConfig,
  type LabelledSample,
  strategyOf,
  trainedPart,
  Trainer,
} from "../../../finetune/mod.ts";
import type { AlphaFoldChoices } from "../../../model/alphafold/mod.ts";
import { loadFineTuned } from "../../finetune/network.ts";
import { planModels } from "../../predict/models.ts";
import { noiseFeatures } from "../../profile/workloads/alphafold_noise.ts";
import { Stopwatch } from "../measure.ts";
import { type Measurement, round, timeFields } from "../record.ts";
import type { BenchContext } from "./mod.ts";

/** A small network; each step is on another protein of noise. */
const NETWORK: AlphaFoldChoices = {
  ...{ cM: 64, cZ: 64, cS: 64, cExtra: 32 },
  ...{ extraMsa: { nBlock: 1 }, evoformer: { nBlock: 8 }, structure: { nBlock: 2 } },
};
const SIZES = { batch: 1, nRes: 64, nSeq: 16, nExtra: 16, nTemplates: 0 } as const;
const STEPS = 3;

/** How weights and representations are stored, by the names of the modes. */
const MODES: Readonly<Record<string, { readonly weights: boolean; readonly kept: HalfType | "f32" }>> = {
  "f32": { weights: false, kept: "f32" },
  "f16 weights": { weights: true, kept: "f32" },
  "f16 weights, f16 kept (--amp f16)": { weights: true, kept: "f16" },
  "f16 weights, bf16 kept (--amp bf16)": { weights: true, kept: "bf16" },
};

/** What a few steps came to. */
interface Trained {
  readonly losses: readonly number[];
  readonly gradients: readonly Float32Array[];
  readonly savedBytes: number;
  readonly peakBytes: number;
  readonly watch: Stopwatch;
}

/** Steps of fine-tuning with what is frozen or kept in 16 bits, each beside the same in 32. */
export async function* amp({ device, note }: BenchContext): AsyncIterable<Measurement> {
  const [model] = await planModels("random:1", ["model_1_ptm"], NETWORK);
  const tasks = { affinity: { head: labelHeadConfig(model.config.cS, { dropout: 0 }) } };
  const config = { network: model.config, headInput: "evoformer" as const, tasks };
  for (const name of ["lora", "partial"] as const) {
    const strategy = strategyOf(name, model.config.evoformer.nBlock);
    const run = async ({ weights, kept }: typeof MODES[string]): Promise<Trained> => {
      device.trim();
      using scope = device.scope("bench");
      void scope;
      const params = await loadFineTuned(device, model, strategy, config, 1, weights);
      const [trained, frozen] = trainedPart(params, strategy);
      using trainer = new Trainer<Part<Tensor, FineTunedParams>, LabelledSample>(device, {
        params: trained,
        loss: (own, sample) =>
          fineTuningLoss(combine<Tensor, FineTunedParams>(own, frozen), [sample], config, { recompute: "block" }),
        activations: kept,
        optimizer: { groups: strategy.groups, maxNorm: 1 },
        emaDecay: 0.999,
      });
      const gradients: Float32Array[] = [], losses: number[] = [], watch = new Stopwatch();
      let savedBytes = 0;
      for (let step = 0; step < STEPS; step++) {
        using _ = device.scope("step");
        if (step === 1) device.resetPeakMemory();
        const features = noiseFeatures(device, model.config, SIZES, Key.fromSeed(100 + step));
        await watch.time(async () => {
          await trainer.accumulate({ input: { features }, labels: { affinity: [6 + step] } });
          gradients.push((await trainer.gradients!.read() as Float32Array).slice());
          const report = await trainer.apply();
          losses.push(report.loss);
          savedBytes = report.savedBytes;
        });
      }
      return { losses, gradients, savedBytes, peakBytes: device.memory.peakAllocatedBytes, watch };
    };
    let exact: Trained | undefined;
    for (const [mode, how] of Object.entries(MODES)) {
      note(`  ${name}, ${mode}`);
      const found = await run(how);
      exact ??= found;
      const { losses, gradients } = exact;
      const extremes = (all: readonly number[]): [number, number] => [round(Math.min(...all)), round(Math.max(...all))];
      yield {
        workload: "amp",
        sizes: { blocks: model.config.evoformer.nBlock, c: model.config.cM, n_res: SIZES.nRes, n_seq: SIZES.nSeq },
        dtype: "f32",
        mode: `${name}: ${mode}`,
        ...timeFields(found.watch.times, { software: device.traits.software }),
        peak_bytes: found.peakBytes,
        saved_bytes: found.savedBytes,
        ...(found !== exact && {
          loss_error: extremes(found.losses.map((loss, i) => Math.abs(loss / losses[i] - 1))),
          gradient_error: extremes(found.gradients.map((gradient, i) => relative(gradient, gradients[i]))),
        }),
      };
    }
  }
}

/** Distance of vectors in parts of the second one's length. */
function relative(a: Float32Array, b: Float32Array): number {
  let difference = 0, size = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    size += b[i] ** 2;
  }
  return Math.sqrt(difference / size);
}
