/**
 * Networks and what they are measured by: one published algorithm a file, a folder for each system.
 *
 * @module
 */
export * from "./alphafold/mod.ts";
export * from "./alphafold/heads/mod.ts";
export * from "./alphafold/losses/mod.ts";
export * from "./alphafold/structure/mod.ts";
export * from "./distance_geometry/mod.ts";
export * from "./equivariant/mod.ts";
export * from "./evoformer/mod.ts";
export * from "./layers/attention.ts";
export * from "./layers/attention_capture.ts";
export * from "./layers/attention_recorder.ts";
export type { PartPlan } from "./layers/in_parts.ts";
export * from "./layers/cross_attention.ts";
export * from "./layers/layer_norm.ts";
export * from "./layers/packed_linear.ts";
export * from "./layers/params.ts";
export * from "./layers/reversible.ts";
export * from "./layers/step.ts";
export * from "./layers/transition.ts";
export * from "./layers/triangle_multiplication.ts";
export * from "./multimer/mod.ts";
export * from "./nnx_evoformer/mod.ts";
export * from "./protein/mod.ts";
export {
  distanceHead,
  distanceLoss,
  documentedParameterCount,
  initTinyOpenFold,
  loadTinyOpenFold,
  type Masks,
  MAX_DISTANCE_ANGSTROM,
  type MsaRowAttentionParams as TinyMsaRowAttentionParams,
  type OuterProductMeanParams as TinyOuterProductMeanParams,
  parameterCount,
  tinyEvoformerBlock,
  type TinyEvoformerBlockParams,
  tinyOpenFold,
  type TinyOpenFoldConfig,
  tinyOpenFoldConfig,
  type TinyOpenFoldInputs,
  type TinyOpenFoldOutputs,
  type TinyOpenFoldParams,
  tinyOpenFoldShapes,
  type TriangleAttentionParams as TinyTriangleAttentionParams,
  type TriangleMultiplicationParams as TinyTriangleMultiplicationParams,
} from "./tiny_openfold/mod.ts";
export * from "./trunk2021/mod.ts";
export * from "./weights/alphafold_names.ts";
export * from "./weights/archive.ts";
export * from "./weights/byte_source.ts";
export * from "./weights/load_weights.ts";
export * from "./weights/names.ts";
export { openNpz } from "./weights/npz.ts";
export * from "./weights/openfold_names.ts";
export { type OpenfoldWeights, openfoldWeights, type WeightNaming } from "./weights/openfold_weights.ts";
export { alphafoldEntries, type AlphafoldHeads } from "./weights/to_alphafold.ts";
export { encodeStateDict, openTorch } from "./weights/torch.ts";
export { treeEntries } from "./weights/tree_entries.ts";
export * from "./weights/weight_file.ts";
export * from "./weights/npy.ts";
export * from "./weights/safetensors.ts";
