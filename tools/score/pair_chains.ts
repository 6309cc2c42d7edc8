/** Which chains of two structures stand for each other. */
import type { Chain, Structure } from "../data/structure.ts";
import { selectChain } from "../data/structure.ts";
import { bySequence } from "./pair_residues.ts";

/** A chain of the model and that of the reference. */
export interface ChainPair {
  /** Of the model. */
  readonly model: Chain;
  /** Of the reference. */
  readonly reference: Chain;
}

/** Chains of which so little is the same have nothing to do with each other. */
const RELATED = 0.3;

/**
 * Pairs the chains of two structures: two single ones in any case; else, in the reference's order, each with the chain
 * that is most like it in sequence, of equals the one of the same name. Chains that are related to none stay alone.
 *
 * @param names Pairs that are wanted, as `[model, reference]`; all others stay alone. @default found by sequence
 * @throws {InputError} If there is no chain of a name; the message lists them.
 */
export function pairChains(
  model: Structure,
  reference: Structure,
  names?: readonly (readonly [string, string])[],
): ChainPair[] {
  if (names !== undefined) {
    return names.map(([one, other]) => ({ model: selectChain(model, one), reference: selectChain(reference, other) }));
  }
  if (model.chains.length === 1 && reference.chains.length === 1) {
    return [{ model: model.chains[0], reference: reference.chains[0] }];
  }
  const left = new Set(model.chains);
  return reference.chains.flatMap((chain) => {
    let best: { chain: Chain; likeness: number } | undefined;
    for (const candidate of left) {
      const likeness = identity(candidate.sequence, chain.sequence);
      if (likeness < RELATED) continue;
      const isBetter = best === undefined || likeness > best.likeness + 1e-9 ||
        (Math.abs(likeness - best.likeness) <= 1e-9 && candidate.id === chain.id);
      if (isBetter) best = { chain: candidate, likeness };
    }
    if (best === undefined) return [];
    left.delete(best.chain);
    return [{ model: best.chain, reference: chain }];
  });
}

/** Part of the shorter sequence that is the same. */
function identity(one: string, other: string): number {
  const same = bySequence(one, other).filter(([i, j]) => one[i] === other[j] && one[i] !== "X").length;
  return same / Math.min(one.length, other.length);
}
