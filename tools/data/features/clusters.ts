/** Groups the rows of an alignment that do not fit into the network around those that do. */
import { checkSize, checkTokens, rowCount } from "./_check.ts";
import { agreement, packRows } from "./_packed_rows.ts";
import { MASKED_CLASSES } from "./masked_msa.ts";

/** Rows of an alignment. */
export interface MsaRows {
  /** Tokens, 0 … 22, `[N_rows, N_res]`. */
  readonly msa: ArrayLike<number>;
  /** Residues left out before each, `[N_rows, N_res]`. */
  readonly deletions: ArrayLike<number>;
  /** 1 where the token counts, `[N_rows, N_res]`. @default 1 everywhere */
  readonly mask?: ArrayLike<number>;
}

/** Averages over the clusters. */
export interface ClusterSummary {
  /** How often each token stands at each place of a cluster, `[N_clust, N_res, 23]`. */
  readonly cluster_profile: Float32Array;
  /** Average number of residues left out, `[N_clust, N_res]`. */
  readonly cluster_deletion_mean: Float32Array;
}

/**
 * The cluster centre with which each extra row shares most residues; of equals the one with the lowest index.
 *
 * Gaps count with a weight of their own, hidden residues do not.
 *
 * Source: AlphaFold's `nearest_neighbor_clusters`; Jumper et al. (2021), Suppl. 1.2.7.
 *
 * @param centers Rows that the network sees, with hidden residues.
 * @param extra The other rows.
 * @param columns N_res.
 * @param gapAgreementWeight What a gap in both rows counts. @default 0
 * @returns Index of a centre for each extra row.
 * @throws {TypeError} If rows are not whole, or there is no centre.
 * @throws {RangeError} If a token is not 0 … 22.
 */
export function nearestNeighborClusters(
  centers: Pick<MsaRows, "msa" | "mask">,
  extra: Pick<MsaRows, "msa" | "mask">,
  columns: number,
  gapAgreementWeight = 0,
): Int32Array {
  const owner = "nearestNeighborClusters";
  const a = packRows(owner, "centers.msa", centers.msa, columns, centers.mask);
  const b = packRows(owner, "extra.msa", extra.msa, columns, extra.mask);
  if (a.rows === 0) {
    throw new TypeError("Cannot run nearestNeighborClusters as there is no centre: expected at least one");
  }
  const { words } = a;
  const assignment = new Int32Array(b.rows);
  for (let r = 0; r < b.rows; r++) {
    let best = -Infinity;
    for (let c = 0; c < a.rows; c++) {
      const residues = agreement(a, b, c * words, r * words, words, a.isResidue, b.isResidue);
      const score = gapAgreementWeight === 0
        ? residues
        : residues + gapAgreementWeight * agreement(a, b, c * words, r * words, words, a.isGap, b.isGap);
      if (score > best) [best, assignment[r]] = [score, c];
    }
  }
  return assignment;
}

/**
 * Profiles and average deletions of the clusters, each centre among its own rows.
 *
 * Source: AlphaFold's `summarize_clusters`.
 *
 * @param centers Rows that the network sees.
 * @param extra The other rows.
 * @param assignment Index of a centre for each extra row.
 * @param columns N_res.
 * @throws {TypeError} If the sizes do not fit together.
 * @throws {RangeError} If a token is not 0 … 22 or there is no centre of an index.
 */
export function summarizeClusters(
  centers: MsaRows,
  extra: MsaRows,
  assignment: ArrayLike<number>,
  columns: number,
): ClusterSummary {
  const owner = "summarizeClusters";
  const n = rowCount(owner, "centers.msa", centers.msa, columns);
  const rows = rowCount(owner, "extra.msa", extra.msa, columns);
  checkTokens(owner, "centers.msa", centers.msa, MASKED_CLASSES);
  checkTokens(owner, "extra.msa", extra.msa, MASKED_CLASSES);
  checkSize(owner, "centers.deletions", centers.deletions, centers.msa.length);
  checkSize(owner, "extra.deletions", extra.deletions, extra.msa.length);
  checkSize(owner, "assignment", assignment, rows);
  checkTokens(owner, "assignment", assignment, n);
  const counts = new Float64Array(n * columns);
  const tokens = new Float64Array(n * columns * MASKED_CLASSES);
  const deletions = new Float64Array(n * columns);
  for (let at = 0; at < n * columns; at++) {
    counts[at] = 1e-6 + (centers.mask?.[at] ?? 1);
    tokens[at * MASKED_CLASSES + centers.msa[at]] = 1;
    deletions[at] = centers.deletions[at];
  }
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const from = row * columns + column;
      const to = assignment[row] * columns + column;
      const weight = extra.mask?.[from] ?? 1;
      counts[to] += weight;
      tokens[to * MASKED_CLASSES + extra.msa[from]] += weight;
      deletions[to] += weight * extra.deletions[from];
    }
  }
  return {
    cluster_profile: Float32Array.from(tokens, (sum, k) => sum / counts[Math.floor(k / MASKED_CLASSES)]),
    cluster_deletion_mean: Float32Array.from(deletions, (sum, at) => sum / counts[at]),
  };
}
