/** Which nodes are bonded, and over how many bonds others are reached. */
export interface Bonds {
  /** Nodes. */
  readonly n: number;
  /** For every pair of nodes the number of bonds between them, `[n, n]`; 0 where there are more than looked for, and none. */
  readonly labels: Int32Array;
  /** 1 for the pairs that count as bonded, `[n, n]`: those within that number of bonds. */
  readonly near: Uint8Array;
}

/**
 * How many bonds lie between nodes.
 *
 * @example
 * ```ts
 * import { bondDistances } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 * const chain = [0, 1, 0, 1, 0, 1, 0, 1, 0]; // three nodes, each bonded to the next
 * assert.deepEqual([...bondDistances(chain, 3, 2).labels], [0, 1, 2, 1, 0, 1, 2, 1, 0]);
 * ```
 *
 * @param adjacency 1 where two nodes are bonded, `[n, n]`; a node's bond to itself counts for nothing.
 * @param most Bonds that are looked for.
 * @throws {TypeError} If the adjacency is not `[n, n]`.
 * @throws {RangeError} If `most` is not a positive whole number.
 */
export function bondDistances(adjacency: ArrayLike<number>, n: number, most = 1): Bonds {
  checkAdjacency(adjacency, n, most);
  const labels = new Int32Array(n * n);
  const bonded = Array.from({ length: n }, (_, i) => indices(n).filter((j) => j !== i && adjacency[i * n + j]));
  for (let i = 0; i < n; i++) {
    let front = [i];
    for (let bonds = 1; bonds <= most && front.length; bonds++) {
      const next = new Set(front.flatMap((j) => bonded[j]).filter((j) => j !== i && !labels[i * n + j]));
      for (const j of next) labels[i * n + j] = bonds;
      front = [...next];
    }
  }
  return { n, labels, near: Uint8Array.from(labels, (label) => +(label > 0)) };
}

/**
 * What the originals take for bond distances: every further degree squares the matrix of the last one, so that the third
 * reaches four bonds; and where nodes are not bonded to themselves, all bonded pairs become pairs of the second degree and
 * are bonded no more. For comparisons with them alone.
 *
 * @param adjacency `[n, n]`.
 * @param degrees How often the matrix is squared, and one.
 * @throws {TypeError} If the adjacency is not `[n, n]`.
 * @throws {RangeError} If `degrees` is not a positive whole number.
 */
export function squaredAdjacency(adjacency: ArrayLike<number>, n: number, degrees: number): Bonds {
  checkAdjacency(adjacency, n, degrees);
  let near = Uint8Array.from(adjacency, (bond) => +(bond !== 0));
  const labels = Int32Array.from(near);
  for (let degree = 2; degree <= degrees; degree++) {
    const last = near;
    near = last.map((_, pair) => {
      const [i, j] = [Math.floor(pair / n), pair % n];
      return +indices(n).some((k) => last[i * n + k] && last[k * n + j]);
    });
    labels.forEach((_, pair) => near[pair] !== last[pair] && (labels[pair] = degree));
  }
  return { n, labels, near };
}

/** The most nodes that one is bonded to, itself left out. */
export function mostBonds({ n, near }: Bonds): number {
  return Math.max(0, ...indices(n).map((i) => indices(n).filter((j) => j !== i && near[i * n + j]).length));
}

function indices(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

function checkAdjacency(adjacency: ArrayLike<number>, n: number, most: number): void {
  if (adjacency.length !== n * n) {
    throw new TypeError(`The adjacency of ${n} nodes has ${n * n} numbers, got ${adjacency.length}`);
  }
  if (!Number.isInteger(most) || most < 1) {
    throw new RangeError(`The number of bonds that are looked for must be a positive integer, got ${most}`);
  }
}
