import type { Device, Key, Tensor } from "../../../core/mod.ts";
import { countParams, initParams, normal, ParamShape, type ParamShapes } from "../../layers/params.ts";
import { fiberIn, fiberOut, radialDim, type Se3Config } from "./config.ts";
import { type Se3EgnnLayerParams, se3EgnnLayerShapes } from "./egnn_layer.ts";
import {
  evenFiber,
  type Se3AttentionBlockParams,
  se3AttentionShapes,
  type Se3ConvolutionParams,
  se3ConvolutionShapes,
  type Se3FeedForwardParams,
  se3FeedForwardShapes,
  type Se3LinearParams,
  se3LinearShapes,
  type Se3NormParams,
  se3NormShapes,
} from "./params.ts";

/** A block: attention, then feed-forward maps; in a reversible network under other names. */
export type Se3BlockParams =
  | { readonly 0: Se3AttentionBlockParams; readonly 1: Se3FeedForwardParams }
  | { readonly f: { readonly net: Se3AttentionBlockParams }; readonly g: { readonly net: Se3FeedForwardParams } };

/** All parameters, under the names of the original's state dict in camelCase. */
export type Se3TransformerParams = {
  readonly tokenEmb?: { readonly weight: Tensor };
  readonly posEmb?: { readonly weight: Tensor };
  readonly edgeEmb?: { readonly weight: Tensor };
  readonly adjEmb?: { readonly weight: Tensor };
  readonly convIn: Se3ConvolutionParams;
  readonly convs: readonly { readonly 0: Se3ConvolutionParams; readonly 1: Se3NormParams }[];
  readonly net:
    | { readonly blocks: readonly Se3BlockParams[] }
    | { readonly layers: readonly { readonly 0: Se3EgnnLayerParams; readonly 1?: Se3FeedForwardParams }[] };
  readonly convOut?: Se3ConvolutionParams;
  readonly norm?: Se3NormParams;
  readonly linearOut?: Se3LinearParams;
};

/** Shapes of all parameters, by the names of the original's state dict. */
export function se3TransformerShapes(config: Se3Config): ParamShapes {
  const { dim, depth, numDegrees, numConvLayers, midDim, reversible, useEgnn, normGatedScale, normOut } = config;
  const { numTokens, numPositions, numEdgeTokens, numAdjDegrees, edgeDim, adjDim, reduceDimOut, outputDegrees } =
    config;
  const hidden = evenFiber(numDegrees, dim), from = fiberIn(config), to = fiberOut(config);
  const convolution = { radial: radialDim(config), mid: midDim };
  const norm = normGatedScale ? "gated" : "scale";
  const attention = {
    attn: se3AttentionShapes(hidden, config, convolution),
    prenorm: se3NormShapes(hidden, norm),
  };
  const feedForward = se3FeedForwardShapes(hidden, norm);
  const layer = {
    0: se3EgnnLayerShapes(config),
    ...(config.egnnFeedforward && { 1: se3FeedForwardShapes(hidden, norm) }),
  };
  const block = reversible ? { f: { net: attention }, g: { net: feedForward } } : { 0: attention, 1: feedForward };
  const repeated = <T>(part: T) => Array.from({ length: depth }, () => part);
  const table = (rows: number, channels: number) => ({ weight: new ParamShape([rows, channels], normal(1)) });
  const last = useEgnn ? hidden : to;
  return {
    ...(numTokens && { tokenEmb: table(numTokens, from[0]) }),
    ...(numPositions && { posEmb: table(numPositions, from[0]) }),
    ...(numEdgeTokens && { edgeEmb: table(numEdgeTokens, edgeDim) }),
    ...(numAdjDegrees && { adjEmb: table(numAdjDegrees + 1, adjDim) }),
    convIn: se3ConvolutionShapes(from, hidden, convolution),
    convs: Array.from({ length: numConvLayers }, () => ({
      0: se3ConvolutionShapes(hidden, hidden, convolution),
      1: se3NormShapes(hidden, norm),
    })),
    net: useEgnn ? { layers: repeated(layer) } : { blocks: repeated(block) },
    ...(!useEgnn && { convOut: se3ConvolutionShapes(hidden, to, convolution) }),
    ...(normOut && { norm: se3NormShapes(last) }),
    ...(reduceDimOut && { linearOut: se3LinearShapes(last, evenFiber(outputDegrees, 1)) }),
  };
}

/**
 * Fresh parameters.
 *
 * @param key Source of the random numbers; used up.
 * @returns Owned by the current scope.
 */
export function initSe3Transformer(device: Device, config: Se3Config, key: Key): Se3TransformerParams {
  return initParams(device, se3TransformerShapes(config), key) as Se3TransformerParams;
}

/** Number of parameters of a configuration. */
export function se3ParameterCount(config: Se3Config): number {
  return countParams(se3TransformerShapes(config));
}
