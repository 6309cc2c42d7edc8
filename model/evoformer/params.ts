import type { Device, Key, Shape } from "../../core/mod.ts";
import type { LinearParams } from "../../ops/mod.ts";
import type { AttentionParams } from "../layers/cross_attention.ts";
import type { LayerNormParams } from "../layers/layer_norm.ts";
import {
  constant,
  countParams,
  fanIn,
  glorotUniform,
  initParams,
  layerNormShapes,
  linearShapes,
  loadParams,
  type ParamShapes,
} from "../layers/params.ts";
import type { EvoformerConfig } from "./config.ts";

/** Row attention; `linearZ` makes the heads' biases, weight `[nHead, c_z]`. */
export type MsaRowAttentionParams = {
  readonly layerNormM: LayerNormParams;
  readonly layerNormZ: LayerNormParams;
  readonly linearZ: LinearParams;
  readonly mha: AttentionParams;
};

/** Column attention. */
export type MsaColumnAttentionParams = {
  readonly _msaAtt: { readonly layerNormM: LayerNormParams; readonly mha: AttentionParams };
};

/** Global column attention: all heads share keys and values, weights `[cHidden, c_m]`. */
export type MsaColumnGlobalAttentionParams = {
  readonly layerNormM: LayerNormParams;
  readonly globalAttention: AttentionParams & { readonly linearG: LinearParams };
};

/** A transition with its layer normalization; weights `[n * c, c]` and `[c, n * c]`. */
export type NormalizedTransitionParams = {
  readonly layerNorm: LayerNormParams;
  readonly linear_1: LinearParams;
  readonly linear_2: LinearParams;
};

/** Outer product mean; `linearOut` has weight `[c_z, cHidden²]`. */
export type OuterProductMeanParams = NormalizedTransitionParams & { readonly linearOut: LinearParams };

/** Projections of the edges apart, values and gates, weights `[cHidden, c_z]`. */
export type TriangleEdgesParams = {
  readonly linearAP: LinearParams;
  readonly linearAG: LinearParams;
  readonly linearBP: LinearParams;
  readonly linearBG: LinearParams;
};

/** Projections of both edges together, weights `[2 cHidden, c_z]`: first those of a, then those of b. */
export type FusedTriangleEdgesParams = {
  readonly linearAbP: LinearParams;
  readonly linearAbG: LinearParams;
};

/** Triangle multiplication. */
export type TriangleMultiplicationParams = (TriangleEdgesParams | FusedTriangleEdgesParams) & {
  readonly layerNormIn: LayerNormParams;
  readonly layerNormOut: LayerNormParams;
  readonly linearZ: LinearParams;
  readonly linearG: LinearParams;
};

/** Triangle attention; `linear` makes the heads' biases, weight `[nHead, c_z]`. */
export type TriangleAttentionParams = {
  readonly layerNorm: LayerNormParams;
  /** Absent where pairs are not updated from triangles. */
  readonly linear?: LinearParams;
  readonly mha: AttentionParams;
};

/** The pair half of a block. */
export type PairStackParams = {
  /** Absent, as the other, where pairs are not updated from triangles. */
  readonly triMulOut?: TriangleMultiplicationParams;
  readonly triMulIn?: TriangleMultiplicationParams;
  readonly triAttStart: TriangleAttentionParams;
  readonly triAttEnd: TriangleAttentionParams;
  readonly pairTransition: NormalizedTransitionParams;
};

/** What both kinds of blocks have. */
export type BlockParams = {
  readonly msaAttRow: MsaRowAttentionParams;
  readonly msaTransition: NormalizedTransitionParams;
  readonly outerProductMean: OuterProductMeanParams;
  readonly pairStack: PairStackParams;
};

/** One Evoformer block, under OpenFold's names. */
export type EvoformerBlockParams = BlockParams & {
  /** Absent where sequences do not attend to each other. */
  readonly msaAttCol?: MsaColumnAttentionParams;
};

/** One block of the extra-MSA stack. */
export type ExtraMsaBlockParams = BlockParams & { readonly msaAttCol: MsaColumnGlobalAttentionParams };

/** The Evoformer: its blocks, and the projection to the single representation, weight `[c_s, c_m]`. */
export type EvoformerStackParams = {
  readonly blocks: readonly EvoformerBlockParams[];
  readonly linear: LinearParams;
};

/** The extra-MSA stack. */
export type ExtraMsaStackParams = { readonly blocks: readonly ExtraMsaBlockParams[] };

const ZEROS = constant(0), ONES = constant(1);
const DEFAULT = { bias: ZEROS };
const GLOROT = { weight: glorotUniform };
const RELU = { weight: fanIn(2), bias: ZEROS };
/** A gate starts open to 0.73. */
const GATE = { weight: ZEROS, bias: ONES };
/** A residual update starts at zero. */
const FINAL = { weight: ZEROS, bias: ZEROS };

/** Shapes of the projections of gated attention. */
function attention(c: number, hidden: number, keyHidden: number = hidden) {
  return {
    linearQ: linearShapes(hidden, c, GLOROT),
    linearK: linearShapes(keyHidden, c, GLOROT),
    linearV: linearShapes(keyHidden, c, GLOROT),
    linearO: linearShapes(c, hidden, FINAL),
    linearG: linearShapes(hidden, c, GATE),
  };
}

function transition(c: number, n: number) {
  return {
    layerNorm: layerNormShapes(c),
    linear_1: linearShapes(n * c, c, RELU),
    linear_2: linearShapes(c, n * c, FINAL),
  };
}

