/** A run of predictions in a table and a report. */
import { formatCsv } from "../data/matrix.ts";
import { noticesOf, type PlannedModel } from "./models.ts";
import type { PredictReportData } from "./report_data.ts";
import type { HeldWeights } from "./network.ts";
import { heldText, type TargetResult } from "./run.ts";

/** Facts of a run. */
export interface RunFacts {
  readonly models: readonly PlannedModel[];
  readonly adapter: string;
  readonly seconds: number;
  readonly version: string;
  /** How weights were held, by preset; of those that were loaded. */
  readonly held: ReadonlyMap<string, HeldWeights>;
}

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

/** What the report of a run shows; links lead into the targets' folders. */
export function reportOf(
  results: readonly TargetResult[],
  { models, adapter, seconds, version, held }: RunFacts,
): PredictReportData {
  const shown = results.flatMap(({ data }) => data ? [data] : []);
  const inFolder = (id: string) => ({ label, href }: { label: string; href: string }) => ({
    label,
    href: `${encodeURIComponent(id)}/${encodeURIComponent(href)}`,
  });
  const notices = noticesOf(models);
  const [only] = shown;
  return {
    title: shown.length === 1 ? `Predicted structure of ${only.id}` : `${shown.length} predicted structures`,
    summary: `AlphaFold 2 (${models.map(({ preset }) => preset).join(", ")}) on ${adapter}.`,
    created: new Date().toISOString(),
    notice: notices.length > 0 ? `${notices.join(". ")}.` : null,
    targets: shown.map((target) => ({
      ...target,
      files: target.files.map(inFolder(target.id)),
      predictions: target.predictions.map((prediction) => ({
        ...prediction,
        files: prediction.files.map(inFolder(target.id)).map(({ label, href }) => ({
          label: label.replace(/^.*\.(\w+)$/, "$1").toUpperCase(),
          href,
        })),
      })),
    })),
    failed: results.flatMap(({ id, status, reason = "" }) => status === "failed" ? [{ id, reason }] : []),
    run: [
      { label: "denofold", value: version },
      { label: "Adapter", value: adapter },
      ...models.map(({ preset, weights }) => {
        const own = held.get(preset);
        return { label: preset, value: weights + (own ? heldText(own) : "") };
      }),
      { label: "Time", value: `${Math.round(seconds)} s` },
    ],
  };
}
