/** Drawings of an inspection's page, as SVG that needs no script. */
import { escapeHtml } from "../report/html_page.ts";
import type { ColumnProfile, PairMap, ResidueCurve } from "./inspection.ts";
import { encodePng } from "../pictures/png.ts";
import { CONTACT, FAR } from "./structures.ts";

type Rgb = readonly [number, number, number];

const WIDTH = 1000;
const HEIGHT = 260;
const MARGIN = { left: 52, right: 52, top: 10, bottom: 36 };

/** Largest number of rows whose identities are drawn apart. */
const IDENTITY_ROWS = 200;

/** Coverage of the columns (area), effective rows (line, scale at the right) and conservation (dots) where there is one. */
export function coveragePlot({ sequence, coverage, effectiveDepth, conservation }: ColumnProfile): string {
  const n = sequence.length;
  const deepest = Math.max(1e-9, ...effectiveDepth);
  const x = (column: number) => MARGIN.left + (column + 0.5) / n * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (part: number) => HEIGHT - MARGIN.bottom - part * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const point = (column: number, part: number) => `${x(column).toFixed(1)},${y(part).toFixed(1)}`;
  const area = `M${point(-0.5, 0)} ` +
    Array.from(coverage, (part, c) => `L${point(c - 0.5, part)} L${point(c + 0.5, part)}`).join(" ") +
    ` L${point(n - 0.5, 0)} Z`;
  const line = Array.from(effectiveDepth, (depth, c) => point(c, depth / deepest)).join(" ");
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const dots = conservation
    ? Array.from(conservation, (value, c) => `<circle cx="${x(c).toFixed(1)}" cy="${y(value).toFixed(1)}" r="2"/>`)
    : [];
  return [
    svgStart(WIDTH, HEIGHT, "Coverage of the columns"),
    ...ticks.map((part) =>
      `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(part)}" y2="${y(part)}"/>` +
      `<text x="${MARGIN.left - 6}" y="${y(part) + 4}" text-anchor="end">${100 * part} %</text>` +
      `<text x="${WIDTH - MARGIN.right + 6}" y="${y(part) + 4}">${digits(part * deepest)}</text>`
    ),
    `<path class="coverage" d="${area}"/>`,
    `<polyline class="depth" points="${line}"/>`,
    `<g class="conservation">${dots.join("")}</g>`,
    ...residueTicks(n).map((c) =>
      `<text x="${x(c).toFixed(1)}" y="${HEIGHT - MARGIN.bottom + 18}" text-anchor="middle">${sequence[c]}${
        c + 1
      }</text>`
    ),
    "</svg>",
  ].join("\n");
}

/** A curve along the residues, from 0 up; it is broken where there is no value, and these residues are marked below. */
export function residuePlot({ title, unit, residues, values }: ResidueCurve): string {
  const n = residues.length;
  const known = Array.from(values).filter((value) => Number.isFinite(value));
  const most = roundUp(Math.max(...known, 1e-9));
  const x = (i: number) => MARGIN.left + (i + 0.5) / n * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (value: number) => HEIGHT - MARGIN.bottom - value / most * (HEIGHT - MARGIN.top - MARGIN.bottom);
  let line = "", isDrawing = false;
  for (let i = 0; i < n; i++) {
    const has = Number.isFinite(values[i]);
    if (has) line += `${isDrawing ? "L" : "M"}${x(i).toFixed(1)},${y(values[i]).toFixed(1)} `;
    isDrawing = has;
  }
  const missing = Array.from({ length: n }, (_, i) => i).filter((i) => !Number.isFinite(values[i]));
  const width = ((WIDTH - MARGIN.left - MARGIN.right) / n).toFixed(2);
  return [
    svgStart(WIDTH, HEIGHT, title),
    ...[0, 0.25, 0.5, 0.75, 1].map((part) =>
      `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(part * most)}" y2="${
        y(part * most)
      }"/><text x="${MARGIN.left - 6}" y="${y(part * most) + 4}" text-anchor="end">${digits(part * most)}${
        part === 1 && unit !== "" ? ` ${escapeHtml(unit)}` : ""
      }</text>`
    ),
    ...missing.map((i) =>
      `<rect class="missing" x="${x(i - 0.5).toFixed(1)}" y="${HEIGHT - MARGIN.bottom}" width="${width}" height="5"/>`
    ),
    `<path class="depth" d="${line.trimEnd()}"/>`,
    `<g class="conservation">${
      n > 400
        ? ""
        : Array.from({ length: n }, (_, i) => i).filter((i) => Number.isFinite(values[i])).map((i) =>
          `<circle cx="${x(i).toFixed(1)}" cy="${y(values[i]).toFixed(1)}" r="2.5"><title>${escapeHtml(residues[i])}: ${
            values[i].toFixed(3)
          } ${escapeHtml(unit)}</title></circle>`
        ).join("")
    }</g>`,
    ...residueTicks(n).map((i) =>
      `<text x="${x(i).toFixed(1)}" y="${HEIGHT - MARGIN.bottom + 20}" text-anchor="middle">${
        escapeHtml(residues[i])
      }</text>`
    ),
    "</svg>",
  ].join("\n");
}

