import type { Tensor } from "../../../core/mod.ts";
import type { LinearParams } from "../../../ops/mod.ts";
import type { LayerNormParams } from "../../layers/layer_norm.ts";
import {
  constant,
  layerNormShapes,
  linearShapes,
  normal,
  ParamShape,
  type ParamShapes,
  uniformFanIn,
} from "../../layers/params.ts";
import { pairName } from "./basis.ts";

/** Channels of every degree that features have. */
export type Fiber = { readonly [degree: string]: number };

/** Features of nodes by degree, `[batch, N, 2 degree + 1, channels]`; those of degree 1 turn as vectors do. */
export type Se3Features = { readonly [degree: string]: Tensor };

/** A linear map of channels for every degree, `[cIn, cOut]`. */
export type Se3LinearParams = { readonly weights: { readonly [degree: string]: Tensor } };

/** What makes the weights of a convolution of a distance: three linear maps with layer normalizations between them. */
export type Se3RadialParams = {
  readonly rp: {
    readonly net: {
      readonly 0: LinearParams;
      readonly 1: LayerNormParams;
      readonly 3: LinearParams;
      readonly 4: LayerNormParams;
      /** Of `cOut * cIn * F` numbers in this order, F = 2 min(in, out) + 1. */
      readonly 6: LinearParams;
    };
  };
};

/** A convolution: a net for every pair of degrees, by {@linkcode pairName}, and what a node adds of itself. */
export type Se3ConvolutionParams = {
  readonly kernelUnary: { readonly [pair: string]: Se3RadialParams };
  readonly selfInteract?: Se3LinearParams;
};

/** What lengths of features are scaled by before they go through a nonlinearity: numbers, a map, or a normalization. */
export type Se3NormParams = {
  readonly transform: {
    readonly [degree: string]: { readonly scale: Tensor } | { readonly wGate: Tensor } | {
      readonly 0: LayerNormParams;
    };
  };
};

/** Attention. */
export type Se3AttentionParams = {
  readonly toQ: Se3LinearParams;
  readonly toV: Se3ConvolutionParams;
  /** A convolution, or a linear map; without it, keys are values. */
  readonly toK?: Se3ConvolutionParams | Se3LinearParams;
  readonly toOut?: Se3LinearParams;
  readonly nullKeys?: { readonly [degree: string]: Tensor };
  readonly nullValues?: { readonly [degree: string]: Tensor };
  readonly toSelfK?: Se3LinearParams;
  readonly toSelfV?: Se3LinearParams;
  readonly toGlobalK?: Se3LinearParams;
  readonly toGlobalV?: Se3LinearParams;
};

/** Attention behind a norm. */
export type Se3AttentionBlockParams = { readonly attn: Se3AttentionParams; readonly prenorm: Se3NormParams };

/** Two linear maps with a norm between them, behind a norm. */
export type Se3FeedForwardParams = {
  readonly prenorm: Se3NormParams;
  readonly feedforward: {
    readonly projectIn: Se3LinearParams;
    readonly nonlin: Se3NormParams;
    readonly projectOut: Se3LinearParams;
  };
};

/** Degrees of a fiber, ascending. */
export function degreesOf(fiber: { readonly [degree: string]: unknown }): number[] {
  return Object.keys(fiber).map(Number).sort((a, b) => a - b);
}

/** The same channels for degrees 0 … degrees - 1. */
export function evenFiber(degrees: number, channels: number): Fiber {
  return Object.fromEntries(Array.from({ length: degrees }, (_, degree) => [degree, channels]));
}

function byDegree<T>(degrees: readonly number[], of: (degree: number) => T): Record<string, T> {
  return Object.fromEntries(degrees.map((degree) => [degree, of(degree)]));
}

function linear(cOut: number, cIn: number): ParamShapes {
  return linearShapes(cOut, cIn, { weight: uniformFanIn(cIn), bias: uniformFanIn(cIn) });
}

/** Maps of the degrees that both fibers have. */
export function se3LinearShapes(from: Fiber, to: Fiber): ParamShapes {
  const weight = (degree: number) => new ParamShape([from[degree], to[degree]], normal(1 / Math.sqrt(from[degree])));
  return { weights: byDegree(degreesOf(from).filter((degree) => degree in to), weight) };
}

/** How convolutions are made. */
export interface Se3ConvolutionOptions {
  /** Numbers that are known of a pair: its distance, its features. */
  readonly radial: number;
  /** Channels of the radial nets. */
  readonly mid: number;
  /** Whether a node adds something of itself. @default true */
  readonly selfInteraction?: boolean;
}

