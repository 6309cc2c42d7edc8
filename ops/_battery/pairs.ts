/** Probes of what is made of pairs of residues: classes of distances and offsets, and their embedding. */
import { noise, type Probe } from "../../core/mod.ts";
import type { DistanceClassesStructure } from "../pair_classes.wgsl.ts";
import type { PairEmbeddingStructure } from "../pair_embedding.wgsl.ts";

const BATCH = 2, N = 7;
/** The rows that a run begins with, of all rows of the batch, and how many it has. */
const FIRST = 3, ROWS = 8;

const workgroups = (invocations: number) => [Math.ceil(invocations / 64) + 1, 1, 1] as const;

/** The residues of every pair of those rows. */
const PAIRS = Array.from({ length: ROWS * N }, (_, pair) => {
  const i = FIRST + Math.floor(pair / N);
  return { i, j: Math.floor(i / N) * N + pair % N };
});

/** How many boundaries lie below a number; some numbers are boundaries. */
export function digitizeProbes(): readonly Probe[] {
  const n = 71, boundaries = [-0.5, -0.25, 0.125, 0.5, 0.75];
  return [{
    before: { x: noise(n, 1).map((x, i) => (i % 9 ? x : boundaries[i / 9 % 5])), boundaries },
    uniforms: { n, count: boundaries.length },
    grid: workgroups(n),
    after: ({ x }) => ({ bins: x.map((value) => boundaries.filter((boundary) => value > boundary).length) }),
  }];
}

/** Where the smallest numbers of rows stand, some of them equal, some below 0; the very last one is among them. */
export function smallestProbes(): readonly Probe[] {
  const rows = 5, n = 13, k = 4, first = 3, perBlock = 2;
  return [{
    before: { x: noise(rows * n, 1).map((x, i) => (i === rows * n - 1 ? -2 : i % 4 ? x : 0.25)) },
    uniforms: { count: rows * n, n, k, first, perBlock },
    grid: workgroups(rows * n),
    after: ({ x }) => {
      const found = Array.from({ length: rows }, (_, row) => {
        const own = x.slice(row * n, (row + 1) * n);
        return [...own.keys()].sort((a, b) => own[a] - own[b] || a - b).slice(0, k);
      });
      return {
        places: found.flatMap((columns, row) => columns.map((column) => (first + row) * n + column)),
        items: found.flatMap((columns, row) =>
          columns.map((column) => Math.floor((first + row) / perBlock) * n + column)
        ),
      };
    },
  }];
}

/** Two groups that alternate now and then. */
const GROUPS = Array.from({ length: BATCH * N }, (_, i) => Number(i % 5 > 2));

/** Classes of distances. */
export function distanceClassesProbes({ marked, grouped }: DistanceClassesStructure): readonly Probe[] {
  const bounds = [0.1, 0.4, 0.9, 1.6, 1e8], count = bounds.length - 1;
  return [{
    before: {
      points: noise(BATCH * N * 3, 1),
      bounds,
      ...(marked && { marks: noise(BATCH * N, 2).map((x) => (x > -0.5 ? 1 : 0)) }),
      ...(grouped && { groupOf: GROUPS }),
    },
    uniforms: { total: ROWS * N, n: N, first: FIRST, count },
    grid: workgroups(ROWS * N),
    after: ({ points, bounds, marks, groupOf }) => ({
      classes: PAIRS.map(({ i, j }) => {
        if (groupOf && groupOf[i] !== groupOf[j]) return 0;
        const square = [0, 1, 2].reduce((sum, axis) => sum + (points[3 * i + axis] - points[3 * j + axis]) ** 2, 0);
        const found = bounds.findIndex((bound, k) => k < count && square > bound && square < bounds[k + 1]) + 1;
        return found + (marks?.[i] && marks[j] ? count + 1 : 0);
      }),
    }),
  }];
}

/** Classes of offsets along the chain. */
export function offsetClassesProbes(): readonly Probe[] {
  const most = 3;
  return [{
    before: { numbers: noise(BATCH * N, 1).map((x) => Math.round(8 * x)) },
    uniforms: { total: ROWS * N, n: N, first: FIRST, most },
    grid: workgroups(ROWS * N),
    after: ({ numbers }) => ({
      classes: PAIRS.map(({ i, j }) => 1 + most + Math.min(Math.max(numbers[i] - numbers[j], -most), most)),
    }),
  }];
}

/** Classes of offsets in complexes. */
export function chainOffsetClassesProbes(): readonly Probe[] {
  const mostResidues = 3, mostCopies = 2;
  const numbers = (seed: number, range: number) => noise(BATCH * N, seed).map((x) => Math.round(range * x));
  const confined = (offset: number, most: number) => most + Math.min(Math.max(offset, -most), most);
  return [{
    before: { residues: numbers(1, 8), chains: GROUPS, entities: numbers(2, 1), copies: numbers(3, 5) },
    uniforms: { total: ROWS * N, n: N, first: FIRST, mostResidues, mostCopies },
    grid: workgroups(ROWS * N),
    after: ({ residues, chains, entities, copies }) => ({
      classes: PAIRS.map(({ i, j }) => {
        const residue = chains[i] === chains[j]
          ? confined(residues[i] - residues[j], mostResidues)
          : 2 * mostResidues + 1;
        const copy = entities[i] === entities[j] ? confined(copies[i] - copies[j], mostCopies) : 2 * mostCopies + 1;
        return 1 + residue * (2 * mostCopies + 2) + copy;
      }),
    }),
  }];
}

/** The embedding of pairs; class 0 has none. */
export function pairEmbeddingProbes(
  { vectors, left, right, weights, bias, residual, onTop }: PairEmbeddingStructure,
): readonly Probe[] {
  const c = vectors ? 12 : 3, size = ROWS * N * c, classes = 4;
  return [{
    before: {
      table: noise(classes * c, 1),
      classes: PAIRS.map((_, pair) => pair * 3 % (classes + 1)),
      ...(left && { left: noise(BATCH * N * c, 2) }),
      ...(right && { right: noise(BATCH * N * c, 3) }),
      ...(weights && { weights: noise(BATCH * N, 4) }),
      ...(bias && { bias: noise(c, 5) }),
      ...(residual && { residual: noise(size, 6) }),
      ...(onTop && { out: noise(size + 4, 7) }), // what follows must stay
    },
    uniforms: { total: size / (vectors ? 4 : 1), n: N, first: FIRST, channels: vectors ? c / 4 : c },
    grid: workgroups(size / (vectors ? 4 : 1)),
    after({ table, classes, left, right, weights, bias, residual, out: before }) {
      const out = before ? Float64Array.from(before) : new Float64Array(size);
      PAIRS.forEach(({ i, j }, pair) => {
        for (let k = 0; k < c; k++) {
          let sum = classes[pair] ? table[(classes[pair] - 1) * c + k] : 0;
          sum += (left?.[i * c + k] ?? 0) + (right?.[j * c + k] ?? 0);
          if (weights) sum *= weights[i] * weights[j];
          out[pair * c + k] = sum + (bias?.[k] ?? 0) + (residual?.[pair * c + k] ?? before?.[pair * c + k] ?? 0);
        }
      });
      return { out };
    },
  }];
}
