/** Confidence of predictions in the shapes that other programs read. */

import { rankingScore } from "../../model/multimer/heads/interface_tm_score.ts";
import type { InterfaceScores } from "./interfaces.ts";

/** A number rounded to so many decimals. */
export function rounded(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}

/**
 * Confidence per residue as AlphaFold 2.3 writes it (`confidence_M.json`): categories are D below 50, L below 70, M below 90,
 * H from there.
 *
 * @param plddt 0 to 100, `[N_res]`.
 */
export function confidenceJson(plddt: Float32Array): string {
  const scores = Array.from(plddt, (value) => rounded(value, 2));
  return JSON.stringify({
    residueNumber: scores.map((_, i) => i + 1),
    confidenceScore: scores,
    confidenceCategory: scores.map((score) => (score < 50 ? "D" : score < 70 ? "L" : score < 90 ? "M" : "H")),
  });
}

/** Rows of a square matrix, rounded. */
export function matrixRows(matrix: Float32Array, n: number, decimals: number): number[][] {
  return Array.from(
    { length: n },
    (_, i) => Array.from(matrix.subarray(i * n, (i + 1) * n), (x) => rounded(x, decimals)),
  );
}

/**
 * Predicted aligned error as AlphaFold's database gives it since version 2 and AlphaFold writes it: rows are the residues
 * aligned on, columns those scored, one decimal.
 *
 * @param pae Å, `[N_res, N_res]`.
 * @param most Largest error that can be predicted, Å.
 */
export function paeJson(pae: Float32Array, n: number, most: number): string {
  return JSON.stringify([{
    predicted_aligned_error: matrixRows(pae, n, 1),
    max_predicted_aligned_error: rounded(most, 2),
  }]);
}

/** Predicted aligned error as ColabFold writes it (`…_predicted_aligned_error_v1.json`): the largest that there is. */
export function colabfoldPaeJson(pae: Float32Array, n: number): string {
  return JSON.stringify({
    predicted_aligned_error: matrixRows(pae, n, 2),
    max_predicted_aligned_error: rounded(largest(pae), 2),
  });
}

/** Scores of a prediction as ColabFold writes them (`…_scores_rank_001_….json`). */
export function colabfoldScoresJson(
  { plddt, pae, ptm, iptm }: {
    readonly plddt: Float32Array;
    readonly pae?: Float32Array;
    readonly ptm?: number;
    readonly iptm?: number;
  },
): string {
  return JSON.stringify({
    plddt: Array.from(plddt, (value) => rounded(value, 2)),
    ...(pae && { max_pae: rounded(largest(pae), 2), pae: matrixRows(pae, plddt.length, 2) }),
    ...(ptm !== undefined && { ptm: rounded(ptm, 2) }),
    ...(iptm !== undefined && { iptm: rounded(iptm, 2) }),
  });
}

function largest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, value), 0);
}

/** Scores of a complex's interfaces (`interfaces_M.json`): those of each pair of chains. */
export function interfacesJson(
  scores: readonly InterfaceScores[],
  { ptm, iptm }: { readonly ptm?: number; readonly iptm?: number },
): string {
  const number = (value: number | null, decimals: number) => value === null ? null : rounded(value, decimals);
  const whole = ptm !== undefined && iptm !== undefined
    ? { iptm: rounded(iptm, 4), ptm: rounded(ptm, 4), ranking_confidence: rounded(rankingScore(iptm, ptm), 4) }
    : {};
  return `${
    JSON.stringify(
      {
        ...whole,
        interfaces: scores.map((score) => ({
          chains: score.chains,
          iptm: number(score.iptm, 4),
          mean_pae: number(score.meanPae, 2),
          contacts: score.contacts,
          interface_residues: score.residues,
          interface_plddt: number(score.plddt, 2),
          pdockq: number(score.pdockq, 4),
          pdockq2: number(score.pdockq2, 4),
          clashes: score.clashes,
        })),
      },
      undefined,
      2,
    )
  }\n`;
}
