/// <reference lib="dom" />
import { h } from "./dom.ts";
import plotlyModule from "plotly.js-cartesian-dist-min";

/** A value that plotly takes as an attribute of a trace, a layout or its configuration. */
export type PlotValue = string | number | boolean | null | PlotValue[] | readonly PlotValue[] | PlotObject;
/** Attributes by name. */
export type PlotObject = { [name: string]: PlotValue | undefined };

type Plotly = {
  react(element: HTMLElement, data: PlotObject[], layout: PlotObject, config: PlotObject): Promise<HTMLElement>;
  purge(element: HTMLElement): void;
  downloadImage(element: HTMLElement, options: PlotObject): Promise<string>;
};

const plotly: Plotly = plotlyModule;

/** Draws or redraws a plot; it follows the width of its element, and has a button below it that saves it as PNG. */
export function drawPlot(element: HTMLElement, data: PlotObject[], layout: PlotObject): void {
  plotly.react(element, data, layout, {
    responsive: true,
    displaylogo: false,
    displayModeBar: TOUCH ? false : "hover",
    modeBarButtonsToRemove: ["toImage", "select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
  });
  if (!element.nextElementSibling?.classList.contains("save")) element.after(saveButton(element));
}

/** Saves at twice the size that it has in the page, named after the page's file and the plot. */
function saveButton(element: HTMLElement): HTMLElement {
  const button = h("button", { class: "save", type: "button", title: "Save this plot as a PNG image" }, "Save PNG");
  button.addEventListener("click", () => {
    const page = decodeURIComponent(location.pathname).split("/").pop()?.replace(/\.html?$/, "") || "plot";
    const filename = element.id === "" ? page : `${page}_${element.id}`;
    plotly.downloadImage(element, {
      ...{ format: "png", filename, scale: 2 },
      ...{ width: element.clientWidth, height: element.clientHeight },
    });
  });
  return button;
}

/** Frees what a plot holds before its element is removed. */
export function freePlot(element: HTMLElement): void {
  plotly.purge(element);
}

/** Whether the reader points with a finger: then a drag scrolls the page instead of zooming the plot. */
export const TOUCH = matchMedia("(pointer: coarse)").matches;
