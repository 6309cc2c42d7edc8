/** What an alignment holds. */
import type { Alignment } from "../data/alignment.ts";
import { coevolution, conservation } from "../data/coevolution.ts";
import { alignmentDepth, depthSummary, FEW_ROWS } from "../data/depth.ts";
import { remarkRows, warningsOf } from "../data/remarks.ts";
import { correctMsaRestypes, makeMsaFeatures } from "../data/features/msa.ts";
import { type ColumnProfile, type Fact, type Inspection, type PairMap, remarkTable } from "./inspection.ts";
import { MAX_MAP } from "./structures.ts";

/** Pairs of columns closer than this say little about contacts. */
const MIN_SEPARATION = 6;

/** Pairs that the table lists. */
const TOP_PAIRS = 20;

/** Tokens of an alignment, as residue types, and what is asked of it. */
export interface AlignmentTokens {
  /** The query, one letter a column. */
  readonly sequence: string;
  /** Residue types, 21 for a gap, `[N_seq, N_res]`. */
  readonly types: Int32Array;
}

/** Tells what an alignment holds. */
export function inspectAlignment(alignment: Alignment, maps: boolean): Inspection {
  const { source, names, rows, deletions, reference } = alignment;
  const features = makeMsaFeatures([alignment]);
  const tokens = { sequence: rows[0], types: correctMsaRestypes(features.msa) };
  const inserted = deletions.reduce((sum, row) => sum + row.reduce((a, b) => a + b, 0), 0);
  const { facts, tables, warnings, ...rest } = depthParts(tokens, maps);
  return {
    kind: "alignment",
    path: source,
    facts: [
      { key: "query", label: "Query", value: names[0] },
      { key: "querySequence", label: "Sequence", value: rows[0] },
      { key: "rows", label: "Rows", value: rows.length },
      ...facts,
      { key: "profileColumns", label: "Columns of the profile (RF)", value: reference?.replace(/[.\-_~]/g, "").length },
      { key: "insertedResidues", label: "Inserted residues", value: inserted },
    ],
    tables: [...tables, ...remarkTable(remarkRows(alignment))],
    warnings: [...warningsOf(alignment), ...warnings],
    ...rest,
  };
}

/** What the depth of an alignment amounts to, as facts, and its columns and maps. */
export function depthParts({ sequence, types }: AlignmentTokens, maps: boolean): Omit<Inspection, "kind" | "path"> {
  const columns = sequence.length;
  const depth = alignmentDepth(types, columns);
  const summary = depthSummary(depth);
  const facts: Fact[] = [
    { key: "columns", label: "Columns", value: columns },
    { key: "sequences", label: "Distinct rows", value: summary.sequences },
    { key: "neff62", label: "Neff at 62 %", value: summary.neff62 },
    { key: "neff80", label: "Neff at 80 %", value: summary.neff80 },
    { key: "medianDepth", label: "Median depth", value: summary.medianDepth },
    { key: "meanCoverage", label: "Mean coverage", value: summary.meanCoverage },
    { key: "meanIdentity", label: "Identity to query", value: summary.meanIdentity },
    { key: "gaps", label: "Gaps", value: summary.gaps },
  ];
  const profile: ColumnProfile = {
    sequence,
    coverage: depth.coverage,
    effectiveDepth: depth.effectiveDepth,
    identity: depth.identity,
    conservation: maps ? conservation(types, columns, depth.weights80) : undefined,
  };
  const warnings = summary.sequences < FEW_ROWS
    ? [`it has ${summary.sequences} distinct rows: with fewer than ${FEW_ROWS} predictions are much less accurate`]
    : [];
  if (!maps || columns > MAX_MAP) return { facts, tables: [], columns: profile, warnings, maps: [] };
  const { corrected } = coevolution(types, columns, depth.weights80);
  for (let i = 0; i < columns; i++) corrected[i * columns + i] = NaN;
  const map: PairMap = {
    key: "coevolution",
    title: "Coevolution",
    lead: "Mutual information of pairs of columns in nats, less what each shares with all others (average product " +
      "correction), rows weighted at 80 % identity. High values hint at contacts where the alignment is deep.",
    sequence,
    values: corrected,
  };
  return { facts, tables: [topPairs(map)], columns: profile, warnings, maps: [map] };
}

function topPairs({ sequence, values }: PairMap) {
  const n = sequence.length;
  const pairs: [number, number, number][] = [];
  for (let i = 0; i < n; i++) for (let j = i + MIN_SEPARATION; j < n; j++) pairs.push([i, j, values[i * n + j]]);
  pairs.sort((a, b) => b[2] - a[2]);
  return {
    key: "topPairs",
    title: `Pairs that change together most (at least ${MIN_SEPARATION} apart)`,
    columns: ["pair", "i", "j", "corrected MI"],
    rows: pairs.slice(0, TOP_PAIRS).map(([i, j, value]) => [
      `${sequence[i]}${i + 1} ${sequence[j]}${j + 1}`,
      i + 1,
      j + 1,
      value,
    ]),
  };
}
