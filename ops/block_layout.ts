/** Which blocks of keys blocks of queries attend to. */

/** A pattern of block-sparse attention, for all heads and sequences alike. */
export interface BlockLayout {
  /** Tokens of a block. */
  readonly block: number;
  /** Blocks of queries. */
  readonly rows: number;
  /** Blocks of keys. */
  readonly columns: number;
  /** The blocks of keys that each block of queries attends to, in ascending order, at least one. */
  readonly visited: readonly (readonly number[])[];
}

/** A layout's lists as kernels read them: where each list begins and the last one ends, then the lists. */
export interface BlockLists {
  /** i32. */
  readonly numbers: Int32Array;
  /** Entries of the longest list. */
  readonly longest: number;
  /** Entries of all lists. */
  readonly count: number;
}

/**
 * Checks a layout against numbers of queries and keys, and cuts it to them: layouts may be made for longer sequences.
 *
 * @throws {RangeError} If it has no positive block, too few blocks, a column outside, or a row that attends to nothing.
 */
export function croppedLayout({ block, rows, columns, visited }: BlockLayout, Lq: number, Lk: number): BlockLayout {
  if (!Number.isInteger(block) || block < 1) {
    throw new RangeError(`A layout's blocks must be of a positive whole number of tokens, got ${block}`);
  }
  const [wantRows, wantColumns] = [Math.ceil(Lq / block), Math.ceil(Lk / block)];
  if (rows < wantRows || columns < wantColumns || visited.length !== rows) {
    throw new RangeError(
      `A layout of ${rows} × ${columns} blocks of ${block} tokens, with ${visited.length} rows, is too small for ${Lq} ` +
        `queries and ${Lk} keys: expected at least ${wantRows} × ${wantColumns} blocks`,
    );
  }
  const cut = visited.slice(0, wantRows).map((list, row) => {
    const wrong = list.find((column, k) =>
      !Number.isInteger(column) || column < 0 || column >= columns || (k > 0 && column <= list[k - 1])
    );
    if (wrong !== undefined) {
      throw new RangeError(`Row ${row} of a layout must have ascending columns below ${columns}: it has [${list}]`);
    }
    const own = list.filter((column) => column < wantColumns);
    if (own.length === 0) {
      throw new RangeError(`Row ${row} of a layout attends to none of the first ${wantColumns} blocks`);
    }
    return own;
  });
  return { block, rows: wantRows, columns: wantColumns, visited: cut };
}

/** The lists of a layout's rows, or of its columns: the rows that attend to each. */
export function blockLists({ columns, visited }: BlockLayout, of: "rows" | "columns"): BlockLists {
  const lists: number[][] = of === "rows"
    ? visited.map((list) => [...list])
    : Array.from({ length: columns }, () => []);
  if (of === "columns") visited.forEach((list, row) => list.forEach((column) => lists[column].push(row)));
  const count = lists.reduce((sum, { length }) => sum + length, 0);
  const numbers = new Int32Array(lists.length + 1 + count);
  let at = lists.length + 1;
  lists.forEach((list, i) => {
    numbers[i] = at;
    numbers.set(list, at);
    at += list.length;
  });
  numbers[lists.length] = at;
  return { numbers, longest: Math.max(...lists.map(({ length }) => length)), count };
}
