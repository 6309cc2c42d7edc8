/** Probes of the triangle product's kernels. */
import { noise, type Probe } from "../../core/mod.ts";
import type { GateStructure, ProductStructure } from "../triangle_product.wgsl.ts";
import { sigmoid } from "./functions.ts";

/** How packed operands lie; the constants of triangle_product.wgsl.ts. */
export interface Packing {
  readonly panel: number;
  readonly rows: number;
  readonly planes: number;
  readonly steps: number;
  readonly lanes: number;
  readonly pad: number;
}

const BATCH = 2;

/** Numbers of channels: whole groups of four, or any other. */
const channels = (aligned: boolean) => (aligned ? [12] : [9, 10, 11]);

/** An operand: positions of the output, terms of the sum, channels, and whether positions come first. */
interface Shape {
  readonly rows: number;
  readonly n: number;
  readonly c: number;
  readonly pFirst: boolean;
}

/**
 * An operand [batch, rows, n, c] or [batch, n, rows, c] as it lies when packed: `[batch, c / 4, plane]` of vec4s.
 *
 * @param x The value of position p, term r.
 * @param between What stands where nothing is written.
 * @param first Panels before it.
 */
function packed(
  x: (b: number, p: number, r: number, c: number) => number,
  { rows, n, c }: Shape,
  { panel, steps: step, pad }: Packing,
  between = NaN,
  first = 0,
): Float64Array {
  const groups = Math.ceil(c / 4), panels = Math.ceil(rows / panel), steps = Math.ceil(n / step) * step;
  const plane = (first + panels) * steps * panel + pad;
  const out = new Float64Array(BATCH * groups * plane * 4).fill(between);
  for (let b = 0; b < BATCH; b++) {
    for (let g = 0; g < groups; g++) {
      for (let row = 0; row < panels * panel; row++) {
        for (let r = 0; r < steps; r++) {
          const at = (b * groups + g) * plane + ((first + Math.floor(row / panel)) * steps + r) * panel + row % panel;
          const p = Math.min(row, rows - 1); // rows beyond the last repeat it
          for (let i = 0; i < 4; i++) {
            const channel = 4 * g + i;
            out[4 * at + i] = r < n && channel < c ? x(b, p, r, channel) : 0;
          }
        }
      }
    }
  }
  return out;
}

/** The place of position p, term r among those of an operand. */
const positionOf = ({ rows, n, pFirst }: Shape) => (b: number, p: number, r: number) =>
  b * rows * n + (pFirst ? p * n + r : r * rows + p);

function packUniforms({ rows, n, c, pFirst }: Shape, packing: Packing, first = 0) {
  const groups = Math.ceil(c / 4), panels = Math.ceil(rows / packing.panel);
  const steps = Math.ceil(n / packing.steps) * packing.steps;
  const span = Math.min(groups, packing.lanes), blocks = Math.ceil(groups / span);
  const plane = (first + panels) * steps * packing.panel + packing.pad;
  return {
    uniforms: {
      ...{ n, rows, first, c, groups, blocks, span, steps, panels, plane, p_first: Number(pFirst), batches: BATCH },
    },
    grid: [Math.ceil(steps / Math.floor(packing.lanes / span)), BATCH * panels * blocks, 1] as const,
  };
}

/** More than a panel of rows; packed along either side; more groups of channels than lanes. */
function shapesOf(aligned: boolean, { panel, lanes }: Packing): Shape[] {
  const [first, ...others] = channels(aligned);
  return [
    { rows: panel + 3, n: 7, c: first, pFirst: true },
    { rows: 5, n: 3, c: first + 4 * lanes, pFirst: false },
    ...others.map((c) => ({ rows: 5, n: 5, c, pFirst: true })),
  ];
}

/** One operand. */
export function packProbes({ aligned }: { readonly aligned: boolean }, packing: Packing): readonly Probe[] {
  return shapesOf(aligned, packing).map((shape): Probe => {
    const { rows, n, c } = shape;
    const place = positionOf(shape);
    return {
      before: { x: noise(BATCH * rows * n * c, 1), out: packed(() => 0, shape, packing, 0.5).fill(0.5) },
      ...packUniforms(shape, packing),
      after: ({ x }) => ({
        out: packed((b, p, r, channel) => x[place(b, p, r) * c + channel], shape, packing, 0.5),
      }),
    };
  });
}

