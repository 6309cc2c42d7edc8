import { checkSize } from "../layers/config.ts";

/** Sizes and rates of an Evoformer or extra-MSA stack. */
export interface EvoformerConfig {
  /** Channels of the MSA representation. @default 256 (extra MSA: 64) */
  readonly cM: number;
  /** Channels of the pair representation. @default 128 */
  readonly cZ: number;
  /** Channels of the single representation; an extra-MSA stack has none. @default 384 */
  readonly cS: number;
  /** Channels of a head of MSA attention. @default 32 (extra MSA: 8) */
  readonly cHiddenMsaAtt: number;
  /** Channels of each side of the outer product. @default 32 */
  readonly cHiddenOpm: number;
  /** Channels of triangle multiplication. @default 128 */
  readonly cHiddenMul: number;
  /** Channels of a head of triangle attention. @default 32 */
  readonly cHiddenPairAtt: number;
  /** Heads of MSA attention. @default 8 */
  readonly nHeadMsa: number;
  /** Heads of triangle attention. @default 4 */
  readonly nHeadPair: number;
  /** Blocks of the stack. @default 48 (extra MSA: 4) */
  readonly nBlock: number;
  /** Factor by which transitions widen their channels. @default 4 */
  readonly transitionN: number;
  /** Dropout of row attention's update. @default 0.15 */
  readonly msaDropout: number;
  /** Dropout of triangle modules' updates. @default 0.25 */
  readonly pairDropout: number;
  /** Whether sequences attend to each other at all. @default true */
  readonly columnAttention: boolean;
  /** Whether the outer product mean comes first in a block, as in AlphaFold-Multimer. @default false */
  readonly opmFirst: boolean;
  /** Whether transitions' updates are masked; AlphaFold 2 does not. @default false */
  readonly maskTrans: boolean;
  /**
   * Whether pairs are updated from triangles; if not, the pair half of a block has attention along rows and columns alone,
   * without the third edge's bias. @default true
   */
  readonly triangles: boolean;
  /**
   * Whether triangle multiplication has one map for the values of both edges and one for their gates, as in
   * AlphaFold-Multimer v3. @default false
   */
  readonly fusedTriangles: boolean;
}

const EVOFORMER: EvoformerConfig = {
  cM: 256,
  cZ: 128,
  cS: 384,
  cHiddenMsaAtt: 32,
  cHiddenOpm: 32,
  cHiddenMul: 128,
  cHiddenPairAtt: 32,
  nHeadMsa: 8,
  nHeadPair: 4,
  nBlock: 48,
  transitionN: 4,
  msaDropout: 0.15,
  pairDropout: 0.25,
  columnAttention: true,
  opmFirst: false,
  maskTrans: false,
  triangles: true,
  fusedTriangles: false,
};

/**
 * An Evoformer's configuration with AlphaFold 2's values for what is not given.
 *
 * @throws {RangeError} If a size is not a positive integer or a rate not in [0, 1).
 */
export function evoformerConfig(given: Partial<EvoformerConfig> = {}): EvoformerConfig {
  return checked({ ...EVOFORMER, ...given });
}

/** {@linkcode evoformerConfig} of the extra-MSA stack: 64 MSA channels, 8 a head, 4 blocks. */
export function extraMsaConfig(given: Partial<EvoformerConfig> = {}): EvoformerConfig {
  return checked({ ...EVOFORMER, cM: 64, cHiddenMsaAtt: 8, nBlock: 4, ...given });
}

function checked(config: EvoformerConfig): EvoformerConfig {
  for (const [name, value] of Object.entries(config)) {
    if (typeof value === "boolean") continue;
    if (name.endsWith("Dropout")) {
      if (!(value >= 0 && value < 1)) {
        throw new RangeError(`The Evoformer's ${name} must be at least 0 and below 1, got ${value}`);
      }
    } else checkSize("The Evoformer's", name, value);
  }
  return config;
}
