import { InputError } from "../errors.ts";
import { differenceOf } from "../data/alignment.ts";
import { readStructure } from "../data/read_structure.ts";
import type { Remarked } from "../data/remarks.ts";
import { type Chain, selectChain } from "../data/structure.ts";

/**
 * Reads the true structure of a prediction.
 *
 * @param argument `FILE`, or `FILE:CHAIN` to pick a chain of several.
 * @param tell Is given the structure, for its remarks.
 * @throws {InputError} If it cannot be read, there is no such chain, or several and none is named.
 */
export async function readTruth(argument: string, tell?: (read: Remarked) => void): Promise<Chain> {
  const [, path, chainId] = /^(.+?)(?::([^:/\\]+))?$/.exec(argument) ?? ["", argument, undefined];
  const structure = await readStructure(path);
  tell?.(structure);
  return selectChain(structure, chainId);
}

/**
 * Checks that a row of an alignment is the sequence of the true structure.
 *
 * @param row Words for the row, such as `Row "1znf" of fingers.a3m`.
 * @param sequence The row without gaps.
 * @param truth The argument that {@link readTruth} was given.
 * @throws {InputError} If not; the message names the first difference.
 */
export function checkTruth(row: string, sequence: string, chain: Chain, truth: string): void {
  const difference = differenceOf(sequence, chain.sequence);
  if (difference === undefined) return;
  throw new InputError(`${row} is not the sequence of chain ${chain.id} of ${truth}: ${difference}`);
}
