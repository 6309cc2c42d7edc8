import { checkSize } from "../layers/config.ts";

/**
 * Sizes of the Flax notebook's Evoformer block.
 *
 * Source: the notebook's own defaults; its block has 251,744 parameters at 32 and 30 channels.
 */
export interface NnxEvoformerConfig {
  /** Channels of the MSA representation. @default 32 */
  readonly cM: number;
  /** Channels of the pair representation. @default 30 */
  readonly cZ: number;
  /** Heads of every attention. @default 8 */
  readonly nHead: number;
  /** Channels of a head. @default 32 */
  readonly headDim: number;
  /** Channels of triangle multiplication. @default 128 */
  readonly triangleDim: number;
  /** Channels of each side of the outer product. @default 32 */
  readonly outerProductDim: number;
  /** Factor by which transitions widen their channels. @default 4 */
  readonly transitionN: number;
  /** Added to the variance in layer normalizations. @default 1e-6 */
  readonly normEps: number;
}

/**
 * A configuration with the defaults for what is not given.
 *
 * @throws {RangeError} If a size is not a positive integer.
 */
export function nnxEvoformerConfig(given: Partial<NnxEvoformerConfig> = {}): NnxEvoformerConfig {
  const config = {
    cM: 32,
    cZ: 30,
    nHead: 8,
    headDim: 32,
    triangleDim: 128,
    outerProductDim: 32,
    transitionN: 4,
    normEps: 1e-6,
    ...given,
  };
  for (const [name, value] of Object.entries(config)) {
    if (name !== "normEps") checkSize("The notebook Evoformer's", name, value);
  }
  return config;
}
