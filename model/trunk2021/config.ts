import { checkSize } from "../layers/config.ts";

/** Choices of the trunk of early 2021, under the names of the original in camelCase. */
export interface Trunk2021Config {
  /** Channels of both representations. @default 256 */
  readonly dim: number;
  /** Layers; each has self attention, cross attention both ways and feed-forward maps of both representations. @default 6 */
  readonly depth: number;
  /** Heads of every attention. @default 8 */
  readonly heads: number;
  /** Channels of a head. @default 64 */
  readonly dimHead: number;
  /** Positions that can be told apart: the longest sequence and the longest row of an MSA. @default 2048 */
  readonly maxSeqLen: number;
  /** Kinds of residues. @default 21 */
  readonly numTokens: number;
  /** Rows of an MSA that can be told apart. @default 20 */
  readonly maxNumMsa: number;
  /** Channels of embeddings that stand in the place of an MSA. @default 1280 */
  readonly numEmbedds: number;
  /** Bins of the distogram. @default 37 */
  readonly distogramBuckets: number;
  /** Whether the way back computes activations again from the outputs, so that memory does not grow with depth. @default false */
  readonly reversible: boolean;
  /** Whether self attention visits some blocks of keys only: in all layers, or a choice for each. @default false */
  readonly sparseSelfAttn: boolean | readonly boolean[];
  /** The same of cross attention, which the original lacks. @default false */
  readonly sparseCrossAttn: boolean | readonly boolean[];
  /** Keys and values of cross attention that are made one; 1 leaves them as they are. @default 1 */
  readonly crossAttnCompressRatio: number;
  /** Whether residues of an MSA attend to those of all rows, or of their own alone. @default true */
  readonly interMsaSelfAttn: boolean;
  /**
   * Whether to compute what the original computes where that is wrong: for comparisons with it alone. Then the context of
   * cross attention is normalized as what asks; keys are not compressed where their number divides; a masked query averages all
   * keys; a pair is masked only where both residues are; and a list of sparse flags makes the attention of pairs sparse in
   * all layers.
   *
   * @default false
   */
  readonly quirks: boolean;
}

const SIZES = [
  "dim",
  "depth",
  "heads",
  "dimHead",
  "maxSeqLen",
  "numTokens",
  "maxNumMsa",
  "numEmbedds",
  "distogramBuckets",
  "crossAttnCompressRatio",
] as const;

/**
 * A configuration with the original's defaults for what is not given.
 *
 * @throws {RangeError} If a size is not a positive integer, or flags of sparse attention are of another number than layers.
 */
export function trunk2021Config(given: Partial<Trunk2021Config> = {}): Trunk2021Config {
  const config: Trunk2021Config = {
    dim: 256,
    depth: 6,
    heads: 8,
    dimHead: 64,
    maxSeqLen: 2048,
    numTokens: 21,
    maxNumMsa: 20,
    numEmbedds: 1280,
    distogramBuckets: 37,
    reversible: false,
    sparseSelfAttn: false,
    sparseCrossAttn: false,
    crossAttnCompressRatio: 1,
    interMsaSelfAttn: true,
    quirks: false,
    ...given,
  };
  for (const name of SIZES) checkSize("The trunk's", name, config[name]);
  for (const name of ["sparseSelfAttn", "sparseCrossAttn"] as const) {
    const flags = config[name];
    if (typeof flags !== "boolean" && flags.length !== config.depth) {
      throw new RangeError(
        `The trunk's ${name} must be one flag or one for each of the ${config.depth} layers, got ${flags.length}: ` +
          `[${flags}]`,
      );
    }
  }
  return config;
}
