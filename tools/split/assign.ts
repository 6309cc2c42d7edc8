/** Shares groups of rows out to sets. */
import { Key } from "../../core/random.ts";

/**
 * Assigns whole groups to sets so that the sets' sizes come near their fractions: the largest groups first, each to the
 * set that lacks most rows. Groups of equal size come in an order drawn from the seed.
 *
 * No set that has a fraction stays empty while there are groups enough: it then takes the smallest group of a set that
 * has several.
 *
 * @param sizes Rows of each group.
 * @param fractions Parts of all rows, which sum to 1.
 * @returns The set of each group.
 */
export function assignGroups(sizes: readonly number[], fractions: readonly number[], seed: number): Int32Array {
  const total = sum(sizes);
  const lacking = fractions.map((fraction) => fraction * total);
  const shuffled = Key.fromSeed(seed).permutation(sizes.length);
  const order = shuffled.sort((a, b) => sizes[b] - sizes[a]); // stable
  const setOf = new Int32Array(sizes.length);
  for (const group of order) {
    const set = lacking.reduce((most, value, k) => fractions[k] > 0 && value > lacking[most] ? k : most, 0);
    setOf[group] = set;
    lacking[set] -= sizes[group];
  }
  fractions.forEach((fraction, set) => {
    if (fraction === 0 || setOf.includes(set)) return;
    const counts = fractions.map((_, k) => setOf.reduce((count, one) => count + Number(one === k), 0));
    const spare = order.findLast((group) => counts[setOf[group]] > 1);
    if (spare !== undefined) setOf[spare] = set;
  });
  return setOf;
}

/**
 * Assigns groups that have an order: the first to the first set, and so on, cut where the sizes come nearest to the
 * fractions.
 *
 * @param sizes Rows of each group, in order.
 * @returns The set of each group, never descending.
 */
export function assignInOrder(sizes: readonly number[], fractions: readonly number[]): Int32Array {
  const total = sum(sizes);
  const ends = fractions.map((_, k) => total * sum(fractions.slice(0, k + 1)));
  let set = 0;
  let before = 0;
  return Int32Array.from(sizes, (size) => {
    // A group belongs to the set on whose side of the cut its middle lies.
    while (set < fractions.length - 1 && before + size / 2 > ends[set] + 1e-9) set++;
    before += size;
    return set;
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
