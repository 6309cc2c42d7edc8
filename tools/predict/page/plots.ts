/// <reference lib="dom" />
import { formatNumber, h } from "../../report/page/dom.ts";
import { drawPlot, type PlotObject, TOUCH } from "../../report/page/plotly.ts";
import { baseLayout, heatTrace, lineAxis, mapAxis } from "../../report/page/plots.ts";
import type { Theme } from "../../report/page/theme.ts";
import type { MsaData, PredictionData, TargetData } from "../report_data.ts";
import { CLASSES } from "./confidence.ts";
import { type Range, rangeOf, type Selection } from "./selection.ts";
import { unpackBase64 } from "./unpack.ts";

type PlotlyElement = HTMLElement & {
  on?(event: string, listener: (data: PlotEvent) => void): void;
  removeAllListeners?(event: string): void;
};
type PlotEvent = {
  points?: { x: number; y: number; pointNumber: number | number[] }[];
  range?: { x: [number, number]; y: [number, number] };
} | undefined;

/** A plot that can be drawn again. */
export type Plot = { element: HTMLElement; draw(theme: Theme): void };

/** Name of each residue: letter and number. */
export function labelsOf(target: TargetData): string[] {
  const chains = chainOfResidues(target);
  return [...target.sequence].map((letter, i) => `${chains[i]}${chains[i] && " "}${letter}${target.numbers[i]}`);
}

/** Names of the residues as the reader writes them: their numbers, in a complex behind the chain's name. */
export function writtenNames(target: TargetData): string[] {
  const chains = chainOfResidues(target);
  return target.numbers.map((number, i) => `${chains[i]}${number}`);
}

/** Name of the chain of each residue; empty where there is one chain alone. */
function chainOfResidues({ numbers, chains = [] }: TargetData): string[] {
  const names = chains.flatMap(({ name, residues }) => new Array<string>(residues).fill(name));
  return numbers.map((_, i) => names[i] ?? "");
}

/** Residues of each chain of a complex. */
export function chainRanges({ chains = [] }: TargetData): Range[] {
  return chains.map(({ start, residues }) => ({ from: start, to: start + residues - 1 }));
}

/** Where the chains of a complex meet along an axis of residues. */
export function chainBounds({ chains = [] }: TargetData): number[] {
  return chains.slice(1).map(({ start }) => start - 0.5);
}

function boundLines(bounds: readonly number[], directions: readonly ("x" | "y")[], color: string): PlotObject[] {
  const other = { x: "y", y: "x" };
  return directions.flatMap((along) =>
    bounds.map((at) => ({
      type: "line",
      [`${other[along]}ref`]: "paper",
      [`${along}0`]: at,
      [`${along}1`]: at,
      [`${other[along]}0`]: 0,
      [`${other[along]}1`]: 1,
      line: { width: 1, color, dash: "dot" },
    }))
  );
}

