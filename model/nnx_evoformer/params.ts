import type { Device, Key, Shape } from "../../core/mod.ts";
import type { LinearParams } from "../../ops/mod.ts";
import type { LayerNormParams } from "../layers/layer_norm.ts";
import {
  constant,
  countParams,
  initParams,
  layerNormShapes,
  linearShapes,
  loadParams,
  type ParamShapes,
  shapesByPath,
} from "../layers/params.ts";
import type { TransitionParams } from "../layers/transition.ts";
import { snakeCase } from "../weights/names.ts";
import type { NnxEvoformerConfig } from "./config.ts";

/** Gated attention; queries, keys and values come from one map, weight `[3 * nHead * headDim, c]`. */
export type NnxGatedMhaParams = {
  readonly gateProj: LinearParams;
  readonly layerNormM: LayerNormParams;
  /** Present where a pair representation biases the logits. */
  readonly layerNormZ?: LayerNormParams;
  readonly outputProj: LinearParams;
  /** Weight `[nHead, c_z]`, together with `layerNormZ`. */
  readonly pairBiasProj?: LinearParams;
  readonly qkvProj: LinearParams;
};

/** Attention over one axis. */
export type NnxAttentionParams = { readonly gatedMha: NnxGatedMhaParams };

/** A transition with its layer normalization. */
export type NnxTransitionParams = TransitionParams & { readonly layerNorm: LayerNormParams };

/** Outer product mean; `linearOut` has weight `[c_z, c²]`. */
export type NnxOuterProductMeanParams = {
  readonly layerNorm: LayerNormParams;
  readonly linearA: LinearParams;
  readonly linearB: LinearParams;
  readonly linearOut: LinearParams;
};

/** Triangle multiplication. */
export type NnxTriangleParams = {
  readonly layerNormIn: LayerNormParams;
  readonly layerNormOut: LayerNormParams;
  readonly linearAGate: LinearParams;
  readonly linearAVal: LinearParams;
  readonly linearBGate: LinearParams;
  readonly linearBVal: LinearParams;
  readonly linearG: LinearParams;
  readonly linearOut: LinearParams;
};

/** The block; names are the notebook's in camelCase, layouts PyTorch's: weights `[cOut, cIn]`. */
export type NnxEvoformerParams = {
  readonly rowWiseGatedSelfAttentionWithPairBias: NnxAttentionParams;
  readonly columnWiseGatedSelfAttention: NnxAttentionParams;
  readonly msaTransition: NnxTransitionParams;
  readonly outerProductMean: NnxOuterProductMeanParams;
  readonly triangularUpdateOutgoingEdges: NnxTriangleParams;
  readonly triangularUpdateIncomingEdges: NnxTriangleParams;
  readonly triangleSelfAttentionStartingNode: NnxAttentionParams;
  readonly triangleSelfAttentionEndingNode: NnxAttentionParams;
  readonly pairsTransition: NnxTransitionParams;
};

/**
 * Shapes of the block's parameters, in the order in which the notebook makes them, with initial numbers as Flax has them:
 * LeCun's for weights, 0 for biases.
 */
export function nnxEvoformerShapes(config: NnxEvoformerConfig): ParamShapes {
  const { cM, cZ, nHead, headDim, triangleDim, outerProductDim, transitionN } = config;
  const linear = (cOut: number, cIn: number) => linearShapes(cOut, cIn, { bias: constant(0) });
  const attention = (c: number, biased: boolean) => ({
    gatedMha: {
      layerNormM: layerNormShapes(c),
      qkvProj: linearShapes(3 * nHead * headDim, c),
      gateProj: linear(nHead * headDim, c),
      outputProj: linear(c, nHead * headDim),
      ...(biased && { layerNormZ: layerNormShapes(cZ), pairBiasProj: linearShapes(nHead, cZ) }),
    },
  });
  const transition = (c: number) => ({
    layerNorm: layerNormShapes(c),
    linear1: linear(transitionN * c, c),
    linear2: linear(c, transitionN * c),
  });
  const triangle = () => ({
    layerNormIn: layerNormShapes(cZ),
    linearAGate: linear(triangleDim, cZ),
    linearAVal: linear(triangleDim, cZ),
    linearBGate: linear(triangleDim, cZ),
    linearBVal: linear(triangleDim, cZ),
    linearG: linear(cZ, cZ),
    layerNormOut: layerNormShapes(triangleDim),
    linearOut: linear(cZ, triangleDim),
  });
  return {
    rowWiseGatedSelfAttentionWithPairBias: attention(cM, true),
    columnWiseGatedSelfAttention: attention(cM, false),
    msaTransition: transition(cM),
    outerProductMean: {
      layerNorm: layerNormShapes(cM),
      linearA: linear(outerProductDim, cM),
      linearB: linear(outerProductDim, cM),
      linearOut: linear(cZ, outerProductDim ** 2),
    },
    triangularUpdateOutgoingEdges: triangle(),
    triangularUpdateIncomingEdges: triangle(),
    triangleSelfAttentionStartingNode: attention(cZ, true),
    triangleSelfAttentionEndingNode: attention(cZ, true),
    pairsTransition: transition(cZ),
  };
}

/**
 * Fresh parameters.
 *
 * @param key Source of the random numbers; used up.
 * @returns Owned by the current scope.
 */
export function initNnxEvoformer(device: Device, config: NnxEvoformerConfig, key: Key): NnxEvoformerParams {
  return initParams(device, nnxEvoformerShapes(config), key) as NnxEvoformerParams;
}

/**
 * Parameters from given numbers, in the layout of the tree.
 *
 * @param find The numbers of the parameter at a path such as `msaTransition.linear1.weight`.
 * @returns Owned by the current scope.
 */
export function loadNnxEvoformer(
  device: Device,
  config: NnxEvoformerConfig,
  find: (path: string, shape: Shape) => ArrayLike<number>,
): NnxEvoformerParams {
  return loadParams(device, nnxEvoformerShapes(config), find) as NnxEvoformerParams;
}

/** Shapes of the parameters by path. */
export function nnxEvoformerParamShapes(config: NnxEvoformerConfig): Map<string, Shape> {
  return shapesByPath(nnxEvoformerShapes(config));
}

/** Number of parameters: 251,744 by default. */
export function nnxEvoformerParameterCount(config: NnxEvoformerConfig): number {
  return countParams(nnxEvoformerShapes(config));
}

/**
 * A parameter's name in a Flax checkpoint: matrices are `kernel`, transposed, and scales of layer normalizations are
 * `scale`.
 *
 * @param path In the parameter tree, such as `msaTransition.linear1.weight`.
 * @param shape Of the parameter in the tree.
 */
export function flaxName(path: string, shape: Shape): string {
  return snakeCase(path).replace(/\bweight$/, shape.length === 2 ? "kernel" : "scale");
}

/** Rows as columns, for matrices on their way from or to a Flax checkpoint; anything else stays as it is. */
export function transposed(data: ArrayLike<number>, shape: Shape): Float32Array {
  if (shape.length !== 2) return Float32Array.from(data);
  const [rows, columns] = shape;
  return Float32Array.from({ length: data.length }, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]);
}
