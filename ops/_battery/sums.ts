/** Probes of what adds up: reductions and losses. */
import { noise, type Probe } from "../../core/mod.ts";
import type { LossStructure } from "../losses.wgsl.ts";
import type { ReduceStructure } from "../reduce.wgsl.ts";
import type { RowStructure } from "../_rows.ts";
import { formula } from "./formula.ts";
import { lengthFor, rowsFor } from "./rows.ts";

/** What reductions begin with, and how they go on. */
const IDENTITY = { sum: 0, max: -Infinity, min: Infinity } as const;
const COMBINED = { sum: (a: number, b: number) => a + b, max: Math.max, min: Math.min } as const;

/** Sums, maxima and minima, at once and in chunks; rows that end inside a vec4. */
export function reduceProbes({ operation, layout }: ReduceStructure): readonly Probe[] {
  const combine = COMBINED[operation];
  const rows = layout === "rows", columns = layout === "columns";
  return [1, 4].map((chunks): Probe => {
    const outer = rows ? 1 : 3, inner = rows ? 1 : 9, length = 43;
    const width = columns ? 4 : 1; // elements of a column that go side by side
    const units = rows ? 4 : width;
    const valid = rows ? 4 * length - 3 : length;
    const scale = chunks === 1 ? 0.75 : 1, identity = IDENTITY[operation];
    return {
      before: { x: noise(outer * length * inner * units - (rows ? 3 : 0), 1) },
      uniforms: { outer, length, inner, chunks, valid, scale, identity },
      grid: [Math.ceil(outer * chunks * inner / 64) + 1, 1, 1],
      after({ x }) {
        const out = new Float64Array(outer * chunks * inner * width).fill(identity);
        x.forEach((value, i) => {
          const unit = Math.floor(i / units);
          const column = unit % inner, r = Math.floor(unit / inner) % length, o = Math.floor(unit / inner / length);
          const at = ((o * chunks + r % chunks) * inner + column) * width + (columns ? i % 4 : 0);
          out[at] = combine(out[at], operation === "sum" ? scale * value : value);
        });
        return { out };
      },
    };
  });
}

const DELTA = 0.7;

/** The error of a prediction, and a formula of it. */
function errors(text: string, prediction: Float64Array, goal: Float64Array): Float64Array {
  const value = formula(text);
  return prediction.map((x, i) => value({ e: x - goal[i], "u.delta": Math.fround(DELTA) }));
}

const maskOf = (size: number) => noise(size, 3).map((x) => (x > -0.4 ? 1 : 0));

/** Sums of losses, and of the mask, of parts of which the last is shorter; each of 64 lanes takes every 64th vec4. */
export function lossProbes({ value, masked }: LossStructure, part: number): readonly Probe[] {
  const n = part + 4 * 301 - 1, parts = 2, lanes = 64;
  return [{
    before: { prediction: noise(n, 1), goal: noise(n, 2), ...(masked && { mask: maskOf(n) }) },
    uniforms: { n, parts, delta: DELTA },
    grid: [parts + 1, 1, 1],
    after({ prediction, goal, mask }) {
      const sums = new Float64Array(parts * lanes), weights = new Float64Array(parts * lanes);
      errors(value, prediction, goal).forEach((loss, i) => {
        const at = Math.floor(i / part) * lanes + Math.floor(i / 4) % lanes;
        sums[at] += loss * (mask?.[i] ?? 1);
        if (mask) weights[at] += mask[i];
      });
      return { losses: sums, ...(masked && { weights }) };
    },
  }];
}

/** Their way back. */
export function lossVjpProbes({ slope, masked }: LossStructure): readonly Probe[] {
  const n = 71, scale = 0.3;
  return [{
    before: {
      ...{ prediction: noise(4 * n, 1), goal: noise(4 * n, 2), d: [1.5] },
      ...(masked && { mask: maskOf(4 * n), weight: [5] }),
    },
    uniforms: { n, scale, delta: DELTA },
    grid: [3, 1, 1],
    after: ({ prediction, goal, d, mask, weight }) => ({
      dPrediction: errors(slope, prediction, goal).map((slope, i) =>
        slope * scale * d[0] * (mask ? mask[i] / weight[0] : 1)
      ),
    }),
  }];
}