/** The next of 1, 2, 4, 5, 8, 10 times a power of ten. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 4, 5, 8].find((step) => value <= step * power * (1 + 1e-9)) ?? 10) * power;
}

/** Identity to the query of the rows, from high to low, as bars. */
export function identityPlot({ identity }: ColumnProfile): string {
  const sorted = identity.toSorted().reverse();
  const count = Math.min(IDENTITY_ROWS, sorted.length);
  const bars = Array.from({ length: count }, (_, k) => sorted[Math.floor(k * sorted.length / count)]);
  const height = 140;
  const width = (WIDTH - MARGIN.left - MARGIN.right) / count;
  const y = (part: number) => height - 26 - part * (height - 36);
  return [
    svgStart(WIDTH, height, "Identity of the rows to the query"),
    ...[0, 0.5, 1].map((part) =>
      `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(part)}" y2="${y(part)}"/>` +
      `<text x="${MARGIN.left - 6}" y="${y(part) + 4}" text-anchor="end">${100 * part} %</text>`
    ),
    ...bars.map((part, k) =>
      `<rect class="identity" x="${(MARGIN.left + k * width).toFixed(2)}" y="${y(part).toFixed(1)}" width="${
        width.toFixed(2)
      }" height="${(y(0) - y(part)).toFixed(1)}"/>`
    ),
    `<text x="${MARGIN.left}" y="${height - 8}">row 1 (the query)</text>`,
    `<text x="${WIDTH - MARGIN.right}" y="${height - 8}" text-anchor="end">row ${sorted.length}</text>`,
    "</svg>",
  ].join("\n");
}

/** A map of pairs with its scale. */
export function mapPlot(map: PairMap): string {
  const n = map.sequence.length;
  const size = 640, left = 44, top = 8, bottom = 30;
  const scale = map.key === "distances" ? distanceScale() : coevolutionScale(map.values);
  const rgba = new Uint8Array(4 * n * n);
  for (let k = 0; k < n * n; k++) {
    if (Number.isNaN(map.values[k])) continue;
    rgba.set([...scale.color(map.values[k]), 255], 4 * k);
  }
  const place = (i: number) => (i + 0.5) / n * size;
  const label = (i: number) => `${map.sequence[i]}${i + 1}`;
  const steps = 60;
  return [
    svgStart(left + size + 110, top + size + bottom, map.title),
    `<rect class="frame" x="${left}" y="${top}" width="${size}" height="${size}"/>`,
    `<image x="${left}" y="${top}" width="${size}" height="${size}" preserveAspectRatio="none" href="${
      dataUrl(encodePng(rgba, n, n))
    }"/>`,
    ...residueTicks(n).map((i) =>
      `<text x="${left + place(i)}" y="${top + size + 18}" text-anchor="middle">${label(i)}</text>` +
      `<text x="${left - 6}" y="${top + place(i) + 4}" text-anchor="end">${label(i)}</text>`
    ),
    ...Array.from({ length: steps }, (_, k) => {
      const value = scale.least + (scale.most - scale.least) * (1 - (k + 0.5) / steps);
      const height = size / 2 / steps;
      return `<rect x="${left + size + 24}" y="${top + k * height}" width="16" height="${height + 0.5}" fill="rgb(${
        scale.color(value).join(" ")
      })"/>`;
    }),
    ...scale.ticks.map((value) => {
      const part = (value - scale.least) / (scale.most - scale.least || 1);
      return `<text x="${left + size + 46}" y="${top + (1 - part) * size / 2 + 4}">${
        digits(value)
      }${scale.unit}</text>`;
    }),
    "</svg>",
  ].join("\n");
}

interface Scale {
  readonly least: number;
  readonly most: number;
  readonly ticks: readonly number[];
  readonly unit: string;
  color(value: number): Rgb;
}

/** Dark blue below the distance of a contact, light above. */
function distanceScale(): Scale {
  const near = gradient([[8, 29, 88], [34, 94, 168]]);
  const far = gradient([[127, 205, 187], [237, 248, 217]]);
  return {
    least: 0,
    most: FAR,
    ticks: [0, CONTACT, FAR],
    unit: " Å",
    color: (d) => d < CONTACT ? near(d / CONTACT) : far((Math.min(d, FAR) - CONTACT) / (FAR - CONTACT)),
  };
}

/** From light, where pairs share no more than all do, to dark for the highest percent. */
function coevolutionScale(values: Float32Array): Scale {
  const known = values.filter((value) => Number.isFinite(value)).sort();
  const most = Math.max(known[Math.floor(known.length * 0.998)] ?? 0, 1e-6);
  const color = gradient([[247, 244, 249], [212, 185, 218], [223, 101, 176], [103, 0, 31]]);
  return {
    least: 0,
    most,
    ticks: [0, most / 2, most],
    unit: "",
    color: (x) => color(Math.min(Math.max(x / most, 0), 1)),
  };
}

function gradient(colors: readonly Rgb[]): (part: number) => Rgb {
  return (part) => {
    const at = Math.min(Math.max(part, 0), 1) * (colors.length - 1);
    const k = Math.min(Math.floor(at), colors.length - 2);
    const mix = (channel: 0 | 1 | 2) =>
      Math.round(colors[k][channel] + (at - k) * (colors[k + 1][channel] - colors[k][channel]));
    return [mix(0), mix(1), mix(2)];
  };
}

/** The first residue and round numbers, about eight in all. */
function residueTicks(n: number): number[] {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500].find((step) => n / step <= 10) ?? 1000;
  return Array.from({ length: n }, (_, i) => i).filter((i) => i === 0 || ((i + 1) % step === 0 && i + 1 > step / 2));
}

function svgStart(width: number, height: number, label: string): string {
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(label)}" ` +
    `xmlns="http://www.w3.org/2000/svg">`;
}

function dataUrl(png: Uint8Array<ArrayBuffer>): string {
  return `data:image/png;base64,${png.toBase64()}`;
}

function digits(x: number): string {
  return Math.abs(x) >= 10 || Number.isInteger(x) ? x.toFixed(0) : x.toPrecision(2);
}
