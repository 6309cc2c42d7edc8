/** Probes of what goes along rows: layer norm and softmax; forward and backward. */
import { noise, type Probe } from "../../core/mod.ts";
import type { LayerNormStructure } from "../layer_norm.wgsl.ts";
import type { RowStructure } from "../_rows.ts";
import type { SoftmaxStructure } from "../softmax.wgsl.ts";

const EPS = 1e-3;

/** A row's length: several turns of the loop and a rest, as far as the structure allows. */
export function lengthFor({ vector, rowLanes, unrolled }: RowStructure): number {
  return (vector ? 4 : 1) * (rowLanes > 1 ? rowLanes + 5 : unrolled === 4 ? 12 : 7);
}

/** Rows for more than one workgroup. */
export const rowsFor = ({ rowLanes }: RowStructure) => (rowLanes > 1 ? Math.ceil(176 / rowLanes) : 71);

/** Mean and 1 / deviation of a row, and its normalized numbers. */
function normalized(x: Float64Array, row: number, c: number): { mean: number; rstd: number; n: number[] } {
  let mean = 0, squares = 0;
  for (let i = 0; i < c; i++) mean += x[row * c + i] / c;
  for (let i = 0; i < c; i++) squares += (x[row * c + i] - mean) ** 2 / c;
  const rstd = 1 / Math.sqrt(squares + EPS);
  return { mean, rstd, n: Array.from({ length: c }, (_, i) => (x[row * c + i] - mean) * rstd) };
}

/** Normalized, scaled and shifted rows; first element, mean of the differences from it and 1 / deviation of each. */
export function layerNormProbes(s: LayerNormStructure): readonly Probe[] {
  const c = lengthFor(s), rows = rowsFor(s);
  const first = 2, block = 3, step = 5;
  const from = (row: number) => (s.part ? first + Math.floor(row / block) * step + row % block : row);
  return [{
    before: {
      x: noise((from(rows - 1) + 1) * c, 1),
      ...(s.gamma && { gamma: noise(c, 2) }),
      ...(s.beta && { beta: noise(c, 3) }),
    },
    uniforms: {
      rows,
      columns: s.vector ? c / 4 : c,
      inverse_c: 1 / c,
      eps: EPS,
      ...(s.part && { first, block, step }),
    },
    grid: [Math.ceil(rows * s.rowLanes / 64), 1, 1],
    after({ x, gamma, beta }) {
      const out = new Float64Array(rows * c), stats = new Float64Array(4 * rows);
      for (let row = 0; row < rows; row++) {
        const { mean, rstd, n } = normalized(x, from(row), c);
        n.forEach((value, i) => (out[row * c + i] = value * (gamma?.[i] ?? 1) + (beta?.[i] ?? 0)));
        if (!s.part) stats.set([x[row * c], mean - x[row * c], rstd, 0], 4 * row);
      }
      return { out, ...(!s.part && { stats }) };
    },
  }];
}

/** Rows, and what the layer norm keeps of them. */
function kept(rows: number, c: number): { x: Float32Array; stats: Float32Array } {
  const x = noise(rows * c, 1), stats = new Float32Array(4 * rows);
  for (let row = 0; row < rows; row++) {
    const { mean, rstd } = normalized(Float64Array.from(x), row, c);
    stats.set([x[row * c], mean - x[row * c], rstd, 0], 4 * row);
  }
  return { x, stats };
}

/** Gradient of the rows. */
export function layerNormGradientProbes(s: RowStructure & { readonly gamma: boolean }): readonly Probe[] {
  const c = lengthFor(s), rows = rowsFor(s);
  return [{
    before: { ...kept(rows, c), d_out: noise(rows * c, 2), ...(s.gamma && { gamma: noise(c, 3) }) },
    uniforms: { rows, columns: s.vector ? c / 4 : c, inverse_c: 1 / c },
    grid: [Math.ceil(rows * s.rowLanes / 64), 1, 1],
    after({ x, d_out, gamma }) {
      const dx = new Float64Array(rows * c);
      for (let row = 0; row < rows; row++) {
        const { rstd, n } = normalized(x, row, c);
        const g = n.map((_, i) => d_out[row * c + i] * (gamma?.[i] ?? 1));
        const mean = g.reduce((sum, value) => sum + value / c, 0);
        const meanOfProducts = g.reduce((sum, value, i) => sum + value * n[i] / c, 0);
        g.forEach((value, i) => (dx[row * c + i] = rstd * (value - mean - n[i] * meanOfProducts)));
      }
      return { dx };
    },
  }];
}

