import { type Device, noGrad, type Tensor } from "../../core/mod.ts";
import { embedding, lessEqual, multiply, reshape, smallest, square, subtract, sum, where } from "../../ops/mod.ts";
import { type Bonds, mostBonds } from "./bonds.ts";

/** The neighbours of every node, as many of each. Without lists, all nodes are neighbours of all, of themselves too. */
export type Neighbours = {
  /** Rows of the neighbours among those of all nodes of the batch, i32 `[batch, N, K]`. */
  readonly nodes?: Tensor;
  /** Places of the pairs in a `[batch, N, N]` array, i32 `[batch, N, K]`. */
  readonly places?: Tensor;
  /** 1 for neighbours, 0 for what only fills a list up, `[batch, N, K]`. @default all are */
  readonly mask?: Tensor;
  /**
   * Of lists in which every node stands as often, in order of the neighbours: which entries of all lists name a node, i32
   * `[batch, N, K]`, and where an entry of the lists is among those, i32 of the same shape.
   */
  readonly bySource?: { readonly entries: Tensor; readonly back: Tensor };
};

/** Neighbours as lists. */
export type NeighbourLists = Neighbours & { readonly nodes: Tensor };

/** What stands for the squared distance of a pair with padding, behind all others, and of what is never chosen. */
const MASKED = 1e5, EXCLUDED = 1e30;

/**
 * What nodes have at their neighbours.
 *
 * @param x `[batch, N, …]`.
 * @returns `[batch, N, K, …]`; without lists `[batch, 1, N, …]`, which is the same for all.
 */
export function atNeighbours(x: Tensor, { nodes }: Neighbours): Tensor {
  const [batch, n, ...rest] = x.shape;
  return nodes ? embedding(reshape(x, [batch * n, ...rest]), nodes) : reshape(x, [batch, 1, n, ...rest]);
}

/**
 * What pairs of nodes have, for pairs of neighbours.
 *
 * @param x `[batch, N, N, …]`.
 * @returns `[batch, N, K, …]`.
 */
export function atPairs(x: Tensor, { places }: Neighbours): Tensor {
  const [batch, n, , ...rest] = x.shape;
  return places ? embedding(reshape(x, [batch * n * n, ...rest]), places) : x;
}

/** Vectors to every node from its neighbours, x_i - x_j, `[batch, N, K, 3]`. */
export function relativeVectors(coords: Tensor, neighbours: Neighbours): Tensor {
  const [batch, n, axes] = coords.shape;
  return subtract(reshape(coords, [batch, n, 1, axes]), atNeighbours(coords, neighbours));
}

/** Which nodes are chosen as neighbours. */
export interface NeighbourOptions {
  /** So many of the nearest nodes; 0 chooses bonded ones alone. @default all */
  readonly count?: number;
  /** Nodes farther away are no neighbours, in Å. @default none is too far */
  readonly radius?: number;
  /** 1 for nodes, 0 for padding, `[batch, N]`. @default all are nodes */
  readonly mask?: Tensor;
  /** Bonded nodes come before all others. @default no bonds */
  readonly bonds?: Bonds;
}

/**
 * Lists of the nearest nodes, the node itself among them: it is the first of its `count`, and bonded ones come next.
 *
 * Source: Satorras et al. (2021), "E(n) equivariant graph neural networks", section 3.3, chosen as egnn-pytorch does.
 *
 * @param coords `[batch, N, 3]` in Å; no gradient flows through a choice.
 * @param options `ignoresRadius`: the original does where no node is padding.
 * @returns Owned by the current scope.
 * @throws {RangeError} If `count` is no whole number.
 */
export function nearestWithSelf(
  coords: Tensor,
  { count, radius = Infinity, mask, bonds, ignoresRadius = false }: NeighbourOptions & {
    readonly ignoresRadius?: boolean;
  },
): Neighbours {
  checkCount(count);
  const { device, shape: [, n] } = coords;
  using scope = device.scope("nearestWithSelf");
  return scope.keep(noGrad(device, () => {
    const own = mask && pairMask(mask);
    const bounded = radius < Infinity && !(ignoresRadius && !mask);
    if (count === undefined && !bounded) return { mask: own };
    let ranking = squaredDistances(coords);
    if (own) ranking = where(own, ranking, number(device, MASKED));
    if (bonds) {
      ranking = where(matrix(device, n, (i, j) => bonds.near[i * n + j]), number(device, 0), ranking);
      ranking = where(matrix(device, n, (i, j) => +(i === j)), number(device, -1), ranking);
    }
    const limit = count === 0 ? 0 : bounded ? radius ** 2 : Infinity;
    const valid = limit === Infinity ? own : both(lessEqual(ranking, number(device, limit)), own);
    if (count === undefined) return { mask: valid };
    const { places, items } = smallest(ranking, count === 0 ? 1 + (bonds ? mostBonds(bonds) : 0) : Math.min(count, n));
    return { nodes: items, places, mask: valid && atPairs(valid, { places }) };
  }));
}

