/// <reference lib="dom" />
import plotlyModule from "plotly.js-cartesian-dist-min";

/** A value that plotly takes as an attribute of a trace, a layout or its configuration. */
export type PlotValue = string | number | boolean | null | PlotValue[] | readonly PlotValue[] | PlotObject;
/** Attributes by name. */
export type PlotObject = { [name: string]: PlotValue | undefined };

type Plotly = {
  react(element: HTMLElement, data: PlotObject[], layout: PlotObject, config: PlotObject): Promise<HTMLElement>;
  purge(element: HTMLElement): void;
};

const plotly: Plotly = plotlyModule;

/** Draws or redraws a plot; it follows the width of its element. */
export function drawPlot(element: HTMLElement, data: PlotObject[], layout: PlotObject): void {
  plotly.react(element, data, layout, {
    responsive: true,
    displaylogo: false,
    displayModeBar: TOUCH ? false : "hover",
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
  });
}

/** Frees what a plot holds before its element is removed. */
export function freePlot(element: HTMLElement): void {
  plotly.purge(element);
}

/** Whether the reader points with a finger: then a drag scrolls the page instead of zooming the plot. */
export const TOUCH = matchMedia("(pointer: coarse)").matches;
