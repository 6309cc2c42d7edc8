import { tiny as forward } from "../profile/workloads/tiny.ts";
import { trainStep } from "../profile/workloads/train_step.ts";
import { tinyAttention } from "../attention/tiny_openfold.ts";
import { RELATIVE_POSITION_CLASSES } from "../fold/features.ts";
import { readTrainedModel, TINY_OPENFOLD, tinyDistanceModel } from "../fold/predict.ts";
import { openTiny } from "../train/data.ts";
import { trainable } from "../train/network.ts";
import { DEFAULT_MODEL, DEFAULT_TRAINING } from "../train/settings.ts";
import { tinyOpenFoldNetwork } from "../train/tiny_openfold.ts";
import { type NetworkRow, parametersText, PLAN_FLAGS } from "./network_row.ts";

/** The small Evoformer. */
export const tiny: NetworkRow = {
  title: "the small Evoformer",
  workloads: { "train-step": trainStep, "tiny": forward },
  plan: {
    forward: "tiny",
    train: "train-step",
    defaults: {},
    flags: { ...PLAN_FLAGS, blocks: "blocks", cM: "msa-dim", cZ: "pair-dim" },
  },
  training: trainable({
    model: DEFAULT_MODEL,
    training: DEFAULT_TRAINING,
    description: "the small Evoformer",
    noiseShapes: ({ model: { seqLen, numSeqs, msaDim, pairDim }, training: { batchSize } }) => [
      [batchSize, seqLen, seqLen, Math.max(pairDim, RELATIVE_POSITION_CLASSES)],
      [batchSize, numSeqs, seqLen, msaDim],
    ],
    planSizes: ({ numBlocks, msaDim, pairDim }) => ({ blocks: numBlocks, cM: msaDim, cZ: pairDim }),
    network: tinyOpenFoldNetwork,
    open: openTiny,
  }),
  distances: tinyDistanceModel,
  attention: async ({ path, facts }) =>
    facts?.model === TINY_OPENFOLD ? tinyAttention(await readTrainedModel(path)) : undefined,
  recognize: (arrays, facts) =>
    facts?.model === TINY_OPENFOLD ? parametersText("the small Evoformer", arrays) : undefined,
};