/** pLDDT along the sequence; all predictions thin, the shown one thick. Residues can be chosen by dragging. */
export function plddtPlot(target: TargetData, shown: () => PredictionData, selection: Selection): Plot {
  const element: PlotlyElement = h("div", { class: "plot plddt-plot" });
  const labels = labelsOf(target);
  let theme: Theme | undefined;
  const draw = (next: Theme) => {
    theme = next;
    const others = target.predictions.filter((prediction) => prediction !== shown());
    const line = (prediction: PredictionData, width: number, color: string): PlotObject => ({
      type: "scatter",
      mode: "lines",
      name: prediction.name,
      x: prediction.plddt.map((_, i) => i),
      y: prediction.plddt,
      text: labels,
      line: { width, color },
      hovertemplate: "%{text}: %{y:.1f}<extra>%{fullData.name}</extra>",
    });
    const { experiment } = shown();
    const measured: PlotObject[] = experiment
      ? [{
        type: "scatter",
        mode: "lines",
        name: "by the experimental structure",
        x: experiment.lddt.map((_, i) => i),
        y: experiment.lddt.map((value) => value === null ? null : 100 * value),
        text: labels,
        line: { width: 1.5, color: next.ink, dash: "dot" },
        hovertemplate: "%{text}: %{y:.1f}<extra>%{fullData.name}</extra>",
      }]
      : [];
    const bands = CLASSES.map(({ least, color }, k) => ({
      type: "rect",
      xref: "paper",
      x0: 0,
      x1: 1,
      y0: Math.max(0, least),
      y1: k === 0 ? 100 : CLASSES[k - 1].least,
      fillcolor: color,
      opacity: 0.16,
      line: { width: 0 },
      layer: "below",
    }));
    drawPlot(element, [
      ...others.map((other) => line(other, 1, next.missing)),
      ...measured,
      line(shown(), 2.5, next.ink),
    ], {
      ...baseLayout(next),
      margin: { l: 48, r: 10, t: 8, b: 46 },
      height: 260,
      showlegend: false,
      hovermode: "closest",
      dragmode: TOUCH ? false : "select",
      selectdirection: "h",
      shapes: [
        ...bands,
        ...boundLines(chainBounds(target), ["x"], next.ink),
        ...selection.ranges.map((range) => band(range, next)),
      ],
      xaxis: {
        ...mapAxis(labels, next),
        title: { text: "Residue", font: { size: 12, color: next.muted }, standoff: 4 },
      },
      yaxis: { ...lineAxis(next, "pLDDT"), range: [0, 100], fixedrange: true },
    });
    listen(element, {
      plotly_hover: (event) => event?.points && selection.hover(event.points[0].x),
      plotly_unhover: () => selection.hover(),
      plotly_selected: (event) => {
        if (event?.range) selection.select(rangeOf(event.range.x[0], event.range.x[1], labels.length));
      },
    });
  };
  selection.add({ select: () => theme && draw(theme) });
  return { element, draw };
}

function band({ from, to }: Range, theme: Theme): PlotObject {
  return {
    type: "rect",
    yref: "paper",
    x0: from - 0.5,
    x1: to + 0.5,
    y0: 0,
    y1: 1,
    fillcolor: theme.ink,
    opacity: 0.14,
    line: { width: 0 },
  };
}

/** A square map of residue pairs; a region can be chosen by dragging. */
export function pairPlot(
  options: {
    id: string;
    labels: string[];
    map: number[][];
    limits: [number, number];
    colors(theme: Theme): [number, string][];
    say(row: number, column: number, value: number): string;
    titles: { row: string; column: string };
    /** Where chains meet. */
    bounds: readonly number[];
    /** Chains of a complex; a click chooses the block of two. */
    blocks: readonly Range[];
  },
  selection: Selection,
): Plot {
  const { labels, map, titles } = options;
  const element: PlotlyElement = h("div", { class: "plot map", id: options.id });
  let theme: Theme | undefined;
  const draw = (next: Theme) => {
    theme = next;
    const side = Math.min(460, (element.clientWidth || 360) - 60);
    const axis = mapAxis(labels, next);
    const title = (text: string) => ({ title: { text, font: { size: 11, color: next.muted }, standoff: 4 } });
    const { ranges } = selection;
    drawPlot(element, [
      heatTrace(
        {
          map,
          limits: options.limits,
          labels,
          scale: options.colors(next),
          text: (i, j) => options.say(i, j, map[i][j]),
          suffix: " Å",
        },
        next,
        -52 / side,
      ),
    ], {
      ...baseLayout(next),
      margin: { l: 52, r: 8, t: 6, b: 86 },
      height: side + 92,
      dragmode: TOUCH ? false : "select",
      shapes: [
        ...boundLines(options.bounds, ["x", "y"], "white"),
        ...ranges.length === 0 ? [] : [region(ranges[0], ranges[1] ?? ranges[0], next)],
      ],
      xaxis: { ...axis, ...title(titles.column), tickangle: 0 },
      yaxis: { ...axis, ...title(titles.row), range: [labels.length - 0.5, -0.5], scaleanchor: "x" },
    });
    listen(element, {
      plotly_hover: (event) => event?.points && selection.hover(event.points[0].x, event.points[0].y),
      plotly_unhover: () => selection.hover(),
      plotly_click: (event) => chooseBlock(event, options.blocks, selection),
      plotly_selected: (event) => {
        if (!event?.range) return;
        const { x, y } = event.range;
        selection.select(rangeOf(y[0], y[1], labels.length), rangeOf(x[0], x[1], labels.length));
      },
    });
  };
  selection.add({ select: () => theme && draw(theme) });
  return { element, draw };
}

