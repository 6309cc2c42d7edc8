/** Two clusters that become one. */
export interface Merge {
  /** Clusters, the smaller number first: below N a single item, N + i the cluster of merge number i. */
  readonly clusters: readonly [number, number];
  /** Ward's distance between them. */
  readonly height: number;
  /** Items of the new cluster. */
  readonly size: number;
}

/** Most items: their distances take N² / 2 numbers of 8 bytes, 400 MB. */
export const MOST_ITEMS = 10_000;

/**
 * Hierarchical clustering by Ward's criterion: merges, again and again, the two clusters whose union adds least to the
 * sum of squared distances within clusters. Heights are those of scipy's `linkage(distances, method="ward")`.
 *
 * Follows chains of nearest neighbours, so that time and memory grow with N². Of clusters equally near, the one before
 * in the chain is taken, else that which holds the item of the smallest number.
 *
 * Source: Ward (1963), J. Am. Stat. Assoc. 58, 236; updates of distances by Lance and Williams (1967), Comput. J. 9, 373;
 * chains by Murtagh (1983), Comput. J. 26, 354.
 *
 * @param distances Between items i < j: (0, 1), (0, 2), …, (1, 2), …; `[N (N − 1) / 2]`.
 * @returns N − 1 merges, heights ascending.
 * @throws {RangeError} If the number of distances is not that of pairs, there are more than {@link MOST_ITEMS} items, or a
 * distance is negative or not finite.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { wardLinkage } from "@denofold/denofold/tools";
 * const merges = wardLinkage([1, 4, 5]); // items 0 and 1 are nearest
 * assert.deepEqual(merges[0], { clusters: [0, 1], height: 1, size: 2 });
 * assert.deepEqual(merges[1].clusters, [2, 3]);
 * ```
 */
export function wardLinkage(distances: ArrayLike<number>): Merge[] {
  const n = Math.round((1 + Math.sqrt(1 + 8 * distances.length)) / 2);
  if (n * (n - 1) / 2 !== distances.length) {
    throw new RangeError(`Cannot cluster by ${distances.length} distances: that is not a number of pairs`);
  }
  if (n > MOST_ITEMS) throw new RangeError(`Cannot cluster ${n} items: at most ${MOST_ITEMS}`);
  const d = Float64Array.from(distances);
  const wrong = d.findIndex((distance) => !(distance >= 0 && distance < Infinity));
  if (wrong >= 0) throw new RangeError(`Cannot cluster by a distance of ${d[wrong]}`);
  return numbered(chainMerges(d, n), n);
}

/** A merge of the clusters that hold two items; the cluster stays under the second item's number. */
interface ChainMerge {
  readonly items: readonly [number, number];
  readonly height: number;
}

/** Merges in the order in which chains of nearest neighbours find them; overwrites the distances. */
function chainMerges(d: Float64Array, n: number): ChainMerge[] {
  const start = Float64Array.from({ length: n }, (_, i) => i * n - i * (i + 1) / 2 - i - 1); // pair (i, j): start[i] + j
  const at = (i: number, j: number) => i < j ? start[i] + j : start[j] + i;
  const size = new Float64Array(n).fill(1);
  const active = Int32Array.from({ length: n }, (_, i) => i); // clusters that are left, ascending
  let left = n;
  const chain: number[] = [];
  const merges: ChainMerge[] = [];
  while (merges.length < n - 1) {
    if (chain.length === 0) chain.push(active[0]);
    const end = chain[chain.length - 1];
    const before = chain.at(-2) ?? -1;
    let nearest = before;
    let least = before < 0 ? Infinity : d[at(end, before)];
    for (let a = 0; a < left; a++) {
      const other = active[a];
      if (other === end) continue;
      const distance = d[at(end, other)];
      if (distance < least) [nearest, least] = [other, distance];
    }
    if (nearest !== before) {
      chain.push(nearest);
      continue;
    }
    chain.length -= 2;
    const [gone, kept] = end < before ? [end, before] : [before, end];
    const both = size[gone] + size[kept];
    active.copyWithin(active.indexOf(gone), active.indexOf(gone) + 1, left--);
    for (let a = 0; a < left; a++) {
      const other = active[a];
      if (other === kept) continue;
      const [toGone, toKept, own] = [d[at(other, gone)], d[at(other, kept)], size[other]];
      const share = 1 / (both + own);
      d[at(other, kept)] = Math.sqrt(
        (own + size[gone]) * share * toGone * toGone + (own + size[kept]) * share * toKept * toKept -
          own * share * least * least,
      );
    }
    size[kept] = both;
    merges.push({ items: [gone, kept], height: least });
  }
  return merges;
}

/** Sorts merges by height and numbers the clusters in that order. */
function numbered(merges: readonly ChainMerge[], n: number): Merge[] {
  const parent = Int32Array.from({ length: n }, (_, i) => i);
  const root = (item: number): number => {
    while (parent[item] !== item) item = parent[item] = parent[parent[item]];
    return item;
  };
  const cluster = Int32Array.from({ length: n }, (_, i) => i); // number of the cluster whose root an item is
  const sizes = new Int32Array(n).fill(1);
  return merges.toSorted((a, b) => a.height - b.height).map(({ items, height }, i) => {
    const [a, b] = items.map(root);
    const clusters: [number, number] = cluster[a] < cluster[b] ? [cluster[a], cluster[b]] : [cluster[b], cluster[a]];
    parent[a] = b;
    cluster[b] = n + i;
    return { clusters, height, size: sizes[b] += sizes[a] };
  });
}

/**
 * The order of items along the bottom of the tree, the target first: of the two sides of every merge above the target,
 * the one that holds it comes first; everywhere else the cluster of the smaller number does. Both are turns of branches,
 * so the tree stays what it was.
 *
 * @param target The item that comes first. @default 0
 */
export function leafOrder(merges: readonly Merge[], target: number = 0): number[] {
  const n = merges.length + 1;
  const above = new Uint8Array(2 * n - 1); // whether a cluster holds the target
  above[target] = 1;
  merges.forEach(({ clusters }, i) => above[n + i] = above[clusters[0]] | above[clusters[1]]);
  const order: number[] = [];
  const waiting = [2 * n - 2];
  for (let cluster = waiting.pop(); cluster !== undefined; cluster = waiting.pop()) {
    if (cluster < n) {
      order.push(cluster);
      continue;
    }
    const [a, b] = merges[cluster - n].clusters;
    waiting.push(...(above[b] ? [a, b] : [b, a])); // the last one pushed comes first
  }
  return order;
}
