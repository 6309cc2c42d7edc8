import { checkSize } from "../layers/config.ts";

/**
 * Sizes of the small educational Evoformer, "TinyOpenFold".
 *
 * Source: AMD HPCTrainingExamples, MLExamples/TinyOpenFold, version 1.
 */
export interface TinyOpenFoldConfig {
  /** Tokens: 20 amino acids, and one for unknown and gap. @default 21 */
  readonly vocabSize: number;
  /** Channels of the MSA representation. @default 64 */
  readonly msaDim: number;
  /** Channels of the pair representation. @default 128 */
  readonly pairDim: number;
  /** Evoformer blocks. @default 4 */
  readonly nBlocks: number;
  /** Heads of row and column attention. @default 4 */
  readonly nHeadsMsa: number;
  /** Heads of triangle attention. @default 4 */
  readonly nHeadsPair: number;
  /** Hidden channels of the MSA transition. @default 4 * msaDim */
  readonly msaIntermediateDim: number;
  /** Hidden channels of the pair transition. @default 4 * pairDim */
  readonly pairIntermediateDim: number;
  /** Channels of the projections that form the outer product. @default 32 */
  readonly outerProductDim: number;
  /** Channels of the pair features. @default 65 */
  readonly pairInputDim: number;
  /** Most residues. @default 64 */
  readonly maxSeqLen: number;
  /** Sequences of the alignment. @default 16 */
  readonly nSeqs: number;
  /** Added to the variance in layer normalizations. @default 1e-5 */
  readonly normEps: number;
}

/**
 * A configuration with the defaults for what is not given; hidden sizes follow the channels.
 *
 * @throws {RangeError} If a size is not a positive integer, or channels do not divide into heads.
 */
export function tinyOpenFoldConfig(given: Partial<TinyOpenFoldConfig> = {}): TinyOpenFoldConfig {
  const { msaDim = 64, pairDim = 128 } = given;
  const config = {
    vocabSize: 21,
    msaDim,
    pairDim,
    nBlocks: 4,
    nHeadsMsa: 4,
    nHeadsPair: 4,
    msaIntermediateDim: 4 * msaDim,
    pairIntermediateDim: 4 * pairDim,
    outerProductDim: 32,
    pairInputDim: 65,
    maxSeqLen: 64,
    nSeqs: 16,
    normEps: 1e-5,
    ...given,
  };
  for (const [name, value] of Object.entries(config)) {
    if (name !== "normEps") checkSize("The model's", name, value);
  }
  if (msaDim % config.nHeadsMsa || pairDim % config.nHeadsPair) {
    throw new RangeError(
      `Channels must divide into heads: msaDim ${msaDim} into ${config.nHeadsMsa}, pairDim ${pairDim} into ${config.nHeadsPair}`,
    );
  }
  return config;
}

/**
 * Number of parameters by the formula of the model's own documentation. It leaves out every layer normalization
 * (12,288 numbers by default) and counts a structure module of three outputs instead of one: 2,641,728 by default,
 * where the model really has 2,653,760.
 */
export function documentedParameterCount(config: TinyOpenFoldConfig): number {
  const { msaDim: m, pairDim: z, outerProductDim: o } = config;
  const msa = 8 * m * m + config.nHeadsMsa * z + 2 * m * config.msaIntermediateDim;
  const pair = o * m + o * o * z + 12 * z * z + 8 * z * z + 2 * z * config.pairIntermediateDim;
  return config.vocabSize * m + config.pairInputDim * z + config.nBlocks * (msa + pair) + 3 * z;
}
