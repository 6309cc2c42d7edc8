import { nnx as forward } from "../profile/workloads/nnx.ts";
import { nnxTrainStep } from "../profile/workloads/train_step.ts";
import { type NetworkRow, PLAN_FLAGS } from "./network_row.ts";

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
};
