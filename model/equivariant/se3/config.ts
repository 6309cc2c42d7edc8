import { checkSize } from "../../layers/config.ts";
import { MOST_DEGREE } from "./basis.ts";
import { evenFiber, type Fiber } from "./params.ts";

/** Choices of an SE(3)-transformer, under the names of se3-transformer-pytorch in camelCase. */
export interface Se3Config {
  /** Channels of every degree inside. */
  readonly dim: number;
  /** Channels of the input, one number or one a degree. @default dim */
  readonly dimIn?: number | readonly number[];
  /** Channels of the output. @default dim */
  readonly dimOut?: number;
  /** Blocks of attention and feed-forward maps. @default 2 */
  readonly depth: number;
  /** Heads of attention. @default 8 */
  readonly heads: number;
  /** Channels of a head. @default 24 */
  readonly dimHead: number;
  /** Degrees of features inside: 2 are numbers and vectors; at most 4. @default 2 */
  readonly numDegrees: number;
  /** Degrees of the input. @default 1 */
  readonly inputDegrees: number;
  /** Degrees of the output. @default 1 */
  readonly outputDegrees: number;
  /** Whether the channels of the output are made one. @default false */
  readonly reduceDimOut: boolean;
  /** Convolutions before the blocks. @default 0 */
  readonly numConvLayers: number;
  /** Channels of the nets that make weights of distances. @default 128 */
  readonly midDim: number;
  /** Frequencies of the distance whose sines and cosines are given; 0 for the distance alone. @default 0 */
  readonly distanceFourierFeatures: number;
  /** Nearest nodes that a node attends to; 0 for bonded ones alone. @default all */
  readonly numNeighbors?: number;
  /** Å beyond which nodes are no neighbours. @default 1e5 */
  readonly validRadius: number;
  /** Whether bonded nodes are neighbours besides the nearest. @default false */
  readonly attendSparseNeighbors: boolean;
  /** Whether nodes attend to those before them alone. @default false */
  readonly causal: boolean;
  /**
   * Whether gradients reach coordinates through directions, not through distances alone. The original's do not, whatever its
   * choice of this name.
   *
   * @default true
   */
  readonly differentiableCoors: boolean;
  /** Channels of pairs that are given besides distances. @default 0 */
  readonly edgeDim: number;
  /** Kinds of pairs; without it pairs come with features. */
  readonly numEdgeTokens?: number;
  /** Kinds of nodes; without it nodes come with features. */
  readonly numTokens?: number;
  /** Positions that can be told apart. @default none */
  readonly numPositions?: number;
  /** Bonds up to which pairs are told apart by the number of bonds between them. @default they are not */
  readonly numAdjDegrees?: number;
  /** Channels of that number. @default 0 */
  readonly adjDim: number;
  /** Channels of global tokens. @default there are none */
  readonly globalFeatsDim?: number;
  /** Whether a node attends to itself. @default true */
  readonly attendSelf: boolean;
  /** Whether there are keys and values that stand for nothing, of degree 0. @default false */
  readonly useNullKv: boolean;
  /** Whether keys are a linear map of the neighbours' features. @default false */
  readonly linearProjKeys: boolean;
  /** Whether values are keys too. @default false */
  readonly tieKeyValues: boolean;
  /** Whether all heads share keys and values. @default false */
  readonly oneHeadedKeyValues: boolean;
  /** Whether lengths are scaled by a map of all lengths. @default false */
  readonly normGatedScale: boolean;
  /** Whether the output's lengths are scaled. @default false, true of a reversible one */
  readonly normOut: boolean;
  /** Whether the way back computes activations again, so that memory does not grow with depth. @default false */
  readonly reversible: boolean;
  /** Whether blocks are E(n)-equivariant layers of features of all degrees in place of attention. @default false */
  readonly useEgnn: boolean;
  /** Channels of their messages. @default 32 */
  readonly egnnHiddenDim: number;
  /** Whether feed-forward maps follow them. @default false */
  readonly egnnFeedforward: boolean;
  /**
   * Whether to compute what the original computes where that is wrong, for comparisons with it alone: a node without
   * neighbours averages what fills its list up, keys that stand for nothing have vectors, a zero vector points along the second
   * axis, and the vectors of E(n)-equivariant layers move by what is masked.
   *
   * @default false
   */
  readonly quirks: boolean;
}

