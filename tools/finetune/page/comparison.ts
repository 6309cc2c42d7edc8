/// <reference lib="dom" />
import { h, section, tableBox } from "../../report/page/dom.ts";
import { drawPlot } from "../../report/page/plotly.ts";
import { baseLayout, lineAxis, type PlotSection } from "../../report/page/plots.ts";
import { currentTheme, type Theme } from "../../report/page/theme.ts";
import type { FinetuneReportData, RunData, SetName } from "../report_data.ts";
import { head, METRICS, metricText, numberCell, numberHead, SET_LABELS } from "./metrics.ts";
import { lineColor } from "./plots.ts";
import { intervalText } from "./tables.ts";

/** Metrics of several runs beside each other, as a table and with their intervals. */
export function comparison({ runs }: FinetuneReportData): PlotSection | undefined {
  const sets = (["validation", "test", "train"] as const).filter((set) => runs.some((run) => dataOf(run, set)));
  if (!sets.length) return undefined;
  const chosenSet = h(
    "select",
    { id: "compared-set" },
    ...sets.map((set) => h("option", { value: set }, SET_LABELS[set])),
  );
  const chosenMetric = h(
    "select",
    { id: "compared-metric" },
    ...METRICS.map(({ name, label }) => h("option", { value: name }, label)),
  );
  const box = h("div", {});
  const plot = h("div", { class: "plot dots-plot", id: "metric-plot" });
  const draw = (theme: Theme) => {
    const set = chosenSet.value as SetName;
    box.replaceChildren(tableOf(runs, set));
    const { name, label } = METRICS.find(({ name }) => name === chosenMetric.value)!;
    const known = runs.map((run) => dataOf(run, set)).map((data) => ({
      value: data?.values[name] ?? null,
      ends: data?.intervals[name] ?? [null, null],
    }));
    const reach = (end: 0 | 1) =>
      known.map(({ value, ends }) => {
        const at = ends[end];
        return value === null || at === null ? 0 : Math.abs(at - value);
      });
    drawPlot(plot, [{
      ...{ type: "scatter", mode: "markers", x: known.map(({ value }) => value), y: runs.map(({ name }) => name) },
      error_x: {
        type: "data",
        symmetric: false,
        array: reach(1),
        arrayminus: reach(0),
        color: theme.muted,
        thickness: 1.5,
      },
      marker: { color: runs.map((_, i) => lineColor(i, theme)), size: 11 },
      hovertemplate: "%{y}<br>%{x:.4g}<extra></extra>",
    }], {
      ...baseLayout(theme),
      margin: { l: 20, r: 16, t: 8, b: 44 },
      height: 90 + 34 * runs.length,
      xaxis: lineAxis(theme, label),
      yaxis: { ...lineAxis(theme, ""), type: "category", autorange: "reversed" },
    });
  };
  for (const select of [chosenSet, chosenMetric]) select.addEventListener("change", () => draw(currentTheme()));
  return {
    element: section(
      "comparison",
      "How well they predict",
      "Intervals hold 95 % of resamples of the rows; where they overlap widely, the runs may well be equally good.",
      h("label", { class: "choice" }, "Set ", chosenSet),
      box,
      h("label", { class: "choice" }, "Metric ", chosenMetric),
      h("figure", {}, plot),
    ),
    plots: [plot],
    draw,
  };
}

function dataOf({ sets }: RunData, set: SetName) {
  return sets.find((data) => data.set === set);
}

function tableOf(runs: RunData[], set: SetName): HTMLElement {
  return tableBox(
    "Metrics of the runs",
    head(
      h("th", { scope: "col" }, "Run"),
      h("th", { scope: "col" }, "Strategy"),
      ...["Trained", "Best epoch", "Rows"].map(numberHead),
      ...METRICS.map(({ label }) => numberHead(label)),
    ),
    h(
      "tbody",
      {},
      ...runs.map((run) => {
        const data = dataOf(run, set);
        return h(
          "tr",
          {},
          h("th", { scope: "row" }, run.name),
          h("td", {}, run.strategy),
          numberCell(run.trained.toLocaleString("en-US")),
          numberCell(run.best === null ? "–" : String(run.best)),
          numberCell(data ? String(data.values.n) : "–"),
          ...METRICS.map(({ name, hasUnit }) =>
            data
              ? numberCell(
                metricText(data.values[name], hasUnit),
                h("span", { class: "interval" }, intervalText(data.intervals[name], hasUnit)),
              )
              : numberCell("–")
          ),
        );
      }),
    ),
  );
}

/** What was chosen differently. */
export function differencesSection({ runs, differences }: FinetuneReportData): HTMLElement | undefined {
  if (!differences.length) return undefined;
  return section(
    "differences",
    "What differs",
    "Choices that are not the same in all runs.",
    tableBox(
      "Choices that differ",
      head(h("th", { scope: "col" }, "Choice"), ...runs.map(({ name }) => h("th", { scope: "col" }, name))),
      h(
        "tbody",
        {},
        ...differences.map(({ choice, values }) =>
          h("tr", {}, h("th", { scope: "row" }, choice), ...values.map((value) => h("td", {}, value)))
        ),
      ),
    ),
  );
}
