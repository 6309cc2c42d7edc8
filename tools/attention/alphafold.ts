import { Key } from "../../core/mod.ts";
import { recycledAlphaFold } from "../../model/alphafold/mod.ts";
import { makeSequenceFeatures } from "../data/features/chain.ts";
import { hhblitsToken } from "../data/features/msa.ts";
import { makeNetworkInputs } from "../data/features/network_inputs.ts";
import type { PlannedModel } from "../predict/planned_model.ts";
import { loadNetwork, onlyWhile } from "../predict/network.ts";
import { deviceFeatures } from "../predict/network_inputs.ts";
import type { AttentionModel } from "./attention_model.ts";

/**
 * AlphaFold 2 as its attention is recorded: the Evoformer's in the last iteration of recycling. It reads all rows in the main
 * stack, in their order, without insertions and with no residue hidden, and no templates.
 */
export function alphafoldAttention({ config, open }: Pick<PlannedModel, "config" | "open">): AttentionModel {
  const { nBlock, nHeadMsa, nHeadPair } = config.evoformer;
  return {
    blocks: nBlock,
    sequences: config.data.maxMsaClusters,
    headsOf: (kind) => kind.startsWith("msa") ? nHeadMsa : nHeadPair,
    checkLength() {},
    async run(device, { rows }, capture) {
      using weights = await open();
      using _scope = device.scope("attention");
      const network = await loadNetwork(device, config, weights.entries);
      const msa = Int32Array.from(rows.flatMap((row) => Array.from(row, hhblitsToken)));
      const selected = Int32Array.from(rows.keys());
      const alignment = { msa, deletion_matrix_int: new Int32Array(msa.length) };
      const inputs = makeNetworkInputs(makeSequenceFeatures(rows[0]), alignment, Key.fromSeed(0), {
        maxMsaClusters: rows.length,
        maskedMsa: false,
        choices: { rows: { selected, others: new Int32Array(0) } },
      });
      const sizes = { residues: rows[0].length, clusters: rows.length, extra: 1, templates: 0 };
      const features = deviceFeatures(device, inputs, undefined, sizes);
      const { maxRecycles } = config.recycling;
      let iteration = 0;
      await recycledAlphaFold(network.params, (index) => (iteration = index, features), config, {
        tolerance: 0,
        capture: onlyWhile(capture, () => iteration === maxRecycles),
      });
    },
  };
}