/** Left and right edges of `packed`, `[positions, 4 c]`, or the left one of `[positions, 2 c]`; gated and masked. */
function edges(from: ArrayLike<number>, mask: ArrayLike<number> | undefined, c: number, single = false) {
  const side = (first: number) => (position: number, channel: number) => {
    const at = ((single ? 2 : 4) * position + first) * c + channel;
    return from[at] * sigmoid(from[at + c]) * (mask ? mask[position] : 1);
  };
  return { left: side(0), right: side(2) };
}

/** Both edges, or one, gated and packed. */
export function packGatedProbes({ aligned, mask, single }: GateStructure, packing: Packing): readonly Probe[] {
  return shapesOf(aligned, packing).map((shape): Probe => {
    const { rows, n, c } = shape;
    const first = single ? 1 : 0;
    const result = packed(() => 0, shape, packing, 0.5, first).fill(0.5);
    const place = positionOf(shape), positions = BATCH * rows * n;
    return {
      before: {
        packed: noise(positions * (single ? 2 : 4) * c, 1),
        ...(mask && { mask: maskOf(positions) }),
        ...{ a: result, ...(!single && { b_out: result }) },
      },
      ...packUniforms(shape, packing, first),
      after({ packed: from, mask }) {
        const { left, right } = edges(from, mask, c, single);
        const written = (edge: typeof left) =>
          packed((b, p, r, channel) => edge(place(b, p, r), channel), shape, packing, 0.5, first);
        return { a: written(left), ...(!single && { b_out: written(right) }) };
      },
    };
  });
}

function maskOf(size: number): Float32Array {
  return noise(size, 9).map((x) => (x > -0.5 ? 1 : 0));
}

/** Both edges, gated where they stand; or one, some positions of which go to other places. */
export function gateProbes({ aligned, mask, single }: GateStructure): readonly Probe[] {
  const positions = 50;
  const first = 2, block = 5, step = 7;
  const place = (position: number) =>
    single ? first + Math.floor(position / block) * step + position % block : position;
  return channels(aligned).map((c): Probe => {
    const groups = Math.ceil(c / 4), size = positions * groups;
    const result = new Float64Array((place(positions - 1) + 1) * c).fill(0.5);
    return {
      before: {
        packed: noise(positions * (single ? 2 : 4) * c, 1),
        ...(mask && { mask: maskOf(positions) }),
        ...{ a: result, ...(!single && { b: result }) },
      },
      uniforms: { c, groups, size, ...(single && { first, block, step }) },
      grid: [Math.ceil(size / 64) + 1, 1, 1],
      after({ packed, mask }) {
        const { left, right } = edges(packed, mask, c, single);
        const every = (edge: typeof left) => {
          const out = Float64Array.from(result);
          for (let i = 0; i < positions * c; i++) {
            const position = Math.floor(i / c);
            out[place(position) * c + i % c] = edge(position, i % c);
          }
          return out;
        };
        return { a: every(left), ...(!single && { b: every(right) }) };
      },
    };
  });
}

/** The way back through the gates. */
export function ungateProbes({ aligned, mask }: GateStructure): readonly Probe[] {
  const positions = BATCH * 5 * 5;
  return channels(aligned).map((c): Probe => {
    const groups = Math.ceil(c / 4), size = positions * groups;
    return {
      before: {
        packed: noise(positions * 4 * c, 1),
        ...{ da: noise(positions * c, 2), db: noise(positions * c, 3) },
        ...(mask && { mask: maskOf(positions) }),
      },
      uniforms: { c, groups, size },
      grid: [Math.ceil(size / 64) + 1, 1, 1],
      after({ packed, da, db, mask }) {
        const d_packed = new Float64Array(positions * 4 * c);
        for (let i = 0; i < positions * c; i++) {
          const position = Math.floor(i / c);
          const keep = mask ? mask[position] : 1;
          for (const [first, d] of [[0, da], [2, db]] as const) {
            const at = (4 * position + first) * c + i % c;
            const gate = sigmoid(packed[at + c]);
            d_packed[at] = d[i] * keep * gate;
            d_packed[at + c] = d[i] * keep * gate * packed[at] * (1 - gate);
          }
        }
        return { d_packed };
      },
    };
  });
}

