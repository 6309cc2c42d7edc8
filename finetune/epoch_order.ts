/** In which order an epoch goes through its proteins. */
import { Key } from "../core/mod.ts";
import type { FitSettings } from "./fit_settings.ts";
import type { LabelledSet } from "./labelled_set.ts";

/** Proteins are sorted by length among so many batches: a shuffle that leaves neighbours of like length. */
const BUCKETED_BATCHES = 16;

/**
 * Places of an epoch's batches in the training set, which seed and number of the epoch alone decide.
 *
 * @param epoch Its number, from 0.
 */
export function epochOrder(
  set: Pick<LabelledSet, "size" | "residues">,
  { seed, batchSize, bucket }: Pick<FitSettings, "seed" | "batchSize" | "bucket">,
  epoch: number,
): number[][] {
  const key = loopKey(seed, "order", epoch);
  const order = [...key.permutation(set.size)];
  const batches = (order: readonly number[]) =>
    Array.from({ length: Math.ceil(set.size / batchSize) }, (_, b) => order.slice(b * batchSize, (b + 1) * batchSize));
  if (!bucket) return batches(order);
  const pool = batchSize * BUCKETED_BATCHES, sorted: number[] = [];
  const length = (index: number) => set.residues?.(index) ?? 0;
  for (let first = 0; first < order.length; first += pool) {
    sorted.push(...order.slice(first, first + pool).sort((a, b) => length(a) - length(b)));
  }
  const alike = batches(sorted);
  return [...loopKey(seed, "order", epoch).at(0).permutation(alike.length)].map((batch) => alike[batch]);
}

/** Numbers from which keys are derived. */
const KEYS = { order: 0, dropout: 1 } as const;

/** A key that depends on seed, purpose and epoch alone. */
export function loopKey(seed: number, purpose: keyof typeof KEYS, epoch: number): Key {
  return Key.fromSeed(seed).at(KEYS[purpose]).at(epoch);
}
