import type { Tensor } from "../../../core/mod.ts";
import {
  alignedErrorCenters,
  distogramHead,
  experimentallyResolvedHead,
  headsConfig,
  type HeadsParams,
  headsShapes,
  type LinearHeadParams,
  maskedMsaHead,
  pairErrors,
  plddt,
  plddtHead,
  predictedTmScore,
  predictPairErrors,
  tmHead,
} from "../../../model/alphafold/heads/mod.ts";
import type { ParamShapes } from "../../../model/layers/params.ts";
import { interfaceTmScore } from "../../../model/multimer/mod.ts";
import { add, multiplyScalar, reshape, softmax } from "../../../ops/mod.ts";
import type { Family } from "../family.ts";
import { recordOf } from "../golden.ts";
import { moduleFamily } from "./_module.ts";

const SOURCE = /^openfold\/model\/heads\.py/;

/** Sizes of heads by the names of the cases, with those that a case of a single head lacks. */
function shapesOf(config: Readonly<Record<string, unknown>>): Readonly<Record<string, ParamShapes>> {
  const part = (name: string) => recordOf(config[name]);
  const sizes = {
    cM: part("masked_msa").c_m ?? config.c_m,
    cZ: part("tm").c_z ?? config.c_z,
    cS: part("lddt").c_in,
    plddtBins: part("lddt").no_bins,
    plddtHidden: part("lddt").c_hidden,
    distogramBins: part("distogram").no_bins,
    msaClasses: part("masked_msa").c_out ?? config.c_out,
    tmBins: part("tm").no_bins ?? config.no_bins,
  };
  const given = Object.fromEntries(Object.entries(sizes).filter(([, value]) => value !== undefined));
  return headsShapes(headsConfig({ tm: true, ...given })) as Readonly<Record<string, ParamShapes>>;
}

/** pTM, ipTM and what they are ranked by. */
function scoresOf(tmTerms: Tensor, asymId: Tensor, { iptm_weight, ptm_weight }: Readonly<Record<string, unknown>>) {
  const ptm = reshape(predictedTmScore(tmTerms), [1]), iptm = interfaceTmScore(tmTerms, asymId);
  const weighted = add(multiplyScalar(iptm, Number(iptm_weight)), multiplyScalar(ptm, Number(ptm_weight)));
  return { ptm_score: ptm, iptm_score: iptm, weighted_ptm_score: weighted };
}

/** AlphaFold-Multimer's heads as OpenFold computes them. */
export const MULTIMER_HEADS: readonly Family[] = [
  moduleFamily<LinearHeadParams>({
    prefix: "tm_head_multimer",
    source: SOURCE,
    complexes: true,
    shapes: ({ config }) => shapesOf(config).tm,
    inputs: ["z"],
    constants: { residue_weights: "f32", asym_id: "i32" },
    run(params, { z }, { residue_weights: residueWeights, asym_id: asymId }, golden) {
      const maxBin = golden.number("max_bin");
      const logits = tmHead(params, z);
      const errors = pairErrors(logits, { maxBin });
      const weighted = predictPairErrors(params, z, { maxBin, residueWeights });
      const oneChain = z.device.zeros(asymId.shape, "i32");
      return {
        tm_logits: logits,
        ...scoresOf(errors.tmTerms, asymId, golden.config),
        ptm_score_residue_weights: predictedTmScore(weighted.tmTerms, residueWeights),
        iptm_score_residue_weights: interfaceTmScore(weighted.tmTerms, asymId, residueWeights),
        iptm_score_one_chain: interfaceTmScore(errors.tmTerms, oneChain),
        aligned_confidence_probs: softmax(logits),
        predicted_aligned_error: weighted.alignedErrors,
        max_predicted_aligned_error: z.device.tensor(
          [alignedErrorCenters(golden.number("no_bins"), maxBin).at(-1)!],
          [],
        ),
      };
    },
  }),
  moduleFamily<LinearHeadParams>({
    prefix: "masked_msa_head_multimer",
    source: SOURCE,
    complexes: true,
    shapes: ({ config }) => shapesOf(config).maskedMsa,
    inputs: ["m"],
    run: (params, { m }) => ({ logits: maskedMsaHead(params, m) }),
  }),
  moduleFamily<HeadsParams>({
    prefix: "auxiliary_heads_multimer",
    source: SOURCE,
    complexes: true,
    shapes: ({ config }) => shapesOf(config),
    inputs: ["sm_single", "single", "pair", "msa"],
    constants: { asym_id: "i32" },
    run(params, { sm_single, single, pair, msa }, { asym_id: asymId }, golden) {
      const lddt = plddtHead(params.plddt, sm_single);
      const logits = tmHead(params.tm!, pair);
      const { alignedErrors, tmTerms } = pairErrors(logits);
      return {
        lddt_logits: lddt,
        plddt: plddt(lddt),
        distogram_logits: distogramHead(params.distogram, pair),
        masked_msa_logits: maskedMsaHead(params.maskedMsa, msa),
        experimentally_resolved_logits: experimentallyResolvedHead(params.experimentallyResolved, single),
        tm_logits: logits,
        ...scoresOf(tmTerms, asymId, recordOf(golden.config.tm)),
        aligned_confidence_probs: softmax(logits),
        predicted_aligned_error: alignedErrors,
        max_predicted_aligned_error: pair.device.tensor([alignedErrorCenters(logits.shape[3]).at(-1)!], []),
      };
    },
  }),
];
