/** The Evoformer block of the Flax notebook. */
export { nnxEvoformerBlock, nnxLoss, type NnxRepresentations } from "./block.ts";
export { type NnxEvoformerConfig, nnxEvoformerConfig } from "./config.ts";
export { type NnxAttentionOptions, nnxGatedMha, nnxOuterProductMean, nnxTriangleUpdate } from "./modules.ts";
export {
  flaxName,
  initNnxEvoformer,
  loadNnxEvoformer,
  type NnxAttentionParams,
  nnxEvoformerParameterCount,
  type NnxEvoformerParams,
  nnxEvoformerParamShapes,
  nnxEvoformerShapes,
  type NnxGatedMhaParams,
  type NnxOuterProductMeanParams,
  type NnxTransitionParams,
  type NnxTriangleParams,
  transposed,
} from "./params.ts";
