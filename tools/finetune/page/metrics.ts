/// <reference lib="dom" />
import { formatNumber, h } from "../../report/page/dom.ts";
import type { MetricName, SetName } from "../report_data.ts";

/** The metrics in the order of tables. */
export const METRICS: { name: MetricName; label: string; hasUnit: boolean; meaning: string }[] = [
  { name: "pearson", label: "Pearson", hasUnit: false, meaning: "linear correlation; 1 is the best" },
  {
    name: "spearman",
    label: "Spearman",
    hasUnit: false,
    meaning: "correlation of ranks, ties share theirs; 1 is the best",
  },
  { name: "rmse", label: "RMSE", hasUnit: true, meaning: "root of the mean square error; 0 is the best" },
  { name: "mae", label: "MAE", hasUnit: true, meaning: "mean absolute error; 0 is the best" },
  {
    name: "r2",
    label: "R²",
    hasUnit: false,
    meaning: "1 − squared errors / squares around the labels' mean; 1 is the best",
  },
];

/** What sets are called. */
export const SET_LABELS: Record<SetName, string> = { train: "Training", validation: "Validation", test: "Test" };

/** Decimals that numbers of an error's size are shown with. */
export function digitsOf(value: number | null | undefined): number {
  if (value === null || value === undefined || !Number.isFinite(value) || value === 0) return 3;
  return Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(Math.abs(value)))));
}

/** A metric's value as text. */
export function metricText(value: number | null, hasUnit: boolean): string {
  return formatNumber(value, hasUnit ? digitsOf(value) : 3);
}

/** A head cell of a column of numbers. */
export function numberHead(text: string): HTMLElement {
  return h("th", { scope: "col", class: "number" }, text);
}

/** A cell with a number. */
export function numberCell(text: string, ...more: HTMLElement[]): HTMLElement {
  return h("td", { class: "number" }, text, ...more);
}

/** A row of head cells. */
export function head(...cells: HTMLElement[]): HTMLElement {
  return h("thead", {}, h("tr", {}, ...cells));
}
