import { alphafoldAttention } from "../attention/alphafold.ts";
import { planModels } from "../predict/models.ts";
import { alphafold as workload } from "../profile/workloads/alphafold.ts";
import { currentOpenfoldName } from "../../model/weights/openfold_names.ts";
import { alphafoldNetwork } from "../train/alphafold/network.ts";
import { ABLATIONS, ALPHAFOLD, ALPHAFOLD_OPTIONS, alphafoldDefaults } from "../train/alphafold/options.ts";
import { openAlphaFold } from "../train/alphafold/source.ts";
import { trainable } from "../train/network.ts";
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
  training: trainable({
    ...{ model: alphafoldDefaults().model, training: alphafoldDefaults().training },
    description: "AlphaFold 2",
    help: `trains the whole of AlphaFold 2 from feature files of targets with structures (denofold prep), by the paper's
protocol: crops along the chain, a number of recyclings drawn for each batch, gradients clipped sample by sample
(--max-norm) before they are averaged, Adam, predictions with the moving average. --stage and --size decide the defaults of
all other flags; recipe.json in DIR tells what each was. A batch is computed sample by sample, so it costs time, not memory.
Chains longer than --seq-len are cropped. --hold-out and --validation take names of targets. --without takes parts of the
network or of the loss away, as the paper's study did: ${ABLATIONS.join(", ")}.`,
    own: ALPHAFOLD_OPTIONS,
    defaultsFor: alphafoldDefaults,
    cropsChains: true,
    holdsOutTargets: true,
    unused: {
      flags: ["structures", "msa", "synthetic", "demo", "leaveOneOut", "validateSetup", "weightDecay", "cropEnds"],
      because: "it learns from feature files (--features), with Adam and crops of --seq-len",
    },
    noiseShapes: () => [],
    planSizes: ({ numBlocks }) => ({ blocks: numBlocks }),
    network: alphafoldNetwork,
    open: openAlphaFold,
  }),
  async attention({ path, facts }) {
    if (facts && facts.model !== ALPHAFOLD) return undefined;
    const [model] = await planModels(path, undefined);
    return alphafoldAttention(model);
  },
  recognize(arrays, facts) {
    if (facts) return facts.model === ALPHAFOLD ? parametersText("AlphaFold 2, trained here", arrays) : undefined;
    const presets = fittingPresets(new Map(Array.from(arrays, ([name, array]) => [currentOpenfoldName(name), array])));
    return presets.length ? parametersText(`AlphaFold 2, ${presets.join(" or ")}`, arrays) : undefined;
  },
};
