/// <reference lib="dom" />
import { h, section } from "../../report/page/dom.ts";
import { drawPlot, type PlotObject } from "../../report/page/plotly.ts";
import { baseLayout, lineAxis, type PlotSection } from "../../report/page/plots.ts";
import { currentTheme, type Theme } from "../../report/page/theme.ts";
import type { RowData, RunData, SetName } from "../report_data.ts";
import { SET_LABELS } from "./metrics.ts";

const LEGEND = { orientation: "h", x: 0, y: 1.02, xanchor: "left", yanchor: "bottom", bgcolor: "rgba(0,0,0,0)" };
const SYMBOLS: Record<SetName, string> = { train: "circle-open", validation: "circle", test: "diamond" };
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash"];

function colorOf(set: SetName, theme: Theme): string {
  return { train: theme.muted, validation: theme.validation, test: theme.predicted }[set];
}

/** Colours of lines that are no sets, one after the other. */
export function lineColor(index: number, theme: Theme): string {
  const colors = [theme.truth, theme.predicted, theme.validation, theme.train, ...theme.baselines];
  return colors[index % colors.length];
}

/** What the horizontal axis of the residuals can be. */
const AGAINST: [key: "label" | "prediction" | "length", text: string][] = [
  ["label", "Measured"],
  ["prediction", "Predicted"],
  ["length", "Residues"],
];

/** Predicted against measured labels, and what is left. */
export function predictionSection({ rows, unit }: RunData): PlotSection | undefined {
  const known = rows.filter(({ prediction }) => Number.isFinite(prediction));
  if (!known.length) return undefined;
  const scatter = h("div", { class: "plot scatter-plot", id: "scatter-plot" });
  const residuals = h("div", { class: "plot scatter-plot", id: "residual-plot" });
  const select = h(
    "select",
    { id: "residuals-against" },
    ...AGAINST.map(([key, text]) => h("option", { value: key }, text)),
  );
  const sets = (["train", "validation", "test"] as const).filter((set) => known.some((row) => row.set === set));
  const named = (text: string) => unit ? `${text} (${unit})` : text;
  const trace = (set: SetName, x: (row: RowData) => number, y: (row: RowData) => number, theme: Theme): PlotObject => {
    const own = known.filter((row) => row.set === set);
    return {
      type: "scatter",
      mode: "markers",
      name: SET_LABELS[set],
      x: own.map(x),
      y: own.map(y),
      text: own.map(({ id, length }) => `${id}, ${length} residues`),
      error_y: {
        type: "data",
        array: own.map(({ uncertainty }) => uncertainty ?? 0),
        visible: own.some(({ uncertainty }) => uncertainty !== null),
        color: colorOf(set, theme),
        thickness: 1,
        width: 0,
      },
      marker: { color: colorOf(set, theme), size: set === "train" ? 6 : 9, symbol: SYMBOLS[set] },
      hovertemplate: "%{text}<br>%{x:.4g}, %{y:.4g}<extra>%{fullData.name}</extra>",
    };
  };
  const values = known.flatMap(({ label, prediction }) => [label, prediction]);
  const [low, high] = [Math.min(...values), Math.max(...values)], pad = 0.04 * (high - low || 1);
  const drawScatter = (theme: Theme) =>
    drawPlot(scatter, [
      {
        type: "scatter",
        mode: "lines",
        x: [low - pad, high + pad],
        y: [low - pad, high + pad],
        line: { color: theme.muted, width: 1, dash: "dot" },
        hoverinfo: "skip",
        showlegend: false,
      },
      ...sets.map((set) => trace(set, ({ label }) => label, ({ prediction }) => prediction, theme)),
    ], {
      ...baseLayout(theme),
      margin: { l: 56, r: 12, t: 34, b: 48 },
      legend: LEGEND,
      xaxis: { ...lineAxis(theme, named("Measured")), range: [low - pad, high + pad] },
      yaxis: lineAxis(theme, named("Predicted")),
    });
  const drawResiduals = (theme: Theme) => {
    const key = select.value as typeof AGAINST[number][0];
    const title = AGAINST.find(([name]) => name === key)![1];
    drawPlot(
      residuals,
      sets.map((set) => trace(set, (row) => row[key], ({ prediction, label }) => prediction - label, theme)),
      {
        ...baseLayout(theme),
        margin: { l: 56, r: 12, t: 34, b: 48 },
        legend: LEGEND,
        xaxis: lineAxis(theme, key === "length" ? title : named(title)),
        yaxis: { ...lineAxis(theme, named("Predicted − measured")), zeroline: true, zerolinecolor: theme.muted },
      },
    );
  };
  select.addEventListener("change", () => drawResiduals(currentTheme()));
  const bars = known.some(({ uncertainty }) => uncertainty !== null);
  return {
    element: section(
      "predictions",
      "Predicted and measured",
      `A dot is a row; on the dotted line, prediction and label agree.${
        bars ? " Bars are one standard deviation of predictions with the head's dropout." : ""
      }`,
      h(
        "div",
        { class: "plots" },
        h("figure", {}, h("figcaption", {}, "Predicted against measured"), scatter),
        h(
          "figure",
          {},
          h("figcaption", {}, h("label", { class: "choice" }, "What is left, against", select)),
          residuals,
        ),
      ),
    ),
    plots: [scatter, residuals],
    draw(theme) {
      drawScatter(theme);
      drawResiduals(theme);
    },
  };
}

