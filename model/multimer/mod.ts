/**
 * AlphaFold-Multimer: in what it differs from AlphaFold 2, whose network (`alphafold`) runs it by its configuration. Everything
 * is batch first.
 *
 * | what | differs in |
 * |---|---|
 * | `relativeEncoding` | offsets along chains, and among copies of a chain |
 * | `addMultimerTemplatePairs`, `multimerTemplateRows` | templates within chains; the mean over them |
 * | `multimerPointAttention`, `quatRigid` | projections of their own; frames as matrices |
 * | `interfaceTmScore`, `interfaceTmScores`, `rankingScore` | ipTM, of all and of pairs of chains; 0.8 ipTM + 0.2 pTM |
 * | `multimerBackboneFape`, `chainCenterOfMassLoss` | errors within and between chains; chains that are too close |
 * | `alignChains`, `truthRows` | which true chain a predicted one stands for |
 *
 * @module
 */
export { MULTIMER, type MultimerConfig, relativeFeatures } from "./config.ts";
export { interfaceTmScore, interfaceTmScores, rankingScore } from "./heads/interface_tm_score.ts";
export { multimerBackboneFape, type WeightedFape } from "./losses/backbone_fape.ts";
export { type CenterOfMassOptions, chainCenterOfMassLoss } from "./losses/chain_center_of_mass_loss.ts";
export {
  alignChains,
  type ChainPair,
  type ComplexTrace,
  type PredictedTrace,
  truthRows,
} from "./losses/chain_permutation.ts";
export { type ChainIds, type RelativeEncoding, relativeEncoding } from "./relative_encoding.ts";
export { multimerPointAttention, pointProjection } from "./structure/invariant_point_attention.ts";
export { type MultimerPointAttentionParams, multimerPointAttentionShapes } from "./structure/params.ts";
export { moveFrames, quatRigid, scaleTranslations, stopRotations } from "./structure/rigid_update.ts";
export {
  MULTIMER_TEMPLATE_ANGLE_FEATURES,
  type MultimerTemplateEmbedderParams,
  multimerTemplateEmbedderShapes,
  type MultimerTemplatePairEmbedderParams,
  multimerTemplatePairEmbedderShapes,
  type MultimerTemplateSingleEmbedderParams,
  multimerTemplateSingleEmbedderShapes,
} from "./templates/params.ts";
export { addMultimerTemplatePairs, multimerTemplateRows } from "./templates/template_embedder.ts";
export {
  embedMultimerTemplatePairs,
  sameChain,
  type TemplateGeometry,
  templateGeometry,
  type TemplatePairInputs,
} from "./templates/template_pair_embedder.ts";
export {
  embedMultimerTemplateRows,
  multimerTemplateFeatures,
  type TemplateRowFeatures,
} from "./templates/template_single_embedder.ts";
