/** Differentiable computations on tensors; each runs one or a few hand-written kernels. */
export { type Adapter, mergedWeight, plainLinear } from "./adapter.ts";
export * from "./attention.ts";
export { type BlockLayout, croppedLayout } from "./block_layout.ts";
export * from "./broadcast_to.ts";
export * from "./cast.ts";
export { concat, split } from "./concat.ts";
export * from "./digitize.ts";
export * from "./dropout.ts";
export * from "./elementwise.ts";
export * from "./frames.ts";
export * from "./fusion.ts";
export * from "./gate.ts";
export * from "./geglu.ts";
export { embedding, oneHot, reorderRows } from "./gather.ts";
export { layerNorm, type LayerNormAffine, layerNormOfPart, type LayerNormOptions } from "./layer_norm.ts";
export * from "./linear.ts";
export type { Activation } from "./linear.wgsl.ts";
export * from "./losses.ts";
export * from "./matmul.ts";
export { MATMUL_CLASSES, type MatmulClass, type MatmulTile } from "./matmul_tiles.ts";
export * from "./outer_product_mean.ts";
export * from "./packed_linear.ts";
export * from "./pad.ts";
export { isTracked, type Part, readPart, shapeOfPart, writePart } from "./_parts.ts";
export * from "./pair_classes.ts";
export * from "./pair_embedding.ts";
export * from "./permute.ts";
export { max, mean, min, type ReduceOptions, sum, sumTo } from "./reduce.ts";
export { readRegion, writeRegion } from "./_region.ts";
export * from "./reshape.ts";
export * from "./slice.ts";
export * from "./smallest.ts";
export * from "./softmax.ts";
export * from "./softmax_expectation.ts";
export * from "./sparse_cross_entropy.ts";
export * from "./triangle_product.ts";
export * from "./tune.ts";
export {
  FAMILY_OPS,
  type FamilyOp,
  type KernelChoice,
  kernelChoiceOf,
  setTuning,
  type Tuning,
  tuningOf,
  useKernelChoice,
} from "./tuning.ts";
