/** Shares the rows of an alignment that do not fit into the network out among those that do. */
import { checkSize } from "../_check.ts";
import { agreement, packRows } from "../_packed_rows.ts";
import type { ClusterSummary, MsaRows } from "../clusters.ts";
import { MASKED_CLASSES } from "../masked_msa.ts";

/**
 * Profiles and average deletions of the clusters of a complex. A row goes to the centre with which it shares most residues,
 * in equal parts to equals; and it weighs as much as there are places that count in it and the centre, while the centre
 * weighs 1: so published. Gaps and hidden residues do not count as shared.
 *
 * Source: AlphaFold's `modules_multimer.nearest_neighbor_clusters`, whose softmax of 1000 times a whole number is 1 or a
 * part of it.
 *
 * @param centers Rows that the network sees, with hidden residues.
 * @param extra The other rows.
 * @param columns N_res.
 * @throws {TypeError} If the sizes do not fit together.
 */
export function softClusters(centers: MsaRows, extra: MsaRows, columns: number): ClusterSummary {
  const owner = "softClusters";
  const a = packRows(owner, "centers.msa", centers.msa, columns, centers.mask);
  const b = packRows(owner, "extra.msa", extra.msa, columns, extra.mask);
  checkSize(owner, "centers.deletions", centers.deletions, centers.msa.length);
  checkSize(owner, "extra.deletions", extra.deletions, extra.msa.length);
  const ofCenters = countingPlaces(centers, columns), ofExtra = countingPlaces(extra, columns);
  const counts = new Float64Array(a.rows).fill(1);
  const tokens = new Float64Array(a.rows * columns * MASKED_CLASSES);
  const deletions = Float64Array.from(centers.deletions);
  for (let at = 0; at < centers.msa.length; at++) {
    tokens[at * MASKED_CLASSES + centers.msa[at]] = centers.mask?.[at] ?? 1;
  }
  const { words } = a;
  for (let r = 0; r < b.rows; r++) {
    let best = -1;
    let nearest: number[] = [];
    for (let c = 0; c < a.rows; c++) {
      const shared = agreement(a, b, c * words, r * words, words, a.isResidue, b.isResidue);
      if (shared < best) continue;
      if (shared > best) [best, nearest] = [shared, []];
      nearest.push(c);
    }
    for (const c of nearest) {
      const weight = commonPlaces(ofCenters, c, ofExtra, r, columns) / nearest.length;
      counts[c] += weight;
      for (let column = 0; column < columns; column++) {
        const from = r * columns + column, to = c * columns + column;
        const own = weight * (extra.mask?.[from] ?? 1);
        tokens[to * MASKED_CLASSES + extra.msa[from]] += own;
        deletions[to] += own * extra.deletions[from];
      }
    }
  }
  const width = columns * MASKED_CLASSES;
  return {
    cluster_profile: Float32Array.from(tokens, (sum, i) => sum / counts[Math.floor(i / width)]),
    cluster_deletion_mean: Float32Array.from(deletions, (sum, i) => sum / counts[Math.floor(i / columns)]),
  };
}

/** Which places of rows count; undefined where all do. */
function countingPlaces({ mask }: Pick<MsaRows, "mask">, columns: number): readonly ArrayLike<number>[] | undefined {
  return mask &&
    Array.from(
      { length: mask.length / columns },
      (_, row) => Array.from({ length: columns }, (_, c) => mask[row * columns + c]),
    );
}

function commonPlaces(
  a: readonly ArrayLike<number>[] | undefined,
  row: number,
  b: readonly ArrayLike<number>[] | undefined,
  other: number,
  columns: number,
): number {
  if (!a && !b) return columns;
  let sum = 0;
  for (let c = 0; c < columns; c++) sum += (a?.[row][c] ?? 1) * (b?.[other][c] ?? 1);
  return sum;
}
