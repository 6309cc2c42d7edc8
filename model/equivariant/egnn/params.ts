import type { Device, Key, Tensor } from "../../../core/mod.ts";
import type { LinearParams } from "../../../ops/mod.ts";
import type { LayerNormParams } from "../../layers/layer_norm.ts";
import {
  constant,
  initParams,
  layerNormShapes,
  linearShapes,
  normal,
  ParamShape,
  type ParamShapes,
  uniformFanIn,
} from "../../layers/params.ts";
import type { EgnnConfig } from "./config.ts";

/** Two linear maps; the numbers are the original's. */
export type EgnnMlpParams = { readonly 0: LinearParams; readonly 3: LinearParams };

/** A layer of messages. */
export type EgnnLayerParams = {
  /** What makes a message of two nodes, their distance and the pair's features. */
  readonly edgeMlp: EgnnMlpParams;
  readonly edgeGate?: { readonly 0: LinearParams };
  readonly nodeNorm?: LayerNormParams;
  /** The length of moves, `[1]`. */
  readonly coorsNorm?: { readonly scale: Tensor };
  readonly nodeMlp?: EgnnMlpParams;
  readonly coorsMlp?: EgnnMlpParams;
};

/** Attention; keys and values come from one map, one below the other. */
export type EgnnAttentionParams = {
  readonly toQ: LinearParams;
  readonly toKv: LinearParams;
  readonly toOut: LinearParams;
};

/** Attention of all nodes by way of a few global tokens. */
export type EgnnGlobalParams = {
  readonly normSeq: LayerNormParams;
  readonly normQueries: LayerNormParams;
  readonly attn1: EgnnAttentionParams;
  readonly attn2: EgnnAttentionParams;
  readonly ff: { readonly 0: LayerNormParams; readonly 1: LinearParams; readonly 3: LinearParams };
};

/** All parameters, under the names of the original's state dict in camelCase. */
export type EgnnParams = {
  readonly globalTokens?: Tensor;
  readonly tokenEmb?: { readonly weight: Tensor };
  readonly posEmb?: { readonly weight: Tensor };
  readonly edgeEmb?: { readonly weight: Tensor };
  readonly adjEmb?: { readonly weight: Tensor };
  readonly layers: readonly { readonly 0?: EgnnGlobalParams; readonly 1: EgnnLayerParams }[];
};

/** Standard deviation that the original starts a layer's linear maps from. */
const INITIAL = 1e-3;
/** Length of moves in the beginning. */
const INITIAL_SCALE = 1e-2;

/** A linear map as the original starts it. */
function small(cOut: number, cIn: number): ParamShapes {
  return linearShapes(cOut, cIn, { weight: normal(INITIAL), bias: uniformFanIn(cIn) });
}

function linear(cOut: number, cIn: number): ParamShapes {
  return linearShapes(cOut, cIn, { weight: uniformFanIn(cIn), bias: uniformFanIn(cIn) });
}

/** Shapes of a layer's parameters. */
export function egnnLayerShapes(config: EgnnConfig): ParamShapes {
  const { dim, mDim, edgeDim, fourierFeatures, softEdges, normFeats, normCoors, updateFeats, updateCoors } = config;
  const edge = 2 * dim + 1 + 2 * fourierFeatures + edgeDim;
  return {
    edgeMlp: { 0: small(2 * edge, edge), 3: small(mDim, 2 * edge) },
    ...(softEdges && { edgeGate: { 0: small(1, mDim) } }),
    ...(normFeats && { nodeNorm: layerNormShapes(dim) }),
    ...(normCoors && { coorsNorm: { scale: new ParamShape([1], constant(INITIAL_SCALE)) } }),
    ...(updateFeats && { nodeMlp: { 0: small(2 * dim, dim + mDim), 3: small(dim, 2 * dim) } }),
    ...(updateCoors && { coorsMlp: { 0: small(4 * mDim, mDim), 3: small(1, 4 * mDim) } }),
  };
}

function globalShapes({ dim, globalLinearAttnHeads, globalLinearAttnDimHead }: EgnnConfig): ParamShapes {
  const inner = globalLinearAttnHeads * globalLinearAttnDimHead;
  const attention = {
    toQ: linearShapes(inner, dim, { weight: uniformFanIn(dim) }),
    toKv: linearShapes(2 * inner, dim, { weight: uniformFanIn(dim) }),
    toOut: linear(dim, inner),
  };
  const norm = layerNormShapes(dim);
  return {
    ...{ normSeq: norm, normQueries: norm, attn1: attention, attn2: attention },
    ff: { 0: norm, 1: linear(4 * dim, dim), 3: linear(dim, 4 * dim) },
  };
}

/** The layer of a network: features are always normalized, and pairs have the channels of bonds besides. */
export function networkLayer(config: EgnnConfig): EgnnConfig {
  const edgeDim = config.edgeDim + (config.numAdjDegrees ? config.adjDim : 0);
  return { ...config, edgeDim, normFeats: true };
}

/** Shapes of all parameters, by the names of the original's state dict. */
export function egnnShapes(config: EgnnConfig): ParamShapes {
  const { dim, depth, edgeDim, adjDim, numTokens, numPositions, numEdgeTokens, numAdjDegrees } = config;
  const { globalLinearAttnEvery: every, numGlobalTokens } = config;
  const table = (rows: number, channels: number) => ({ weight: new ParamShape([rows, channels], normal(1)) });
  return {
    ...(every && { globalTokens: new ParamShape([numGlobalTokens, dim], normal(1)) }),
    ...(numTokens && { tokenEmb: table(numTokens, dim) }),
    ...(numPositions && { posEmb: table(numPositions, dim) }),
    ...(numEdgeTokens && { edgeEmb: table(numEdgeTokens, edgeDim) }),
    ...(numAdjDegrees && { adjEmb: table(numAdjDegrees + 1, adjDim) }),
    layers: Array.from({ length: depth }, (_, layer) => ({
      ...(every && layer % every === 0 && { 0: globalShapes(config) }),
      1: egnnLayerShapes(networkLayer(config)),
    })),
  };
}

/**
 * Fresh parameters.
 *
 * @param key Source of the random numbers; used up.
 * @returns Owned by the current scope.
 */
export function initEgnn(device: Device, config: EgnnConfig, key: Key): EgnnParams {
  return initParams(device, egnnShapes(config), key) as EgnnParams;
}
