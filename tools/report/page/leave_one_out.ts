/// <reference lib="dom" />
import type { LeaveOneOut, MetricInfo } from "../report_data.ts";
import { formatNumber, h, section, tableBox } from "./dom.ts";
import { isNumber } from "./metrics.ts";
import { drawPlot } from "./plotly.ts";
import { meanOf, sampleDeviation } from "../../../core/statistics.ts";
import { baseLayout, lineAxis, type PlotSection } from "./plots.ts";
import { currentTheme, type Theme } from "./theme.ts";

type Column = { head: string; digits: number; values: (number | null | undefined)[] };

/** The table of a leave-one-out run: by one measure for all methods, or by one method for all measures. */
export function leaveOneOutSection(table: LeaveOneOut | undefined, metrics: MetricInfo[]): PlotSection | undefined {
  const shown = metrics.filter(({ name }) =>
    table?.rows.some((row) => row.values.some((values) => isNumber(values[name])))
  );
  if (!table || shown.length === 0) return undefined;
  const select = h(
    "select",
    { id: "leave-one-out-view" },
    group("Compare the methods by", shown.map(({ label, name }) => [`metric:${name}`, label])),
    group("All measures of", table.methods.map((label, i) => [`method:${i}`, label])),
  );
  const box = h("div", {});
  const plot = h("div", { class: "plot", id: "leave-one-out-plot" });
  const figure = h("figure", {}, plot);
  const draw = (theme: Theme) => {
    const [kind, key] = select.value.split(/:(.*)/s);
    const metric = shown.find(({ name }) => kind === "metric" && name === key);
    const columns = metric
      ? table.methods.map((head, i) => column(table, i, metric, head))
      : shown.map((info) => column(table, Number(key), info, info.unit ? `${info.label} (${info.unit})` : info.label));
    box.replaceChildren(tableOf(table, columns));
    figure.hidden = !metric;
    if (metric) drawDots(plot, table, columns, metric, theme);
  };
  select.addEventListener("change", () => draw(currentTheme()));
  const element = section(
    "leave-one-out",
    "Leave one out",
    "Each structure predicted by a model trained on all the others. Spread is the standard deviation over the structures.",
    h("label", { class: "choice" }, "Show ", select),
    figure,
    box,
  );
  return { element, plots: [plot], draw };
}

function group(label: string, options: [string, string][]): HTMLElement {
  return h("optgroup", { label }, ...options.map(([value, text]) => h("option", { value }, text)));
}

function column(table: LeaveOneOut, method: number, { name, digits }: MetricInfo, head: string): Column {
  return { head, digits, values: table.rows.map((row) => row.values[method][name]) };
}

function tableOf(table: LeaveOneOut, columns: Column[]): HTMLElement {
  const line = (
    className: string,
    label: string,
    residues: string,
    values: (column: Column) => number | null | undefined,
  ) =>
    h(
      "tr",
      { class: className },
      h("th", { scope: "row" }, label),
      h("td", { class: "number" }, residues),
      ...columns.map((column) => h("td", { class: "number" }, formatNumber(values(column), column.digits))),
    );
  return tableBox(
    "Leave-one-out table",
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, "Left out"),
        h("th", { scope: "col", class: "number" }, "Residues"),
        ...columns.map(({ head }) => h("th", { scope: "col", class: "number" }, head)),
      ),
    ),
    h("tbody", {}, ...table.rows.map((row, i) => line("", row.id, String(row.residues), ({ values }) => values[i]))),
    h(
      "tfoot",
      {},
      line("mean", "Mean", "", ({ values }) => mean(values)),
      line("spread", "Spread", "", ({ values }) => spread(values)),
    ),
  );
}

function drawDots(plot: HTMLElement, table: LeaveOneOut, columns: Column[], metric: MetricInfo, theme: Theme): void {
  const colors = [theme.predicted, ...theme.baselines];
  const symbols = ["circle", "diamond-open", "square-open", "triangle-up-open"];
  const title = metric.unit ? `${metric.label} (${metric.unit})` : metric.label;
  drawPlot(
    plot,
    columns.map(({ head, values }, i) => ({
      type: "scatter",
      mode: "markers",
      name: head,
      x: table.rows.map(({ id }) => id),
      y: values.map((value) => value ?? null),
      marker: { color: colors[i % colors.length], symbol: symbols[i % symbols.length], size: 9 },
      hovertemplate: `%{x}<br>%{y:.${metric.digits}f} ${metric.unit}<extra>%{fullData.name}</extra>`,
    })),
    {
      ...baseLayout(theme),
      margin: { l: 56, r: 12, t: 36, b: 44 },
      height: 320,
      showlegend: true,
      legend: { orientation: "h", x: 0, y: 1.02, xanchor: "left", yanchor: "bottom" },
      xaxis: { ...lineAxis(theme, ""), type: "category", tickangle: -45 },
      yaxis: { ...lineAxis(theme, title), rangemode: "tozero" },
    },
  );
}

function mean(values: (number | null | undefined)[]): number | null {
  const known = values.filter(isNumber);
  return known.length === 0 ? null : meanOf(known);
}

/** Sample standard deviation (n − 1). */
function spread(values: (number | null | undefined)[]): number | null {
  const known = values.filter(isNumber);
  return known.length < 2 ? null : sampleDeviation(known);
}
