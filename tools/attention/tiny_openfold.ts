import { checkLength, predictDistances, type TrainedModel } from "../fold/predict.ts";
import type { AttentionModel } from "./attention_model.ts";

/** A trained small Evoformer as its attention is recorded. */
export function tinyAttention({ config, load }: Pick<TrainedModel, "config" | "load">): AttentionModel {
  return {
    blocks: config.nBlocks,
    sequences: config.nSeqs,
    headsOf: (kind) => kind.startsWith("msa") ? config.nHeadsMsa : config.nHeadsPair,
    checkLength: (nRes, owner) => checkLength(nRes, config, owner),
    async run(device, { rows, tokens }, capture) {
      using _scope = device.scope("attention");
      await predictDistances(device, load(device), config, { tokens, nRes: rows[0].length }, { capture });
    },
  };
}
