/** Probes of what goes element by element: formulas, copies, gates, picked rows, dropout. */
import { fromBfloat16, toBfloat16 } from "../../core/bfloat16.ts";
import { noise, type Probe, stridesOf } from "../../core/mod.ts";
import { threefry2x32 } from "../../core/random.ts";
import type { CopyStructure } from "../_copy.wgsl.ts";
import type { JoinStructure } from "../_join.wgsl.ts";
import type { MapSource, MapStructure } from "../_map.wgsl.ts";
import type { GegluStructure } from "../geglu.wgsl.ts";
import type { Activation } from "../linear.wgsl.ts";
import { numbered } from "../_strides.ts";
import { formula } from "./formula.ts";
import { normalCdf, sigmoid } from "./functions.ts";

/** Numbers between 0.25 and 1.25 of either sign, and some whole ones: where formulas are far from their poles. */
function moderate(count: number, seed: number): Float32Array {
  return noise(count, seed).map((x, i) => (i % 5 === 3 ? Math.sign(x) * (1 + i % 2) : x + Math.sign(x) * 0.25));
}

const workgroups = (invocations: number) => [Math.ceil(invocations / 64) + 1, 1, 1] as const;

/** Coordinates of a box, row-major. */
function* coordinates(sizes: readonly number[]): Generator<number[]> {
  const strides = stridesOf(sizes);
  const count = sizes.reduce((product, size) => product * size, 1);
  for (let i = 0; i < count; i++) yield sizes.map((size, axis) => Math.floor(i / strides[axis]) % size);
}

const placeOf = (at: readonly number[], strides: readonly number[]) =>
  at.reduce((sum, i, axis) => sum + i * strides[axis], 0);

/** The sizes of a box of some rank: pairwise distinct as long as that costs little. */
const boxOf = (rank: number) => [3, 2, 5, 2, 2, 2].slice(0, rank).with(rank - 1, 7);

/**
 * A formula over a box; every second argument is broadcast along the first axis, and those read as a splat along the
 * last one.
 */
export function mapProbes(source: MapSource, { modes, rank }: MapStructure): readonly Probe[] {
  const { args, parameters = [] } = source;
  const width = modes.includes("scalar") ? 1 : 4;
  const units = boxOf(rank).map((n, axis) => (rank === 1 && axis === 0 ? n * 11 : n));
  const n = units.reduce((product, size) => product * size, 1);
  const flat = rank === 1 && !modes.includes("splat");
  const strides = args.map((_, i) => {
    const own = modes[i] === "splat" ? units.with(rank - 1, 1) : units;
    const steps = stridesOf(i % 2 && rank > 1 ? own.with(0, 1) : own);
    if (i % 2 && rank > 1) steps[0] = 0;
    return modes[i] === "splat" ? steps.with(rank - 1, 0) : steps;
  });
  const elements = (i: number) =>
    (placeOf(units.map((size) => size - 1), strides[i]) + 1) * (modes[i] === "vector" ? 4 : 1);
  const value = formula(source.expression, source.declarations);
  const given = Object.fromEntries(parameters.map((name, i) => [name, 0.6 - 0.5 * i]));
  if ("low" in given) Object.assign(given, { low: -0.5, high: 0.6 });
  const constants = Object.fromEntries(Object.entries(given).map(([name, x]) => [`u.${name}`, Math.fround(x)]));
  return [{
    before: Object.fromEntries(args.map((arg, i) => {
      const numbers = moderate(elements(i), i + 1);
      return [arg, arg === "mask" ? numbers.map((x, j) => (j % 3 ? x : 0)) : numbers];
    })),
    uniforms: {
      ...{ n, ...numbered("s", units), ...given },
      ...(flat ? {} : Object.assign({}, ...args.map((arg, i) => numbered(arg, strides[i])))),
    },
    grid: workgroups(n),
    after(before) {
      const result = new Float64Array(n * width);
      let unit = 0;
      for (const at of coordinates(units)) {
        for (let j = 0; j < width; j++) {
          const names: Record<string, number> = { ...constants };
          args.forEach((arg, i) => {
            const place = placeOf(at, strides[i]);
            names[arg] = before[arg][modes[i] === "vector" ? 4 * place + j : place];
          });
          result[unit * width + j] = value(names);
        }
        unit++;
      }
      return { result };
    },
    // Steep formulas lose digits where theirs cancel.
    tolerance: 1e-3,
  }];
}

