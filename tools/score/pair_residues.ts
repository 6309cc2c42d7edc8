/** Which residues of two chains stand for each other. */
import { alignPair } from "../data/align_pair.ts";
import type { Chain } from "../data/structure.ts";
import { InputError } from "../errors.ts";
import { tmAlign } from "./tm_align.ts";

/** What pairs residues: their sequences, their authors' numbers, or the structures themselves by the program TM-align. */
export type Pairing = "sequence" | "number" | "tm-align";

/** The values of {@linkcode Pairing}. */
export const PAIRINGS: readonly Pairing[] = ["sequence", "number", "tm-align"];

/** Residues of a model and a reference, from 0, both rising. */
export type ResiduePairs = readonly (readonly [model: number, reference: number])[];

/** Sequences of one length of which so much is the same are those of one protein, and their residues stand one to one. */
const SAME_PROTEIN = 0.5;

/**
 * Pairs the residues of two chains.
 *
 * By `sequence` residues stand one to one where the sequences are equally long and at least half the same, else as in their
 * best local alignment.
 *
 * @throws {InputError} If two residues of a chain have one number, by `number`, or TM-align is missing or fails.
 */
export async function pairResidues(
  model: Chain,
  reference: Chain,
  by: Pairing,
  signal?: AbortSignal,
): Promise<ResiduePairs> {
  if (by === "tm-align") return await tmAlign(model, reference, signal);
  return by === "number" ? byNumber(model, reference) : bySequence(model.sequence, reference.sequence);
}

/** Pairs residues by their sequences alone. */
export function bySequence(model: string, reference: string): ResiduePairs {
  if (model.length === reference.length && sameLetters(model, reference) >= SAME_PROTEIN * model.length) {
    return Array.from(model, (_, i) => [i, i] as const);
  }
  return alignPair(model, reference).pairs;
}

function sameLetters(one: string, other: string): number {
  let same = 0;
  for (let i = 0; i < one.length; i++) if (one[i] === other[i]) same++;
  return same;
}

function byNumber(model: Chain, reference: Chain): ResiduePairs {
  const places = new Map(numbersOf(reference).map((number, i) => [number, i]));
  const pairs = numbersOf(model).flatMap((number, i) => {
    const place = places.get(number);
    return place === undefined ? [] : [[i, place] as const];
  });
  if (pairs.some(([, place], k) => k > 0 && place <= pairs[k - 1][1])) {
    throw new InputError(`The residue numbers of chain ${model.id} do not rise as those of chain ${reference.id} do`);
  }
  return pairs;
}

function numbersOf({ id, residueNumbers, insertionCodes }: Chain): string[] {
  const numbers = Array.from(residueNumbers, (number, i) => `${number}${insertionCodes[i]}`);
  const twice = numbers.find((number, i) => numbers.indexOf(number) < i);
  if (twice === undefined) return numbers;
  throw new InputError(`Chain ${id} has two residues ${twice}: pair residues by sequence instead`);
}
