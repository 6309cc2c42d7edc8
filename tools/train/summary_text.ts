/** What a run says of itself before it starts. */
import { documentedParameterCount, parameterCount } from "../../model/tiny_openfold/mod.ts";
import { modelConfig, type TrainSettings } from "./settings.ts";

/** Sizes of the model: dimensions, parameters as they are and by the paper's formula, megabytes. */
export function modelText(settings: TrainSettings): string {
  const { model } = settings;
  const config = modelConfig(model);
  const real = parameterCount(config);
  const documented = documentedParameterCount(config);
  return [
    "Model Configuration:",
    `   MSA dimension: ${model.msaDim}`,
    `   Pair dimension: ${model.pairDim}`,
    `   Evoformer blocks: ${model.numBlocks}`,
    `   MSA sequences: ${model.numSeqs}`,
    `   Sequence length: ${model.seqLen}`,
    `   Total parameters: ${count(real)}`,
    `   By the documented formula: ${count(documented)} (it leaves out all layer normalizations and counts three ` +
    "outputs of the structure module where there is one)",
    `   Model size: ${(real * 4 / 1e6).toFixed(1)} MB (FP32)`,
  ].join("\n");
}

/** How it is trained, on what, where. */
export function trainingText({ training }: TrainSettings, data: string, adapter: string): string {
  const { schedule, lrWarmupSteps, maxNorm, ema, cropEnds } = training;
  const warmup = lrWarmupSteps > 0 ? `, ${lrWarmupSteps} steps of warm-up` : "";
  return [
    "Training Configuration:",
    `   Data: ${data}`,
    `   Training steps: ${training.numSteps}`,
    `   Batch size: ${training.batchSize}`,
    `   Learning rate: ${training.learningRate} (${schedule}${warmup})`,
    `   Weight decay: ${training.weightDecay}`,
    ...(maxNorm === null ? [] : [`   Gradients clipped to norm: ${maxNorm}`]),
    ...(ema === null ? [] : [`   Moving average of parameters: ${ema}`]),
    ...(cropEnds === null ? [] : [`   Residues cut at either end: 0 to ${cropEnds}, at random`]),
    `   Seed: ${training.seed}`,
    `   Device: ${adapter}`,
  ].join("\n");
}

function count(n: number): string {
  return n.toLocaleString("en");
}
