import { axes, scale } from "../pictures/axes.ts";
import { type Box, Picture, type Rgb } from "../pictures/picture.ts";

/** Dark to light where distances grow; perceived evenly. Source: matplotlib's viridis, every eighth of it. */
const VIRIDIS: readonly Rgb[] = [
  ...[[68, 1, 84], [71, 45, 123], [59, 82, 139], [44, 114, 142], [33, 145, 140]] as const,
  ...[[40, 174, 128], [94, 201, 98], [173, 220, 48], [253, 231, 37]] as const,
];
const UNKNOWN: Rgb = [217, 217, 217];

function viridis(part: number): Rgb {
  const at = Math.min(1, Math.max(0, part)) * (VIRIDIS.length - 1);
  const low = Math.min(VIRIDIS.length - 2, Math.floor(at)), more = at - low;
  const [r, g, b] = [0, 1, 2].map((c) => VIRIDIS[low][c] + more * (VIRIDIS[low + 1][c] - VIRIDIS[low][c]));
  return [r, g, b];
}

/** What {@linkcode distancePlot} shows; Å, `[N_res, N_res]`. */
export interface PlottedDistances {
  readonly predicted: Float32Array;
  /** Drawn below the diagonal in the prediction's place; NaN where it is not known. */
  readonly truth?: Float32Array;
  /** Where the colours end. */
  readonly most: number;
}

/** A map of distances as a PNG: the prediction above the diagonal, the true structure below it where that is known. */
export function distancePlot({ predicted, truth, most }: PlottedDistances): Uint8Array {
  const n = Math.round(Math.sqrt(predicted.length));
  const picture = new Picture(520, 480);
  const box: Box = { left: 70, top: 40, width: 360, height: 360 };
  picture.fill(box, (x, y) => {
    const row = Math.floor(y * n), column = Math.floor(x * n);
    const d = (truth && row > column ? truth : predicted)[row * n + column];
    return Number.isNaN(d) ? UNKNOWN : viridis(1 - d / most);
  });
  axes(picture, box, { x: [0, n], y: [n, 0] });
  scale(picture, { left: 448, top: 40, width: 14, height: 360 }, [0, most], (part) => viridis(1 - part));
  const title = truth ? "Predicted (above the diagonal), true (below)" : "Predicted distances";
  picture.text(title, [box.left + box.width / 2, 20], { size: 11 });
  picture.text("Residue", [box.left + box.width / 2, 440]);
  picture.text("Residue", [22, box.top + box.height / 2], { upwards: true });
  picture.text("Distance, angstrom", [502, box.top + box.height / 2], { upwards: true });
  return picture.png();
}