/** Gradients of scale and shift, in chunks of rows of which the last is shorter. */
export function layerNormAffineProbes({ vector }: { readonly vector: boolean }): readonly Probe[] {
  const c = vector ? 28 : 7, rows = 50, chunk = 16, chunks = 4;
  const columns = vector ? c / 4 : c;
  return [{
    before: { ...kept(rows, c), d_out: noise(rows * c, 2) },
    uniforms: { rows, columns, chunks, chunk },
    grid: [Math.ceil(columns * chunks / 64) + 1, 1, 1],
    after({ x, d_out }) {
      const d_affine = new Float64Array(chunks * 2 * c);
      for (let row = 0; row < rows; row++) {
        const { n } = normalized(x, row, c);
        n.forEach((value, i) => {
          const at = 2 * Math.floor(row / chunk) * c + i;
          d_affine[at] += d_out[row * c + i] * value;
          d_affine[at + c] += d_out[row * c + i];
        });
      }
      return { d_affine };
    },
  }];
}

/** Lines of a tensor: along its last axis, or along one with others behind it. */
function lines(s: SoftmaxStructure) {
  const across = s.across || s.rowLanes === 1 && s.unrolled === 1 && !s.vector;
  const stride = s.across ? 12 : across ? 3 : 1;
  const length = s.across || across ? 7 : lengthFor(s);
  const blocks = s.across ? 25 : across ? 23 : rowsFor(s);
  const wide = s.across ? 4 : 1; // neighbouring lines an invocation
  const count = blocks * stride;
  return {
    size: count * length,
    uniforms: { lines: count / wide, columns: s.vector && !s.across ? length / 4 : length, stride: stride / wide },
    grid: [Math.ceil(count / wide * s.rowLanes / 64) + 1, 1, 1] as const,
    /** The elements of every line. */
    *places(): Generator<number[]> {
      for (let line = 0; line < count; line++) {
        const base = Math.floor(line / stride) * length * stride + line % stride;
        yield Array.from({ length }, (_, i) => base + i * stride);
      }
    },
  };
}

/** exp(x - max) / Σ exp(x - max). */
export function softmaxProbes(s: SoftmaxStructure): readonly Probe[] {
  const { size, uniforms, grid, places } = lines(s);
  return [{
    before: { x: noise(size, 1).map((x) => 8 * x) },
    ...{ uniforms, grid },
    after({ x }) {
      const out = new Float64Array(size);
      for (const line of places()) {
        const top = Math.max(...line.map((i) => x[i]));
        const sum = line.reduce((sum, i) => sum + Math.exp(x[i] - top), 0);
        for (const i of line) out[i] = Math.exp(x[i] - top) / sum;
      }
      return { out };
    },
  }];
}

/** y · (dOut - Σ dOut · y). */
export function softmaxGradientProbes(s: SoftmaxStructure): readonly Probe[] {
  const { size, uniforms, grid, places } = lines(s);
  return [{
    before: { y: noise(size, 1), d_out: noise(size, 2) },
    ...{ uniforms, grid },
    after({ y, d_out }) {
      const dx = new Float64Array(size);
      for (const line of places()) {
        const dot = line.reduce((sum, i) => sum + y[i] * d_out[i], 0);
        for (const i of line) dx[i] = y[i] * (d_out[i] - dot);
      }
      return { dx };
    },
  }];
}

