/// <reference lib="dom" />
import { bestViewpoint, flatten, type Trace } from "./trace.ts";

const SVG = "http://www.w3.org/2000/svg";

/** A flat drawing of the traces from their best viewpoint, for browsers without WebGL; its colours follow the page's style. */
export function traceSvg(traces: Trace[]): SVGSVGElement {
  const viewpoint = bestViewpoint(traces);
  const downwards = (point: [number, number, number]): [number, number] => {
    const [x, y] = flatten(viewpoint, point);
    return [x, -y];
  };
  const drawn = traces.map((trace) => ({ trace, chains: trace.chains.map((chain) => chain.map(downwards)) }));
  const all = drawn.flatMap(({ chains }) => chains.flat());
  const [xs, ys] = [all.map(([x]) => x), all.map(([, y]) => y)];
  const margin = 3;
  const [left, top] = [Math.min(...xs) - margin, Math.min(...ys) - margin];
  const [width, height] = [Math.max(...xs) + margin - left, Math.max(...ys) + margin - top];
  const svg = node("svg", {
    viewBox: [left, top, width, height].map((value) => value.toFixed(2)).join(" "),
    role: "img",
    "aria-label": "Cα traces of the predicted and the true structure, projected on a plane",
  });
  for (const { trace, chains } of drawn) {
    const group = node("g", { class: `trace-${trace.kind}` });
    for (const chain of chains) {
      const points = chain.map(([x, y]) => `${x.toFixed(2)},${y.toFixed(2)}`).join(" ");
      group.append(node("polyline", { points }));
      for (const [x, y] of chain) group.append(node("circle", { cx: x.toFixed(2), cy: y.toFixed(2), r: "0.45" }));
    }
    svg.append(group);
  }
  return svg;
}

function node<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: { [name: string]: string },
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
