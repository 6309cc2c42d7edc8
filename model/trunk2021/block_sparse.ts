import { Key } from "../../core/mod.ts";
import type { BlockLayout } from "../../ops/mod.ts";

/** Tokens of a block. */
export const SPARSE_BLOCK = 16;

/** Blocks of a local window. */
export const SPARSE_WINDOW = 4;

/** How {@linkcode blockSparseLayout} chooses blocks. */
export interface BlockSparseOptions {
  /** Tokens of a block. @default 16 */
  readonly block?: number;
  /** Blocks of a local window: the blocks of a window attend to each other. @default 4 */
  readonly window?: number;
  /** The blocks of keys that a row attends to at random, in any order, which may be others' too. @default none */
  readonly random?: (row: number) => readonly number[];
}

/**
 * The blocks of keys that blocks of queries attend to: those of the same local window, the first one, and some at random.
 * The first block of queries is no exception: what is global are keys. Where there are more queries than keys, or fewer,
 * windows lie at the same fraction of either.
 *
 * Source: Zaheer et al. (2020), "Big Bird: transformers for longer sequences", section 2; as DeepSpeed's variable sparsity.
 *
 * @param rows Blocks of queries.
 * @param columns Blocks of keys. @default rows
 */
export function blockSparseLayout(
  rows: number,
  columns: number = rows,
  { block = SPARSE_BLOCK, window = SPARSE_WINDOW, random = () => [] }: BlockSparseOptions = {},
): BlockLayout {
  const windows = Math.max(1, Math.ceil(Math.max(rows, columns) / window));
  const windowOf = (index: number, count: number) =>
    rows === columns ? Math.floor(index / window) : Math.floor(index * windows / count);
  const visited = Array.from({ length: rows }, (_, row) => {
    const local = Array.from({ length: columns }, (_, column) => column)
      .filter((column) => windowOf(column, columns) === windowOf(row, rows));
    return [...new Set([0, ...local, ...random(row)])].sort((a, b) => a - b);
  });
  return { block, rows, columns, visited };
}

/**
 * Random blocks of every row, each at most once in a row: a function of the key's numbers, the row and the number of
 * columns.
 *
 * @param columns Blocks to choose from.
 * @param count Blocks a row; the original takes a quarter of all.
 */
export function randomBlocks(
  key: Key,
  columns: number,
  count: number = Math.floor(columns / 4),
): (row: number) => number[] {
  return (row) => [...key.at(row).permutation(columns).slice(0, count)];
}

/**
 * The layouts of a layer: for self attention cut from that of sequences of `maxSeqLen`, as the original has it; for cross
 * attention of the lengths at hand. The same numbers of tokens always have the same layout.
 *
 * @param layer Number of the layer, by which its random blocks differ from those of others.
 */
export function layoutsOfLayer(layer: number, { maxSeqLen }: { readonly maxSeqLen: number }): {
  readonly self: (queries: number, keys: number) => BlockLayout;
  readonly cross: (queries: number, keys: number) => BlockLayout;
} {
  const [selfKey, crossKey] = Key.fromSeed(layer).split(2);
  const blocks = (tokens: number) => Math.ceil(tokens / SPARSE_BLOCK);
  const made = new Map<string, BlockLayout>();
  const once = (name: string, make: () => BlockLayout): BlockLayout => {
    const found = made.get(name) ?? make();
    made.set(name, found);
    return found;
  };
  return {
    self: (queries, keys) =>
      once(`self ${queries} ${keys}`, () => {
        const [rows, columns] = [blocks(queries), blocks(keys)];
        const all = Math.max(blocks(maxSeqLen), columns);
        const random = randomBlocks(selfKey, all, Math.floor(blocks(maxSeqLen) / 4));
        return blockSparseLayout(rows, columns, { random: (row) => random(row).filter((column) => column < columns) });
      }),
    cross: (queries, keys) =>
      once(`cross ${queries} ${keys}`, () => {
        const [rows, columns] = [blocks(queries), blocks(keys)];
        return blockSparseLayout(rows, columns, { random: randomBlocks(crossKey, columns) });
      }),
  };
}
