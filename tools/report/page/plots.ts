/// <reference lib="dom" />
import type { DistanceMap, LossCurve, ReportTarget } from "../report_data.ts";
import { formatNumber, h, section } from "./dom.ts";
import { drawPlot, type PlotObject, TOUCH } from "./plotly.ts";
import type { Theme } from "./theme.ts";

/** A section whose plots can be drawn anew in another theme; the plots are drawn when it is in the page. */
export type PlotSection = { element: HTMLElement; plots: HTMLElement[]; draw(theme: Theme): void };

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif";

/** Attributes that all plots share. */
export function baseLayout(theme: Theme): PlotObject {
  return {
    paper_bgcolor: theme.surface,
    plot_bgcolor: theme.surface,
    font: { family: FONT, size: 12, color: theme.ink },
    hoverlabel: { bgcolor: theme.surface, bordercolor: theme.muted, font: { family: FONT, color: theme.ink } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: theme.muted, activecolor: theme.ink },
    dragmode: TOUCH ? false : "zoom",
  };
}

/** Name of each residue as the reader knows it: letter and number, `C5`. */
export function residueLabels(target: ReportTarget): string[] {
  return [...target.sequence].map((letter, i) => `${letter}${target.residueNumbers?.[i] ?? i + 1}`);
}

/** Titles of the axes of a map of pairs. */
const RESIDUES = { row: "Residue", column: "Residue" };

/** How far each residue is from its true place. */
export function errorSection(target: ReportTarget): PlotSection | undefined {
  const errors = target.residueErrors;
  if (!errors?.some((error) => error !== null)) return undefined;
  const labels = residueLabels(target);
  const plot = h("div", { class: "plot", id: "error-plot" });
  const axis = (theme: Theme) => ({ ...mapAxis(labels, theme), title: lineAxis(theme, "Residue").title });
  const draw = (theme: Theme) =>
    drawPlot(plot, [{
      type: "scatter",
      mode: errors.length > 200 ? "lines" : "lines+markers",
      x: errors.map((_, i) => i),
      y: errors,
      text: labels,
      line: { color: theme.train, width: 2 },
      marker: { color: theme.train, size: 5 },
      hovertemplate: "%{text}<br>%{y:.2f} Å<extra></extra>",
    }], {
      ...baseLayout(theme),
      margin: { l: 56, r: 12, t: 8, b: 48 },
      height: 260,
      showlegend: false,
      xaxis: axis(theme),
      yaxis: { ...lineAxis(theme, "Distance of Cα atoms (Å)"), rangemode: "tozero" },
    });
  return {
    element: section(
      "errors",
      "Error by residue",
      "Distance of each Cα atom from its true place, after the superposition of least RMSD.",
      h("figure", {}, plot),
    ),
    plots: [plot],
    draw,
  };
}

