import type { WorkloadFlag } from "./workload.ts";

/** What the way back may compute again instead of keeping it; the later, the less memory it takes. */
export const RECOMPUTE = ["nothing", "module", "block", "nested"] as const;

/** The flag for it. */
export const RECOMPUTE_FLAG: WorkloadFlag = {
  ...{ name: "recompute", value: "nothing", choices: RECOMPUTE },
  description: "what the way back computes again instead of keeping it",
};
