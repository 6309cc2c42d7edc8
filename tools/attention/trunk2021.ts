import { predictEndToEndDistances, predictTrunkDistances, type TrunkModel } from "../fold/trunk2021.ts";
import type { DistanceModel } from "../fold/distance_model.ts";
import { InputError } from "../errors.ts";
import type { AttentionModel } from "./attention_model.ts";

/**
 * A trained trunk of 2021 as its attention is recorded: of pairs along both axes, and of the rows of the MSA where each
 * attends to itself alone. Where it was trained end to end, pairs are of N, CA and C, and their attention is gathered into that
 * of residues.
 */
export function trunk2021Attention(
  { config, load, sequences, checkLength }: DistanceModel & TrunkModel,
): AttentionModel {
  return {
    blocks: config.depth,
    remark: "endToEnd" in config
      ? "The network looks at pairs of N, CA and C. Triangle attention is that of residues: means over their atoms of what " +
        "each gives to all atoms of another."
      : undefined,
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
      using _scope = device.scope("attention");
      const input = { tokens, nRes: rows[0].length };
      await ("endToEnd" in config
        ? predictEndToEndDistances(device, load(device), config, input, { capture })
        : predictTrunkDistances(device, load(device), config, input, { capture }));
    },
  };
}
