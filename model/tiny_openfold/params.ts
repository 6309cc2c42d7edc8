import type { Device, Key, Shape, Tensor } from "../../core/mod.ts";
import type { LinearParams } from "../../ops/mod.ts";
import type { SelfAttentionParams } from "../layers/attention.ts";
import type { LayerNormParams } from "../layers/layer_norm.ts";
import {
  countParams,
  initParams,
  layerNormShapes,
  linearShapes,
  loadParams,
  normal,
  type ParamShapes,
  shapesByPath,
} from "../layers/params.ts";
import type { TransitionParams } from "../layers/transition.ts";
import type { TinyOpenFoldConfig } from "./config.ts";

/** Row attention: heads' bias from the pair representation, weight `[nHead, pairDim]`. */
export type MsaRowAttentionParams = SelfAttentionParams & { readonly pairBiasProj: LinearParams };

/** Outer product mean with a layer normalization of its own and one projection for both sides. */
export type OuterProductMeanParams = {
  readonly msaToOuter: LinearParams;
  readonly outerToPair: LinearParams;
  readonly layerNorm: LayerNormParams;
};

/** Triangle multiplication with a layer normalization of its own. */
export type TriangleMultiplicationParams = {
  readonly leftProj: LinearParams;
  readonly rightProj: LinearParams;
  readonly leftGate: LinearParams;
  readonly rightGate: LinearParams;
  readonly outputProj: LinearParams;
  readonly outputGate: LinearParams;
  readonly layerNorm: LayerNormParams;
};

/** Triangle attention with a layer normalization of its own. */
export type TriangleAttentionParams = SelfAttentionParams & { readonly layerNorm: LayerNormParams };

/** One Evoformer block. */
export type TinyEvoformerBlockParams = {
  readonly msaRowAttention: MsaRowAttentionParams;
  readonly msaColumnAttention: SelfAttentionParams;
  readonly msaTransition: TransitionParams;
  readonly msaNormRow: LayerNormParams;
  readonly msaNormCol: LayerNormParams;
  readonly msaNormTrans: LayerNormParams;
  readonly outerProductMean: OuterProductMeanParams;
  readonly triangleMultOutgoing: TriangleMultiplicationParams;
  readonly triangleMultIncoming: TriangleMultiplicationParams;
  readonly triangleAttnStarting: TriangleAttentionParams;
  readonly triangleAttnEnding: TriangleAttentionParams;
  readonly pairTransition: TransitionParams;
  /** Present in the original and never used: it has no gradient and is never updated. */
  readonly pairNormOuter: LayerNormParams;
  readonly pairNormTriOut: LayerNormParams;
  readonly pairNormTriIn: LayerNormParams;
  readonly pairNormAttnStart: LayerNormParams;
  readonly pairNormAttnEnd: LayerNormParams;
  readonly pairNormTrans: LayerNormParams;
};

/** All parameters; names are the original's in camelCase. */
export type TinyOpenFoldParams = {
  /** Weight `[vocabSize, msaDim]`. */
  readonly msaEmbedding: { readonly weight: Tensor };
  readonly pairEmbedding: LinearParams;
  readonly evoformerBlocks: readonly TinyEvoformerBlockParams[];
  readonly structureModule: { readonly distancePred: LinearParams };
};

/** Standard deviation of every weight at the start; layer normalizations start at scale 1 and shift 0. */
const INIT_STD = 0.02;

/** Shapes of all parameters, by the names of the original's state dict. */
function shapeTree(config: TinyOpenFoldConfig): ParamShapes {
  const { msaDim: m, pairDim: z, outerProductDim: o, vocabSize, pairInputDim } = config;
  const linear = (out: number, from: number) => linearShapes(out, from, { weight: normal(INIT_STD) });
  const norm = layerNormShapes;
  const attention = (c: number) => ({
    qProj: linear(c, c),
    kProj: linear(c, c),
    vProj: linear(c, c),
    oProj: linear(c, c),
  });
  const transition = (c: number, hidden: number) => ({ linear1: linear(hidden, c), linear2: linear(c, hidden) });
  const triangle = () => ({
    leftProj: linear(z, z),
    rightProj: linear(z, z),
    leftGate: linear(z, z),
    rightGate: linear(z, z),
    outputProj: linear(z, z),
    outputGate: linear(z, z),
    layerNorm: norm(z),
  });
  const block = () => ({
    msaRowAttention: { ...attention(m), pairBiasProj: linear(config.nHeadsMsa, z) },
    msaColumnAttention: attention(m),
    msaTransition: transition(m, config.msaIntermediateDim),
    msaNormRow: norm(m),
    msaNormCol: norm(m),
    msaNormTrans: norm(m),
    outerProductMean: { msaToOuter: linear(o, m), outerToPair: linear(z, o * o), layerNorm: norm(m) },
    triangleMultOutgoing: triangle(),
    triangleMultIncoming: triangle(),
    triangleAttnStarting: { ...attention(z), layerNorm: norm(z) },
    triangleAttnEnding: { ...attention(z), layerNorm: norm(z) },
    pairTransition: transition(z, config.pairIntermediateDim),
    pairNormOuter: norm(z),
    pairNormTriOut: norm(z),
    pairNormTriIn: norm(z),
    pairNormAttnStart: norm(z),
    pairNormAttnEnd: norm(z),
    pairNormTrans: norm(z),
  });
  return {
    msaEmbedding: linear(vocabSize, m),
    pairEmbedding: linear(z, pairInputDim),
    evoformerBlocks: Array.from({ length: config.nBlocks }, block),
    structureModule: { distancePred: linear(1, z) },
  };
}

/**
 * Fresh parameters: matrices and embedding from N(0, 0.02²), layer normalizations at 1 and 0.
 *
 * @param key Source of the random numbers; used up.
 * @returns Owned by the current scope.
 */
export function initTinyOpenFold(device: Device, config: TinyOpenFoldConfig, key: Key): TinyOpenFoldParams {
  return initParams(device, shapeTree(config), key) as TinyOpenFoldParams;
}

/** Shapes of all parameters in a tree like the parameters', for loading them. */
export function tinyOpenFoldShapes(config: TinyOpenFoldConfig): Map<string, Shape> {
  return shapesByPath(shapeTree(config));
}

/**
 * Parameters from given numbers.
 *
 * @param find The numbers of the parameter at a path such as `evoformerBlocks.0.pairNormTrans.weight`.
 * @returns Owned by the current scope.
 */
export function loadTinyOpenFold(
  device: Device,
  config: TinyOpenFoldConfig,
  find: (path: string, shape: Shape) => ArrayLike<number>,
): TinyOpenFoldParams {
  return loadParams(device, shapeTree(config), find) as TinyOpenFoldParams;
}

/** Number of parameters of a configuration: 2,653,760 by default. */
export function parameterCount(config: TinyOpenFoldConfig): number {
  return countParams(shapeTree(config));
}
