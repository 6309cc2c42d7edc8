/** The report of a screen: its ranking, and the best pairs as reports of predictions show them. */
import { reportOf, type RunFacts } from "../predict/run_report.ts";
import type { PredictReportData } from "../predict/report_data.ts";
import type { TargetResult } from "../predict/run.ts";
import { pairData } from "./screen.ts";
import type { ScreenRow } from "./table.ts";

/**
 * What the report of a screen shows.
 *
 * @param out Folder of the screen.
 * @param rows The pairs, best first.
 * @param top How many of them are shown whole.
 */
export async function screenReport(
  out: string,
  rows: readonly ScreenRow[],
  top: number,
  facts: RunFacts,
): Promise<PredictReportData> {
  const shown: TargetResult[] = [];
  for (const row of rows.filter(({ status }) => status !== "failed").slice(0, top)) {
    const { pair, status, residues, seconds } = row;
    shown.push({ id: pair, status, residues, seconds, folder: pair, data: await pairData(out, row) });
  }
  const report = reportOf(shown, facts);
  const orNull = (value: number | null | undefined) => value ?? null;
  return {
    ...report,
    title: `Screen of ${rows.length} pair${rows.length === 1 ? "" : "s"}`,
    screen: rows.map((row) => {
      const target = shown.findIndex(({ id }) => id === row.pair);
      return {
        ...{ bait: row.bait, prey: row.prey, residues: row.residues },
        target: target < 0 ? null : target,
        href: `${encodeURIComponent(row.pair)}/`,
        score: orNull(row.score),
        iptm: orNull(row.iptm),
        ptm: orNull(row.ptm),
        meanPlddt: orNull(row.meanPlddt),
        pae: orNull(row.pae),
        pdockq: orNull(row.pdockq),
        pdockq2: orNull(row.pdockq2),
        contacts: orNull(row.contacts),
        clashes: orNull(row.clashes),
        reason: row.status === "failed" ? row.reason ?? "" : null,
      };
    }),
  };
}
