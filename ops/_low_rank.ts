/** Matrices of low rank on top of weights, and their gradients without the weights'. */
import { type Device, elementGrid, type Tensor } from "../core/mod.ts";
import { runMatmul } from "./_matmul.ts";
import { readRegion } from "./_region.ts";
import { cast } from "./cast.ts";
import { multiplyScalar } from "./elementwise.ts";
import { addLowRankKernel } from "./linear.wgsl.ts";
import { permute } from "./permute.ts";

/** Where an adapter is among the rows of maps that are packed into one weight. */
export interface AdapterPlace {
  /** Its first row. */
  readonly row: number;
  readonly rows: number;
  readonly rank: number;
  readonly scale: number;
}

/** An adapter at its place. */
export interface PlacedAdapter extends AdapterPlace {
  readonly down: Tensor;
  readonly up: Tensor;
}

/** An adapter whose map begins at a row. */
export function placed(
  { down, up, scale }: { readonly down: Tensor; readonly up: Tensor; readonly scale: number },
  row = 0,
): PlacedAdapter {
  return { down, up, scale, row, rows: up.shape[0], rank: down.shape[0] };
}

/** Adds adapters to the rows of a weight `[cOut, cIn]` that they belong to; a new tensor, of f32. Records no gradient. */
export function adaptedWeight(weight: Tensor, adapters: readonly PlacedAdapter[]): Tensor {
  const { device, shape, dtype } = weight;
  const w = dtype === "f32" ? device.empty(shape) : cast(weight, "f32");
  if (dtype === "f32") device.copy(weight, w);
  for (const adapter of adapters) addLowRank(w, adapter);
  return w;
}

/** Adds scale · up · down to the rows of a weight, in place. Records no gradient. */
export function addLowRank(w: Tensor, { down, up, scale, row, rows, rank: r }: PlacedAdapter): void {
  const { device } = w;
  const k = down.shape[1];
  const width = k % 4 === 0 ? 4 : 1;
  const n = rows * k / width;
  if (n === 0) return;
  device.run(addLowRankKernel({ vector: width === 4 }), {
    bindings: { up, down, w },
    uniforms: { n, k: k / width, r, first: row * k / width, scale },
    grid: elementGrid(n, 64),
    flops: (2 * r + 2) * rows * k,
    bytesRead: 4 * (rows * k + rows * r + r * k),
    bytesWritten: 4 * rows * k,
  });
}

/** The gradients of one adapter, where they are wanted. */
export interface AdapterGradients {
  readonly down?: Tensor;
  readonly up?: Tensor;
}

/**
 * Gradients of adapters from that of the map's output before activation and gate, without that of the weight: they go
 * through matrices of the rank's width.
 *
 * @param of x `[m, k]`, the same for all of them, and dOut `[m, n]` of all maps that are packed.
 * @param adapters Of each, the matrix that the other's gradient needs.
 * @param wanted Which gradients of each adapter.
 */
export function adapterGradients(
  device: Device,
  { x, dOut, m, n, k }: {
    readonly x: Tensor;
    readonly dOut: Tensor;
    readonly m: number;
    readonly n: number;
    readonly k: number;
  },
  adapters: readonly (AdapterPlace & Partial<PlacedAdapter>)[],
  wanted: readonly { readonly down: boolean; readonly up: boolean }[],
): AdapterGradients[] {
  // x · downᵀ of all those whose second matrix is trained, side by side: x is read once.
  const lows = adapters.filter((_, i) => wanted[i].up);
  const width = lows.reduce((sum, { rank }) => sum + rank, 0);
  const low = lows.length
    ? runMatmul(device, { a: x, b: stacked(lows.map(({ down }) => down!)), m, n: width, k, bTransposed: true }).out
    : undefined;
  let column = 0;
  return adapters.map(({ up, scale, row, rows, rank: r }, i) => {
    const whole = [n, row, rows, width, column, r].every((count) => count % 4 === 0);
    const d = columnsOf(dOut, { m, width: n, first: row, count: rows, whole });
    const gradients: { down?: Tensor; up?: Tensor } = {};
    if (wanted[i].down) { // (dOut · up)ᵀ · x
      const g = runMatmul(device, { a: d.of, aOffset: d.first, aLd: d.ld, b: up!, m, n: r, k: rows }).out;
      const product = runMatmul(device, { a: g, b: x, m: r, n: k, k: m, aTransposed: true }).out;
      gradients.down = multiplyScalar(device.view(product, [r, k]), scale);
    }
    if (wanted[i].up) { // ((x · downᵀ)ᵀ · dOut)ᵀ: the wide matrix on the right, where products are fast
      const h = columnsOf(low!, { m, width, first: column, count: r, whole });
      column += r;
      const product = runMatmul(device, {
        ...{ a: h.of, aOffset: h.first, aLd: h.ld, b: d.of, bOffset: d.first, bLd: d.ld },
        ...{ m: r, n: rows, k: m, aTransposed: true },
      }).out;
      gradients.up = permute(multiplyScalar(device.view(product, [r, rows]), scale), [1, 0]);
    }
    return gradients;
  });
}

/** Matrices of equal width below each other. */
function stacked(matrices: readonly Tensor[]): Tensor {
  const [{ device, shape }] = matrices;
  if (matrices.length === 1) return matrices[0];
  const out = device.empty([matrices.reduce((rows, matrix) => rows + matrix.shape[0], 0), shape[1]]);
  let toElement = 0;
  for (const matrix of matrices) {
    device.copy(matrix, out, { toElement });
    toElement += matrix.size;
  }
  return out;
}

/** Some columns of a matrix [m, width], for a product: where they are if vec4s are `whole`, else a copy. */
function columnsOf(
  matrix: Tensor,
  { m, width, first, count, whole }: {
    readonly m: number;
    readonly width: number;
    readonly first: number;
    readonly count: number;
    readonly whole: boolean;
  },
): { readonly of: Tensor; readonly first?: number; readonly ld?: number } {
  if (count === width) return { of: matrix };
  if (whole) return { of: matrix, first, ld: width };
  return { of: readRegion(matrix.device.view(matrix, [m, width]), [0, first], [m, count]) };
}
