import { checkSize } from "../../layers/config.ts";

/** Sizes and rates of the structure module. */
export interface StructureConfig {
  /** Channels of the single representation. @default 384 */
  readonly cS: number;
  /** Channels of the pair representation. @default 128 */
  readonly cZ: number;
  /** Channels of a head of invariant point attention. @default 16 */
  readonly cIpa: number;
  /** Hidden channels of the network for torsion angles. @default 128 */
  readonly cResnet: number;
  /** Heads of invariant point attention. @default 12 */
  readonly nHeadIpa: number;
  /** Points of a query and of a key, for each head. @default 4 */
  readonly nQkPoints: number;
  /** Points of a value, for each head. @default 8 */
  readonly nVPoints: number;
  /** Iterations, which share their weights. @default 8 */
  readonly nBlock: number;
  /** Layers of an iteration's transition. @default 1 */
  readonly nTransition: number;
  /** Residual blocks of the network for torsion angles. @default 2 */
  readonly nResnetBlock: number;
  /** Dropout of the single representation, twice an iteration. @default 0.1 */
  readonly dropout: number;
  /** Å for a step of 1 of a translation. @default 10, or 20 in a network for complexes */
  readonly transScale: number;
  /**
   * Whether residues attend to each other by points in their frames too; if not, by plain attention with the pairs' bias.
   * @default true
   */
  readonly pointAttention: boolean;
  /** Whether attention and frames are those of AlphaFold-Multimer. @default false */
  readonly multimer: boolean;
}

/** Torsion angles of a residue: pre-omega, phi, psi, chi 1 to 4. */
export const TORSION_ANGLES = 7;

const STRUCTURE: StructureConfig = {
  cS: 384,
  cZ: 128,
  cIpa: 16,
  cResnet: 128,
  nHeadIpa: 12,
  nQkPoints: 4,
  nVPoints: 8,
  nBlock: 8,
  nTransition: 1,
  nResnetBlock: 2,
  dropout: 0.1,
  transScale: 10,
  pointAttention: true,
  multimer: false,
};

/**
 * The structure module's configuration with AlphaFold 2's values for what is not given.
 *
 * @throws {RangeError} If a size is not a positive integer, the dropout not in [0, 1) or the scale not above 0.
 */
export function structureConfig(given: Partial<StructureConfig> = {}): StructureConfig {
  const config = { ...STRUCTURE, ...given };
  const { dropout, transScale, pointAttention: _, multimer: __, ...sizes } = config;
  for (const [name, value] of Object.entries(sizes)) checkSize("The structure module's", name, value);
  if (!(dropout >= 0 && dropout < 1)) {
    throw new RangeError(`The structure module's dropout must be at least 0 and below 1, got ${dropout}`);
  }
  if (!(transScale > 0 && transScale < Infinity)) {
    throw new RangeError(`The structure module's transScale must be above 0, got ${transScale}`);
  }
  return config;
}
