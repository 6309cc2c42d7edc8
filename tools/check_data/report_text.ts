/** The report of a check, for the terminal. */
import type { DataReport, Finding } from "./check_data.ts";
import { counted } from "../words.ts";
import type { Distribution } from "./distribution.ts";

/** Most lines of a list. */
const SHOWN = 20;

/** Most names of a cluster. */
const SHOWN_NAMES = 12;

/** The report as text. */
export function reportText(report: DataReport): string {
  const { targets, usable, errors, warnings, labels, lengths, labelOutliers, chains, clusters, identity, notes } =
    report;
  const several = chains.filter(({ chains }) => chains.length > 1);
  const partial = chains.filter(({ observed, residues }) => observed < residues);
  const lines = [
    `${usable} of ${counted(targets, "target")} can be trained on: ${counted(errors.length, "error")}, ` +
    counted(warnings.length, "warning"),
    ...list("Errors", errors.map(findingLine)),
    ...list("Warnings", warnings.map(findingLine)),
    ...distributionLines("Labels", labels),
    ...list("Labels that stand out", labelOutliers.map(({ id, label }) => `${id}  ${label}`)),
    ...distributionLines("Residues", lengths),
    "",
    `Structures with several chains: ${several.length}; with residues that were not observed: ${partial.length}`,
    ...list(
      "Chains taken",
      several.map(({ id, chosen, chains, residues, observed }) =>
        `${id}  ${chosen} of ${chains.join(" ")}, ${observed} of ${residues} residues observed`
      ),
    ),
    "",
    `Clusters of sequences with at least ${Math.round(100 * identity)} % identity: ${clusters.length}, ` +
    `with ${counted(clusters.reduce((sum, { length }) => sum + length, 0), "target")}`,
    ...list("", clusters.map((ids) => `${ids.length}: ${firstOf(ids, SHOWN_NAMES).join(", ")}`)),
    ...list("Notes", notes),
  ];
  return lines.join("\n");
}

function findingLine({ id, message }: Finding): string {
  return `${id}: ${message}`;
}

function list(title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  return [...(title === "" ? [] : ["", title]), ...firstOf(lines, SHOWN).map((line) => `  ${line}`)];
}

function firstOf(lines: readonly string[], count: number): string[] {
  return lines.length <= count ? [...lines] : [...lines.slice(0, count), `… and ${lines.length - count} more`];
}

function distributionLines(title: string, distribution: Distribution | undefined): string[] {
  if (distribution === undefined) return [];
  const { count, least, quartile1, median, quartile3, most, mean, sd, histogram } = distribution;
  const shown = (x: number) => Number.isInteger(x) ? `${x}` : x.toFixed(2);
  const highest = Math.max(...histogram);
  const bars = histogram.map((bin) => bin === 0 ? " " : "▁▂▃▄▅▆▇█"[Math.ceil(8 * bin / highest) - 1]).join("");
  return [
    "",
    `${title} (${count}): ${shown(least)} |${bars}| ${shown(most)}`,
    `  quartiles ${[quartile1, median, quartile3].map(shown).join(", ")}, mean ${mean.toFixed(2)} ± ${sd.toFixed(2)}`,
  ];
}