/** Losses and learning rates by epoch. */
export function curveSection(runs: RunData[]): PlotSection | undefined {
  const shown = runs.filter(({ history }) => history.epoch.length);
  if (!shown.length) return undefined;
  const one = runs.length === 1;
  const loss = h("div", { class: "plot curve-plot", id: "loss-plot" });
  const rates = h("div", { class: "plot curve-plot", id: "rate-plot" });
  const mode = Math.max(...shown.map(({ history }) => history.epoch.length)) > 40 ? "lines" : "lines+markers";
  const line = (name: string, x: number[], y: (number | null)[], color: string, dash: string): PlotObject => ({
    ...{ type: "scatter", mode, name, x, y, line: { color, width: 2, dash }, marker: { color, size: 5 } },
    hovertemplate: "epoch %{x}<br>%{y:.4g}<extra>%{fullData.name}</extra>",
  });
  const lossTraces = (theme: Theme) =>
    shown.flatMap(({ name, history: { epoch, train, validation } }, i) => {
      const color = lineColor(i, theme);
      const has = validation.some((value) => value !== null);
      return [
        line(one ? "Training" : `${name}, training`, epoch, train, one ? theme.train : color, one ? "solid" : "dot"),
        ...(has
          ? [
            line(
              one ? "Validation" : `${name}, validation`,
              epoch,
              validation,
              one ? theme.validation : color,
              one ? "dash" : "solid",
            ),
          ]
          : []),
      ];
    });
  const all = shown.flatMap(({ history: { train, validation } }) => [...train, ...validation]).filter((x) =>
    x !== null
  );
  const isLog = Math.min(...all) > 0 && Math.max(...all) > 20 * Math.min(...all);
  const groups = shown.reduce((sum, { history }) => sum + history.rates.length, 0);
  const best = one ? shown[0].best : null;
  const draw = (theme: Theme) => {
    const layout = { ...baseLayout(theme), margin: { l: 60, r: 12, t: 34, b: 44 }, legend: LEGEND, xaxis: axis(theme) };
    drawPlot(loss, lossTraces(theme), {
      ...layout,
      yaxis: { ...lineAxis(theme, "Loss"), ...(isLog ? { type: "log" } : { rangemode: "tozero" }) },
      ...(best !== null && {
        shapes: [{
          ...{ type: "line", x0: best, x1: best, y0: 0, y1: 1, yref: "paper" },
          line: { color: theme.muted, width: 1, dash: "dot" },
        }],
      }),
    });
    const traces = shown.flatMap(({ name, history: { epoch, rates } }, i) =>
      rates.map(({ name: group, values }, k) =>
        line(one ? group : `${name}, ${group}`, epoch, values, lineColor(one ? k : i, theme), DASHES[k % DASHES.length])
      )
    );
    drawPlot(rates, traces, {
      ...layout,
      showlegend: groups <= 8,
      yaxis: { ...lineAxis(theme, "Learning rate"), type: "log", exponentformat: "power" },
    });
  };
  return {
    element: section(
      "curves",
      "Training",
      `By epoch; validation runs on the moving average.${
        best !== null ? ` The dotted line is the best epoch, ${best}.` : ""
      }${isLog ? " The losses' axis is logarithmic." : ""}`,
      h(
        "div",
        { class: "plots" },
        h("figure", {}, h("figcaption", {}, "Loss"), loss),
        h("figure", {}, h("figcaption", {}, "Learning rate of each group"), rates),
      ),
    ),
    plots: [loss, rates],
    draw,
  };
}

function axis(theme: Theme): PlotObject {
  return { ...lineAxis(theme, "Epoch"), tickformat: "d" };
}
