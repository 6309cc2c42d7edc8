/// <reference lib="dom" />
import { h, section } from "../../report/page/dom.ts";
import { drawPlot, type PlotObject } from "../../report/page/plotly.ts";
import { baseLayout, lineAxis, type PlotSection } from "../../report/page/plots.ts";
import type { Theme } from "../../report/page/theme.ts";
import type { ProfileData } from "../profile_data.ts";
import { nameOf } from "./kernels.ts";

const LANES = 14;
/** More bars than this would make the page slow. */
const BARS = 5000;
const MIB = 2 ** 20;

/** Kernels of the last step over time, a lane for each of those that take most of it. */
export function timelineSection({ timeline, rows, clock }: ProfileData): PlotSection | undefined {
  if (clock === "none" || timeline.length === 0) return undefined;
  const lanes = rows.kernel.slice(0, LANES).map(({ kernel }) => kernel);
  const laneOf = (kernel: string) => lanes.includes(kernel) ? kernel : "others";
  const kept = new Set(
    timeline.length <= BARS ? timeline : timeline.toSorted((a, b) => b[2] - a[2]).slice(0, BARS),
  );
  const phases = ["forward", "recompute", "backward", ""];
  const bars = phases.map((phase) => timeline.filter((run) => kept.has(run) && rows.place[run[0]].phase === phase));
  const order = [...lanes, ...rows.kernel.length > LANES ? ["others"] : []].toReversed();
  const left = kept.size < timeline.length ? ` The ${timeline.length - kept.size} shortest are left out.` : "";
  return plot("timeline", "Timeline of the last step", `Each bar is a kernel; gaps are copies and waiting.${left}`, {
    height: 140 + 26 * order.length,
    data: (theme) =>
      bars.map((runs, i): PlotObject => ({
        type: "bar",
        orientation: "h",
        name: phases[i] || "outside",
        y: runs.map(([place]) => laneOf(rows.place[place].kernel)),
        base: runs.map(([, startMs]) => startMs),
        x: runs.map(([, , ms]) => ms),
        text: runs.map(([place]) => nameOf(rows.place[place], "place")),
        textposition: "none",
        marker: { color: [theme.truth, theme.validation, theme.predicted, theme.train][i], line: { width: 0 } },
        hovertemplate: "%{text}<br>%{x:.3f} ms at %{base:.3f} ms<extra></extra>",
      })).filter((_, i) => bars[i].length > 0),
    layout: (theme) => ({
      barmode: "overlay",
      bargap: 0.25,
      margin: { l: 150, r: 12, t: 56, b: 44 },
      showlegend: true,
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      xaxis: lineAxis(theme, "Time (ms)"),
      yaxis: { ...lineAxis(theme, ""), categoryorder: "array", categoryarray: order },
    }),
  });
}

/** Speed over arithmetic intensity under the adapter's roofs. */
export function rooflineSection({ roofs, rows }: ProfileData): PlotSection | undefined {
  const points = rows.module.filter(({ gflops, intensity }) => gflops !== null && gflops > 0 && intensity !== null);
  if (!roofs || points.length === 0) return undefined;
  const ridge = roofs.gflops / roofs.gbs;
  const intensities = points.map(({ intensity }) => intensity ?? ridge);
  const [low, high] = [Math.min(ridge, ...intensities) / 3, Math.max(ridge, ...intensities) * 3];
  const lead = "Kernels whose operations are known, by module; a larger mark takes more time. The line is what the " +
    "adapter reached in probes: copies on the left, multiply-adds on the right.";
  return plot("roofline", "Roofline", lead, {
    height: 380,
    data: (theme) => [
      {
        ...{ type: "scatter", mode: "lines", name: "measured roof", hoverinfo: "skip" },
        x: [low, ridge, high],
        y: [low * roofs.gbs, roofs.gflops, roofs.gflops],
        line: { color: theme.muted, width: 2 },
      },
      ...["forward", "recompute", "backward", ""].flatMap((phase, i): PlotObject[] => {
        const own = points.filter((row) => row.phase === phase);
        if (own.length === 0) return [];
        return [{
          ...{ type: "scatter", mode: "markers", name: phase || "outside" },
          x: own.map(({ intensity }) => intensity),
          y: own.map(({ gflops }) => gflops),
          text: own.map((row) => nameOf(row, "module")),
          marker: {
            color: [theme.truth, theme.validation, theme.predicted, theme.train][i],
            opacity: 0.8,
            size: own.map(({ share }) => 7 + 40 * Math.sqrt(share)),
          },
          hovertemplate: "%{text}<br>%{y:.3g} GFLOP/s at %{x:.3g} FLOP/B<extra></extra>",
        }];
      }),
    ],
    layout: (theme) => ({
      margin: { l: 64, r: 12, t: 56, b: 48 },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", itemsizing: "constant" },
      xaxis: { ...lineAxis(theme, "Arithmetic intensity (FLOP/B)"), type: "log" },
      yaxis: { ...lineAxis(theme, "GFLOP/s"), type: "log" },
    }),
  });
}

/** Memory of tensors, and of all buffers, over time. */
export function memorySection({ memory: { curve } }: ProfileData): PlotSection | undefined {
  if (curve.atMs.length === 0) return undefined;
  const lead = "Memory over all profiled steps, by the CPU's clock, which runs ahead of the device's.";
  return plot("memory", "Memory", lead, {
    height: 320,
    data: (theme) =>
      ([["in tensors", curve.liveBytes, theme.truth, "tozeroy"], [
        "with pooled buffers",
        curve.allocatedBytes,
        theme.predicted,
        "none",
      ]] as const).map(([name, bytes, color, fill]): PlotObject => ({
        ...{ type: "scatter", mode: "lines", name, fill },
        x: curve.atMs,
        y: bytes.map((value) => value / MIB),
        line: { color, width: 1.5, shape: "hv" },
        hovertemplate: "%{y:.1f} MiB at %{x:.1f} ms<extra>%{fullData.name}</extra>",
      })),
    layout: (theme) => ({
      margin: { l: 64, r: 12, t: 40, b: 44 },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      xaxis: lineAxis(theme, "Time (ms)"),
      yaxis: { ...lineAxis(theme, "MiB"), rangemode: "tozero" },
    }),
  });
}

interface Drawing {
  readonly height: number;
  data(theme: Theme): PlotObject[];
  layout(theme: Theme): PlotObject;
}

function plot(id: string, heading: string, lead: string, { height, data, layout }: Drawing): PlotSection {
  const element = h("div", { class: "plot", id: `${id}-plot` });
  return {
    element: section(id, heading, lead, h("figure", {}, element)),
    plots: [element],
    draw: (theme) => drawPlot(element, data(theme), { ...baseLayout(theme), height, ...layout(theme) }),
  };
}