/**
 * Lists of the nearest other nodes; bonded ones come first, and there is room for all of them besides the `count` nearest.
 *
 * Source: Fuchs et al. (2020), "SE(3)-transformers", section 3.2, chosen as se3-transformer-pytorch does.
 *
 * @param coords `[batch, N, 3]` in Å; no gradient flows through a choice.
 * @param options `pairs`: 1 where two nodes may be neighbours, `[batch, N, N]`; `causal`: whether neighbours come before a
 * node, by their numbers.
 * @returns Owned by the current scope.
 * @throws {RangeError} If there is one node alone, `count` is no whole number, or no neighbour can be chosen.
 */
export function nearestOthers(
  coords: Tensor,
  { count, radius = Infinity, mask, bonds, pairs, causal = false }: NeighbourOptions & {
    readonly pairs?: Tensor;
    readonly causal?: boolean;
  },
): NeighbourLists {
  checkCount(count);
  const { device, shape: [batch, n] } = coords;
  const chosen = count === undefined ? n - 1 : Math.min(n - 1, count + (bonds ? mostBonds(bonds) : 0));
  if (chosen < 1) {
    throw new RangeError(
      `There is no neighbour to choose: there are ${n} nodes, and ${
        count ?? "all"
      } of the nearest others are asked for` +
        (bonds ? ` besides at most ${mostBonds(bonds)} bonded ones` : ", without bonds"),
    );
  }
  using scope = device.scope("nearestOthers");
  return scope.keep(noGrad(device, () => {
    const own = mask && pairMask(mask);
    const limit = count === 0 ? 0 : radius;
    const ranks = chosen < n - 1 || limit < Infinity || pairs !== undefined || causal;
    let valid = own, ranking: Tensor | undefined;
    if (ranks) {
      ranking = squaredDistances(coords);
      const exclude = (from: Tensor) => (ranking = where(from, number(device, EXCLUDED), ranking!));
      if (pairs) ranking = where(pairs, ranking, number(device, EXCLUDED));
      if (bonds) ranking = where(matrix(device, n, (i, j) => bonds.near[i * n + j]), number(device, 0), ranking);
      if (causal) exclude(matrix(device, n, (i, j) => +(j > i)));
      exclude(matrix(device, n, (i, j) => +(i === j)));
      valid = both(lessEqual(ranking, number(device, Math.min(limit ** 2, EXCLUDED / 10))), own);
    }
    const { places, items, bySource } = ranking && chosen < n - 1
      ? { ...smallest(ranking, chosen), bySource: undefined }
      : others();
    return { nodes: items, places, mask: valid && atPairs(valid, { places }), bySource };
  }));

  /** All others of every node, in the order of their numbers. */
  function others() {
    const shape = [batch, n, n - 1];
    const columns = Array.from({ length: n * (n - 1) }, (_, k) => {
      const [i, slot] = [Math.floor(k / (n - 1)), k % (n - 1)];
      return slot + +(slot >= i);
    });
    const list = (start: (row: number) => number) =>
      device.tensor(
        Int32Array.from({ length: batch * columns.length }, (_, k) => {
          const row = Math.floor(k / (n - 1));
          return start(row) + columns[k % columns.length];
        }),
        shape,
        "i32",
      );
    // Entry `slot` of node i names node j; in the list of j, node i has the place of an entry that names it.
    const partner = Array.from(columns, (j, k) => {
      const i = Math.floor(k / (n - 1));
      return j * (n - 1) + i - +(i > j);
    });
    const all = Int32Array.from({ length: batch * partner.length }, (_, k) => {
      const first = Math.floor(k / partner.length) * partner.length;
      return first + partner[k - first];
    });
    const entries = device.tensor(all, shape, "i32"); // who is asked by whom is the same both ways
    return {
      ...{ places: list((row) => row * n), items: list((row) => Math.floor(row / n) * n) },
      bySource: { entries, back: entries },
    };
  }
}

/** 1 where both nodes are there, `[batch, N, N]`. */
export function pairMask(mask: Tensor): Tensor {
  const [batch, n] = mask.shape;
  return multiply(reshape(mask, [batch, n, 1]), reshape(mask, [batch, 1, n]));
}

/** Squared distances of all nodes, `[batch, N, N]`. */
function squaredDistances(coords: Tensor): Tensor {
  return sum(square(relativeVectors(coords, {})), { axes: [-1] });
}

function both(valid: Tensor, own: Tensor | undefined): Tensor {
  return own ? multiply(valid, own) : valid;
}

function number(device: Device, value: number): Tensor {
  return device.tensor([value], [1]);
}

/** The same matrix for all of a batch, `[1, N, N]`. */
function matrix(device: Device, n: number, entry: (i: number, j: number) => number): Tensor {
  return device.tensor(Float32Array.from({ length: n * n }, (_, k) => entry(Math.floor(k / n), k % n)), [1, n, n]);
}

function checkCount(count: number | undefined): void {
  if (count === undefined || (Number.isInteger(count) && count >= 0)) return;
  throw new RangeError(`The number of nearest nodes must be a whole number, 0 for bonded ones alone, got ${count}`);
}
