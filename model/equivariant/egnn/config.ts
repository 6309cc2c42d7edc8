import { checkSize } from "../../layers/config.ts";

/** Choices of an E(n)-equivariant network, under the names of egnn-pytorch in camelCase. */
export interface EgnnConfig {
  /** Channels of a node. */
  readonly dim: number;
  /** Layers. @default 4 */
  readonly depth: number;
  /** Channels of a message. @default 16 */
  readonly mDim: number;
  /** Channels of a pair that are given besides its distance. @default 0 */
  readonly edgeDim: number;
  /** Frequencies of the squared distance whose sines and cosines are given. @default 0 */
  readonly fourierFeatures: number;
  /** Nearest nodes that send messages, the node itself among them; none are left out without it. @default all */
  readonly numNearestNeighbors?: number;
  /** Whether bonded nodes alone send messages. @default false */
  readonly onlySparseNeighbors: boolean;
  /**
   * Å beyond which nodes send no messages.
   *
   * DEVIATION(egnn-pytorch): it compares the number with squared distances.
   *
   * @default Infinity
   */
  readonly validRadius: number;
  /** Whether a layer changes features. @default true */
  readonly updateFeats: boolean;
  /** Whether a layer moves nodes. @default true */
  readonly updateCoors: boolean;
  /** Whether the node's features are normalized where a message is added. @default false */
  readonly normFeats: boolean;
  /** Whether nodes are moved along unit vectors, times a learnt length. @default false */
  readonly normCoors: boolean;
  /** Whether a learnt gate scales every message. @default false */
  readonly softEdges: boolean;
  /** How messages become one. @default "sum" */
  readonly mPoolMethod: "sum" | "mean";
  /** The most that a pair's weight may move a node. @default no bound */
  readonly coorWeightsClampValue?: number;
  /** Kinds of nodes; without it nodes come with features. */
  readonly numTokens?: number;
  /** Kinds of pairs; without it pairs come with features. */
  readonly numEdgeTokens?: number;
  /** Positions that can be told apart. @default none */
  readonly numPositions?: number;
  /** Bonds up to which pairs are told apart by the number of bonds between them. @default they are not */
  readonly numAdjDegrees?: number;
  /** Channels of that number. @default 0 */
  readonly adjDim: number;
  /** A layer of attention to a few global tokens before every so-manieth layer. @default none */
  readonly globalLinearAttnEvery: number;
  /** Its heads. @default 8 */
  readonly globalLinearAttnHeads: number;
  /** Channels of its heads. @default 64 */
  readonly globalLinearAttnDimHead: number;
  /** Global tokens. @default 4 */
  readonly numGlobalTokens: number;
  /**
   * Whether to compute what the original computes where that is wrong, for comparisons with it alone: without a mask of
   * nodes, the radius and bonds leave nothing out.
   *
   * @default false
   */
  readonly quirks: boolean;
}

const SIZES = ["dim", "depth", "mDim"] as const;
const COUNTS = ["edgeDim", "fourierFeatures", "adjDim", "globalLinearAttnEvery"] as const;

/**
 * A configuration with the original's defaults for what is not given.
 *
 * @throws {RangeError} If a size is not a positive integer, or nothing is updated.
 */
export function egnnConfig(given: Partial<EgnnConfig> & Pick<EgnnConfig, "dim">): EgnnConfig {
  const config: EgnnConfig = {
    ...{ depth: 4, mDim: 16, edgeDim: 0, fourierFeatures: 0, onlySparseNeighbors: false, validRadius: Infinity },
    ...{ updateFeats: true, updateCoors: true, normFeats: false, normCoors: false, softEdges: false },
    ...{ mPoolMethod: "sum", adjDim: 0, globalLinearAttnEvery: 0, globalLinearAttnHeads: 8 },
    ...{ globalLinearAttnDimHead: 64, numGlobalTokens: 4, quirks: false },
    ...given,
  };
  for (const name of SIZES) checkSize("The E(n)-equivariant network's", name, config[name]);
  for (const name of COUNTS) {
    if (!Number.isInteger(config[name]) || config[name] < 0) {
      throw new RangeError(`The E(n)-equivariant network's ${name} must be a whole number, got ${config[name]}`);
    }
  }
  if (!(config.validRadius > 0)) {
    throw new RangeError(`The E(n)-equivariant network's validRadius must be above 0 Å, got ${config.validRadius}`);
  }
  if (!config.updateFeats && !config.updateCoors) {
    throw new RangeError("An E(n)-equivariant layer must update features or coordinates: updateFeats or updateCoors");
  }
  return config;
}
