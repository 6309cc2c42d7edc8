import type { Device, Key, Tensor } from "../../../core/mod.ts";
import type { LinearParams } from "../../../ops/mod.ts";
import type { LayerNormParams } from "../../layers/layer_norm.ts";
import {
  initParams,
  layerNormShapes,
  linearShapes,
  normal,
  ParamShape,
  type ParamShapes,
  uniformFanIn,
} from "../../layers/params.ts";
import { checkSize } from "../../layers/config.ts";

/** Choices of a LieTransformer, under the names of lie-transformer-pytorch in camelCase. */
export interface LieConfig {
  /** Channels of a point. */
  readonly dim: number;
  /** Channels of the output. @default dim */
  readonly dimOut?: number;
  /** Layers of attention and feed-forward maps. @default 2 */
  readonly depth: number;
  /** Heads of attention. @default 8 */
  readonly heads: number;
  /** Channels of a head. @default 64 */
  readonly dimHead: number;
  /** Orientations a point. @default 4 */
  readonly liftsamples: number;
  /** Motions that one attends to at most, chosen at random among those within the radius. @default all */
  readonly nbhd?: number;
  /** Distance of motions below which they attend to each other. @default 2 */
  readonly radius: number;
  /** Kinds of points; without it points come with features. */
  readonly numTokens?: number;
  /** Kinds of pairs; without it pairs come with features. */
  readonly numEdgeTypes?: number;
  /** Channels of pairs. @default 0 */
  readonly edgeDim: number;
  /** What to compute as the original does where that is wrong, for comparisons with it alone. @default nothing */
  readonly quirks: LieQuirks;
}

/** Where the original is wrong. */
export interface LieQuirks {
  /** A motion that attends to nothing averages its candidates. */
  readonly averagesMasked?: boolean;
  /** What should be attended to is left out instead, so that attention is an average. */
  readonly invertedMask?: boolean;
  /** Residuals are added twice. */
  readonly doubledResiduals?: boolean;
}

/**
 * A configuration with the original's defaults for what is not given.
 *
 * @throws {RangeError} If a size is not a positive integer, or the radius is not above 0.
 */
export function lieConfig(given: Partial<LieConfig> & Pick<LieConfig, "dim">): LieConfig {
  const config: LieConfig = {
    ...{ depth: 2, heads: 8, dimHead: 64, liftsamples: 4, radius: 2, edgeDim: 0, quirks: {} },
    ...given,
  };
  for (const name of ["dim", "depth", "heads", "dimHead", "liftsamples"] as const) {
    checkSize("The LieTransformer's", name, config[name]);
  }
  if (config.nbhd !== undefined) checkSize("The LieTransformer's", "nbhd", config.nbhd);
  if (!(config.radius > 0)) throw new RangeError(`The LieTransformer's radius must be above 0, got ${config.radius}`);
  return config;
}

/** Attention. */
export type LieAttentionParams = {
  readonly toQ: LinearParams;
  readonly toK: LinearParams;
  readonly toV: LinearParams;
  readonly toOut: LinearParams;
  /** What makes a number of a motion and a pair's features. */
  readonly locAttnMlp: { readonly 0: LinearParams; readonly 2: LinearParams };
};

/** All parameters, under the names of the original's state dict in camelCase. */
export type LieTransformerParams = {
  readonly tokenEmb?: { readonly weight: Tensor };
  readonly edgeEmb?: { readonly weight: Tensor };
  readonly net: {
    readonly blocks: readonly {
      readonly 0: { readonly attn: LieAttentionParams; readonly net: { readonly 0: { readonly fn: LayerNormParams } } };
      readonly 1: {
        readonly net: {
          readonly 0: { readonly fn: LayerNormParams };
          readonly 1: { readonly fn: LinearParams };
          readonly 3: { readonly fn: LinearParams };
        };
      };
    }[];
  };
  readonly toLogits: { readonly 0: { readonly fn: LayerNormParams }; readonly 1: { readonly fn: LinearParams } };
};

function linear(cOut: number, cIn: number): ParamShapes {
  return linearShapes(cOut, cIn, { weight: uniformFanIn(cIn), bias: uniformFanIn(cIn) });
}

/** Shapes of attention's parameters. */
export function lieAttentionShapes({ dim, heads, dimHead, edgeDim }: LieConfig): ParamShapes {
  const inner = heads * dimHead, pair = 6 + edgeDim;
  const bare = linearShapes(inner, dim, { weight: uniformFanIn(dim) });
  return {
    ...{ toQ: bare, toK: bare, toV: bare, toOut: linear(dim, inner) },
    locAttnMlp: { 0: linear(4 * pair, pair), 2: linear(1, 4 * pair) },
  };
}

/** Shapes of all parameters, by the names of the original's state dict. */
export function lieTransformerShapes(config: LieConfig): ParamShapes {
  const { dim, dimOut = dim, depth, numTokens, numEdgeTypes, edgeDim } = config;
  const norm = { fn: layerNormShapes(dim) };
  const block = {
    0: { attn: lieAttentionShapes(config), net: { 0: norm } },
    1: { net: { 0: norm, 1: { fn: linear(4 * dim, dim) }, 3: { fn: linear(dim, 4 * dim) } } },
  };
  const table = (rows: number, channels: number) => ({ weight: new ParamShape([rows, channels], normal(1)) });
  return {
    ...(numTokens && { tokenEmb: table(numTokens, dim) }),
    ...(numEdgeTypes && { edgeEmb: table(numEdgeTypes, edgeDim) }),
    net: { blocks: Array.from({ length: depth }, () => block) },
    toLogits: { 0: norm, 1: { fn: linear(dimOut, dim) } },
  };
}

/**
 * Fresh parameters.
 *
 * @param key Source of the random numbers; used up.
 * @returns Owned by the current scope.
 */
export function initLieTransformer(device: Device, config: LieConfig, key: Key): LieTransformerParams {
  return initParams(device, lieTransformerShapes(config), key) as LieTransformerParams;
}
