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

/** An operand [batch, n, n, c] as it lies when packed: `[batch, c / 4, plane]` of vec4s, NaN where nothing is written. */
function packed(
  x: (b: number, p: number, r: number, c: number) => number,
  { n, c, pFirst }: { readonly n: number; readonly c: number; readonly pFirst: boolean },
  { panel, steps: step, pad }: Packing,
  between = NaN,
): Float64Array {
  const groups = Math.ceil(c / 4), panels = Math.ceil(n / panel), steps = Math.ceil(n / step) * step;
  const plane = panels * steps * panel + pad;
  const out = new Float64Array(BATCH * groups * plane * 4).fill(between);
  for (let b = 0; b < BATCH; b++) {
    for (let g = 0; g < groups; g++) {
      for (let row = 0; row < panels * panel; row++) {
        for (let r = 0; r < steps; r++) {
          const at = (b * groups + g) * plane + (Math.floor(row / panel) * steps + r) * panel + row % panel;
          const p = Math.min(row, n - 1); // rows beyond the last repeat it
          for (let i = 0; i < 4; i++) {
            const channel = 4 * g + i;
            out[4 * at + i] = r < n && channel < c ? pFirst ? x(b, p, r, channel) : x(b, r, p, channel) : 0;
          }
        }
      }
    }
  }
  return out;
}

function packUniforms({ n, c, pFirst }: { n: number; c: number; pFirst: boolean }, packing: Packing) {
  const groups = Math.ceil(c / 4), panels = Math.ceil(n / packing.panel);
  const steps = Math.ceil(n / packing.steps) * packing.steps;
  const span = Math.min(groups, packing.lanes), blocks = Math.ceil(groups / span);
  const plane = panels * steps * packing.panel + packing.pad;
  return {
    uniforms: { n, c, groups, blocks, span, steps, panels, plane, p_first: Number(pFirst), batches: BATCH },
    grid: [Math.ceil(steps / Math.floor(packing.lanes / span)), BATCH * panels * blocks, 1] as const,
  };
}

/** More than a panel of rows; packed along either side; more groups of channels than lanes. */
function shapesOf(aligned: boolean, { panel, lanes }: Packing) {
  const [first, ...others] = channels(aligned);
  return [
    { n: panel + 3, c: first, pFirst: true },
    { n: 5, c: first + 4 * lanes, pFirst: false },
    ...others.map((c) => ({ n: 5, c, pFirst: true })),
  ];
}

/** One operand. */
export function packProbes({ aligned }: { readonly aligned: boolean }, packing: Packing): readonly Probe[] {
  return shapesOf(aligned, packing).map(({ n, c, pFirst }): Probe => ({
    before: {
      x: noise(BATCH * n * n * c, 1),
      out: packed(() => 0, { n, c, pFirst }, packing, 0.5).fill(0.5),
    },
    ...packUniforms({ n, c, pFirst }, packing),
    after: ({ x }) => ({
      out: packed((b, i, j, channel) => x[((b * n + i) * n + j) * c + channel], { n, c, pFirst }, packing, 0.5),
    }),
  }));
}

/** Left and right edges of `packed` [batch, n, n, 4 c], gated and masked. */
function edges(from: ArrayLike<number>, mask: ArrayLike<number> | undefined, n: number, c: number) {
  const side = (first: number) => (b: number, i: number, j: number, channel: number) => {
    const position = (b * n + i) * n + j;
    const at = (4 * position + first) * c + channel;
    return from[at] * sigmoid(from[at + c]) * (mask ? mask[position] : 1);
  };
  return { left: side(0), right: side(2) };
}

/** Both edges, gated and packed. */
export function packGatedProbes({ aligned, mask }: GateStructure, packing: Packing): readonly Probe[] {
  return shapesOf(aligned, packing).map(({ n, c, pFirst }): Probe => {
    const result = packed(() => 0, { n, c, pFirst }, packing).fill(0.5);
    return {
      before: {
        packed: noise(BATCH * n * n * 4 * c, 1),
        ...(mask && { mask: maskOf(BATCH * n * n) }),
        ...{ a: result, b_out: result },
      },
      ...packUniforms({ n, c, pFirst }, packing),
      after({ packed: from, mask }) {
        const { left, right } = edges(from, mask, n, c);
        return {
          a: packed(left, { n, c, pFirst }, packing, 0.5),
          b_out: packed(right, { n, c, pFirst }, packing, 0.5),
        };
      },
    };
  });
}

function maskOf(size: number): Float32Array {
  return noise(size, 9).map((x) => (x > -0.5 ? 1 : 0));
}