/** A quotient, and 0 where the divisor is. */
export function quotientProbes(): readonly Probe[] {
  return [[3, 4], [3, 0]].map(([sum, weight]): Probe => ({
    before: { sum: [sum], weight: [weight] },
    grid: [1, 1, 1],
    after: ({ sum: [sum], weight: [weight] }) => ({ out: [weight === 0 ? 0 : sum / weight] }),
  }));
}

/** Logits, and targets of which every third row is one-hot. */
function logitsAndGoal(rows: number, classes: number): { logits: Float32Array; goal: Float32Array } {
  const logits = noise(rows * classes, 1).map((x) => 5 * x);
  const goal = noise(rows * classes, 2).map((x, i) => {
    const row = Math.floor(i / classes);
    return row % 3 === 0 ? Number(i % classes === row % classes) : Math.abs(x);
  });
  return { logits, goal };
}

/**
 * Of every row the largest logit, the sum of the exponentials of logits less that, the sum of the targets, and the sum of
 * the targets times those logits.
 */
function entropyStatsOf(logits: ArrayLike<number>, goal: ArrayLike<number>, rows: number): Float64Array {
  const stats = new Float64Array(4 * rows), classes = logits.length / rows;
  for (let row = 0; row < rows; row++) {
    const line = Array.from({ length: classes }, (_, c) => row * classes + c);
    const top = Math.max(...line.map((i) => logits[i]));
    const sum = (value: (i: number) => number) => line.reduce((sum, i) => sum + value(i), 0);
    const weighted = sum((i) => goal[i] * (logits[i] - top));
    stats.set([top, sum((i) => Math.exp(logits[i] - top)), sum((i) => goal[i]), weighted], 4 * row);
  }
  return stats;
}

/** What the cross entropy of rows depends on. */
export function entropyStatsProbes(s: RowStructure): readonly Probe[] {
  const classes = lengthFor(s), rows = rowsFor(s);
  return [{
    before: logitsAndGoal(rows, classes),
    uniforms: { rows, columns: s.vector ? classes / 4 : classes },
    grid: [Math.ceil(rows * s.rowLanes / 64) + 1, 1, 1],
    after: ({ logits, goal }) => ({ stats: entropyStatsOf(logits, goal, rows) }),
  }];
}

/** Cross entropy of rows. */
export function entropyProbes({ masked }: { readonly masked: boolean }): readonly Probe[] {
  const rows = 71;
  const { logits, goal } = logitsAndGoal(rows, 13);
  return [{
    before: { stats: entropyStatsOf(logits, goal, rows), ...(masked && { mask: maskOf(rows) }) },
    uniforms: { rows },
    grid: [3, 1, 1],
    after: ({ stats, mask }) => ({
      losses: Float64Array.from({ length: rows }, (_, row) => {
        const [, sum, weight, weighted] = stats.subarray(4 * row, 4 * row + 4);
        return (weight * Math.log(sum) - weighted) * (mask?.[row] ?? 1);
      }),
    }),
  }];
}

/** Its way back. */
export function entropyVjpProbes(
  { masked, vector }: { readonly masked: boolean; readonly vector: boolean },
): readonly Probe[] {
  const rows = 71, classes = vector ? 12 : 13, columns = vector ? classes / 4 : classes;
  const { logits, goal } = logitsAndGoal(rows, classes);
  const scale = 0.3;
  return [{
    before: {
      ...{ logits, goal, d: [1.5], stats: entropyStatsOf(logits, goal, rows) },
      ...(masked && { mask: maskOf(rows), weight: [5] }),
    },
    uniforms: { n: rows * columns, columns, scale },
    grid: [Math.ceil(rows * columns / 64) + 1, 1, 1],
    after: ({ logits, goal, stats, d, mask, weight }) => ({
      dLogits: logits.map((x, i) => {
        const row = Math.floor(i / classes);
        const gradient = stats[4 * row + 2] * Math.exp(x - stats[4 * row]) / stats[4 * row + 1] - goal[i];
        return gradient * scale * d[0] * (mask ? mask[row] / weight[0] : 1);
      }),
    }),
  }];
}
