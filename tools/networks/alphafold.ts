import { alphafold as workload } from "../profile/workloads/alphafold.ts";
import { type NetworkRow, PLAN_FLAGS } from "./network_row.ts";

/** AlphaFold 2. */
export const alphafold: NetworkRow = {
  title: "AlphaFold 2",
  workloads: { "alphafold": workload },
  plan: {
    forward: "alphafold",
    train: "alphafold",
    defaults: { blocks: 48 },
    flags: {
      ...PLAN_FLAGS,
      nExtra: "n-extra",
      nTemplates: "n-templates",
      preset: "preset",
      blocks: "blocks",
      recompute: "recompute",
    },
  },
};