/** Positions and terms of both operands of a product, and its channels. */
interface ProductShape {
  readonly rows: number;
  readonly columns: number;
  readonly n: number;
  readonly c: number;
}

type Values = (b: number, p: number, r: number, c: number) => number;

/** out[b, p, q, c] = Σ_r x(b, p, r, c) · y(b, q, r, c). */
function product(x: Values, y: Values, { rows, columns, n, c }: ProductShape): Float64Array {
  const out = new Float64Array(BATCH * rows * columns * c);
  for (let b = 0; b < BATCH; b++) {
    for (let p = 0; p < rows; p++) {
      for (let q = 0; q < columns; q++) {
        const at = ((b * rows + p) * columns + q) * c;
        for (let r = 0; r < n; r++) {
          for (let i = 0; i < c; i++) out[at + i] += x(b, p, r, i) * y(b, q, r, i);
        }
      }
    }
  }
  return out;
}

/** The product of packed operands: a tile of rows and a panel of columns and rests of both, or less than a panel. */
export function subgroupProductProbes({ aligned, whole }: ProductStructure, packing: Packing): readonly Probe[] {
  const { panel, rows: tileRows, planes, steps: step, pad } = packing;
  const rows = tileRows + 5, columns = whole ? panel + 3 : 7, n = 9;
  const steps = Math.ceil(n / step) * step;
  const panels = Math.ceil(columns / panel), tiles = panels * Math.ceil(rows / tileRows);
  const planeOf = (rows: number) => Math.ceil(rows / panel) * steps * panel + pad;
  return channels(aligned).map((c): Probe => {
    const groups = Math.ceil(c / 4);
    const operand = (rows: number, seed: number) => {
      const numbers = noise(BATCH * rows * n * c, seed);
      const value: Values = (b, p, r, channel) => numbers[((b * rows + p) * n + r) * c + channel];
      return packed(value, { rows, n, c, pFirst: true }, packing);
    };
    return {
      before: { x: operand(rows, 1), y: operand(columns, 2) },
      uniforms: {
        ...{ rows, columns, c, groups, steps, panels, tiles },
        ...{ x_plane: planeOf(rows), y_plane: planeOf(columns), planes: BATCH * groups },
      },
      grid: [tiles, Math.ceil(BATCH * groups / planes) + 1, 1],
      after({ x, y }) {
        const unpacked = (values: Float64Array, rows: number): Values => (b, p, r, channel) => {
          const inPlane = (Math.floor(p / panel) * steps + r) * panel + p % panel;
          return values[4 * ((b * groups + Math.floor(channel / 4)) * planeOf(rows) + inPlane) + channel % 4];
        };
        return { out: product(unpacked(x, rows), unpacked(y, columns), { rows, columns, n, c }) };
      },
    };
  });
}

/** The product of operands as they stand, one read along either side. */
export function tileProductProbes(
  { tile, aligned }: { readonly tile: number; readonly aligned: boolean },
): readonly Probe[] {
  const rows = tile + 3, columns = tile + 2, n = 5;
  const tilesRows = 2, tilesColumns = 2;
  return channels(aligned).map((c): Probe => {
    const groups = Math.ceil(c / 4);
    const stride = aligned ? groups : c, size = BATCH * tilesRows * tilesColumns * groups;
    return {
      before: { x: noise(BATCH * rows * n * c, 1), y: noise(BATCH * n * columns * c, 2) },
      uniforms: {
        ...{ n, rows, columns, c, groups, tilesRows, tilesColumns, size, stride },
        ...{ x_b: rows * n * stride, x_p: n * stride, x_r: stride },
        ...{ y_b: columns * n * stride, y_p: stride, y_r: columns * stride },
      },
      grid: [Math.ceil(size / 64) + 1, 1, 1],
      after({ x, y }) {
        const xOf: Values = (b, p, r, i) => x[((b * rows + p) * n + r) * c + i];
        const yOf: Values = (b, q, r, i) => y[((b * n + r) * columns + q) * c + i];
        return { out: product(xOf, yOf, { rows, columns, n, c }) };
      },
    };
  });
}
