/** The trunk of early 2021, published as a reading of AlphaFold 2 before its description came out. */
export {
  type Trunk2021AttentionOptions,
  trunk2021AxialAttention,
  trunk2021CrossAttention,
  type Trunk2021CrossOptions,
  trunk2021SelfAttention,
} from "./attention.ts";
export {
  blockSparseLayout,
  type BlockSparseOptions,
  layoutsOfLayer,
  randomBlocks,
  SPARSE_BLOCK,
  SPARSE_WINDOW,
} from "./block_sparse.ts";
export { type Trunk2021Config, trunk2021Config } from "./config.ts";
export { trunk2021DistogramLoss, trunk2021Edges, TRUNK_2021_RANGE } from "./distogram.ts";
export {
  endToEnd,
  type EndToEndConfig,
  endToEndConfig,
  endToEndLoss,
  type EndToEndOutputs,
  type EndToEndParams,
  endToEndShapes,
  type EndToEndTerms,
  type EndToEndTruth,
  initEndToEnd,
  loadEndToEnd,
  type RefinedAtoms,
} from "./end_to_end.ts";
export { gegluFeedForward } from "./feed_forward.ts";
export {
  type LayerLayouts,
  type LayerOptions,
  type LayerPart,
  partsOfLayer,
  type Trunk2021Masks,
  type UpdateReads,
} from "./layer.ts";
export { trunk2021, type Trunk2021Inputs } from "./model.ts";
export {
  initTrunk2021,
  layersOf,
  loadTrunk2021,
  type PreNormCrossParams,
  type PreNormParams,
  type Trunk2021AttentionParams,
  trunk2021AttentionShapes,
  type Trunk2021AxialParams,
  type Trunk2021CrossHalf,
  type Trunk2021FeedForwardParams,
  trunk2021FeedForwardShapes,
  type Trunk2021Half,
  type Trunk2021Layer,
  trunk2021ParameterCount,
  type Trunk2021Params,
  trunk2021ParamShapes,
  type Trunk2021ReversibleHalf,
  type Trunk2021SelfHalf,
  trunk2021Shapes,
} from "./params.ts";
export { couplingsOf, trunk2021Layers, type Trunk2021Representations } from "./trunk.ts";
