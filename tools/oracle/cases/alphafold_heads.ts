import {
  alignedErrorCenters,
  distogramHead,
  experimentallyResolvedHead,
  type HeadsConfig,
  headsConfig,
  headsShapes,
  type LinearHeadParams,
  maskedMsaHead,
  pairErrors,
  plddt,
  plddtHead,
  type PlddtHeadParams,
  predictedTmScore,
  predictPairErrors,
  tmHead,
} from "../../../model/alphafold/heads/mod.ts";
import type { ParamShapes } from "../../../model/layers/params.ts";
import { softmax } from "../../../ops/mod.ts";
import type { Family } from "../family.ts";
import type { Golden } from "../golden.ts";
import { moduleFamily } from "./_module.ts";

const SOURCE = /^openfold\/model\/heads\.py/;

/** Keys of the golden configuration and what they are called here, for one head. */
type Keys = Readonly<Record<string, keyof HeadsConfig>>;

function shapesOf(head: string, keys: Keys) {
  return ({ config }: Golden): ParamShapes => {
    const given = Object.fromEntries(Object.entries(keys).map(([key, name]) => [name, config[key]]));
    return (headsShapes(headsConfig({ tm: true, ...given })) as Readonly<Record<string, ParamShapes>>)[head];
  };
}

/** AlphaFold 2's heads as OpenFold computes them. */
export const ALPHAFOLD_HEADS: readonly Family[] = [
  moduleFamily<PlddtHeadParams>({
    prefix: "plddt_head",
    source: SOURCE,
    shapes: shapesOf("plddt", { no_bins: "plddtBins", c_in: "cS", c_hidden: "plddtHidden" }),
    inputs: ["s"],
    run(params, { s }) {
      const logits = plddtHead(params, s);
      return { lddt_logits: logits, plddt: plddt(logits) };
    },
  }),
  moduleFamily<LinearHeadParams>({
    prefix: "distogram_head",
    source: SOURCE,
    shapes: shapesOf("distogram", { c_z: "cZ", no_bins: "distogramBins" }),
    inputs: ["z"],
    run: (params, { z }) => ({ distogram_logits: distogramHead(params, z) }),
  }),
  moduleFamily<LinearHeadParams>({
    prefix: "masked_msa_head",
    source: SOURCE,
    shapes: shapesOf("maskedMsa", { c_m: "cM", c_out: "msaClasses" }),
    inputs: ["m"],
    run: (params, { m }) => ({ masked_msa_logits: maskedMsaHead(params, m) }),
  }),
  moduleFamily<LinearHeadParams>({
    prefix: "experimentally_resolved_head",
    source: SOURCE,
    shapes: shapesOf("experimentallyResolved", { c_s: "cS" }),
    inputs: ["s"],
    run: (params, { s }) => ({ experimentally_resolved_logits: experimentallyResolvedHead(params, s) }),
  }),
  moduleFamily<LinearHeadParams>({
    prefix: "tm_head",
    source: SOURCE,
    shapes: shapesOf("tm", { c_z: "cZ", no_bins: "tmBins" }),
    inputs: ["z"],
    constants: { residue_weights: "f32" },
    run(params, { z }, { residue_weights: residueWeights }, golden) {
      const maxBin = golden.number("max_bin");
      const logits = tmHead(params, z);
      const errors = pairErrors(logits, { maxBin });
      const weighted = predictPairErrors(params, z, { maxBin, residueWeights });
      const centers = alignedErrorCenters(golden.number("no_bins"), maxBin);
      return {
        tm_logits: logits,
        ptm: predictedTmScore(errors.tmTerms),
        ptm_weighted: predictedTmScore(weighted.tmTerms, residueWeights),
        aligned_confidence_probs: softmax(logits),
        predicted_aligned_error: weighted.alignedErrors,
        max_predicted_aligned_error: z.device.tensor([centers.at(-1)!], []),
      };
    },
  }),
];
