import { type Device, mostVisible, WINDOW_STEP } from "../core/mod.ts";

/** Some neighbouring elements of a batch of products, or some rows of one. */
export interface MatmulWindow {
  /** The first element. */
  readonly outer: number;
  readonly inner: number;
  readonly count: number;
  readonly row: number;
  readonly rows: number;
}

/** What the windows of a batch of products depend on; sizes in elements. */
export interface MatmulExtent {
  readonly outer: number;
  readonly inner: number;
  readonly m: number;
  readonly n: number;
  /** Elements of one matrix of A and of B, and from one to the next. */
  readonly a: { readonly size: number; readonly step: number };
  readonly b: { readonly size: number; readonly step: number };
  /** Elements of a row of A; 0 where A is stored transposed, so that rows take all of it. */
  readonly aRow: number;
  /** Elements behind each matrix of the result. */
  readonly behind: number;
}

/** Windows of which a kernel may see all operands: of batch elements, of rows where one element is too large. */
export function matmulWindows(
  device: Device,
  { outer, inner, m, n, a, b, aRow, behind }: MatmulExtent,
): MatmulWindow[] {
  const most = mostVisible(device) - WINDOW_STEP;
  const fitting = ({ size, step }: { readonly size: number; readonly step: number }) =>
    size > most ? 0 : step === 0 ? inner : Math.floor((most - size) / step) + 1;
  const elements = Math.min(inner, fitting(a), fitting(b), fitting({ size: m * n + behind, step: m * n + behind }));
  const together = Math.max(1, elements);
  const fittingRows = Math.floor(most / Math.max(n, aRow));
  const rows = elements > 0 ? m : Math.min(m, 4 * Math.floor(fittingRows / 4) || 1); // starting at whole vec4s of A
  const windows: MatmulWindow[] = [];
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i += together) {
      for (let row = 0; row < m; row += rows) {
        windows.push({
          outer: o,
          inner: i,
          count: Math.min(together, inner - i),
          row,
          rows: Math.min(rows, m - row),
        });
      }
    }
  }
  return windows;
}

/** Fewest parts of a sum over rows of which a kernel may see each; one where it may see all. */
export function fewestSplits(device: Device, rows: number, width: number): number {
  const most = mostVisible(device);
  return rows * width <= most ? 1 : Math.ceil(rows / Math.max(4, 4 * Math.floor((most - WINDOW_STEP) / width / 4)));
}
