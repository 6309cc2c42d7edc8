import { trunk2021Attention } from "../attention/trunk2021.ts";
import { readCheckpoint } from "../fold/distance_model.ts";
import { trunkDistanceModel } from "../fold/trunk2021.ts";
import { trunk2021Forward, trunk2021TrainStep } from "../profile/workloads/trunk2021.ts";
import { trainable } from "../train/network.ts";
import { TRUNK_2021, TRUNK_2021_MODEL, TRUNK_2021_TRAINING } from "../train/settings.ts";
import { openTrunk2021, trunk2021Network, TRUNK_2021_OPTIONS, TRUNK_2021_OWN } from "../train/trunk2021.ts";
import { type NetworkRow, parametersText, PLAN_FLAGS } from "./network_row.ts";

/** The trunk of 2021. */
export const trunk2021: NetworkRow = {
  title: "the trunk of 2021",
  workloads: { "trunk2021": trunk2021Forward, "trunk2021-train-step": trunk2021TrainStep },
  plan: {
    forward: "trunk2021",
    train: "trunk2021-train-step",
    defaults: {},
    flags: {
      ...PLAN_FLAGS,
      ...{ depth: "depth", dim: "dim", heads: "heads", dimHead: "dim-head" },
      ...{ crossAttnCompressRatio: "cross-attn-compress-ratio", reversible: "reversible", sparse: "sparse" },
      ...{ endToEnd: "end-to-end", refiner: "refiner", refinerAtoms: "refiner-atoms" },
      ...{ refinerDim: "refiner-dim", refinerDepth: "refiner-depth" },
    },
  },
  training: trainable({
    model: TRUNK_2021_MODEL,
    training: TRUNK_2021_TRAINING,
    description: "the trunk of early 2021",
    help:
      `trains the trunk that was published in early 2021 as a reading of AlphaFold 2: pairs of residues attend along both
axes of their grid, the MSA to itself, and both to each other; it learns a distogram of 37 bins from 2 to 20 Å, with Adam and
the gradients of 16 samples a step. It learns from --structures without --msa too. Its choices have the names of the original.
With --end-to-end it learns from atoms instead: N, CA and C of every residue go through the trunk, the distogram becomes points
by multidimensional scaling, and a refiner (--refiner) moves them; the loss is their deviation after superposition.`,
    unused: {
      flags: ["demo", "weightDecay"],
      because: "it is trained with Adam, and the demo is the small Evoformer's",
    },
    own: TRUNK_2021_OPTIONS,
    defaultsFor: () => ({ model: TRUNK_2021_MODEL, training: TRUNK_2021_TRAINING, own: TRUNK_2021_OWN }),
    withoutMsa: true,
    noiseShapes: ({ model: { seqLen, numSeqs, dim }, training: { batchSize } }) => [
      [batchSize, seqLen, seqLen, dim],
      [batchSize, numSeqs, seqLen, dim],
    ],
    planSizes: ({ depth, dim, heads, dimHead, crossAttnCompressRatio, reversible, sparseSelfAttn }) => ({
      ...{ depth, dim, heads, dimHead, crossAttnCompressRatio },
      ...(reversible && { reversible }),
      ...(sparseSelfAttn && { sparse: true }),
    }),
    network: trunk2021Network,
    open: openTrunk2021,
  }),
  distances: trunkDistanceModel,
  attention: async ({ path, facts }) =>
    facts?.model === TRUNK_2021 ? trunk2021Attention(trunkDistanceModel(await readCheckpoint(path), path)) : undefined,
  recognize(arrays, facts) {
    if (facts?.model !== TRUNK_2021) return undefined;
    const own = Object(Object(facts.config).endToEnd), kind = Object(own.refiner).kind;
    const refiner = typeof kind === "string" ? `with a refiner (${kind})` : "without a refiner";
    const whole = "atoms" in own ? ` trained end to end ${refiner}` : "";
    return parametersText(`the trunk of 2021${whole}`, arrays);
  },
};
