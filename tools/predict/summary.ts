/** A run of predictions in a table. */
import { formatCsv } from "../data/matrix.ts";
import type { TargetResult } from "./run.ts";

/** Against the experimental structure, where one was given; lengths in Å. */
const MEASURES = ["lddt", "tm_score", "ca_rmsd", "all_atom_rmsd"] as const;

/** Results as CSV, a row a target. */
export function summaryCsv(results: readonly TargetResult[]): string {
  const isOfComplexes = results.some(({ best }) => best?.iptm !== undefined);
  const scores = ["mean_plddt", "ptm", ...isOfComplexes ? ["iptm"] as const : [], ...MEASURES] as const;
  const columns = ["id", "status", "residues", "best", ...scores, "seconds", "reason"] as const;
  const rows = results.map(({ id, status, residues, best, seconds, reason }) => ({
    ...{ id, status, residues: residues || undefined, best: best?.name },
    mean_plddt: best?.meanPlddt.toFixed(2),
    ptm: best?.ptm?.toFixed(3),
    iptm: best?.iptm?.toFixed(3),
    lddt: best?.experiment?.lddt.toFixed(3),
    tm_score: best?.experiment?.tmScore.toFixed(3),
    ca_rmsd: best?.experiment?.caRmsd.toFixed(2),
    all_atom_rmsd: best?.experiment?.allAtomRmsd.toFixed(2),
    seconds: seconds.toFixed(1),
    reason,
  }));
  return formatCsv(columns, rows);
}
