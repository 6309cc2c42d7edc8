/** What networks for complexes have that those for single chains have not. */
export interface MultimerConfig {
  /** Copies of a chain apart from which on all offsets among copies are alike. @default 2 */
  readonly maxRelativeChain: number;
  /** Weight of the interface's TM score in what ranks predictions; the other part is the whole complex's. @default 0.8 */
  readonly interfaceWeight: number;
}

/** AlphaFold-Multimer's values. */
export const MULTIMER: MultimerConfig = { maxRelativeChain: 2, interfaceWeight: 0.8 };

/** Features of a pair of residues in the relative encoding: offset along the chain, same sequence, offset among copies. */
export function relativeFeatures(maxRelativePosition: number, maxRelativeChain: number): number {
  return 2 * maxRelativePosition + 2 + 1 + 2 * maxRelativeChain + 2;
}