/** Both edges, gated where they stand. */
export function gateProbes({ aligned, mask }: GateStructure): readonly Probe[] {
  const n = 5;
  return channels(aligned).map((c): Probe => {
    const groups = Math.ceil(c / 4), size = BATCH * n * n * groups;
    return {
      before: { packed: noise(BATCH * n * n * 4 * c, 1), ...(mask && { mask: maskOf(BATCH * n * n) }) },
      uniforms: { c, groups, size },
      grid: [Math.ceil(size / 64) + 1, 1, 1],
      after({ packed, mask }) {
        const { left, right } = edges(packed, mask, n, c);
        const every = (edge: typeof left) =>
          Float64Array.from(
            { length: BATCH * n * n * c },
            (_, i) => edge(0, 0, Math.floor(i / c), i % c), // positions count on through the batch
          );
        return { a: every(left), b: every(right) };
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

/** out[b, p, q, c] = Σ_r x[b, p, r, c] · y[b, q, r, c]. */
function product(x: Float64Array, y: Float64Array, n: number, c: number): Float64Array {
  const out = new Float64Array(BATCH * n * n * c);
  for (let b = 0; b < BATCH; b++) {
    for (let p = 0; p < n; p++) {
      for (let q = 0; q < n; q++) {
        const at = ((b * n + p) * n + q) * c, xAt = (b * n + p) * n * c, yAt = (b * n + q) * n * c;
        for (let r = 0; r < n; r++) {
          for (let i = 0; i < c; i++) out[at + i] += x[xAt + r * c + i] * y[yAt + r * c + i];
        }
      }
    }
  }
  return out;
}

/** An operand [batch, n, n, c], position by position. */
function positions(n: number, c: number, value: (b: number, p: number, r: number, c: number) => number): Float64Array {
  const out = new Float64Array(BATCH * n * n * c);
  for (let i = 0; i < out.length; i++) {
    const r = Math.floor(i / c);
    out[i] = value(Math.floor(r / n / n), Math.floor(r / n) % n, r % n, i % c);
  }
  return out;
}

/** The product of packed operands: one panel and a rest, or less than a panel. */
export function subgroupProductProbes({ aligned, whole }: ProductStructure, packing: Packing): readonly Probe[] {
  const { panel, rows, planes, steps: step, pad } = packing;
  const n = whole ? panel + 3 : rows + 5;
  const panels = Math.ceil(n / panel), steps = Math.ceil(n / step) * step;
  const tiles = panels * Math.ceil(n / rows);
  const plane = panels * steps * panel + pad;
  return channels(aligned).map((c): Probe => {
    const groups = Math.ceil(c / 4);
    const operand = (seed: number) => {
      const numbers = noise(BATCH * n * n * c, seed);
      const value = (b: number, p: number, r: number, channel: number) => numbers[((b * n + p) * n + r) * c + channel];
      return packed(value, { n, c, pFirst: true }, packing);
    };
    return {
      before: { x: operand(1), y: operand(2) },
      uniforms: { n, c, groups, steps, panels, tiles, plane, planes: BATCH * groups },
      grid: [tiles, Math.ceil(BATCH * groups / planes) + 1, 1],
      after({ x, y }) {
        const place = (b: number, p: number, r: number, channel: number) => {
          const inPlane = (Math.floor(p / panel) * steps + r) * panel + p % panel;
          return 4 * ((b * groups + Math.floor(channel / 4)) * plane + inPlane) + channel % 4;
        };
        const unpacked = (values: Float64Array) => positions(n, c, (b, p, r, i) => values[place(b, p, r, i)]);
        return { out: product(unpacked(x), unpacked(y), n, c) };
      },
    };
  });
}

/** The product of operands as they stand, one read along either side. */
export function tileProductProbes(
  { tile, aligned }: { readonly tile: number; readonly aligned: boolean },
): readonly Probe[] {
  const n = tile + 3, tiles = Math.ceil(n / tile);
  return channels(aligned).map((c): Probe => {
    const groups = Math.ceil(c / 4);
    const stride = aligned ? groups : c, size = BATCH * tiles * tiles * groups;
    return {
      before: { x: noise(BATCH * n * n * c, 1), y: noise(BATCH * n * n * c, 2) },
      uniforms: { n, c, groups, tiles, size, stride, x_p: n * stride, x_r: stride, y_p: stride, y_r: n * stride },
      grid: [Math.ceil(size / 64) + 1, 1, 1],
      after({ x, y }) {
        const turned = positions(n, c, (b, q, r, i) => y[((b * n + r) * n + q) * c + i]);
        return { out: product(x, turned, n, c) };
      },
    };
  });
}