/** Predicted and true distance maps side by side, and their difference. */
export function distanceSection(target: ReportTarget): PlotSection | undefined {
  const cap = target.distanceCap;
  const predicted = target.predictedDistances && clamp(target.predictedDistances, cap);
  const truth = target.trueDistances && clamp(target.trueDistances, cap);
  if (!predicted && !truth) return undefined;
  const labels = residueLabels(target);
  const maxDistance = Math.max(1, ...[predicted, truth].flatMap((map) => map ? [largest(map)] : []));
  const drawings: { element: HTMLElement; draw(theme: Theme): void }[] = [];
  const add = (
    id: string,
    title: string,
    map: DistanceMap,
    limits: [number, number],
    kind: "sequential" | "diverging",
  ) => {
    const element = h("div", { class: "plot map", id: `map-${id}` });
    const sign = (value: number | null) => id === "difference" && value !== null && value > 0 ? "+" : "";
    const text = (i: number, j: number) =>
      `${labels[i]} – ${labels[j]}<br>${sign(map[i][j])}${formatNumber(map[i][j], 2)} Å`;
    drawings.push({
      element,
      draw: (theme) =>
        drawMap(element, { map, limits, labels, scale: theme[kind], text, suffix: " Å", titles: RESIDUES }, theme),
    });
    return h("figure", {}, h("figcaption", {}, title), element);
  };
  const figures: HTMLElement[] = [];
  if (predicted) figures.push(add("predicted", "Predicted", predicted, [0, maxDistance], "sequential"));
  if (truth) figures.push(add("true", "True", truth, [0, maxDistance], "sequential"));
  if (predicted && truth) {
    const difference = predicted.map((row, i) => row.map((a, j) => subtract(a, truth[i][j])));
    const limit = Math.max(1, Math.ceil(largest(difference)));
    figures.push(add("difference", "Predicted − true", difference, [-limit, limit], "diverging"));
  }
  const atoms = target.distanceAtoms ?? "Cβ (Cα for glycine)";
  const capNote = cap === undefined ? "" : ` Distances beyond ${cap} Å count as ${cap} Å.`;
  const unknown = [predicted, truth].some((map) => map?.some((row) => row.includes(null)));
  const unknownNote = unknown ? " Grey pairs are unknown." : "";
  const differenceNote = predicted && truth ? " In the difference, blue is too short and orange too long." : "";
  return {
    element: section(
      "distances",
      "Distance maps",
      `Distance between ${atoms} atoms of every pair of residues, in Å.${capNote}${differenceNote}${unknownNote}`,
      h("div", { class: "maps" }, ...figures),
    ),
    plots: drawings.map((drawing) => drawing.element),
    draw: (theme) => drawings.forEach((drawing) => drawing.draw(theme)),
  };
}

/** Rows of the largest map that says something of its own of every place; in larger ones the texts would fill the memory. */
const MOST_TEXTS = 600;

/** A square map in colours. */
export type MapDrawing = {
  /** Rows of values, the first one on top. */
  map: DistanceMap;
  /** Values of the first and the last colour. */
  limits: [number, number];
  /** Names of rows and columns. */
  labels: string[];
  /** The colours. */
  scale: [number, string][];
  /** What is said of a row and a column. */
  text: (row: number, column: number) => string;
  /** Stands behind the numbers of the colour bar. */
  suffix?: string;
  /** Titles of the axes. */
  titles?: { row: string; column: string };
};

/** Draws a square map. */
export function drawMap(element: HTMLElement, drawing: MapDrawing, theme: Theme): void {
  const { labels, titles } = drawing;
  const axis = mapAxis(labels, theme);
  const title = (text: string | undefined) =>
    text === undefined ? {} : { title: { text, font: { size: 11, color: theme.muted }, standoff: 4 } };
  const side = titles ? Math.min(480, (element.clientWidth || 350) - 60) : 284;
  drawPlot(element, [heatTrace(drawing, theme, titles ? -45 / side : -0.12)], {
    ...baseLayout(theme),
    plot_bgcolor: theme.missing,
    margin: { l: titles ? 52 : 36, r: 8, t: 6, b: titles ? 80 : 70 },
    height: side + (titles ? 86 : 76),
    xaxis: { ...axis, ...title(titles?.column), side: "bottom", tickangle: 0 },
    yaxis: { ...axis, ...title(titles?.row), range: [labels.length - 0.5, -0.5], scaleanchor: "x" },
  });
}

/** An axis of a map, with at most nine of the names. */
export function mapAxis(labels: string[], theme: Theme): PlotObject {
  const n = labels.length;
  const every = [1, 2, 5, 10, 20, 50, 100, 200].find((step) => n / step <= 8) ?? 500;
  const ticks = labels.map((_, i) => i).filter((i) => (i + 1) % every === 0 || (i === 0 && every > 1));
  return {
    tickvals: ticks,
    ticktext: ticks.map((i) => labels[i]),
    range: [-0.5, n - 0.5],
    constrain: "domain",
    fixedrange: TOUCH,
    showgrid: false,
    zeroline: false,
    ticks: "outside",
    ticklen: 3,
    tickcolor: theme.muted,
    tickfont: { size: 10, color: theme.muted },
  };
}

