import { evoformer as workload } from "../profile/workloads/evoformer.ts";
import { type NetworkRow, PLAN_FLAGS } from "./network_row.ts";

/** AlphaFold 2's Evoformer by itself. */
export const evoformer: NetworkRow = {
  title: "AlphaFold 2's Evoformer",
  workloads: { "evoformer": workload },
  plan: {
    forward: "evoformer",
    train: "evoformer",
    defaults: { blocks: 48 },
    flags: { ...PLAN_FLAGS, blocks: "blocks", cM: "c-m", cZ: "c-z", recompute: "recompute" },
  },
};