const SIZES = ["dim", "depth", "heads", "dimHead", "midDim", "egnnHiddenDim"] as const;
const COUNTS = ["numConvLayers", "distanceFourierFeatures", "edgeDim", "adjDim"] as const;

/**
 * A configuration with the original's defaults for what is not given.
 *
 * @throws {RangeError} If a size is not a positive integer, or degrees are more than there can be.
 */
export function se3Config(given: Partial<Se3Config> & Pick<Se3Config, "dim">): Se3Config {
  const config: Se3Config = {
    ...{ depth: 2, heads: 8, dimHead: 24, numDegrees: 2, inputDegrees: 1, outputDegrees: 1, reduceDimOut: false },
    ...{ numConvLayers: 0, midDim: 128, distanceFourierFeatures: 0, validRadius: 1e5, attendSparseNeighbors: false },
    ...{
      causal: false,
      differentiableCoors: true,
      edgeDim: 0,
      adjDim: 0,
      attendSelf: true,
      useNullKv: false,
      linearProjKeys: false,
    },
    ...{ tieKeyValues: false, oneHeadedKeyValues: false, normGatedScale: false, normOut: given.reversible ?? false },
    ...{ reversible: false, useEgnn: false, egnnHiddenDim: 32, egnnFeedforward: false, quirks: false },
    ...given,
  };
  for (const name of SIZES) checkSize("The SE(3)-transformer's", name, config[name]);
  for (const name of COUNTS) {
    if (!Number.isInteger(config[name]) || config[name] < 0) {
      throw new RangeError(`The SE(3)-transformer's ${name} must be a whole number, got ${config[name]}`);
    }
  }
  const { numDegrees, inputDegrees, outputDegrees, dimIn } = config;
  if (!Number.isInteger(numDegrees) || numDegrees < 1 || numDegrees > MOST_DEGREE + 1) {
    throw new RangeError(
      `The SE(3)-transformer's numDegrees must be between 1 and ${
        MOST_DEGREE + 1
      }, since features have degrees up to ` +
        `${MOST_DEGREE}, got ${numDegrees}`,
    );
  }
  for (const [name, degrees] of [["inputDegrees", inputDegrees], ["outputDegrees", outputDegrees]] as const) {
    if (!Number.isInteger(degrees) || degrees < 1 || degrees > numDegrees) {
      throw new RangeError(
        `The SE(3)-transformer's ${name} must be between 1 and numDegrees = ${numDegrees}, got ${degrees}`,
      );
    }
  }
  if (typeof dimIn === "object" && dimIn.length !== inputDegrees) {
    throw new RangeError(`The SE(3)-transformer's dimIn must be one number or ${inputDegrees}, got [${dimIn}]`);
  }
  if (!(config.validRadius > 0)) {
    throw new RangeError(`The SE(3)-transformer's validRadius must be above 0 Å, got ${config.validRadius}`);
  }
  if (config.tieKeyValues && config.linearProjKeys) {
    throw new RangeError(
      "An SE(3)-transformer's keys are values or a linear map, not both: tieKeyValues, linearProjKeys",
    );
  }
  return config;
}

/** Channels by degree of what comes in. */
export function fiberIn({ dim, dimIn = dim, inputDegrees }: Se3Config): Fiber {
  if (typeof dimIn === "number") return evenFiber(inputDegrees, dimIn);
  return Object.fromEntries(dimIn.map((channels, degree) => [degree, channels]));
}

/** Channels by degree of what goes out of the last convolution. */
export function fiberOut({ dim, dimOut = dim, outputDegrees }: Se3Config): Fiber {
  return evenFiber(outputDegrees, dimOut);
}

/** How many numbers are known of a pair. */
export function radialDim({ distanceFourierFeatures, edgeDim, numAdjDegrees, adjDim }: Se3Config): number {
  return 1 + 2 * distanceFourierFeatures + edgeDim + (numAdjDegrees ? adjDim : 0);
}
