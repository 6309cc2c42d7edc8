/// <reference lib="dom" />
import { formatNumber, h, section, tableBox } from "../../report/page/dom.ts";
import type { RunData, SetData } from "../report_data.ts";
import { digitsOf, head, METRICS, metricText, numberCell, numberHead, SET_LABELS } from "./metrics.ts";

/** Rows of the table of largest errors. */
const MOST_ERRORS = 10;

/** Metrics of each set with their intervals, beside predictions that need no network. */
export function metricsSection({ sets, unit }: RunData): HTMLElement | undefined {
  if (!sets.length) return undefined;
  const main = sets.find(({ set }) => set === "test") ?? sets.find(({ set }) => set === "validation") ?? sets[0];
  const withUnit = (label: string, hasUnit: boolean) => hasUnit && unit ? `${label} (${unit})` : label;
  return section(
    "metrics",
    "How well it predicts",
    `Predictions of the best epoch's average, with intervals of 95 % from resampled rows; below each set, predictions ` +
      `that need no network. The large numbers are those of the ${SET_LABELS[main.set].toLowerCase()} set ` +
      `(${main.values.n} rows).`,
    h("div", { class: "tiles" }, ...METRICS.map((metric) => tile(main, metric, unit))),
    tableBox(
      "Metrics by set",
      head(
        h("th", { scope: "col" }, "Set"),
        numberHead("Rows"),
        ...METRICS.map(({ label, hasUnit }) => numberHead(withUnit(label, hasUnit))),
      ),
      h("tbody", {}, ...sets.flatMap(rowsOf)),
    ),
    h(
      "details",
      {},
      h("summary", {}, "What the metrics mean"),
      ...METRICS.map(({ label, meaning }) => h("p", {}, h("strong", {}, label), `: ${meaning}`)),
    ),
  );
}

function tile({ values, intervals }: SetData, { name, label, hasUnit, meaning }: typeof METRICS[number], unit: string) {
  return h(
    "div",
    { class: "tile", title: meaning },
    h("div", { class: "tile-label" }, label),
    h(
      "div",
      { class: "tile-value" },
      metricText(values[name], hasUnit),
      hasUnit && unit ? h("small", {}, `\u00a0${unit}`) : "",
    ),
    h("div", { class: "tile-note" }, intervalText(intervals[name], hasUnit)),
  );
}

/** An interval as text; nothing where there is none. */
export function intervalText([low, high]: [number | null, number | null], hasUnit: boolean): string {
  return low === null || high === null ? "" : `${metricText(low, hasUnit)} to ${metricText(high, hasUnit)}`;
}

function rowsOf({ set, values, intervals, baselines }: SetData): HTMLElement[] {
  return [
    h(
      "tr",
      { "data-set": set },
      h("th", { scope: "row" }, SET_LABELS[set]),
      numberCell(String(values.n)),
      ...METRICS.map(({ name, hasUnit }) =>
        numberCell(
          metricText(values[name], hasUnit),
          h("span", { class: "interval" }, intervalText(intervals[name], hasUnit)),
        )
      ),
    ),
    ...baselines.map(({ name, values }) =>
      h(
        "tr",
        { class: "baseline" },
        h("th", { scope: "row" }, name),
        numberCell(""),
        ...METRICS.map(({ name, hasUnit }) => numberCell(metricText(values[name], hasUnit))),
      )
    ),
  ];
}

/** Metrics of each task and set, of runs that learn others than one number a protein. */
export function tasksSection(runs: RunData[]): HTMLElement | undefined {
  const rows = runs.flatMap(({ name, tasks }) => tasks.map((row) => ({ name, ...row })));
  if (!rows.length) return undefined;
  const several = runs.length > 1;
  return section(
    "tasks",
    "Metrics by task",
    "The majority is the accuracy of always naming the most frequent class; lddt_ca is the lDDT of Cα atoms, 0 to 100.",
    tableBox(
      "Metrics by task and set",
      head(...[...(several ? ["Run"] : []), "Task", "Set", "Metrics"].map((text) => h("th", { scope: "col" }, text))),
      h(
        "tbody",
        {},
        ...rows.map(({ name, task, set, metrics }) =>
          h(
            "tr",
            {},
            ...(several ? [h("td", {}, name)] : []),
            h("th", { scope: "row" }, task),
            h("td", {}, SET_LABELS[set as keyof typeof SET_LABELS] ?? set),
            h(
              "td",
              {},
              metrics.map(({ name, value }) => `${name} ${formatNumber(value, Number.isInteger(value) ? 0 : 3)}`).join(
                ", ",
              ),
            ),
          )
        ),
      ),
    ),
  );
}

