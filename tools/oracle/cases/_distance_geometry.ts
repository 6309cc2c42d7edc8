import type { Golden } from "../golden.ts";

/** Whether a case is from the 2021 program. */
export function isTrunk2021({ source }: Golden): boolean {
  return /lucidrains/.test(source);
}

/** The numbers of batch entry b of an array with a leading batch axis. */
export function entry(golden: Golden, name: string, b: number): Float64Array {
  const data = golden.data64(name);
  const size = data.length / golden.shape(name)[0];
  return data.slice(b * size, (b + 1) * size);
}

/** `[3, n]` to `[n, 3]`. */
export function rowsOf(columns: Float64Array): Float64Array {
  const n = columns.length / 3;
  return columns.map((_, k) => columns[(k % 3) * n + Math.floor(k / 3)]);
}

/** `[n, 3]` to `[3, n]`. */
export function columnsOf(rows: Float64Array): Float64Array {
  const n = rows.length / 3;
  return rows.map((_, k) => rows[3 * (k % n) + Math.floor(k / n)]);
}

/** Angles with whole turns added so that they come closest to others. */
export function turnedTo(angles: ArrayLike<number>, others: ArrayLike<number>): Float64Array {
  return Float64Array.from(angles, (angle, k) => angle + 2 * Math.PI * Math.round((others[k] - angle) / (2 * Math.PI)));
}

/** Lists joined end to end. */
export function joined(lists: readonly ArrayLike<number>[]): Float64Array {
  return Float64Array.from(lists.flatMap((list) => Array.from(list)));
}
