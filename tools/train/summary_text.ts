/** What a run says of itself before it starts. */
import { documentedParameterCount } from "../../model/tiny_openfold/mod.ts";
import type { Network } from "./network.ts";
import { optimizerName } from "./run_facts.ts";
import { modelConfig, type ModelSettings, NNX_EVOFORMER, type TrainSettings } from "./settings.ts";

/** Sizes of the model: dimensions, parameters as they are and by the formula of its documentation, megabytes. */
export function modelText(
  { model }: TrainSettings,
  { parameters }: Pick<Network<unknown, unknown>, "parameters">,
): string {
  return [
    "Model Configuration:",
    `   MSA dimension: ${model.msaDim}`,
    `   Pair dimension: ${model.pairDim}`,
    `   Evoformer blocks: ${model.numBlocks}`,
    `   MSA sequences: ${model.numSeqs}`,
    `   Sequence length: ${model.seqLen}`,
    `   Total parameters: ${count(parameters)}`,
    ...documentedText(model),
    `   Model size: ${(parameters * 4 / 1e6).toFixed(1)} MB (FP32)`,
  ].join("\n");
}

/** What the small Evoformer's documentation says of its parameters. */
function documentedText(model: ModelSettings): string[] {
  if (model.network === NNX_EVOFORMER) return [];
  return [
    `   By the documented formula: ${count(documentedParameterCount(modelConfig(model)))} (it leaves out all layer ` +
    "normalizations and counts three outputs of the structure module where there is one)",
  ];
}

/** How it is trained, on what, where. */
export function trainingText(settings: TrainSettings, data: string, adapter: string): string {
  const { training } = settings;
  const { schedule, lrWarmupSteps, maxNorm, ema, cropEnds } = training;
  const warmup = lrWarmupSteps > 0 ? `, ${lrWarmupSteps} steps of warm-up` : "";
  return [
    "Training Configuration:",
    `   Data: ${data}`,
    `   Training steps: ${training.numSteps}`,
    `   Batch size: ${training.batchSize}`,
    `   Optimizer: ${optimizerName(settings)}`,
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
