/** Rows of a table, in the order given. */
export function takeRows(table: Int32Array, columns: number, rows: ArrayLike<number>): Int32Array;
/** Rows of a table, in the order given. */
export function takeRows(table: Float32Array, columns: number, rows: ArrayLike<number>): Float32Array;
/** Rows of a table, in the order given. */
export function takeRows(
  table: Int32Array | Float32Array,
  columns: number,
  rows: ArrayLike<number>,
): Int32Array | Float32Array {
  const size = rows.length * columns;
  const taken = table instanceof Int32Array ? new Int32Array(size) : new Float32Array(size);
  for (let r = 0; r < rows.length; r++) {
    taken.set(table.subarray(rows[r] * columns, (rows[r] + 1) * columns), r * columns);
  }
  return taken;
}
