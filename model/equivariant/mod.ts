/**
 * Networks whose outputs turn and move with the points that they read: E(n)-equivariant layers, the SE(3)-transformer, the
 * LieTransformer, and a refiner of coordinates made of either.
 *
 * @module
 */
export { bondDistances, type Bonds, squaredAdjacency } from "./bonds.ts";
export { type EgnnConfig, egnnConfig } from "./egnn/config.ts";
export { egnnLayer, type EgnnNodes } from "./egnn/layer.ts";
export { egnn, type EgnnInputs, egnnNeighbours, type EgnnOutputs } from "./egnn/network.ts";
export {
  type EgnnAttentionParams,
  type EgnnGlobalParams,
  type EgnnLayerParams,
  egnnLayerShapes,
  type EgnnMlpParams,
  type EgnnParams,
  egnnShapes,
  initEgnn,
} from "./egnn/params.ts";
export { adaptedRadius, lieAttention, type LieBall, lieBall } from "./lie/attention.ts";
export { type Lift, liftedMotions, randomLift } from "./lie/lift.ts";
export {
  initLieTransformer,
  type LieAttentionParams,
  lieAttentionShapes,
  type LieConfig,
  lieConfig,
  type LieQuirks,
  type LieTransformerParams,
  lieTransformerShapes,
} from "./lie/params.ts";
export { type LieInputs, liePooled, lieTransformer } from "./lie/transformer.ts";
export {
  nearestOthers,
  nearestWithSelf,
  type NeighbourLists,
  type NeighbourOptions,
  type Neighbours,
} from "./neighbours.ts";
export {
  refineCoordinates,
  type RefinerConfig,
  refinerConfig,
  type RefinerInputs,
  type RefinerKind,
  refinerLiftSizes,
  type RefinerParams,
  REFINERS,
  refinerShapes,
} from "./refiner/refiner.ts";
export { backboneMask, sidechainContainer, type SidechainOptions } from "./refiner/sidechain_container.ts";
export { se3Attention, se3AttentionBlock, type Se3AttentionOptions } from "./se3/attention.ts";
export { equivariantBasis } from "./se3/basis.ts";
export { type Se3Config, se3Config } from "./se3/config.ts";
export { se3Convolution, type Se3Geometry, se3Geometry } from "./se3/convolution.ts";
export { se3EgnnLayer, type Se3EgnnLayerParams, se3EgnnLayerShapes } from "./se3/egnn_layer.ts";
export { se3FeedForward } from "./se3/feed_forward.ts";
export { se3Norm } from "./se3/norm.ts";
export {
  type Fiber,
  type Se3AttentionBlockParams,
  type Se3AttentionParams,
  type Se3AttentionShape,
  se3AttentionShapes,
  type Se3ConvolutionOptions,
  type Se3ConvolutionParams,
  se3ConvolutionShapes,
  type Se3Features,
  type Se3FeedForwardParams,
  se3FeedForwardShapes,
  type Se3LinearParams,
  se3LinearShapes,
  type Se3NormKind,
  type Se3NormParams,
  se3NormShapes,
  type Se3RadialParams,
} from "./se3/params.ts";
export { type Se3Inputs, se3Transformer } from "./se3/transformer.ts";
export {
  initSe3Transformer,
  type Se3BlockParams,
  se3ParameterCount,
  type Se3TransformerParams,
  se3TransformerShapes,
} from "./se3/transformer_params.ts";
