/**
 * Scores of substitutions.
 *
 * Source: Henikoff and Henikoff (1992), "Amino acid substitution matrices from protein blocks"; the table as NCBI
 * publishes it.
 */
import { RESIDUE_LETTERS } from "../../model/protein/residues.ts";

/** Rows and columns in AlphaFold's order `ARNDCQEGHILKMFPSTWYV`; the lower triangle says everything. */
const LOWER_TRIANGLE = `
 4
-1  5
-2  0  6
-2 -2  1  6
 0 -3 -3 -3  9
-1  1  0  0 -3  5
-1  0  0  2 -4  2  5
 0 -2  0 -1 -3 -2 -2  6
-2  0  1 -1 -3  0  0 -2  8
-1 -3 -3 -3 -1 -3 -3 -4 -3  4
-1 -2 -3 -4 -1 -2 -3 -4 -3  2  4
-1  2  0 -1 -3  1  1 -2 -1 -3 -2  5
-1 -1 -2 -3 -1  0 -2 -3 -2  1  2 -1  5
-2 -3 -3 -3 -2 -3 -3 -3 -1  0  0 -3  0  6
-1 -2 -2 -1 -3 -1 -1 -2 -2 -3 -3 -1 -2 -4  7
 1 -1  1  0 -1  0  0  0 -1 -2 -2  0 -1 -2 -1  4
 0 -1  0 -1 -1 -1 -1 -2 -2 -1 -1 -1 -1 -2 -1  1  5
-3 -3 -4 -4 -2 -2 -3 -2 -2 -3 -2 -3 -1  1 -4 -3 -2 11
-2 -2 -2 -3 -2 -1 -2 -3  2 -1 -1 -2 -1  3 -3 -2 -2  2  7
 0 -3 -3 -3 -1 -2 -2 -3 -3  3  1 -2  1 -1 -2 -2  0 -3 -1  4`;

/** Number of letters: the 20 amino acids and `X`. */
export const LETTER_COUNT: number = RESIDUE_LETTERS.length;

/** Score of an unknown residue beside anything. */
const UNKNOWN_SCORE = -1;

/** BLOSUM62 in half bits, `[21, 21]`, in the order of `RESIDUE_LETTERS`; an unknown residue scores -1. */
export const BLOSUM62: Int32Array = square();

function square(): Int32Array {
  const scores = new Int32Array(LETTER_COUNT * LETTER_COUNT).fill(UNKNOWN_SCORE);
  LOWER_TRIANGLE.trim().split("\n").forEach((line, row) => {
    line.trim().split(/\s+/).forEach((score, column) => {
      scores[row * LETTER_COUNT + column] = scores[column * LETTER_COUNT + row] = Number(score);
    });
  });
  return scores;
}