/** The colours of a map, with a bar below them at height `y`. */
export function heatTrace({ map, limits, scale, text, suffix = "" }: MapDrawing, theme: Theme, y: number): PlotObject {
  return {
    type: "heatmap",
    z: map,
    text: map.length <= MOST_TEXTS ? map.map((row, i) => row.map((_, j) => text(i, j))) : undefined,
    hovertemplate: map.length <= MOST_TEXTS ? "%{text}<extra></extra>" : "%{z:.4g}<extra></extra>",
    zmin: limits[0],
    zmax: limits[1],
    colorscale: scale,
    hoverongaps: false,
    colorbar: {
      orientation: "h",
      x: 0.5,
      y,
      yanchor: "top",
      xanchor: "center",
      len: 0.9,
      thickness: 10,
      outlinewidth: 1,
      outlinecolor: theme.grid,
      ticksuffix: suffix,
      nticks: 6,
      tickfont: { size: 10, color: theme.muted },
    },
  };
}

/** A logarithmic axis with ticks at 1, 2 and 5 of each decade (at 1 alone over many decades), written as plain numbers. */
function logAxis(values: number[]): PlotObject {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const decades = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const heads = decades[1] - decades[0] > 3 ? [1] : [1, 2, 5];
  const tickvals: number[] = [];
  for (let power = decades[0]; power <= decades[1]; power++) {
    tickvals.push(...heads.map((head) => Number(`${head}e${power}`)));
  }
  return { type: "log", tickvals, ticktext: tickvals.map(String) };
}

/** The loss at each step of training. */
export function lossSection(curve: LossCurve | undefined): PlotSection | undefined {
  if (!curve || curve.train.step.length === 0) return undefined;
  const plot = h("div", { class: "plot", id: "loss-plot" });
  const named: [string, "train" | "validation", LossCurve["train"]][] = [["Training batches", "train", curve.train]];
  if (curve.validation) named.push(["Held out from training", "validation", curve.validation]);
  const values = named.flatMap(([, , series]) => series.loss).filter((value) => Number.isFinite(value));
  const logarithmic = Math.min(...values) > 0 && Math.max(...values) > 20 * Math.min(...values);
  const draw = (theme: Theme) =>
    drawPlot(
      plot,
      named.map(([name, key, series]) => ({
        type: "scatter",
        mode: series.step.length > 40 ? "lines" : "lines+markers",
        name,
        x: series.step,
        y: series.loss,
        line: { color: theme[key], width: 2, dash: key === "validation" ? "dash" : "solid" },
        marker: { color: theme[key], size: 5 },
        hovertemplate: "step %{x}<br>%{y:.4g}<extra>%{fullData.name}</extra>",
      })),
      {
        ...baseLayout(theme),
        margin: { l: 56, r: 12, t: 8, b: 44 },
        height: 320,
        showlegend: named.length > 1,
        legend: { x: 1, y: 1, xanchor: "right", yanchor: "top", bgcolor: "rgba(0,0,0,0)" },
        xaxis: lineAxis(theme, "Step"),
        yaxis: { ...lineAxis(theme, curve.label), ...(logarithmic ? logAxis(values) : { rangemode: "tozero" }) },
      },
    );
  const lead = curve.validation
    ? "Loss of the training batches, and of data held out from training."
    : "Loss of the training batches at each step.";
  const scale = logarithmic ? " The vertical axis is logarithmic." : "";
  return { element: section("loss", "Training", lead + scale, h("figure", {}, plot)), plots: [plot], draw };
}

/** An axis of a plot with lines. */
export function lineAxis(theme: Theme, title: string): PlotObject {
  return {
    title: { text: title, font: { size: 12, color: theme.muted }, standoff: 8 },
    gridcolor: theme.grid,
    linecolor: theme.grid,
    zeroline: false,
    fixedrange: TOUCH,
    tickfont: { size: 11, color: theme.muted },
    automargin: true,
  };
}

function clamp(map: DistanceMap, cap: number | undefined): DistanceMap {
  if (cap === undefined) return map;
  return map.map((row) => row.map((value) => value === null ? null : Math.min(value, cap)));
}

function subtract(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.round((a - b) * 100) / 100;
}

function largest(map: DistanceMap): number {
  let max = 0;
  for (const row of map) for (const value of row) if (value !== null) max = Math.max(max, Math.abs(value));
  return max;
}