function triangleMultiplication({ cZ, cHiddenMul: hidden, fusedTriangles }: PairStackSizes) {
  return {
    layerNormIn: layerNormShapes(cZ),
    ...(fusedTriangles
      ? { linearAbP: linearShapes(2 * hidden, cZ, DEFAULT), linearAbG: linearShapes(2 * hidden, cZ, GATE) }
      : {
        linearAP: linearShapes(hidden, cZ, DEFAULT),
        linearAG: linearShapes(hidden, cZ, GATE),
        linearBP: linearShapes(hidden, cZ, DEFAULT),
        linearBG: linearShapes(hidden, cZ, GATE),
      }),
    layerNormOut: layerNormShapes(hidden),
    linearZ: linearShapes(cZ, hidden, FINAL),
    linearG: linearShapes(cZ, cZ, GATE),
  };
}

function triangleAttention({ cZ, cHiddenPairAtt, nHeadPair, triangles }: PairStackSizes) {
  return {
    layerNorm: layerNormShapes(cZ),
    ...(triangles && { linear: linearShapes(nHeadPair, cZ) }),
    mha: attention(cZ, nHeadPair * cHiddenPairAtt),
  };
}

/** Sizes of the pair half of a block. */
export type PairStackSizes = Pick<
  EvoformerConfig,
  "cZ" | "cHiddenMul" | "cHiddenPairAtt" | "nHeadPair" | "transitionN" | "triangles" | "fusedTriangles"
>;

/** Shapes of the parameters of the pair half of a block. */
export function pairStackShapes(config: PairStackSizes): { readonly [K in keyof PairStackParams]?: ParamShapes } {
  const { cZ, transitionN, triangles } = config;
  return {
    ...(triangles && { triMulOut: triangleMultiplication(config), triMulIn: triangleMultiplication(config) }),
    triAttStart: triangleAttention(config),
    triAttEnd: triangleAttention(config),
    pairTransition: transition(cZ, transitionN),
  };
}

function block(config: EvoformerConfig, msaAttCol: ParamShapes) {
  const { cM, cZ, cHiddenMsaAtt, cHiddenOpm, nHeadMsa, transitionN } = config;
  return {
    msaAttRow: {
      layerNormM: layerNormShapes(cM),
      layerNormZ: layerNormShapes(cZ),
      linearZ: linearShapes(nHeadMsa, cZ),
      mha: attention(cM, nHeadMsa * cHiddenMsaAtt),
    },
    msaAttCol,
    msaTransition: transition(cM, transitionN),
    outerProductMean: {
      layerNorm: layerNormShapes(cM),
      linear_1: linearShapes(cHiddenOpm, cM, DEFAULT),
      linear_2: linearShapes(cHiddenOpm, cM, DEFAULT),
      linearOut: linearShapes(cZ, cHiddenOpm ** 2, FINAL),
    },
    pairStack: pairStackShapes(config),
  };
}

/** Shapes of one block's parameters. */
export function evoformerBlockShapes(config: EvoformerConfig): ParamShapes {
  const { cM, cHiddenMsaAtt, nHeadMsa, columnAttention } = config;
  const column = { _msaAtt: { layerNormM: layerNormShapes(cM), mha: attention(cM, nHeadMsa * cHiddenMsaAtt) } };
  return block(config, columnAttention ? column : undefined);
}

/** Shapes of the parameters of one block of the extra-MSA stack. */
export function extraMsaBlockShapes(config: EvoformerConfig): ParamShapes {
  const { cM, cHiddenMsaAtt, nHeadMsa } = config;
  return block(config, {
    layerNormM: layerNormShapes(cM),
    globalAttention: attention(cM, nHeadMsa * cHiddenMsaAtt, cHiddenMsaAtt),
  });
}

/** Shapes of the Evoformer's parameters. */
export function evoformerShapes(config: EvoformerConfig): ParamShapes {
  return {
    blocks: Array.from({ length: config.nBlock }, () => evoformerBlockShapes(config)),
    linear: linearShapes(config.cS, config.cM, DEFAULT),
  };
}

/** Shapes of the extra-MSA stack's parameters. */
export function extraMsaShapes(config: EvoformerConfig): ParamShapes {
  return { blocks: Array.from({ length: config.nBlock }, () => extraMsaBlockShapes(config)) };
}

/**
 * Fresh parameters. A new block changes nothing: what its modules add starts at zero.
 *
 * Source: Jumper et al. (2021), Suppl. 1.11.4.
 *
 * @param key Source of the random numbers; used up.
 * @returns Owned by the current scope.
 */
export function initEvoformer(device: Device, config: EvoformerConfig, key: Key): EvoformerStackParams {
  return initParams(device, evoformerShapes(config), key) as EvoformerStackParams;
}

/** {@linkcode initEvoformer} of the extra-MSA stack. */
export function initExtraMsaStack(device: Device, config: EvoformerConfig, key: Key): ExtraMsaStackParams {
  return initParams(device, extraMsaShapes(config), key) as ExtraMsaStackParams;
}

/** Gives the numbers of the parameter at a path such as `blocks.0.msaAttRow.mha.linearQ.weight`. */
export type FindParameter = (path: string, shape: Shape) => ArrayLike<number>;

/**
 * The Evoformer's parameters from given numbers.
 *
 * @returns Owned by the current scope.
 */
export function loadEvoformer(device: Device, config: EvoformerConfig, find: FindParameter): EvoformerStackParams {
  return loadParams(device, evoformerShapes(config), find) as EvoformerStackParams;
}

/** {@linkcode loadEvoformer} of the extra-MSA stack. */
export function loadExtraMsaStack(device: Device, config: EvoformerConfig, find: FindParameter): ExtraMsaStackParams {
  return loadParams(device, extraMsaShapes(config), find) as ExtraMsaStackParams;
}

/** Number of parameters of one block: 1,829,952 by default. */
export function evoformerBlockParameterCount(config: EvoformerConfig): number {
  return countParams(evoformerBlockShapes(config));
}
