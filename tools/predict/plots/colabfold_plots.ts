/** The pictures that ColabFold writes beside its results, of the same content and under the same names. */
import { axes, scale } from "../../pictures/axes.ts";
import { type Box, Picture, type Point, type Rgb } from "../../pictures/picture.ts";

/** A prediction, as far as the pictures show it; the best ones first. */
export interface PlottedPrediction {
  /** 0 to 100, `[N_res]`. */
  readonly plddt: Float32Array;
  /** Å, `[N_res, N_res]`. */
  readonly pae?: Float32Array;
}

/** Colours of lines, one after the other. */
const LINES: readonly Rgb[] = [
  ...[[31, 119, 180], [255, 127, 14], [44, 160, 44], [214, 39, 40], [148, 103, 189]] as const,
  ...[[140, 86, 75], [227, 119, 194], [127, 127, 127], [188, 189, 34], [23, 190, 207]] as const,
];

/** Error at which the colours of aligned errors end, Å. */
const MOST_PAE = 30;

/** From blue over white to red. */
function blueWhiteRed(part: number): Rgb {
  const x = Math.min(1, Math.max(0, part));
  return x < 0.5 ? [510 * x, 510 * x, 255] : [255, 510 * (1 - x), 510 * (1 - x)];
}

/** From red at 0 over yellow, green and blue to violet at 1. */
function rainbow(part: number): Rgb {
  const x = 1 - Math.min(1, Math.max(0, part));
  const [red, green, blue] = [Math.abs(2 * x - 0.5), Math.sin(Math.PI * x), Math.cos(Math.PI * x / 2)];
  return [255 * Math.min(1, red), 255 * green, 255 * blue];
}

/** Predicted aligned errors, a panel a prediction: rows are the residues aligned on. Undefined where none is predicted. */
export function paePlot(predictions: readonly PlottedPrediction[]): Uint8Array | undefined {
  const shown = predictions.flatMap(({ pae, plddt }, rank) => pae ? [{ pae, n: plddt.length, rank }] : []);
  if (!shown.length) return undefined;
  const side = 260, step = 330;
  const picture = new Picture(60 + step * shown.length + 40, side + 90);
  shown.forEach(({ pae, n, rank }, i) => {
    const box: Box = { left: 60 + i * step, top: 40, width: side, height: side };
    picture.fill(box, (x, y) => blueWhiteRed(pae[Math.floor(y * n) * n + Math.floor(x * n)] / MOST_PAE));
    axes(picture, box, { x: [0, n], y: [n, 0] });
    picture.text(`rank_${rank + 1}`, [box.left + side / 2, 22], { size: 11 });
  });
  const last = 60 + (shown.length - 1) * step + side;
  scale(picture, { left: last + 16, top: 40, width: 14, height: side }, [0, MOST_PAE], blueWhiteRed);
  return picture.png();
}

/** Predicted lDDT along the chain, a line a prediction. */
export function plddtPlot(predictions: readonly PlottedPrediction[]): Uint8Array {
  const picture = new Picture(900, 440);
  const box: Box = { left: 70, top: 40, width: 690, height: 330 };
  const n = predictions[0].plddt.length;
  predictions.forEach(({ plddt }, rank) => {
    const points = Array.from(plddt, (value, i): Point => [
      box.left + (n > 1 ? i / (n - 1) : 0.5) * box.width,
      box.top + (1 - value / 100) * box.height,
    ]);
    const colour = LINES[rank % LINES.length];
    picture.line(points, colour, 1.5);
    const y = box.top + 12 + 18 * rank;
    if (y > picture.height - 12) return;
    picture.line([[box.left + box.width + 16, y], [box.left + box.width + 40, y]], colour, 2);
    picture.text(`rank_${rank + 1}`, [box.left + box.width + 48, y], { anchor: "start" });
  });
  axes(picture, box, { x: [0, Math.max(1, n - 1)], y: [0, 100] });
  picture.text("Predicted lDDT per position", [box.left + box.width / 2, 20], { size: 11 });
  picture.text("Positions", [box.left + box.width / 2, picture.height - 20]);
  picture.text("Predicted lDDT", [20, box.top + box.height / 2], { upwards: true });
  return picture.png();
}

/**
 * Coverage of the alignment: its rows by identity to the query, the nearest on top, and how many rows each column has.
 *
 * @param rows Over the query's residues, the query first; `-` is a gap.
 */
export function coveragePlot(rows: readonly string[]): Uint8Array {
  const picture = new Picture(900, 480);
  const box: Box = { left: 80, top: 40, width: 660, height: 370 };
  const [query] = rows, n = query.length, count = rows.length;
  const depth = new Array<number>(n).fill(0);
  const identity = rows.map((row) => {
    let same = 0;
    for (let c = 0; c < n; c++) {
      if (row[c] !== "-") depth[c]++;
      if (row[c] === query[c]) same++;
    }
    return same / n;
  });
  const order = rows.map((_, row) => row).sort((a, b) => identity[a] - identity[b]);
  picture.fill(box, (x, y) => {
    const row = order[Math.floor((1 - y) * count)];
    return rows[row][Math.floor(x * n)] === "-" ? null : rainbow(identity[row]);
  });
  const points = depth.flatMap((rowsThere, c): Point[] => {
    const y = box.top + (1 - rowsThere / count) * box.height;
    return [[box.left + c / n * box.width, y], [box.left + (c + 1) / n * box.width, y]];
  });
  picture.line(points, [0, 0, 0], 1.5);
  axes(picture, box, { x: [0, n], y: [0, count] });
  scale(picture, { left: box.left + box.width + 24, top: box.top, width: 16, height: box.height }, [0, 1], rainbow);
  picture.text("Sequence coverage", [box.left + box.width / 2, 20], { size: 11 });
  picture.text("Positions", [box.left + box.width / 2, picture.height - 20]);
  picture.text("Sequences", [20, box.top + box.height / 2], { upwards: true });
  picture.text("Sequence identity to query", [picture.width - 30, box.top + box.height / 2], { upwards: true });
  return picture.png();
}
