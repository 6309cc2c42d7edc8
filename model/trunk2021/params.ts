import type { Device, Key, Shape, Tensor } from "../../core/mod.ts";
import type { LinearParams } from "../../ops/mod.ts";
import type { LayerNormParams } from "../layers/layer_norm.ts";
import {
  countParams,
  initParams,
  layerNormShapes,
  linearShapes,
  loadParams,
  normal,
  ParamShape,
  type ParamShapes,
  shapesByPath,
  uniformFanIn,
} from "../layers/params.ts";
import type { Trunk2021Config } from "./config.ts";

/** Attention; keys and values come from one map, one below the other. */
export type Trunk2021AttentionParams = {
  /** Weight `[heads * dimHead, dim]`. */
  readonly toQ: LinearParams;
  /** Weight `[2 * heads * dimHead, dim]`. */
  readonly toKv: LinearParams;
  /** Weight `[dim, heads * dimHead]`. */
  readonly toOut: LinearParams;
  /** What makes one key or value of several, head by head: weight `[heads * dimHead, dimHead, ratio]`; where it does. */
  readonly compressFn?: LinearParams;
};

/** Attention of pairs along both axes. */
export type Trunk2021AxialParams = {
  readonly attnWidth: Trunk2021AttentionParams;
  readonly attnHeight: Trunk2021AttentionParams;
};

/** Two linear maps, the first of twice the width: values and gates. The numbers are the original's. */
export type Trunk2021FeedForwardParams = { readonly net: { readonly 0: LinearParams; readonly 3: LinearParams } };

/** Something behind a layer normalization. */
export type PreNormParams<F> = { readonly fn: F; readonly norm: LayerNormParams };

/** Cross attention, with a layer normalization of what is attended to besides. */
export type PreNormCrossParams = PreNormParams<Trunk2021AttentionParams> & { readonly normContext: LayerNormParams };

/** The parts of a layer, whatever the order in which they run. */
export type Trunk2021Layer = {
  /** Of pairs among themselves. */
  readonly pairAttention: PreNormParams<Trunk2021AxialParams>;
  readonly pairFeedForward: PreNormParams<Trunk2021FeedForwardParams>;
  /** Of the MSA among itself. */
  readonly msaAttention: PreNormParams<Trunk2021AttentionParams>;
  /** Of pairs to the MSA. */
  readonly pairCross: PreNormCrossParams;
  readonly msaFeedForward: PreNormParams<Trunk2021FeedForwardParams>;
  /** Of the MSA to pairs. */
  readonly msaCross: PreNormCrossParams;
  /** In a reversible trunk alone, where both halves of a layer end in feed-forward maps. */
  readonly pairFeedForward2?: PreNormParams<Trunk2021FeedForwardParams>;
  readonly msaFeedForward2?: PreNormParams<Trunk2021FeedForwardParams>;
};

/** A half of a layer of a reversible trunk: attention and feed-forward maps of pairs (f, g) and of the MSA (j, k). */
export type Trunk2021ReversibleHalf<F, J> = {
  readonly f: { readonly net: F };
  readonly g: { readonly net: PreNormParams<Trunk2021FeedForwardParams> };
  readonly j: { readonly net: J };
  readonly k: { readonly net: PreNormParams<Trunk2021FeedForwardParams> };
};

/** Self attention of pairs, their feed-forward map, self attention of the MSA. */
export type Trunk2021SelfHalf = readonly [
  pairs: PreNormParams<Trunk2021AxialParams>,
  pairFeedForward: PreNormParams<Trunk2021FeedForwardParams>,
  msa: PreNormParams<Trunk2021AttentionParams>,
];

/** Cross attention of pairs, the MSA's feed-forward map, cross attention of the MSA. */
export type Trunk2021CrossHalf = readonly [
  pairs: PreNormCrossParams,
  msaFeedForward: PreNormParams<Trunk2021FeedForwardParams>,
  msa: PreNormCrossParams,
];

/** A half of a layer, of self attention or of cross attention. */
export type Trunk2021Half =
  | Trunk2021SelfHalf
  | Trunk2021CrossHalf
  | Trunk2021ReversibleHalf<PreNormParams<Trunk2021AxialParams>, PreNormParams<Trunk2021AttentionParams>>
  | Trunk2021ReversibleHalf<PreNormCrossParams, PreNormCrossParams>;

/** All parameters; names are the original's in camelCase. */
export type Trunk2021Params = {
  readonly tokenEmb: { readonly weight: Tensor };
  /** Positions of the first residue of a pair, and of the second one. */
  readonly posEmb: { readonly weight: Tensor };
  readonly posEmbAx: { readonly weight: Tensor };
  /** Positions in a row of the MSA, and of rows in it. */
  readonly msaPosEmb: { readonly weight: Tensor };
  readonly msaNumPosEmb: { readonly weight: Tensor };
  readonly embeddProject: LinearParams;
  /** Two halves a layer, {@linkcode layersOf}. */
  readonly net: { readonly blocks: readonly Trunk2021Half[] };
  readonly toDistogramLogits: { readonly 0: LayerNormParams; readonly 1: LinearParams };
};

