/** How much of one set the others already tell: the most alike sequences of different sets. */
import { type PairSearch, visitPairs } from "./candidates.ts";
import { distinctSequences, neededResidues } from "./clusters.ts";
import { commonLetters, identicalResidues } from "./identity.ts";

/** What two sets have in common. */
export interface SetLeakage {
  /** Numbers of the two sets, the lower first. */
  readonly sets: readonly [number, number];
  /** Highest identity between them, and the items that have it; `undefined` if no pair was aligned. */
  readonly highest?: { readonly identity: number; readonly items: readonly [number, number] };
  /** Items of the later set that are as alike as the threshold, or more, to one of the earlier. */
  readonly related: number;
}

/** What all sets have in common. */
export interface Leakage {
  /** Every pair of sets. */
  readonly between: readonly SetLeakage[];
  /** Which pairs of sequences were looked at. */
  readonly search: PairSearch;
  /** Pairs of items of different sets found to be as alike as the threshold or more; not all where an item has many. */
  readonly links: readonly (readonly [number, number])[];
}

/**
 * Finds the highest identity between sets.
 *
 * @param items Sequences of each item, one for each of its chains; an item without any is passed over.
 * @param setOf Set of each item, from 0.
 * @param setCount Number of sets.
 * @param threshold Identity from which two sequences count as related.
 */
export function findLeakage(
  items: readonly (readonly string[])[],
  setOf: Int32Array,
  setCount: number,
  threshold: number,
): Leakage {
  const chains = items.flatMap((sequences, item) => sequences.map((sequence) => ({ sequence, item })));
  const { letters, distinctOf } = distinctSequences(chains.map(({ sequence }) => sequence));
  const owners = letters.map(() => new Set<number>());
  chains.forEach(({ item }, chain) => owners[distinctOf[chain]].add(item));
  /** For each sequence, an item that has it for each set. */
  const bySet = owners.map((list) => new Map([...list].reverse().map((item) => [setOf[item], item])));
  const table = new LeakageTable(setCount);
  const relate = (i: number, j: number): void => {
    for (const a of owners[i]) {
      for (const b of owners[j]) if (setOf[a] !== setOf[b]) table.relate(a, b, setOf);
    }
  };
  owners.forEach((_, i) => {
    if (bySet[i].size < 2) return;
    table.raise(bySet[i], bySet[i], 1);
    relate(i, i);
  });
  const search = visitPairs(letters, threshold, {
    wanted: (i, j) => bySet[i].size > 1 || bySet[j].size > 1 || onlySet(bySet[i]) !== onlySet(bySet[j]),
    visit(i, j) {
      const shorter = Math.min(letters[i].length, letters[j].length);
      const needed = neededResidues(letters[i], letters[j], threshold);
      const bound = commonLetters(letters[i], letters[j]);
      const mayRelate = bound >= needed && !table.areRelated(bySet[i], bySet[j]);
      if (!mayRelate && !(bound / shorter > table.lowestHighest(bySet[i], bySet[j]))) return;
      const identical = identicalResidues(letters[i], letters[j]);
      table.raise(bySet[i], bySet[j], identical / shorter);
      if (identical >= needed) relate(i, j);
    },
  });
  return { between: table.between(), search, links: table.links };
}

/** Items by the sets they are in. */
type ItemBySet = ReadonlyMap<number, number>;

/** What was found so far for each pair of sets. */
class LeakageTable {
  readonly links: [number, number][] = [];
  readonly #highest = new Map<string, { identity: number; items: [number, number] }>();
  readonly #related = new Map<string, Set<number>>();

  constructor(readonly setCount: number) {}

  /** A higher identity takes the place of the one before. */
  raise(left: ItemBySet, right: ItemBySet, identity: number): void {
    for (const [a, b] of crossing(left, right)) {
      const key = `${a} ${b}`;
      const items: [number, number] = left.has(a) && right.has(b)
        ? [left.get(a) ?? 0, right.get(b) ?? 0]
        : [right.get(a) ?? 0, left.get(b) ?? 0];
      if (identity > (this.#highest.get(key)?.identity ?? -1)) this.#highest.set(key, { identity, items });
    }
  }

  /** The least of the highest identities of the pairs of sets that two sequences touch. */
  lowestHighest(left: ItemBySet, right: ItemBySet): number {
    return Math.min(...crossing(left, right).map(([a, b]) => this.#highest.get(`${a} ${b}`)?.identity ?? -1));
  }

  relate(a: number, b: number, setOf: Int32Array): void {
    const [earlier, later] = setOf[a] < setOf[b] ? [a, b] : [b, a];
    const key = `${setOf[earlier]} ${setOf[later]}`;
    const related = this.#related.get(key) ?? new Set();
    this.#related.set(key, related);
    if (related.has(later)) return;
    related.add(later);
    this.links.push([earlier, later]);
  }

  /** Whether all that a pair could relate is related already. */
  areRelated(left: ItemBySet, right: ItemBySet): boolean {
    return crossing(left, right).every(([a, b]) => {
      const later = right.get(b) ?? left.get(b) ?? -1;
      return this.#related.get(`${a} ${b}`)?.has(later) ?? false;
    });
  }

  between(): SetLeakage[] {
    const pairs: SetLeakage[] = [];
    for (let a = 0; a < this.setCount; a++) {
      for (let b = a + 1; b < this.setCount; b++) {
        const key = `${a} ${b}`;
        pairs.push({ sets: [a, b], highest: this.#highest.get(key), related: this.#related.get(key)?.size ?? 0 });
      }
    }
    return pairs;
  }
}

/** Pairs of different sets, the lower first, that two sequences touch. */
function crossing(left: ItemBySet, right: ItemBySet): [number, number][] {
  const pairs = new Map<string, [number, number]>();
  for (const a of left.keys()) {
    for (const b of right.keys()) {
      if (a !== b) pairs.set(`${Math.min(a, b)} ${Math.max(a, b)}`, [Math.min(a, b), Math.max(a, b)]);
    }
  }
  return [...pairs.values()];
}

function onlySet(items: ItemBySet): number {
  return items.keys().next().value ?? -1;
}
