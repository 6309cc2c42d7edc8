/** What the commands that fold print. */
import type { Fold } from "../fold/fold.ts";
import { mirrorText } from "../fold/prediction_report.ts";
import type { MetricValues } from "../report/report_data.ts";
import { methodTable } from "../train/metric_table.ts";

/** How a fold went, its measures, and the files. */
export function foldLines(
  fold: Fold,
  methods: readonly { label: string; values: MetricValues }[],
  paths: readonly string[],
): string {
  const { id, sequence, stress1, runs, lowerBounds, components, mirror } = fold;
  const lines = [
    `${id}: ${sequence.length} residues, stress-1 ${stress1.toFixed(4)}, ${
      runs.length === 1 ? "1 start" : `best of ${runs.length} starts`
    }${lowerBounds > 0 ? `, ${lowerBounds} distances taken as lower bounds` : ""}`,
    `mirror image ${mirrorText(mirror)}`,
  ];
  if (components > 1) {
    lines.push(`The distances fall into ${components} parts; how these lie to each other is without meaning.`);
  }
  if (methods.length > 0) lines.push("", methodTable("", methods));
  lines.push("", "Files:", ...paths.map((path) => `   ${path}`));
  return lines.join("\n");
}