/** Shapes of a convolution's parameters. */
export function se3ConvolutionShapes(
  from: Fiber,
  to: Fiber,
  { radial, mid, selfInteraction = true }: Se3ConvolutionOptions,
): ParamShapes {
  const pairs = degreesOf(from).flatMap((degreeIn) => degreesOf(to).map((degreeOut) => [degreeIn, degreeOut] as const));
  const norm = layerNormShapes(mid);
  const net = (degreeIn: number, degreeOut: number): ParamShapes => {
    const frequencies = 2 * Math.min(degreeIn, degreeOut) + 1;
    const last = linear(to[degreeOut] * from[degreeIn] * frequencies, mid);
    return { rp: { net: { 0: linear(mid, radial), 1: norm, 3: linear(mid, mid), 4: norm, 6: last } } };
  };
  return {
    kernelUnary: Object.fromEntries(pairs.map(([i, o]) => [pairName(i, o), net(i, o)])),
    ...(selfInteraction && { selfInteract: se3LinearShapes(from, to) }),
  };
}

/** Which norm scales the lengths of features. */
export type Se3NormKind = "scale" | "gated" | "layerNorm";

/** Shapes of a norm's parameters; in the beginning it changes no lengths. */
export function se3NormShapes(fiber: Fiber, kind: Se3NormKind = "scale"): ParamShapes {
  const gate = (c: number) => (key: Parameters<ReturnType<typeof normal>>[0], shape: readonly number[]) =>
    key.uniform(shape[0] * shape[1]).map((x) => (2 * x - 1) * 1e-3 / c);
  const shapes = {
    scale: (c: number) => ({ scale: new ParamShape([1, 1, c], constant(1)) }),
    gated: (c: number) => ({ wGate: new ParamShape([c, c], gate(c)) }),
    layerNorm: (c: number) => ({ 0: layerNormShapes(c) }),
  };
  return { transform: byDegree(degreesOf(fiber), (degree) => shapes[kind](fiber[degree])) };
}

/** How attention is made. */
export interface Se3AttentionShape {
  /** Number of heads. */
  readonly heads: number;
  /** Channels of a head. */
  readonly dimHead: number;
  /** Whether a node attends to itself too. @default true */
  readonly attendSelf?: boolean;
  /** Whether there are keys and values that stand for nothing. @default false */
  readonly useNullKv?: boolean;
  /** Whether keys are a linear map of the neighbours' features. @default false */
  readonly linearProjKeys?: boolean;
  /** Whether values are keys too. @default false */
  readonly tieKeyValues?: boolean;
  /** Whether all heads share keys and values. @default false */
  readonly oneHeadedKeyValues?: boolean;
  /** Channels of global tokens. @default there are none */
  readonly globalFeatsDim?: number;
  /**
   * Whether keys and values that stand for nothing have all degrees, as the original's, where they are vectors that do not
   * turn. @default degree 0 alone
   */
  readonly quirks?: boolean;
}

/** Shapes of attention's parameters. */
export function se3AttentionShapes(
  fiber: Fiber,
  attention: Se3AttentionShape,
  convolution: Se3ConvolutionOptions,
): ParamShapes {
  const { heads, dimHead, attendSelf = true, useNullKv, linearProjKeys, tieKeyValues } = attention;
  const { oneHeadedKeyValues, globalFeatsDim, quirks } = attention;
  const degrees = degreesOf(fiber);
  const hidden = evenFiber(degrees.length, heads * dimHead);
  const keys = oneHeadedKeyValues ? evenFiber(degrees.length, dimHead) : hidden;
  const none = { ...convolution, selfInteraction: false };
  const empty = (degree: number) =>
    new ParamShape([oneHeadedKeyValues ? 1 : heads, dimHead, 2 * degree + 1], constant(0));
  const nothing = byDegree(quirks ? degrees : [0], empty);
  const global = globalFeatsDim && se3LinearShapes({ 0: globalFeatsDim }, keys);
  const needsOut = heads !== 1 || degrees.some((degree) => fiber[degree] !== dimHead);
  return {
    toQ: se3LinearShapes(fiber, hidden),
    toV: se3ConvolutionShapes(fiber, keys, none),
    ...(!tieKeyValues &&
      { toK: linearProjKeys ? se3LinearShapes(fiber, keys) : se3ConvolutionShapes(fiber, keys, none) }),
    ...(needsOut && { toOut: se3LinearShapes(hidden, fiber) }),
    ...(useNullKv && { nullKeys: nothing, nullValues: nothing }),
    ...(attendSelf && { toSelfK: se3LinearShapes(fiber, keys), toSelfV: se3LinearShapes(fiber, keys) }),
    ...(global && { toGlobalK: global, toGlobalV: global }),
  };
}

/** Channels of the feed-forward maps, as a multiple of the features'. */
const WIDER = 4;

/**
 * Shapes of the feed-forward maps' parameters.
 *
 * @param norm That before them; between them lengths are scaled by numbers.
 */
export function se3FeedForwardShapes(fiber: Fiber, norm: Se3NormKind = "scale"): ParamShapes {
  const wide = Object.fromEntries(Object.entries(fiber).map(([degree, c]) => [degree, WIDER * c]));
  return {
    prenorm: se3NormShapes(fiber, norm),
    feedforward: {
      projectIn: se3LinearShapes(fiber, wide),
      nonlin: se3NormShapes(wide),
      projectOut: se3LinearShapes(wide, fiber),
    },
  };
}
