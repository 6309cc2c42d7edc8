/** How deep an alignment is: its rows, how many of them say something new, and what they cover. */
import { GAP_TOKEN } from "./features/msa.ts";
import { checkTokens, rowCount } from "./features/_check.ts";
import { countBits, type PackedRows, packRows, PLANES } from "./features/_packed_rows.ts";

/** With fewer rows AlphaFold's predictions are much worse. Source: Jumper et al. (2021), Fig. 5a. */
export const FEW_ROWS = 30;

/** Identities in % from which on rows count as one. */
const NEFF_PERCENT = [62, 80] as const;

/** The depth of an alignment. */
export interface AlignmentDepth {
  /** Rows, the query among them. */
  readonly sequences: number;
  /** Columns: residues of the query. */
  readonly residues: number;
  /** Effective rows: the sum of the weights at 62 % identity. */
  readonly neff62: number;
  /** The same at 80 %. */
  readonly neff80: number;
  /** One over the number of rows (itself among them) with at least 80 % identity, `[N_seq]`. */
  readonly weights80: Float32Array;
  /** Part of the rows that have a residue in the column, `[N_res]`. */
  readonly coverage: Float32Array;
  /** Effective rows at 80 % that have a residue in the column, `[N_res]`. */
  readonly effectiveDepth: Float32Array;
  /** Equal residues of those where both have one, to the query, `[N_seq]`; 0 where there is none. */
  readonly identity: Float32Array;
  /** Part of the columns in which the row has a residue, `[N_seq]`. */
  readonly rowCoverage: Float32Array;
  /** Part of all places that are gaps. */
  readonly gaps: number;
}

/** The numbers of a depth that fit into a line. */
export interface DepthSummary {
  /** Rows, the query among them. */
  readonly sequences: number;
  /** Effective rows at 62 % identity. */
  readonly neff62: number;
  /** Effective rows at 80 % identity. */
  readonly neff80: number;
  /** Median over the columns of the effective rows (80 %) with a residue there, AlphaFold's measure of depth. */
  readonly medianDepth: number;
  /** Mean over the columns of the part of the rows with a residue there. */
  readonly meanCoverage: number;
  /** Mean identity to the query, of the other rows; 0 if there is none. */
  readonly meanIdentity: number;
  /** Part of all places that are gaps. */
  readonly gaps: number;
}

/**
 * Measures the depth of an alignment.
 *
 * The identity of two rows is the number of columns with equal residues, divided by the number of columns in which either
 * has one.
 *
 * Source: Jumper et al. (2021), caption of Fig. 5 and Methods, "MSA depth": rows weighted at 80 % identity, "measured on
 * the region that is non-gap in either sequence".
 *
 * @param msa Tokens, 0 … 21, 21 for a gap, in either order, `[N_seq, N_res]`; the query first.
 * @param columns N_res.
 * @throws {TypeError} If the rows are not whole, or there is none.
 * @throws {RangeError} If a token is not 0 … 21.
 */
export function alignmentDepth(msa: ArrayLike<number>, columns: number): AlignmentDepth {
  const rows = rowCount("alignmentDepth", "msa", msa, columns);
  if (rows === 0) throw new TypeError("Cannot run alignmentDepth as msa has no row: expected at least one");
  checkTokens("alignmentDepth", "msa", msa, GAP_TOKEN + 1);
  const [near62, near80] = countNeighbors(packRows("alignmentDepth", "msa", msa, columns), columns);
  const weights80 = Float32Array.from(near80, (count) => 1 / count);
  const coverage = new Float32Array(columns);
  const effectiveDepth = new Float64Array(columns);
  const identity = new Float32Array(rows);
  const rowCoverage = new Float32Array(rows);
  for (let r = 0; r < rows; r++) {
    let both = 0, equal = 0, there = 0;
    for (let c = 0; c < columns; c++) {
      const token = msa[r * columns + c];
      if (token === GAP_TOKEN) continue;
      there++;
      coverage[c]++;
      effectiveDepth[c] += 1 / near80[r];
      if (msa[c] === GAP_TOKEN) continue;
      both++;
      if (token === msa[c]) equal++;
    }
    identity[r] = both === 0 ? 0 : equal / both;
    rowCoverage[r] = there / columns;
  }
  const filled = coverage.reduce((sum, count) => sum + count, 0);
  const inverse = (counts: Int32Array) => counts.reduce((sum, count) => sum + 1 / count, 0);
  return {
    sequences: rows,
    residues: columns,
    neff62: inverse(near62),
    neff80: inverse(near80),
    weights80,
    coverage: coverage.map((count) => count / rows),
    effectiveDepth: Float32Array.from(effectiveDepth),
    identity,
    rowCoverage,
    gaps: 1 - filled / (rows * columns),
  };
}

/** The numbers of a depth that fit into a line. */
export function depthSummary(depth: AlignmentDepth): DepthSummary {
  const { sequences, neff62, neff80, gaps } = depth;
  const sorted = depth.effectiveDepth.toSorted();
  const middle = sorted.length >> 1;
  return {
    sequences,
    neff62,
    neff80,
    medianDepth: sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2,
    meanCoverage: mean(depth.coverage),
    meanIdentity: mean(depth.identity.subarray(1)),
    gaps,
  };
}

/** For each row, and each of the two identities, the number of rows at least so alike, itself among them. */
function countNeighbors({ rows, words, planes: p, isResidue }: PackedRows, columns: number): [Int32Array, Int32Array] {
  const [low, high] = NEFF_PERCENT;
  const near = [new Int32Array(rows).fill(1), new Int32Array(rows).fill(1)] as [Int32Array, Int32Array];
  const most = Math.floor((100 - low) * columns / 100); // more differences exclude even the lower identity
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < i; j++) {
      let a = i * words * PLANES;
      let b = j * words * PLANES;
      let differences = 0; // a gap is a token too, so that a residue beside it differs
      for (let w = 0; w < words && differences <= most; w++, a += PLANES, b += PLANES) {
        differences += countBits(
          (p[a] ^ p[b]) | (p[a + 1] ^ p[b + 1]) | (p[a + 2] ^ p[b + 2]) | (p[a + 3] ^ p[b + 3]) |
            (p[a + 4] ^ p[b + 4]),
        );
      }
      if (differences > most) continue;
      let either = 0;
      for (let w = 0; w < words; w++) either += countBits(isResidue[i * words + w] | isResidue[j * words + w]);
      // Compared as products of integers, so that exactly 80 % counts as 80 %.
      const same = 100 * (either - differences);
      if (same >= low * either) near[0][i]++, near[0][j]++;
      if (same >= high * either) near[1][i]++, near[1][j]++;
    }
  }
  return near;
}

function mean(values: Float32Array): number {
  return values.length === 0 ? 0 : values.reduce((sum, x) => sum + x, 0) / values.length;
}
