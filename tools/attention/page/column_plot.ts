/// <reference lib="dom" />
import { drawPlot, type PlotObject } from "../../report/page/plotly.ts";
import { baseLayout, heatTrace, mapAxis } from "../../report/page/plots.ts";
import type { Theme } from "../../report/page/theme.ts";
import type { TreeData } from "../attention_data.ts";
import { dendrogramLines } from "./dendrogram.ts";

/** Names of more sequences than this would overlap. */
const MOST_NAMES = 40;

/** A map of sequences by sequences. */
export interface SequenceDrawing {
  /** Values in the order of the alignment. */
  readonly map: readonly (readonly (number | null)[])[];
  readonly limits: [number, number];
  readonly scale: [number, string][];
  /** Names in the order of the alignment. */
  readonly names: readonly string[];
  /** Sequences from top to bottom. */
  readonly order: readonly number[];
  /** Drawn on the left, if there is one. */
  readonly tree?: TreeData;
  /** What is said of two sequences. */
  text(row: number, column: number): string;
  readonly titles: { readonly row: string; readonly column: string };
}

/** Draws a map of sequences by sequences, with their tree. */
export function drawSequences(element: HTMLElement, drawing: SequenceDrawing, theme: Theme): void {
  const { map, limits, scale, names, order, tree, text, titles } = drawing;
  const ordered = order.map((row) => order.map((column) => map[row][column]));
  const all = names.length <= MOST_NAMES;
  const short = order.map((row) => shortened(names[row]));
  const labels = all ? short : order.map((_, i) => String(i + 1));
  const axis = mapAxis(labels, theme);
  const ticks = all ? { tickvals: labels.map((_, i) => i), ticktext: labels } : {};
  const title = (text: string) => ({ title: { text, font: { size: 11, color: theme.muted }, standoff: 6 } });
  const widest = Math.ceil(6.2 * Math.max(...(all ? labels : ["0000"]).map((label) => label.length)));
  const barAt = 32 + (all ? widest : 12);
  const margin = { l: 8, r: 26 + widest, t: 6, b: barAt + 34 };
  const width = element.clientWidth || 480;
  const treeShare = tree ? 0.2 : 0;
  const side = (width - margin.l - margin.r) * (1 - treeShare);
  const height = Math.round(side + margin.t + margin.b);
  const heat = heatTrace(
    {
      ...{ map: ordered, limits, labels, scale },
      text: (i, j) => text(order[i], order[j]),
    },
    theme,
    -barAt / side,
  );
  const traces: PlotObject[] = [{
    ...heat,
    colorbar: { ...heat.colorbar as PlotObject, x: treeShare + 0.5 * (1 - treeShare), len: 0.9 * (1 - treeShare) },
  }];
  const layout: PlotObject = {
    ...baseLayout(theme),
    plot_bgcolor: theme.surface,
    ...{ margin, height, showlegend: false },
    xaxis: {
      ...{ ...axis, ...ticks, ...title(titles.column) },
      domain: [treeShare, 1],
      tickangle: all ? -90 : 0,
    },
    yaxis: {
      ...{ ...axis, ...ticks, ...title(titles.row) },
      range: [order.length - 0.5, -0.5],
      side: "right",
    },
  };
  if (tree) {
    const lines = dendrogramLines(tree);
    const most = Math.max(0, ...tree.merges.map(([, , height]) => height));
    traces.push({
      ...{ type: "scatter", mode: "lines", xaxis: "x2", yaxis: "y", hoverinfo: "skip" },
      x: lines.height,
      y: lines.place,
      line: { color: theme.ink, width: 1 },
    });
    layout.xaxis2 = {
      domain: [0, treeShare - 0.012],
      range: [1.04 * most || 1, 0],
      showgrid: false,
      zeroline: false,
      tickvals: most > 0 ? [roundBelow(most)] : [],
      tickangle: 0,
      fixedrange: true,
      ticks: "outside",
      ticklen: 3,
      tickcolor: theme.muted,
      tickfont: { size: 10, color: theme.muted },
      title: { text: "height", font: { size: 11, color: theme.muted }, standoff: 6 },
    };
  }
  drawPlot(element, traces, layout);
}

/** The largest of 1, 2 and 5 times a power of ten that is not above a number. */
function roundBelow(number: number): number {
  const power = Math.floor(Math.log10(number));
  return Number(`${[5, 2, 1].find((head) => Number(`${head}e${power}`) <= number) ?? 1}e${power}`);
}

function shortened(name: string): string {
  return name.length > 14 ? `${name.slice(0, 13)}…` : name;
}
