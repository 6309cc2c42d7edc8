/** What the report of a run of predictions shows. */
import { heldText, type HeldWeights } from "./network.ts";
import { noticesOf, type PlannedModel } from "./planned_model.ts";
import type { PredictReportData } from "./report_data.ts";
import type { TargetResult } from "./run.ts";

/** Facts of a run. */
export interface RunFacts {
  readonly models: readonly PlannedModel[];
  readonly adapter: string;
  readonly seconds: number;
  readonly version: string;
  /** How weights were held, by preset; of those that were loaded. */
  readonly held: ReadonlyMap<string, HeldWeights>;
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
