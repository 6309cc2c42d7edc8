/** The Evoformer of AlphaFold 2. */
export { evoformerBlock, extraMsaBlock, type Representations } from "./block.ts";
export { type EvoformerConfig, evoformerConfig, extraMsaConfig } from "./config.ts";
export { msaColumnAttention } from "./msa_column_attention.ts";
export { msaColumnGlobalAttention, type MsaGlobalAttentionOptions } from "./msa_column_global_attention.ts";
export { type MsaAttentionOptions, msaRowAttentionWithPairBias } from "./msa_row_attention.ts";
export { msaTransition } from "./msa_transition.ts";
export { outerProductMean, type OuterProductMeanOptions } from "./outer_product_mean.ts";
export { type BlockOptions, pairStack, type PairStackConfig, type Recompute } from "./pair_stack.ts";
export { pairTransition } from "./pair_transition.ts";
export {
  type BlockParams,
  evoformerBlockParameterCount,
  type EvoformerBlockParams,
  evoformerBlockShapes,
  evoformerShapes,
  type EvoformerStackParams,
  type ExtraMsaBlockParams,
  extraMsaBlockShapes,
  extraMsaShapes,
  type ExtraMsaStackParams,
  type FindParameter,
  type FusedTriangleEdgesParams,
  initEvoformer,
  initExtraMsaStack,
  loadEvoformer,
  loadExtraMsaStack,
  type MsaColumnAttentionParams,
  type MsaColumnGlobalAttentionParams,
  type MsaRowAttentionParams,
  type NormalizedTransitionParams,
  type OuterProductMeanParams,
  type PairStackParams,
  pairStackShapes,
  type PairStackSizes,
  type TriangleAttentionParams,
  type TriangleEdgesParams,
  type TriangleMultiplicationParams,
} from "./params.ts";
export { evoformerStack, extraMsaStack } from "./stack.ts";
export {
  triangleAttentionEndingNode,
  type TriangleAttentionOptions,
  triangleAttentionStartingNode,
} from "./triangle_attention.ts";
export {
  triangleMultiplicationIncoming,
  type TriangleMultiplicationOptions,
  triangleMultiplicationOutgoing,
} from "./triangle_multiplication.ts";
