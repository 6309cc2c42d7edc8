/** An alignment as the report shows it. */
import type { MsaData } from "./report_data.ts";

/** Rows of the picture; larger alignments are thinned out. */
const MOST_ROWS = 400;

/**
 * Depth of an alignment's columns, and a picture of its rows sorted by identity to the first.
 *
 * @param rows Aligned rows without insertions, the query first; `-` is a gap.
 * @param effective Rows weighted by identity. @default not known: the number of rows
 */
export function msaData(rows: readonly string[], effective: number = rows.length): MsaData {
  const [query] = rows, n = query.length;
  const depth = new Array<number>(n).fill(0);
  const identities = rows.map((row) => {
    let same = 0, covered = 0;
    for (let c = 0; c < n; c++) {
      if (row[c] === "-") continue;
      depth[c]++;
      covered++;
      if (row[c] === query[c]) same++;
    }
    return covered ? same / covered : 0;
  });
  const order = rows.map((_, r) => r).sort((a, b) => identities[a] - identities[b]); // the query on top of the plot
  const height = Math.min(rows.length, MOST_ROWS);
  const bytes = new Uint8Array(height * n);
  for (let y = 0; y < height; y++) {
    const r = order[height === 1 ? order.length - 1 : Math.round(y * (order.length - 1) / (height - 1))];
    for (let c = 0; c < n; c++) bytes[y * n + c] = rows[r][c] === "-" ? 0 : 1 + Math.round(254 * identities[r]);
  }
  return { sequences: rows.length, effective, depth, rows: { bytes: bytes.toBase64(), height } };
}
