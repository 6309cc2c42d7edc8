import { noGrad, type Tensor } from "../../core/mod.ts";
import { reshape } from "../../ops/mod.ts";
import { interfaceTmScore } from "../multimer/heads/interface_tm_score.ts";
import type { AlphaFoldOutputs } from "./alphafold.ts";
import { distogramHead } from "./heads/distogram_head.ts";
import { experimentallyResolvedHead } from "./heads/experimentally_resolved_head.ts";
import { maskedMsaHead } from "./heads/masked_msa_head.ts";
import type { HeadsParams } from "./heads/params.ts";
import { plddt, plddtHead } from "./heads/plddt_head.ts";
import { predictedTmScore, predictPairErrors, tmHead } from "./heads/tm_head.ts";
import type { LossOutputs } from "./losses/alphafold_loss.ts";

/**
 * What the loss reads of an iteration: its structures, and the logits of all heads.
 *
 * @param outputs With the MSA representation and all iterations of the structure module.
 * @returns Owned by the current scope.
 * @throws {TypeError} If the MSA representation was not kept.
 */
export function lossOutputs(params: HeadsParams, outputs: AlphaFoldOutputs): LossOutputs {
  const { m, z, s, structure, positions } = outputs;
  if (!m) throw new TypeError("The loss reads the MSA representation: run alphafold() with msa: true");
  using scope = z.device.scope("heads");
  return scope.keep({
    trajectory: structure.trajectory,
    atomPositions: positions,
    plddtLogits: plddtHead(params.plddt, structure.single),
    distogramLogits: distogramHead(params.distogram, z),
    maskedMsaLogits: maskedMsaHead(params.maskedMsa, m),
    experimentallyResolvedLogits: experimentallyResolvedHead(params.experimentallyResolved, s),
    ...(params.tm && { tmLogits: tmHead(params.tm, z) }),
  });
}

/** How sure the network is of a structure. */
export type Confidence = {
  /** Of each residue, 0 … 100, `[batch, N_res]`. */
  readonly plddt: Tensor;
  /** Predicted aligned error (PAE), Å, `[batch, N_res, N_res]`; absent in models without pTM. */
  readonly alignedErrors?: Tensor;
  /** Predicted TM score, `[batch]`; absent in models without pTM. */
  readonly tmScore?: Tensor;
  /** Predicted TM score of the interfaces (ipTM), `[batch]`; of complexes alone. */
  readonly interfaceTmScore?: Tensor;
  /** What TM scores are means of, see `PairErrors.tmTerms`: `[batch, N_res, N_res]`; of complexes alone. */
  readonly tmTerms?: Tensor;
};

/**
 * How sure the network is of a structure. Logits of pairs are made and used up in parts.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 29 and 1.9.7.
 *
 * @param seqMask 1 for residues that count in the TM score, 0 for padding, `[batch, N_res]`. @default all do
 * @param asymId Which chain of a complex a residue is of, i32 `[batch, N_res]`. @default all are of one
 * @returns Owned by the current scope; no gradient flows to it.
 */
export function confidence(
  params: HeadsParams,
  { z, structure }: AlphaFoldOutputs,
  seqMask?: Tensor,
  asymId?: Tensor,
): Confidence {
  const { device } = z;
  using scope = device.scope("confidence");
  return scope.keep(noGrad(device, () => {
    const ofResidues = plddt(plddtHead(params.plddt, structure.single));
    if (!params.tm) return { plddt: ofResidues };
    const { alignedErrors, tmTerms } = predictPairErrors(params.tm, z, { residueWeights: seqMask });
    const tmScore = reshape(predictedTmScore(tmTerms, seqMask), [z.shape[0]]);
    const ofComplex = asymId && { tmTerms, interfaceTmScore: interfaceTmScore(tmTerms, asymId, seqMask) };
    return { plddt: ofResidues, alignedErrors, tmScore, ...ofComplex };
  }));
}