/** Metrics of the rows that were not trained on, by length and by family. */
export function breakdownSection({ breakdown, unit, sets }: RunData): HTMLElement | undefined {
  if (!breakdown.length) return undefined;
  const unseen = sets.some(({ set }) => set !== "train");
  return section(
    "breakdown",
    "By length and family",
    `${unseen ? "Rows of the validation and the test set" : "Rows of the training set"}; the bias is the mean of ` +
      `prediction − label${unit ? ` in ${unit}` : ""}. Correlations of few rows say little.`,
    ...breakdown.map(({ by, groups }) =>
      tableBox(
        `Metrics by ${by.toLowerCase()}`,
        head(
          h("th", { scope: "col" }, by),
          numberHead("Rows"),
          ...METRICS.slice(0, 4).map(({ label }) => numberHead(label)),
          numberHead("Bias"),
        ),
        h(
          "tbody",
          {},
          ...groups.map((group) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, group.name),
              numberCell(String(group.n)),
              ...METRICS.slice(0, 4).map(({ name, hasUnit }) => numberCell(metricText(group[name], hasUnit))),
              numberCell(formatNumber(group.bias, digitsOf(group.bias))),
            )
          ),
        ),
      )
    ),
  );
}

/** The rows that are predicted worst. */
export function worstSection({ rows, unit }: RunData): HTMLElement | undefined {
  const unseen = rows.filter(({ set }) => set !== "train");
  const shown = (unseen.length ? unseen : rows).toSorted((a, b) => errorOf(b) - errorOf(a)).slice(0, MOST_ERRORS);
  if (!shown.length) return undefined;
  const numbers = (value: number | null) => numberCell(formatNumber(value, digitsOf(value)));
  return section(
    "worst",
    "Largest errors",
    `${unseen.length ? "Of the rows that were not trained on" : "Of all rows"}${unit ? `, in ${unit}` : ""}.`,
    tableBox(
      "Rows with the largest errors",
      head(
        h("th", { scope: "col" }, "Row"),
        h("th", { scope: "col" }, "Set"),
        ...["Measured", "Predicted", "Uncertainty", "Error", "Residues"].map(numberHead),
      ),
      h(
        "tbody",
        {},
        ...shown.map(({ id, set, label, prediction, uncertainty, length }) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, id),
            h("td", {}, SET_LABELS[set]),
            ...[label, prediction, uncertainty, prediction - label].map(numbers),
            numberCell(String(length)),
          )
        ),
      ),
    ),
  );
}

function errorOf({ label, prediction }: RunData["rows"][number]): number {
  return Number.isFinite(prediction) ? Math.abs(prediction - label) : Infinity;
}

/** The modules that moved most. */
export function movedSection({ moved, movedCount }: RunData): HTMLElement | undefined {
  if (!moved.length) return undefined;
  const most = Math.max(...moved.map(({ relative }) => Number.isFinite(relative) ? relative : 0));
  return section(
    "moved",
    "What moved most",
    "Length of the change over the length of what was there before; of an adapter, over the weights that it changes" +
      (movedCount > moved.length ? `. The first ${moved.length} of ${movedCount} modules.` : "."),
    tableBox(
      "Modules that moved most",
      head(
        h("th", { scope: "col" }, "Module"),
        numberHead("Parameters"),
        numberHead("Change"),
        h("th", { scope: "col", "aria-hidden": "true" }, ""),
      ),
      h(
        "tbody",
        {},
        ...moved.map(({ name, parameters, relative }) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, h("span", { class: "module" }, name)),
            numberCell(parameters.toLocaleString("en-US")),
            numberCell(Number.isFinite(relative) ? `${formatNumber(100 * relative, digitsOf(100 * relative))} %` : "–"),
            h(
              "td",
              { class: "share" },
              h("span", {
                class: "bar",
                style: `width: ${most > 0 && Number.isFinite(relative) ? Math.round(100 * relative / most) : 0}%`,
              }),
            ),
          )
        ),
      ),
    ),
  );
}
