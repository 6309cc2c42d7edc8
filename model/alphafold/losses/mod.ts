/**
 * AlphaFold 2's losses, each `[batch]` before it is weighed, all with gradients. `alphafoldLoss` is what a training step
 * takes; `alphafoldLossConfig` has the weights of initial training and of fine-tuning.
 *
 * @module
 */
export {
  type AlphaFoldLoss,
  alphafoldLoss,
  type LossOutputs,
  type LossTerm,
  type LossTruth,
} from "./alphafold_loss.ts";
export { backboneFapeLoss, type BackboneTruth } from "./backbone_fape_loss.ts";
export { type AlphaFoldLossConfig, alphafoldLossConfig, type LossChoices, type WeightedTerm } from "./config.ts";
export { distogramLoss, type DistogramLossOptions } from "./distogram_loss.ts";
export { experimentallyResolvedLoss, type ResolvedLossOptions } from "./experimentally_resolved_loss.ts";
export { type FapeInputs, type FapeOptions, frameAlignedPointError } from "./fape.ts";
export { type LddtCa, lddtCa, lddtLoss, type LddtLossOptions } from "./lddt_loss.ts";
export { maskedMsaLoss } from "./masked_msa_loss.ts";
export { type AtomTruth, renamedGroundTruth, type RenamedTruth } from "./renamed_ground_truth.ts";
export { gatedByResolution, RESOLUTION_RANGE } from "./resolution_gate.ts";
export { type RigidGroupTruth, sidechainFapeLoss } from "./sidechain_fape_loss.ts";
export { type ChiTruth, supervisedChiLoss, type SupervisedChiOptions } from "./supervised_chi_loss.ts";
export { tmLoss, type TmLossOptions } from "./tm_loss.ts";
export { betweenResidueBonds, type BondOptions, type BondViolations, type ChainFacts } from "./violations/bonds.ts";
export { betweenResidueClashes, type ClashOptions, type ClashViolations } from "./violations/clashes.ts";
export {
  type StructuralViolations,
  structuralViolations,
  violationLoss,
  type ViolationLossOptions,
  type ViolationOptions,
} from "./violations/structural_violations.ts";
export { type ResidueBounds, withinResidues, type WithinViolations } from "./violations/within_residues.ts";