/** A box copied from between other elements, its axes in the reverse order. */
export function copyProbes({ unit, rank }: CopyStructure): readonly Probe[] {
  const sizes = boxOf(rank), width = unit === "single" || unit === "integer" ? 1 : 4;
  const block = unit === "block" ? 4 : 1;
  // One unit more along every axis of the source; axes reversed in the target.
  const from = stridesOf([...sizes.map((n) => n + 1), block]).slice(0, -1);
  const to = stridesOf([...sizes.toReversed(), block]).slice(0, -1).reverse();
  const n = sizes.reduce((product, size) => product * size, 1);
  const fromAt = 3, toAt = 5;
  const source = moderate((fromAt + placeOf(sizes, from) + block) * width, 1);
  const before = new Float32Array((toAt + n * block) * width).fill(1);
  return [{
    before: { source: unit === "integer" ? source.map((_, i) => i + 7) : source, result: before },
    uniforms: {
      ...{ n, fromAt, toAt, fromStep: 1, toStep: 1 },
      ...{ ...numbered("s", sizes), ...numbered("f", from), ...numbered("t", to) },
    },
    grid: workgroups(n),
    after({ source }) {
      const result = Float64Array.from(before);
      for (const at of coordinates(sizes)) {
        const a = (fromAt + placeOf(at, from)) * width, b = (toAt + placeOf(at, to)) * width;
        for (let i = 0; i < block; i++) {
          for (let j = 0; j < width; j++) {
            result[b + i * width + j] = source[a + (block === 4 ? j * width + i : j)]; // a block is transposed
          }
        }
      }
      return { result };
    },
  }];
}

/** Four matrices side by side between other columns, with columns between them that belong to none, and none behind the last. */
function joined({ vector }: JoinStructure) {
  const unit = vector ? 4 : 1, rows = 5, first = 2, width = 19, step = 23;
  const parts = [[0, 3], [3, 1], [6, 7], [13, 6]] as const;
  const before = moderate(rows * step * unit, 9).map((x) => (vector ? x : Math.round(100 * x) + 200));
  /** Each element of each part, and of the whole, in units. */
  const pairs = parts.map(([begin, width]) =>
    [...coordinates([rows, width])].map(([row, i]) => [row * width + i, row * step + first + begin + i] as const)
  );
  const numbers = (units: number, seed: number) =>
    moderate(units * unit, seed).map((x) => (vector ? x : Math.round(100 * x) + 200));
  return {
    ...{ unit, rows, first, width, step, parts, before, pairs, numbers },
    uniforms: {
      ...{ n: rows * width, first, width, step },
      ...numbered("begin", parts.map(([begin]) => begin)),
      ...numbered("width", parts.map(([, width]) => width)),
    },
    grid: workgroups(rows * width),
  };
}

/** Matrices joined; what lies beside them stays. */
export function joinProbes(structure: JoinStructure): readonly Probe[] {
  const { unit, rows, first, width, step, parts, before, pairs, numbers, uniforms, grid } = joined(structure);
  return [{
    before: {
      ...Object.fromEntries(parts.map(([, width], k) => [`part${k}`, numbers(rows * width, k + 1)])),
      whole: before,
    },
    ...{ uniforms, grid },
    after(given) {
      const whole = Float64Array.from(before).map((x, i) => {
        const column = Math.floor(i / unit) % step;
        return column >= first && column < first + width ? 0 : x;
      });
      pairs.forEach((pairs, k) => {
        for (const [from, to] of pairs) {
          for (let i = 0; i < unit; i++) whole[to * unit + i] = given[`part${k}`][from * unit + i];
        }
      });
      return { whole };
    },
  }];
}

/** A matrix split. */
export function splitProbes(structure: JoinStructure): readonly Probe[] {
  const { unit, rows, parts, before, pairs, uniforms, grid } = joined(structure);
  return [{
    before: { whole: before },
    ...{ uniforms, grid },
    after: ({ whole }) =>
      Object.fromEntries(parts.map(([, width], k) => {
        const part = new Float64Array(rows * width * unit);
        for (const [to, from] of pairs[k]) for (let i = 0; i < unit; i++) part[to * unit + i] = whole[from * unit + i];
        return [`part${k}`, part];
      })),
  }];
}

/** Numbers as pairs of bfloat16: in the middle, at a tie, beyond 16-bit floats, rounded up to the next power of two. */
export function packBfloat16Probes(): readonly Probe[] {
  const n = 71, x = noise(4 * n, 1).map((number, i) => number * 10 ** (i % 40 - 20));
  x.set([1 + 2 ** -8, 1 + 3 * 2 ** -8, -70_000, 255.9, 0, -0]);
  return [{
    before: { x },
    uniforms: { n },
    grid: workgroups(n),
    after({ x }) {
      const patterns = toBfloat16(x);
      return { words: Uint32Array.from({ length: 2 * n }, (_, i) => patterns[2 * i] + patterns[2 * i + 1] * 2 ** 16) };
    },
    tolerance: 0,
  }];
}

