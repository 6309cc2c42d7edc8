/** What a run says of itself before it starts. */
import type { Network } from "./network.ts";
import { optimizerName } from "./run_facts.ts";
import type { TrainSettings } from "./settings.ts";

/** Sizes of the model: dimensions, parameters, what there is to say of them, megabytes. */
export function modelText(
  { model }: TrainSettings,
  { parameters, lines, notes = [] }: Pick<Network<unknown, unknown>, "parameters" | "lines" | "notes">,
): string {
  return [
    "Model Configuration:",
    ...lines.map(([name, value]) => `   ${name}: ${value}`),
    `   MSA sequences: ${model.numSeqs}`,
    `   Sequence length: ${model.seqLen}`,
    `   Total parameters: ${count(parameters)}`,
    ...notes.map((note) => `   ${note}`),
    `   Model size: ${(parameters * 4 / 1e6).toFixed(1)} MB (FP32)`,
  ].join("\n");
}

/** How it is trained, on what, where. */
export function trainingText(
  settings: TrainSettings,
  network: Pick<Network<unknown, unknown>, "optimizer" | "protocol">,
  data: string,
  adapter: string,
): string {
  const { training } = settings;
  const { schedule, lrWarmupSteps, maxNorm, ema, cropEnds } = training;
  const { drop, clipsSamples = false } = network.protocol ?? {};
  const warmup = (lrWarmupSteps > 0 ? `, ${lrWarmupSteps} steps of warm-up` : "") +
    (drop ? `, times ${drop.factor} from step ${drop.step} on` : "");
  return [
    "Training Configuration:",
    `   Data: ${data}`,
    `   Training steps: ${training.numSteps}`,
    `   Batch size: ${training.batchSize}`,
    ...(training.accumulate > 1 ? [`   Batches a step: ${training.accumulate}, the mean of their gradients`] : []),
    `   Optimizer: ${optimizerName(network)}`,
    `   Learning rate: ${training.learningRate} (${schedule}${warmup})`,
    `   Weight decay: ${training.weightDecay}`,
    ...(maxNorm === null
      ? []
      : [`   Gradients clipped to norm: ${maxNorm}${clipsSamples ? ", sample by sample" : ""}`]),
    ...(ema === null ? [] : [`   Moving average of parameters: ${ema}`]),
    ...(cropEnds === null ? [] : [`   Residues cut at either end: 0 to ${cropEnds}, at random`]),
    `   Seed: ${training.seed}`,
    `   Device: ${adapter}`,
  ].join("\n");
}

function count(n: number): string {
  return n.toLocaleString("en");
}