/** Colours of marks on the page's surface: the least value is the strongest, none is lost in the surface. */
function strongFirst({ intensity }: Theme): [number, string][] {
  const colors = intensity.slice(2).map(([, color]) => color).reverse();
  return colors.map((color, i) => [i / (colors.length - 1), color]);
}

/** Chooses the chains of the place that was clicked. */
function chooseBlock(event: PlotEvent, blocks: readonly Range[], selection: Selection): void {
  const point = event?.points?.[0];
  const of = (at: number) => blocks.find(({ from, to }) => from <= at && at <= to);
  const [row, column] = point ? [of(point.y), of(point.x)] : [];
  if (row && column) selection.select(...row === column ? [row] : [row, column]);
}

function region(rows: Range, columns: Range, theme: Theme): PlotObject {
  return {
    type: "rect",
    x0: columns.from - 0.5,
    x1: columns.to + 0.5,
    y0: rows.from - 0.5,
    y1: rows.to + 0.5,
    line: { width: 2, color: theme.predicted },
  };
}

/** Residues of different chains in contact, above and below the diagonal; a click chooses the block of two chains. */
export function contactPlot(
  { labels, contacts, pae, limits, bounds, blocks }: {
    labels: string[];
    contacts: readonly (readonly [number, number])[];
    /** Predicted aligned error, Å; null where there is none. */
    pae: number[][] | null;
    limits: [number, number];
    bounds: readonly number[];
    blocks: readonly Range[];
  },
  selection: Selection,
): Plot {
  const element: PlotlyElement = h("div", { class: "plot map", id: "contacts" });
  const pairs = contacts.flatMap(([i, j]) => [[i, j], [j, i]]);
  const errors = pae ? pairs.map(([i, j]) => (pae[i][j] + pae[j][i]) / 2) : undefined;
  let theme: Theme | undefined;
  const draw = (next: Theme) => {
    theme = next;
    const side = Math.min(460, (element.clientWidth || 360) - 60);
    const axis = mapAxis(labels, next), { ranges } = selection;
    const title = (text: string) => ({ title: { text, font: { size: 11, color: next.muted }, standoff: 4 } });
    drawPlot(element, [{
      type: "scatter",
      mode: "markers",
      x: pairs.map(([, j]) => j),
      y: pairs.map(([i]) => i),
      text: pairs.map(([i, j], k) =>
        `${labels[i]} – ${labels[j]}${errors ? `<br>aligned error ${formatNumber(errors[k], 1)} Å` : ""}`
      ),
      hovertemplate: "%{text}<extra></extra>",
      marker: {
        symbol: "square",
        size: Math.max(3, Math.min(9, side / labels.length)),
        color: errors ?? next.predicted,
        ...(errors && {
          cmin: limits[0],
          cmax: limits[1],
          colorscale: strongFirst(next),
        }),
      },
    }], {
      ...baseLayout(next),
      margin: { l: 52, r: 8, t: 6, b: 86 },
      height: side + 92,
      dragmode: TOUCH ? false : "select",
      shapes: [
        ...boundLines(bounds, ["x", "y"], next.muted),
        ...ranges.length === 0 ? [] : [region(ranges[0], ranges[1] ?? ranges[0], next)],
      ],
      xaxis: { ...axis, ...title("Residue"), tickangle: 0, range: [-0.5, labels.length - 0.5] },
      yaxis: { ...axis, ...title("Residue"), range: [labels.length - 0.5, -0.5], scaleanchor: "x" },
    });
    listen(element, {
      plotly_hover: (event) => event?.points && selection.hover(event.points[0].x, event.points[0].y),
      plotly_unhover: () => selection.hover(),
      plotly_click: (event) => chooseBlock(event, blocks, selection),
      plotly_selected: (event) => {
        if (!event?.range) return;
        const { x, y } = event.range;
        selection.select(rangeOf(y[0], y[1], labels.length), rangeOf(x[0], x[1], labels.length));
      },
    });
  };
  selection.add({ select: () => theme && draw(theme) });
  return { element, draw };
}