/** Pairs of bfloat16 as numbers, exactly. */
export function unpackBfloat16Probes(): readonly Probe[] {
  const n = 71, patterns = toBfloat16(noise(4 * n, 1).map((number, i) => number * 10 ** (i % 40 - 20)));
  return [{
    before: { words: new Uint32Array(patterns.buffer) },
    uniforms: { n },
    grid: workgroups(n),
    after: () => ({ out: fromBfloat16(patterns) }),
    tolerance: 0,
  }];
}

/** x · sigmoid(gate) [+ residual]. */
export function sigmoidGateProbes({ residual }: { readonly residual: boolean }): readonly Probe[] {
  const size = 71;
  return [{
    before: {
      ...{ x: noise(4 * size, 1), gate: noise(4 * size, 2) },
      ...(residual && { residual: noise(4 * size, 3) }),
    },
    uniforms: { size },
    grid: workgroups(size),
    after: ({ x, gate, residual }) => ({
      out: x.map((value, i) => value * sigmoid(gate[i]) + (residual?.[i] ?? 0)),
    }),
  }];
}

/** Its way back. */
export function sigmoidGateGradientProbes(wanted: { readonly x: boolean; readonly gate: boolean }): readonly Probe[] {
  const size = 71;
  return [{
    before: {
      ...{ gate: noise(4 * size, 2), d_out: noise(4 * size, 3) },
      ...(wanted.gate && { x: noise(4 * size, 1) }),
    },
    uniforms: { size },
    grid: workgroups(size),
    after: ({ x, gate, d_out }) => ({
      ...(wanted.x && { dx: d_out.map((d, i) => d * sigmoid(gate[i])) }),
      ...(wanted.gate && { d_gate: d_out.map((d, i) => d * x[i] * sigmoid(gate[i]) * (1 - sigmoid(gate[i]))) }),
    }),
  }];
}

const gelu = (y: number) => y * normalCdf(y);
const geluSlope = (y: number) => normalCdf(y) + y * Math.exp(-0.5 * y * y) / Math.sqrt(2 * Math.PI);

/** Rows of which one half gates the other. */
function gegluSetting({ vector }: GegluStructure) {
  const rows = 23, columns = 3, width = columns * (vector ? 4 : 1), n = rows * columns;
  return {
    ...{ count: rows * width, uniforms: { n, columns }, grid: workgroups(n) },
    halves: (i: number): readonly [a: number, g: number] => {
      const first = Math.floor(i / width) * 2 * width + i % width;
      return [first, first + width];
    },
  };
}

/** a · gelu(g). */
export function gegluProbes(structure: GegluStructure): readonly Probe[] {
  const { count, halves, ...setting } = gegluSetting(structure);
  return [{
    ...{ ...setting, before: { x: noise(2 * count, 1) } },
    after: ({ x }) => ({
      out: Float64Array.from({ length: count }, (_, i) => {
        const [a, g] = halves(i);
        return x[a] * gelu(x[g]);
      }),
    }),
  }];
}

/** Its way back. */
export function gegluGradientProbes(structure: GegluStructure): readonly Probe[] {
  const { count, halves, ...setting } = gegluSetting(structure);
  return [{
    ...{ ...setting, before: { x: noise(2 * count, 1), d_out: noise(count, 2) } },
    after({ x, d_out }) {
      const dx = new Float64Array(2 * count);
      for (let i = 0; i < count; i++) {
        const [a, g] = halves(i);
        dx[a] = d_out[i] * gelu(x[g]);
        dx[g] = d_out[i] * x[a] * geluSlope(x[g]);
      }
      return { dx };
    },
  }];
}

/** The way back through the end of a linear map. */
export function epilogueGradProbes(
  { activation, gate }: { readonly activation: Activation; readonly gate: boolean },
): readonly Probe[] {
  const n = 71;
  const slope: Readonly<Record<Activation, (y: number) => number>> = {
    none: () => 1,
    relu: (y) => (y > 0 ? 1 : 0),
    sigmoid: (y) => y * (1 - y),
    gelu: geluSlope,
  };
  return [{
    before: { dOut: noise(4 * n, 1), y: noise(4 * n, 2), ...(gate && { g: noise(4 * n, 3) }) },
    uniforms: { n },
    grid: workgroups(n),
    after({ dOut, y, g }) {
      const s = g?.map(sigmoid);
      return {
        dPre: dOut.map((d, i) => d * (s?.[i] ?? 1) * slope[activation](y[i])),
        ...(s && { dGate: dOut.map((d, i) => d * y[i] * s[i] * (1 - s[i])) }),
      };
    },
  }];
}

