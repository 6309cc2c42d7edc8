import { countPoints, pairwiseDistances, type Points } from "../protein/metrics/points.ts";
import { laplacianPseudoInverse, type WeightGraph, weightGraph } from "./weight_graph.ts";

/** Distances to be met, made ready for `smacofStep`. */
export interface SmacofProblem extends WeightGraph {
  /** Points. */
  n: number;
  /** `[n, n]`: wanted distances, symmetric, in Å; 0 where the weight is 0. */
  target: Float64Array;
  /** `[n, n]`: symmetric weights, 0 on the diagonal. */
  weights: Float64Array;
  /**
   * V⁺, the pseudo-inverse of the weights' Laplacian: `[n, n]`, or the one number 1 / (n w) that has the same effect
   * if all weights are equal to w.
   */
  inverse: Float64Array | number;
}

/** One majorization step. */
export interface SmacofStep {
  /** `[n, 3]`: X' = V⁺ B(X) X. */
  points: Float64Array;
  /** Raw stress Σ_{i<j} w_ij (d_ij(X) - p_ij)² of the points the step started from, in Å² times weight. */
  stress: number;
}

/** When `iterateSmacof` ends. */
export interface SmacofLimits {
  /** At most so many steps are accepted. */
  iterations: number;
  /** Ends when the normalised stress no longer falls by more than this. */
  tolerance: number;
}

/** How an iteration went. */
export interface SmacofRun {
  /** `[n, 3]`, in Å. */
  points: Float64Array;
  /**
   * Normalised stress of every accepted step: the raw stress before the step, divided by the Frobenius norm of the
   * points after it. An odd mixture, but the stop rule is defined by it.
   */
  history: number[];
  /** Whether the tolerance ended the iteration (else the limit of iterations did). */
  converged: boolean;
}

/**
 * Checks distances and weights, makes them symmetric and computes V⁺ once.
 *
 * A pair given twice with different values (i, j) and (j, i) enters with the weight (w_ij + w_ji) / 2 and the weighted
 * mean distance, which changes the stress by a constant only. Distances of weight 0 are not looked at. If the pairs of
 * positive weight leave the points in several components, each component is solved on its own and centred at the
 * origin: how they lie to each other is then without meaning. See `components`.
 *
 * @param distances `[n, n]`, in Å; the diagonal is not looked at.
 * @param weights `[n, n]`, not negative; all 1 if left out. The diagonal is not looked at.
 * @throws {TypeError} If a size is not n · n.
 * @throws {RangeError} If there is no point, or a distance or weight is negative or not finite.
 */
export function prepareSmacof(
  distances: ArrayLike<number>,
  n: number,
  weights?: ArrayLike<number>,
): SmacofProblem {
  if (!(Number.isInteger(n) && n > 0)) throw new RangeError(`Cannot scale ${n} points: at least 1 is needed`);
  for (const [name, list] of [["distances", distances], ["weights", weights]] as const) {
    if (list && list.length !== n * n) {
      throw new TypeError(`Cannot scale ${n} points: ${name} has ${list.length} entries, expected ${n * n}`);
    }
  }
  const target = new Float64Array(n * n);
  const joint = new Float64Array(n * n);
  let equal = true;
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const a = i * n + j;
      const b = j * n + i;
      const wa = weights ? weights[a] : 1;
      const wb = weights ? weights[b] : 1;
      checkEntry(wa, "weight", i, j);
      checkEntry(wb, "weight", j, i);
      if (wa > 0) checkEntry(distances[a], "distance", i, j);
      if (wb > 0) checkEntry(distances[b], "distance", j, i);
      const w = (wa + wb) / 2;
      if (w > 0) {
        // (wa·pa + wb·pb)/(wa + wb), exact where both distances are the same
        const pa = wa > 0 ? distances[a] : distances[b];
        const pb = wb > 0 ? distances[b] : distances[a];
        target[a] = target[b] = pa + (wb / (wa + wb)) * (pb - pa);
      }
      joint[a] = joint[b] = w;
      if (w !== joint[1]) equal = false;
    }
  }
  const graph = weightGraph(joint, n);
  const inverse = equal && joint[1] > 0 ? 1 / (n * joint[1]) : laplacianPseudoInverse(joint, n, graph);
  return { n, target, weights: joint, inverse, ...graph };
}

function checkEntry(value: number, what: string, i: number, j: number): void {
  if (!(value >= 0 && value < Infinity)) {
    throw new RangeError(`Cannot use ${what} ${value} of pair (${i}, ${j}): it must be finite and not negative`);
  }
}

