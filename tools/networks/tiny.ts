import { tiny as forward } from "../profile/workloads/tiny.ts";
import { trainStep } from "../profile/workloads/train_step.ts";
import { type NetworkRow, PLAN_FLAGS } from "./network_row.ts";

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
};
