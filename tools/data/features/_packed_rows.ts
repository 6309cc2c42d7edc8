/** Rows of tokens as bits, 32 places a word, to count quickly where two rows agree. */
import { checkSize, checkTokens, rowCount } from "./_check.ts";
import { MASKED_CLASSES } from "./masked_msa.ts";
import { GAP_TOKEN } from "./msa.ts";

/** Bits of a token. */
export const PLANES = 5;

/** Rows as bits: one plane for each bit of the tokens, and which places count. */
export interface PackedRows {
  /** Number of rows. */
  readonly rows: number;
  /** Words a row. */
  readonly words: number;
  /** `[N_rows, words, 5]` */
  readonly planes: Int32Array;
  /** Amino acids and `X`, `[N_rows, words]`. */
  readonly isResidue: Int32Array;
  /** `[N_rows, words]` */
  readonly isGap: Int32Array;
}

/**
 * Packs rows; places where the mask is 0 are neither residues nor gaps.
 *
 * @param owner Name of the function, for messages.
 * @param name Name of its argument.
 * @throws {TypeError} If the sizes do not fit together.
 * @throws {RangeError} If a token is not 0 … 22.
 */
export function packRows(
  owner: string,
  name: string,
  msa: ArrayLike<number>,
  columns: number,
  mask?: ArrayLike<number>,
): PackedRows {
  const rows = rowCount(owner, name, msa, columns);
  checkTokens(owner, name, msa, MASKED_CLASSES);
  if (mask) checkSize(owner, "mask", mask, msa.length);
  const words = Math.ceil(columns / 32);
  const planes = new Int32Array(rows * words * PLANES);
  const isResidue = new Int32Array(rows * words);
  const isGap = new Int32Array(rows * words);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const from = row * columns + column;
      if (mask && mask[from] === 0) continue;
      const to = row * words + (column >> 5);
      const bit = 1 << (column & 31);
      const token = msa[from];
      for (let plane = 0; plane < PLANES; plane++) if ((token >> plane) & 1) planes[to * PLANES + plane] |= bit;
      if (token < GAP_TOKEN) isResidue[to] |= bit;
      else if (token === GAP_TOKEN) isGap[to] |= bit;
    }
  }
  return { rows, words, planes, isResidue, isGap };
}

/** Number of bits that are 1. */
export function countBits(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  bits = (bits + (bits >>> 4)) & 0x0f0f0f0f;
  return Math.imul(bits, 0x01010101) >>> 24;
}

/** Number of places where two rows have the same token and both count. */
export function agreement(
  a: PackedRows,
  b: PackedRows,
  atA: number,
  atB: number,
  words: number,
  countA: Int32Array,
  countB: Int32Array,
): number {
  const p = a.planes;
  const q = b.planes;
  let sum = 0;
  for (let w = 0; w < words; w++) {
    const i = (atA + w) * PLANES;
    const j = (atB + w) * PLANES;
    const differ = (p[i] ^ q[j]) | (p[i + 1] ^ q[j + 1]) | (p[i + 2] ^ q[j + 2]) | (p[i + 3] ^ q[j + 3]) |
      (p[i + 4] ^ q[j + 4]);
    sum += countBits(~differ & countA[atA + w] & countB[atB + w]);
  }
  return sum;
}