/**
 * One step of SMACOF, the Guttman transform: X' = V⁺ B(X) X.
 *
 * B_ij = -w_ij p_ij / d_ij(X) for i ≠ j and B_ii = -Σ_{j≠i} B_ij; a distance of 0 is taken as 1e-7 Å. Never raises the
 * raw stress. This is the part that a faster implementation replaces.
 *
 * Source: Borg & Groenen, Modern Multidimensional Scaling, 2nd ed., section 8.6, equations 8.25-8.29.
 */
export function smacofStep(problem: SmacofProblem, points: Points): SmacofStep {
  const { n, inverse } = problem;
  const { product, stress } = guttmanProduct(problem, points);
  if (typeof inverse === "number") return { points: product.map((x) => x * inverse), stress };
  const out = new Float64Array(3 * n);
  for (let i = 0; i < n; i++) {
    let x = 0;
    let y = 0;
    let z = 0;
    for (let j = 0; j < n; j++) {
      const v = inverse[i * n + j];
      x += v * product[3 * j];
      y += v * product[3 * j + 1];
      z += v * product[3 * j + 2];
    }
    out[3 * i] = x;
    out[3 * i + 1] = y;
    out[3 * i + 2] = z;
  }
  return { points: out, stress };
}

/**
 * The product B(X) X of a step, and the raw stress of X.
 * @returns `product` `[n, 3]`.
 */
export function guttmanProduct(
  { n, target, weights }: SmacofProblem,
  points: Points,
): { product: Float64Array; stress: number } {
  const product = new Float64Array(3 * n);
  let stress = 0;
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const w = weights[i * n + j];
      if (w === 0) continue;
      const p = target[i * n + j];
      const x = points[3 * i] - points[3 * j];
      const y = points[3 * i + 1] - points[3 * j + 1];
      const z = points[3 * i + 2] - points[3 * j + 2];
      const d = Math.sqrt(x * x + y * y + z * z);
      stress += w * (d - p) ** 2;
      const ratio = (w * p) / (d === 0 ? 1e-7 : d);
      product[3 * i] += ratio * x;
      product[3 * i + 1] += ratio * y;
      product[3 * i + 2] += ratio * z;
      product[3 * j] -= ratio * x;
      product[3 * j + 1] -= ratio * y;
      product[3 * j + 2] -= ratio * z;
    }
  }
  return { product, stress };
}

/** Raw stress Σ_{i<j} w_ij (d_ij - p_ij)² of points. */
export function rawStress({ n, target, weights }: SmacofProblem, points: Points): number {
  const distances = pairwiseDistances(points);
  let sum = 0;
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const k = i * n + j;
      sum += weights[k] * (distances[k] - target[k]) ** 2;
    }
  }
  return sum;
}

/** Kruskal's stress-1: sqrt(raw stress / Σ_{i<j} w_ij p_ij²), 0 if perfect; 0 too if there are no distances to meet. */
export function normalizedStress(problem: SmacofProblem, stress: number): number {
  let scale = 0;
  for (let k = 0; k < problem.target.length; k++) scale += 0.5 * problem.weights[k] * problem.target[k] ** 2;
  return scale === 0 ? 0 : Math.sqrt(stress / scale);
}

/**
 * Repeats a step until the stop rule holds.
 *
 * A step is accepted while the normalised stress (see `SmacofRun.history`) falls by more than the tolerance; the first
 * that does not is dropped.
 *
 * Source: the rule is that of lucidrains/alphafold2 0.0.19, `utils.py`, `mds_torch`.
 *
 * @param step Usually `(points) => smacofStep(problem, points)`.
 * @param start `[n, 3]`; only read.
 */
export function iterateSmacof(
  step: (points: Float64Array) => SmacofStep,
  start: Points,
  { iterations, tolerance }: SmacofLimits,
): SmacofRun {
  countPoints(start, "start");
  let points = Float64Array.from(start);
  const history: number[] = [];
  for (let k = 0; k < iterations; k++) {
    const next = step(points);
    const normalised = stepStress(next);
    if (k > 0 && !(history[k - 1] - normalised > tolerance)) return { points, history, converged: true };
    points = Float64Array.from(next.points);
    history.push(normalised);
  }
  return { points, history, converged: false };
}

/** The figure the stop rule compares: raw stress before the step over the Frobenius norm after it, 0 for 0 / 0. */
export function stepStress({ points, stress }: SmacofStep): number {
  if (stress === 0) return 0;
  let sum = 0;
  for (const x of points) sum += x * x;
  return stress / Math.sqrt(sum);
}
