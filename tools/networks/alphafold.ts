import { alphafoldAttention } from "../attention/alphafold.ts";
import { planModels } from "../predict/models.ts";
import { alphafold as workload } from "../profile/workloads/alphafold.ts";
import { currentOpenfoldName } from "../../model/weights/openfold_names.ts";
import { fittingPresets } from "../weights/presets.ts";
import { type NetworkRow, parametersText, PLAN_FLAGS } from "./network_row.ts";

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
      weightsDtype: "weights-dtype",
    },
  },
  async attention({ path, facts }) {
    if (facts) return undefined;
    const [model] = await planModels(path, undefined);
    return alphafoldAttention(model);
  },
  recognize(arrays, facts) {
    if (facts) return undefined;
    const presets = fittingPresets(new Map(Array.from(arrays, ([name, array]) => [currentOpenfoldName(name), array])));
    return presets.length ? parametersText(`AlphaFold 2, ${presets.join(" or ")}`, arrays) : undefined;
  },
};
