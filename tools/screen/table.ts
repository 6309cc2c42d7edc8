/** The ranking of a screen. */
import { rankingScore } from "../../model/multimer/heads/interface_tm_score.ts";
import { formatCsv } from "../data/matrix.ts";
import type { PredictionData } from "../predict/report_data.ts";

/** Scores of a pair: those of its best prediction, at the interfaces between bait and prey. */
export interface PairScores {
  /** 0.8 ipTM + 0.2 pTM of all chains, 0 to 1; null where the network predicts none. */
  readonly score: number | null;
  /** ipTM of the best interface, 0 to 1; null where the network predicts none. */
  readonly iptm: number | null;
  /** pTM of all chains, 0 to 1; null where the network predicts none. */
  readonly ptm: number | null;
  /** Mean pLDDT of all residues, 0 to 100. */
  readonly meanPlddt: number;
  /** Mean aligned error of the best interface, Å; null where the network predicts none. */
  readonly pae: number | null;
  /** pDockQ of the best interface. */
  readonly pdockq: number;
  /** pDockQ2 of the best interface; null without aligned errors. */
  readonly pdockq2: number | null;
  /** Pairs of residues in contact, of all interfaces. */
  readonly contacts: number;
  /** Pairs of atoms that clash, of all interfaces. */
  readonly clashes: number;
}

/** A pair and how it ended. */
export interface ScreenRow extends Partial<PairScores> {
  readonly bait: string;
  readonly prey: string;
  /** Name of its folder. */
  readonly pair: string;
  /** Residues of both. */
  readonly residues: number;
  /** `done` now, `kept` from an earlier run, or `failed`. */
  readonly status: "done" | "kept" | "failed";
  /** Why it failed. */
  readonly reason?: string;
  /** Seconds that it took. */
  readonly seconds: number;
}

/** What a screen can be sorted by; all but the aligned error are better when larger. */
export const SORT_KEYS = ["score", "iptm", "pae", "pdockq", "pdockq2"] as const;
/** One of {@linkcode SORT_KEYS}. */
export type SortKey = typeof SORT_KEYS[number];

/** Scores of a prediction whose first chains are the bait's. */
export function pairScores(
  { meanPlddt, ptm, iptm, interfaces = [] }: Pick<PredictionData, "meanPlddt" | "ptm" | "iptm" | "interfaces">,
  chainNames: readonly string[],
  baitChains: number,
): PairScores {
  const isBait = (name: string) => chainNames.indexOf(name) < baitChains;
  const between = interfaces.filter(({ chains: [a, b] }) => isBait(a) && !isBait(b));
  const known = (values: readonly (number | null)[]) => values.filter((value) => value !== null);
  const best = (values: readonly (number | null)[]) => known(values).length ? Math.max(...known(values)) : null;
  const errors = known(between.map(({ meanPae }) => meanPae));
  return {
    score: ptm === null || iptm === undefined ? null : rankingScore(iptm, ptm),
    iptm: best(between.map(({ iptm }) => iptm)),
    ...{ ptm, meanPlddt },
    pae: errors.length ? Math.min(...errors) : null,
    pdockq: best(between.map(({ pdockq }) => pdockq)) ?? 0,
    pdockq2: best(between.map(({ pdockq2 }) => pdockq2)),
    contacts: between.reduce((sum, { contacts }) => sum + contacts, 0),
    clashes: between.reduce((sum, { clashes }) => sum + clashes, 0),
  };
}

/** Rows best first, then those without the score, then those that failed; equals keep their order. */
export function ranked(rows: readonly ScreenRow[], by: SortKey): ScreenRow[] {
  const worth = (row: ScreenRow) => {
    const value = row[by] ?? null;
    return row.status === "failed" ? -Infinity : value === null ? -1e9 : by === "pae" ? -value : value;
  };
  return rows.toSorted((a, b) => worth(b) - worth(a) || 0);
}

/** A ranking as CSV. */
export function screenCsv(rows: readonly ScreenRow[]): string {
  const columns = [
    ...["rank", "bait", "prey", "score", "iptm", "ptm", "mean_plddt", "pae", "pdockq", "pdockq2", "contacts"],
    ...["clashes", "residues", "status", "seconds", "folder", "reason"],
  ];
  return formatCsv(
    columns,
    rows.map((row, k) => ({
      rank: String(k + 1),
      ...{ bait: row.bait, prey: row.prey, status: row.status, folder: row.pair, reason: row.reason },
      score: row.score?.toFixed(4),
      iptm: row.iptm?.toFixed(4),
      ptm: row.ptm?.toFixed(4),
      mean_plddt: row.meanPlddt?.toFixed(2),
      pae: row.pae?.toFixed(2),
      pdockq: row.pdockq?.toFixed(4),
      pdockq2: row.pdockq2?.toFixed(4),
      contacts: row.contacts,
      clashes: row.clashes,
      residues: row.residues,
      seconds: row.seconds.toFixed(1),
    })),
  );
}