const INDICES = [4, -1, 0, 2, 9, 4, 3, 3, 1, 0, 2];
const TABLE_ROWS = 5;
const rowOf = (index: number) => Math.min(Math.max(index, 0), TABLE_ROWS - 1);

/** Rows of a table, by indices of which some are outside. */
export function gatherProbes({ vectors }: { readonly vectors: boolean }): readonly Probe[] {
  const width = vectors ? 4 : 1, channels = 7, row = channels * width;
  const n = INDICES.length * channels;
  return [{
    before: { table: noise(TABLE_ROWS * row, 1), indices: INDICES },
    uniforms: { n, rows: TABLE_ROWS, channels },
    grid: workgroups(n),
    after: ({ table, indices }) => ({
      out: Float64Array.from(
        { length: n * width },
        (_, i) => table[rowOf(indices[Math.floor(i / row)]) * row + i % row],
      ),
    }),
  }];
}

/** Its transpose, in chunks of which the last is shorter; whole ones, and a part of each. */
export function scatterProbes({ vectors }: { readonly vectors: boolean }): readonly Probe[] {
  const width = vectors ? 4 : 1, channels = 7, row = channels * width;
  const positions = INDICES.length, chunkLength = 4, chunks = 3;
  return [{ skip: 0, count: chunkLength }, { skip: 1, count: 2 }].map(({ skip, count }): Probe => ({
    before: {
      ...{ d: noise(positions * row, 1), indices: INDICES },
      partial: new Float32Array(chunks * TABLE_ROWS * row),
    },
    uniforms: { positions, rows: TABLE_ROWS, channels, chunks, chunkLength, skip, count },
    grid: workgroups(chunks * channels),
    after({ d, indices }) {
      const partial = new Float64Array(chunks * TABLE_ROWS * row);
      d.forEach((value, i) => {
        const position = Math.floor(i / row), place = position % chunkLength;
        if (place < skip || place >= skip + count) return;
        const table = Math.floor(position / chunkLength) * TABLE_ROWS + rowOf(indices[position]);
        partial[table * row + i % row] += value;
      });
      return { partial };
    },
  }));
}

/** One-hot vectors, all zero for an index outside. */
export function oneHotProbes(): readonly Probe[] {
  const classes = 5, n = INDICES.length * classes;
  return [{
    before: { indices: INDICES },
    uniforms: { n, classes },
    grid: workgroups(n),
    after: ({ indices }) => ({
      out: Float64Array.from({ length: n }, (_, i) => (indices[Math.floor(i / classes)] === i % classes ? 1 : 0)),
    }),
  }];
}

/** Elements kept or dropped by Threefry's bits. */
export function dropoutProbes({ applied }: { readonly applied: boolean }): readonly Probe[] {
  const n = 71, first = 5, k0 = 0x9e3779b9, k1 = 0xdeadbeef, threshold = 0.4 * 2 ** 24, scale = 1.5;
  return [{
    before: applied ? { x: moderate(4 * n, 1) } : {},
    uniforms: { n, first, k0, k1, threshold: Math.ceil(threshold), scale },
    grid: workgroups(n),
    after: ({ x }) => ({
      out: Float64Array.from({ length: 4 * n }, (_, i) => {
        const word = threefry2x32(k0, k1, Math.floor((4 * first + i) / 2), 0)[i % 2];
        return word >>> 8 >= threshold ? scale * (x?.[i] ?? 1) : 0;
      }),
    }),
  }];
}

/** A matrix of low rank on top of some rows of another. */
export function addLowRankProbes({ vector }: { readonly vector: boolean }): readonly Probe[] {
  const width = vector ? 4 : 1;
  const rows = 5, r = 3, k = 7 * width, first = 2 * k, scale = -1.5;
  return [{
    before: { up: noise(rows * r, 1), down: noise(r * k, 2), w: noise(first + rows * k + k, 3) },
    uniforms: { n: rows * k / width, k: k / width, r, first: first / width, scale },
    grid: workgroups(rows * k / width),
    after: ({ up, down, w }) => ({
      w: w.map((x, at) => {
        const row = Math.floor((at - first) / k);
        if (row < 0 || row >= rows) return x;
        let sum = 0;
        for (let i = 0; i < r; i++) sum += up[row * r + i] * down[i * k + at % k];
        return x + scale * sum;
      }),
    }),
  }];
}
