import type { WorkloadFlag } from "./mod.ts";

/** What the way back may compute again instead of keeping it. */
export const RECOMPUTE = ["nothing", "block", "module", "nested"] as const;

/** The flag for it. */
export const RECOMPUTE_FLAG: WorkloadFlag = {
  ...{ name: "recompute", value: "nothing", choices: RECOMPUTE },
  description: "what the way back computes again instead of keeping it",
};
