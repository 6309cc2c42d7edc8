import { checkSize } from "../../layers/config.ts";

/** Sizes of the heads that predict something from the representations. */
export interface HeadsConfig {
  /** Channels of the MSA representation. @default 256 */
  readonly cM: number;
  /** Channels of the pair representation. @default 128 */
  readonly cZ: number;
  /** Channels of the single representation. @default 384 */
  readonly cS: number;
  /** Bins of lDDT between 0 and 1. @default 50 */
  readonly plddtBins: number;
  /** Hidden channels of the pLDDT head. @default 128 */
  readonly plddtHidden: number;
  /** Bins of the distogram. @default 64 */
  readonly distogramBins: number;
  /** Letters that a masked token may be: 20 residues, unknown, gap, mask. @default 23 */
  readonly msaClasses: number;
  /** Whether there is a head for aligned errors, as in the pTM models. @default false */
  readonly tm: boolean;
  /** Bins of aligned errors. @default 64 */
  readonly tmBins: number;
}

const HEADS: HeadsConfig = {
  cM: 256,
  cZ: 128,
  cS: 384,
  plddtBins: 50,
  plddtHidden: 128,
  distogramBins: 64,
  msaClasses: 23,
  tm: false,
  tmBins: 64,
};

/**
 * The heads' configuration with AlphaFold 2's values for what is not given.
 *
 * @throws {RangeError} If a size is not a positive integer.
 */
export function headsConfig(given: Partial<HeadsConfig> = {}): HeadsConfig {
  const config = { ...HEADS, ...given };
  for (const [name, value] of Object.entries(config)) {
    if (typeof value === "number") checkSize("The heads'", name, value);
  }
  return config;
}