/** The layers of a trunk by what their parts do. */
export function layersOf({ net: { blocks } }: Pick<Trunk2021Params, "net">): Trunk2021Layer[] {
  return Array.from({ length: blocks.length / 2 }, (_, layer) => {
    const [self, cross] = [blocks[2 * layer], blocks[2 * layer + 1]];
    if ("f" in self && "f" in cross) {
      return {
        ...{
          pairAttention: self.f.net as PreNormParams<Trunk2021AxialParams>,
          pairFeedForward: self.g.net,
          msaAttention: self.j.net,
        },
        ...{ msaFeedForward: self.k.net, pairCross: cross.f.net as PreNormCrossParams },
        ...{ msaCross: cross.j.net as PreNormCrossParams },
        ...{ pairFeedForward2: cross.g.net, msaFeedForward2: cross.k.net },
      };
    }
    const [pairAttention, pairFeedForward, msaAttention] = self as Trunk2021SelfHalf;
    const [pairCross, msaFeedForward, msaCross] = cross as Trunk2021CrossHalf;
    return { pairAttention, pairFeedForward, msaAttention, pairCross, msaFeedForward, msaCross };
  });
}

/** Shapes of attention's parameters. */
export function trunk2021AttentionShapes(
  { dim, heads, dimHead }: Pick<Trunk2021Config, "dim" | "heads" | "dimHead">,
  compressRatio = 1,
): ParamShapes {
  const inner = heads * dimHead;
  return {
    toQ: linearShapes(inner, dim, { weight: uniformFanIn(dim) }),
    toKv: linearShapes(2 * inner, dim, { weight: uniformFanIn(dim) }),
    toOut: linear(dim, inner),
    ...(compressRatio > 1 && {
      compressFn: {
        weight: new ParamShape([inner, dimHead, compressRatio], uniformFanIn(dimHead * compressRatio)),
        bias: new ParamShape([inner], uniformFanIn(dimHead * compressRatio)),
      },
    }),
  };
}

/** Shapes of a feed-forward map's parameters. */
export function trunk2021FeedForwardShapes({ dim }: Pick<Trunk2021Config, "dim">): ParamShapes {
  return { net: { 0: linear(8 * dim, dim), 3: linear(dim, 4 * dim) } };
}

/** A linear map with a bias as PyTorch starts it: uniform numbers within 1 / √cIn. */
function linear(cOut: number, cIn: number): ParamShapes {
  return linearShapes(cOut, cIn, { weight: uniformFanIn(cIn), bias: uniformFanIn(cIn) });
}

/**
 * Shapes of all parameters, by the names of the original's state dict, with initial numbers as PyTorch makes them: maps
 * within 1 / √cIn, embeddings from N(0, 1).
 */
export function trunk2021Shapes(config: Trunk2021Config): ParamShapes {
  const { dim, depth, maxSeqLen, numTokens, maxNumMsa, numEmbedds, distogramBuckets, reversible } = config;
  const norm = layerNormShapes(dim);
  const attention = trunk2021AttentionShapes(config);
  const self = { fn: attention, norm };
  const pair = { fn: { attnWidth: attention, attnHeight: attention }, norm };
  const cross = {
    fn: trunk2021AttentionShapes(config, config.crossAttnCompressRatio),
    norm,
    normContext: layerNormShapes(dim),
  };
  const feedForward = { fn: trunk2021FeedForwardShapes(config), norm };
  const net = (part: ParamShapes) => ({ net: part });
  const halves = reversible
    ? [
      { f: net(pair), g: net(feedForward), j: net(self), k: net(feedForward) },
      { f: net(cross), g: net(feedForward), j: net(cross), k: net(feedForward) },
    ]
    : [[pair, feedForward, self], [cross, feedForward, cross]];
  const table = (rows: number) => ({ weight: new ParamShape([rows, dim], normal(1)) });
  return {
    tokenEmb: table(numTokens),
    posEmb: table(maxSeqLen),
    posEmbAx: table(maxSeqLen),
    msaPosEmb: table(maxSeqLen),
    msaNumPosEmb: table(maxNumMsa),
    embeddProject: linear(dim, numEmbedds),
    net: { blocks: Array.from({ length: depth }, () => halves).flat() },
    toDistogramLogits: { 0: norm, 1: linear(distogramBuckets, dim) },
  };
}

/**
 * Fresh parameters.
 *
 * @param key Source of the random numbers; used up.
 * @returns Owned by the current scope.
 */
export function initTrunk2021(device: Device, config: Trunk2021Config, key: Key): Trunk2021Params {
  return initParams(device, trunk2021Shapes(config), key) as Trunk2021Params;
}

/**
 * Parameters from given numbers.
 *
 * @param find The numbers of the parameter at a path such as `net.blocks.0.0.fn.attnWidth.toQ.weight`.
 * @returns Owned by the current scope.
 */
export function loadTrunk2021(
  device: Device,
  config: Trunk2021Config,
  find: (path: string, shape: Shape) => ArrayLike<number>,
): Trunk2021Params {
  return loadParams(device, trunk2021Shapes(config), find) as Trunk2021Params;
}

/** Shapes of all parameters by path. */
export function trunk2021ParamShapes(config: Trunk2021Config): Map<string, Shape> {
  return shapesByPath(trunk2021Shapes(config));
}

/** Number of parameters of a configuration. */
export function trunk2021ParameterCount(config: Trunk2021Config): number {
  return countParams(trunk2021Shapes(config));
}
