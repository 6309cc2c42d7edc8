import { predictTrunkDistances, type TrunkModel } from "../fold/trunk2021.ts";
import type { DistanceModel } from "../fold/distance_model.ts";
import { InputError } from "../errors.ts";
import type { AttentionModel } from "./attention_model.ts";

/**
 * A trained trunk of 2021 as its attention is recorded: of pairs along both axes, and of the rows of the MSA where each
 * attends to itself alone.
 */
export function trunk2021Attention(
  { config, load, sequences, checkLength }: DistanceModel & TrunkModel,
): AttentionModel {
  return {
    blocks: config.depth,
    sequences,
    kinds: [
      ...(config.interMsaSelfAttn ? [] : ["msaRowAttention" as const]),
      ...(["triangleAttentionStarting", "triangleAttentionEnding"] as const),
    ],
    headsOf: () => config.heads,
    checkLength,
    async run(device, { rows, tokens }, capture) {
      if (rows.length === 1 && !config.interMsaSelfAttn) {
        throw new InputError(
          "Cannot record row attention of an alignment of 1 row: the trunk runs without an MSA then",
        );
      }
      if ("endToEnd" in config) {
        throw new InputError(
          "Cannot record the attention of a network that was trained end to end: it looks at three atoms a residue",
        );
      }
      using _scope = device.scope("attention");
      await predictTrunkDistances(device, load(device), config, { tokens, nRes: rows[0].length }, { capture });
    },
  };
}
