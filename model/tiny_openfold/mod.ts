/** The small educational Evoformer, "TinyOpenFold". */
export { documentedParameterCount, type TinyOpenFoldConfig, tinyOpenFoldConfig } from "./config.ts";
export {
  type Masks,
  msaRowAttentionWithPairBias,
  outerProductMean,
  tinyEvoformerBlock,
  triangleAttention,
} from "./evoformer_block.ts";
export {
  distanceHead,
  distanceLoss,
  MAX_DISTANCE_ANGSTROM,
  tinyOpenFold,
  type TinyOpenFoldInputs,
  type TinyOpenFoldOutputs,
} from "./model.ts";
export {
  initTinyOpenFold,
  loadTinyOpenFold,
  type MsaRowAttentionParams,
  type OuterProductMeanParams,
  parameterCount,
  type TinyEvoformerBlockParams,
  type TinyOpenFoldParams,
  tinyOpenFoldShapes,
  type TriangleAttentionParams,
  type TriangleMultiplicationParams,
} from "./params.ts";
export { triangleMultiplication } from "./triangle_multiplication.ts";