/** Softmax of a row, and the mean of values under it. */
function expected(x: Float64Array, row: number, c: number, values: ArrayLike<number>) {
  const line = x.subarray(row * c, (row + 1) * c), top = Math.max(...line);
  const whole = line.reduce((sum, value) => sum + Math.exp(value - top), 0);
  const p = line.map((value) => Math.exp(value - top) / whole);
  return { p, top, whole, mean: p.reduce((sum, share, i) => sum + share * (values[i] ?? 0), 0) };
}

/** Rows of which each half, counted from one before the first, has values of its own. */
function expectations(s: RowStructure) {
  const c = lengthFor(s), rows = rowsFor(s), perGroup = Math.ceil((rows + 1) / 2);
  return {
    c,
    rows,
    before: { x: noise(rows * c, 1).map((x) => 8 * x), centers: noise(2 * c, 2) },
    run: {
      uniforms: { rows, first: 1, columns: s.vector ? c / 4 : c, perGroup },
      grid: [Math.ceil(rows * s.rowLanes / 64) + 1, 1, 1] as const,
    },
    valuesOf(centers: Float64Array, row: number) {
      const group = Math.floor((row + 1) / perGroup);
      return centers.subarray(group * c, (group + 1) * c);
    },
  };
}

/** Mean of values under the softmax. */
export function expectationProbes(s: RowStructure): readonly Probe[] {
  const { c, rows, before, run, valuesOf } = expectations(s);
  return [{
    ...{ before, ...run },
    after: ({ x, centers }) => ({
      out: Float64Array.from({ length: rows }, (_, row) => expected(x, row, c, valuesOf(centers, row)).mean),
    }),
  }];
}

/** Its way back. */
export function expectationVjpProbes(s: RowStructure): readonly Probe[] {
  const { c, rows, before, run, valuesOf } = expectations(s);
  return [{
    ...{ before: { ...before, d: noise(rows, 3) }, ...run },
    after({ x, centers, d }) {
      const dx = new Float64Array(rows * c);
      for (let row = 0; row < rows; row++) {
        const values = valuesOf(centers, row);
        const { p, mean } = expected(x, row, c, values);
        p.forEach((share, i) => (dx[row * c + i] = d[row] * share * (values[i] - mean)));
      }
      return { dx };
    },
  }];
}

/** Classes of rows, some of them outside. */
const classesOf = (rows: number, c: number) => Array.from({ length: rows }, (_, row) => row * 5 % (c + 2) - 1);
const within = (goal: number, c: number) => Math.min(Math.max(goal, 0), c - 1);

/** Cross entropy against one class a row. */
export function sparseCrossEntropyProbes(s: RowStructure): readonly Probe[] {
  const c = lengthFor(s), rows = rowsFor(s);
  return [{
    before: { x: noise(rows * c, 1).map((x) => 8 * x), goal: classesOf(rows, c) },
    uniforms: { rows, columns: s.vector ? c / 4 : c, classes: c },
    grid: [Math.ceil(rows * s.rowLanes / 64) + 1, 1, 1],
    after({ x, goal }) {
      const loss = new Float64Array(rows), sums = new Float64Array(rows);
      for (let row = 0; row < rows; row++) {
        const { top, whole } = expected(x, row, c, []);
        sums[row] = top + Math.log(whole);
        loss[row] = sums[row] - x[row * c + within(goal[row], c)];
      }
      return { loss, sums };
    },
  }];
}

/** Its way back. */
export function sparseCrossEntropyVjpProbes({ vector }: { readonly vector: boolean }): readonly Probe[] {
  const c = vector ? 12 : 7, rows = 71, columns = vector ? c / 4 : c;
  return [{
    before: {
      ...{ x: noise(rows * c, 1), goal: classesOf(rows, c) },
      ...{ sums: noise(rows, 2).map((x) => 2 + x), d: noise(rows, 3) },
    },
    uniforms: { n: rows * columns, columns, classes: c },
    grid: [Math.ceil(rows * columns / 64) + 1, 1, 1],
    after: ({ x, goal, sums, d }) => ({
      dx: x.map((value, i) => {
        const row = Math.floor(i / c);
        return d[row] * (Math.exp(value - sums[row]) - Number(i % c === within(goal[row], c)));
      }),
    }),
  }];
}
