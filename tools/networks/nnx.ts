import { nnx as forward } from "../profile/workloads/nnx.ts";
import { nnxTrainStep } from "../profile/workloads/train_step.ts";
import { trainable } from "../train/network.ts";
import { nnxNetwork, openNnx } from "../train/nnx_evoformer.ts";
import { NNX_EVOFORMER, NNX_MODEL, NNX_TRAINING } from "../train/settings.ts";
import { type NetworkRow, parametersText, PLAN_FLAGS } from "./network_row.ts";

/** The Flax notebook's block. */
export const nnx: NetworkRow = {
  title: "the Flax notebook's Evoformer block",
  workloads: { "nnx-train-step": nnxTrainStep, "nnx": forward },
  plan: {
    forward: "nnx",
    train: "nnx-train-step",
    defaults: {},
    flags: { ...PLAN_FLAGS, cM: "c-m", cZ: "c-z" },
  },
  training: trainable({
    model: NNX_MODEL,
    training: NNX_TRAINING,
    description: "the Flax notebook's block",
    help: `trains the Evoformer block of a Flax notebook as its cells do: one block, towards zeros, with Adam, on a new
batch of normal random numbers each step. Parameters and data are those that JAX and Flax draw from the same seed, so
that the losses are the notebook's own.`,
    unused: {
      flags: [
        "structures",
        "msa",
        "features",
        "list",
        "validation",
        "skipBad",
        "validationEvery",
        "patience",
        "holdOut",
        "leaveOneOut",
        "demo",
        "validateSetup",
        "numBlocks",
        "weightDecay",
        "cropEnds",
      ],
      because: "the notebook trains one block on noise with Adam",
    },
    learnsNoise: true,
    noiseShapes: ({ model: { seqLen, numSeqs, msaDim, pairDim }, training: { batchSize } }) => [
      [batchSize, seqLen, seqLen, pairDim],
      [batchSize, numSeqs, seqLen, msaDim],
    ],
    planSizes: ({ numBlocks, msaDim, pairDim }) => ({ blocks: numBlocks, cM: msaDim, cZ: pairDim }),
    network: nnxNetwork,
    open: (settings) => Promise.resolve(openNnx(settings)),
  }),
  recognize: (arrays, facts) =>
    facts?.model === NNX_EVOFORMER ? parametersText("the Flax notebook's Evoformer block", arrays) : undefined,
};