/** The alignment: rows sorted by identity, and how many rows have a residue in each column. */
export function msaPlot({ depth, rows, sequences }: MsaData, labels: string[]): Plot {
  const element = h("div", { class: "plot msa-plot" });
  const draw = (theme: Theme) => {
    const n = labels.length;
    const bytes = unpackBase64(rows.bytes);
    const z = Array.from(
      { length: rows.height },
      (_, r) =>
        Array.from(
          bytes.subarray(r * n, (r + 1) * n),
          (byte) => (byte === 0 ? null : Math.round(100 * (byte - 1) / 254) / 100),
        ),
    );
    const place = Array.from(
      { length: rows.height },
      (_, r) => rows.height === 1 ? 0 : r * (sequences - 1) / (rows.height - 1),
    );
    drawPlot(element, [
      {
        type: "heatmap",
        z,
        y: place,
        zmin: 0,
        zmax: 1,
        colorscale: [[0, "#8b0000"], [0.25, "#ff8c00"], [0.5, "#f0e442"], [0.75, "#56b4e9"], [1, "#00429d"]],
        hovertemplate: "identity %{z:.0%}<extra></extra>",
        hoverongaps: false,
        colorbar: {
          title: { text: "Identity", side: "right", font: { size: 11, color: theme.muted } },
          thickness: 10,
          tickformat: ".0%",
          outlinewidth: 0,
          tickfont: { size: 10, color: theme.muted },
        },
      },
      {
        type: "scatter",
        mode: "lines",
        y: depth,
        text: labels,
        line: { color: theme.ink, width: 2 },
        hovertemplate: "%{text}: %{y} rows<extra></extra>",
        showlegend: false,
      },
    ], {
      ...baseLayout(theme),
      margin: { l: 56, r: 8, t: 8, b: 46 },
      height: 280,
      xaxis: {
        ...mapAxis(labels, theme),
        title: { text: "Residue", font: { size: 12, color: theme.muted }, standoff: 4 },
      },
      yaxis: { ...lineAxis(theme, "Rows"), range: [0, Math.max(1, sequences)] },
    });
  };
  return { element, draw };
}

/** Confidence after each iteration. */
export function recyclePlot(target: TargetData, shown: () => PredictionData): Plot {
  const element = h("div", { class: "plot recycle-plot" });
  const draw = (theme: Theme) => {
    const trace = (prediction: PredictionData): PlotObject => {
      const own = prediction === shown();
      return {
        type: "scatter",
        mode: "lines+markers",
        name: prediction.name,
        x: prediction.recycles.map((_, i) => i),
        y: prediction.recycles.map(({ meanPlddt }) => meanPlddt),
        text: prediction.recycles.map(({ ptm, distanceChange }) =>
          [
            ...(ptm === null ? [] : [`pTM ${formatNumber(ptm, 3)}`]),
            ...(distanceChange === null ? [] : [`change ${formatNumber(distanceChange, 2)} Å`]),
          ].join(", ")
        ),
        line: { color: own ? theme.ink : theme.missing, width: own ? 2.5 : 1 },
        marker: { size: own ? 7 : 4 },
        hovertemplate: "recycle %{x}: pLDDT %{y:.1f}<br>%{text}<extra>%{fullData.name}</extra>",
      };
    };
    const others = target.predictions.filter((prediction) => prediction !== shown());
    const most = Math.max(...target.predictions.map(({ recycles }) => recycles.length));
    drawPlot(element, [...others.map(trace), trace(shown())], {
      ...baseLayout(theme),
      margin: { l: 48, r: 10, t: 8, b: 46 },
      height: 240,
      showlegend: false,
      xaxis: {
        ...lineAxis(theme, "Recycling"),
        tickvals: Array.from({ length: most }, (_, i) => i),
        range: [-0.2, most - 0.8],
      },
      yaxis: { ...lineAxis(theme, "Mean pLDDT"), rangemode: "normal" },
    });
  };
  return { element, draw };
}

function listen(element: PlotlyElement, listeners: Record<string, (event: PlotEvent) => unknown>): void {
  for (const [event, listener] of Object.entries(listeners)) {
    element.removeAllListeners?.(event);
    element.on?.(event, (data) => void listener(data));
  }
}
