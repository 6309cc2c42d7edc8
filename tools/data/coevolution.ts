/** What the columns of an alignment say: which are conserved, and which change together. */
import { checkSize, checkTokens, rowCount } from "./features/_check.ts";
import { MSA_CLASSES } from "./features/msa.ts";

/** Letters that count: 20 amino acids. */
const AMINO_ACIDS = 20;

/** Letters of a pair's table: `X` counts as a gap. */
const STATES = AMINO_ACIDS + 1;

/**
 * How conserved each column is, from 0 (all amino acids alike often, or none) to 1 (one amino acid in all rows):
 * (1 - H / ln 20) · (part of the weight that is an amino acid), H being the entropy of the amino acids.
 *
 * Source: Capra and Singh (2007), "Predicting functionally important residues from sequence conservation", for entropy
 * and the penalty of gaps.
 *
 * @param msa Residue types, 0 … 21 (20 is `X`, 21 a gap), `[N_seq, N_res]`.
 * @param columns N_res.
 * @param weights Of the rows, `[N_seq]`. @default 1
 * @returns `[N_res]`
 * @throws {TypeError} If the sizes do not fit together.
 * @throws {RangeError} If a token is not 0 … 21.
 */
export function conservation(msa: ArrayLike<number>, columns: number, weights?: ArrayLike<number>): Float32Array {
  const rows = checkInputs("conservation", msa, columns, weights);
  const counts = new Float64Array(columns * AMINO_ACIDS);
  let total = 0;
  for (let r = 0; r < rows; r++) {
    const weight = weights?.[r] ?? 1;
    total += weight;
    for (let c = 0; c < columns; c++) {
      const token = msa[r * columns + c];
      if (token < AMINO_ACIDS) counts[c * AMINO_ACIDS + token] += weight;
    }
  }
  return Float32Array.from({ length: columns }, (_, c) => {
    const own = counts.subarray(c * AMINO_ACIDS, (c + 1) * AMINO_ACIDS);
    const there = own.reduce((sum, x) => sum + x, 0);
    return there === 0 ? 0 : (1 - entropy(own, there) / Math.log(AMINO_ACIDS)) * there / total;
  });
}

/** Coevolution of pairs of columns. */
export interface Coevolution {
  /** Mutual information in nats, `[N_res, N_res]`; on the diagonal 0. */
  readonly mutualInformation: Float32Array;
  /** The same less what the columns share with all others, `[N_res, N_res]`; on the diagonal 0. */
  readonly corrected: Float32Array;
}

/**
 * Mutual information of all pairs of columns, gaps being a 21st letter, and the average product correction.
 *
 * The correction takes MI(i, ·) MI(·, j) / MI off, means over all other columns, and all pairs.
 *
 * Source: Dunn, Wahl and Gloor (2008), "Mutual information without the influence of phylogeny or entropy dramatically
 * improves residue contact prediction", equations 1 and 6.
 *
 * @param msa Residue types, 0 … 21, `[N_seq, N_res]`.
 * @param columns N_res.
 * @param weights Of the rows, `[N_seq]`. @default 1
 * @throws {TypeError} If the sizes do not fit together.
 * @throws {RangeError} If a token is not 0 … 21.
 */
export function coevolution(msa: ArrayLike<number>, columns: number, weights?: ArrayLike<number>): Coevolution {
  const rows = checkInputs("coevolution", msa, columns, weights);
  const weight = Float64Array.from({ length: rows }, (_, r) => weights?.[r] ?? 1);
  const total = weight.reduce((sum, x) => sum + x, 0);
  const byColumn = new Uint8Array(columns * rows);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) byColumn[c * rows + r] = Math.min(msa[r * columns + c], AMINO_ACIDS);
  }
  const single = Float64Array.from({ length: columns }, (_, c) => {
    const counts = new Float64Array(STATES);
    for (let r = 0; r < rows; r++) counts[byColumn[c * rows + r]] += weight[r];
    return entropy(counts, total);
  });
  const mutualInformation = new Float32Array(columns * columns);
  const pairs = new Float64Array(STATES * STATES);
  for (let i = 0; i < columns; i++) {
    for (let j = 0; j < i; j++) {
      pairs.fill(0);
      for (let r = 0; r < rows; r++) pairs[byColumn[i * rows + r] * STATES + byColumn[j * rows + r]] += weight[r];
      const information = Math.max(0, single[i] + single[j] - entropy(pairs, total));
      mutualInformation[i * columns + j] = mutualInformation[j * columns + i] = information;
    }
  }
  return { mutualInformation, corrected: averageProductCorrection(mutualInformation, columns) };
}

function averageProductCorrection(information: Float32Array, columns: number): Float32Array {
  const corrected = new Float32Array(columns * columns);
  if (columns < 2) return corrected;
  const means = Float64Array.from({ length: columns }, (_, i) => {
    const row = information.subarray(i * columns, (i + 1) * columns);
    return row.reduce((sum, x) => sum + x, 0) / (columns - 1);
  });
  const all = means.reduce((sum, x) => sum + x, 0) / columns;
  if (all === 0) return corrected;
  for (let i = 0; i < columns; i++) {
    for (let j = 0; j < columns; j++) {
      if (i !== j) corrected[i * columns + j] = information[i * columns + j] - means[i] * means[j] / all;
    }
  }
  return corrected;
}

function entropy(counts: Float64Array, total: number): number {
  let sum = 0;
  for (const count of counts) if (count > 0) sum -= count / total * Math.log(count / total);
  return sum;
}

function checkInputs(owner: string, msa: ArrayLike<number>, columns: number, weights?: ArrayLike<number>): number {
  const rows = rowCount(owner, "msa", msa, columns);
  if (rows === 0) throw new TypeError(`Cannot run ${owner} as msa has no row: expected at least one`);
  checkTokens(owner, "msa", msa, MSA_CLASSES);
  if (weights) checkSize(owner, "weights", weights, rows);
  return rows;
}
