import { classicalMds, completeDistances } from "./classical_mds.ts";
import { countPoints, type Points } from "../protein/metrics/points.ts";
import {
  iterateSmacof,
  normalizedStress,
  prepareSmacof,
  rawStress,
  type SmacofProblem,
  type SmacofRun,
  smacofStep,
} from "./smacof.ts";

/** Options of `mds`. */
export interface MdsOptions {
  /**
   * `[n, n]`, not negative: how much each distance counts. 0 for an unknown distance. Two values (i, j) and (j, i) are
   * averaged; the diagonal is not looked at.
   * @default 1 for every pair
   */
  weights?: ArrayLike<number>;
  /**
   * Initial coordinates, each `[n, 3]`: one run from each. Only their shape matters, not their scale; points drawn
   * uniformly from a cube do well. Points that all lie in one plane stay there.
   * @default none
   */
  starts?: readonly Points[];
  /**
   * Adds a run from the result of classical scaling, after those of `starts`. Unknown distances are filled with the
   * shortest way through known ones for this.
   * @default true
   */
  classicalStart?: boolean;
  /**
   * At most so many steps a run.
   * @default 500
   */
  iterations?: number;
  /**
   * A run ends when the normalised stress of a step no longer falls by more than this.
   * @default 1e-6
   */
  tolerance?: number;
}

/** What `mds` returns. */
export interface MdsResult {
  /** `[n, 3]`, in Å, centred at the origin: the run with the least raw stress, the first of equals. */
  points: Float64Array;
  /** Σ_{i<j} w_ij (d_ij - p_ij)² of these points. */
  stress: number;
  /** Kruskal's stress-1: sqrt(stress / Σ_{i<j} w_ij p_ij²); below 0.05 is a good fit. */
  stress1: number;
  /** Which run it is: its place in `runs`. */
  best: number;
  /** Every run: those of `starts` in their order, then the classical one. */
  runs: readonly MdsRun[];
  /** How many parts the pairs of positive weight fall into. If more than 1, the parts lie to each other without meaning. */
  components: number;
  /** `[n]`: which part each point belongs to, from 0. Every part is centred at the origin. */
  componentOf: Int32Array;
}

/** One run of `mds`. */
export interface MdsRun extends SmacofRun {
  /** Raw stress of the run's final points. */
  stress: number;
}

/**
 * Points in space whose distances come close to given ones: metric multidimensional scaling by SMACOF.
 *
 * Lowers the stress Σ_{i<j} w_ij (d_ij(X) - p_ij)² step by step by X' = V⁺ B(X) X, where V is the Laplacian of the
 * weights and B as in `smacofStep`. With equal weights V⁺ B(X) X = B(X) X / n. The result is found up to a rigid motion
 * and a mirror image; for a protein `chooseMirror` settles the latter.
 *
 * Source: de Leeuw (1977), "Applications of convex analysis to multidimensional scaling"; Borg & Groenen, Modern
 * Multidimensional Scaling, 2nd ed., chapter 8. DEVIATION(lucidrains/alphafold2 0.0.19 `mds_torch`): that code divides
 * by n whatever the weights are, which shrinks a weighted result; without weights both do the same.
 *
 * @example
 * ```ts
 * import { mds, pairwiseDistances } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 * const distances = pairwiseDistances(new Float64Array([0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5]));
 * const result = mds(distances, 4);
 * const again = pairwiseDistances(result.points);
 * assert(distances.every((d, k) => Math.abs(d - again[k]) < 1e-4));
 * ```
 * @param distances `[n, n]`, in Å.
 * @param n Points.
 * @throws {TypeError} If a size does not fit.
 * @throws {RangeError} If a distance or weight is negative or not finite, if there is no start, or a limit is not valid.
 */
export function mds(distances: ArrayLike<number>, n: number, options: MdsOptions = {}): MdsResult {
  const { iterations = 500, tolerance = 1e-6 } = options;
  if (!(iterations >= 0)) throw new RangeError(`Cannot run ${iterations} iterations: give 0 or more`);
  if (Number.isNaN(tolerance)) throw new RangeError("Cannot stop at a tolerance that is not a number");
  const problem = prepareSmacof(distances, n, options.weights);
  const runs = mdsStarts(problem, options).map((start) =>
    iterateSmacof((points) => smacofStep(problem, points), start, { iterations, tolerance })
  );
  return bestMdsRun(problem, runs);
}

/**
 * The starts that the options ask for, each `[n, 3]`.
 * @throws {TypeError} If a start is not of n points.
 * @throws {RangeError} If there is none.
 */
export function mdsStarts(problem: SmacofProblem, options: MdsOptions): Points[] {
  const { n } = problem;
  const starts = [...options.starts ?? []];
  starts.forEach((start, k) => {
    if (countPoints(start, `start ${k}`) !== n) {
      throw new TypeError(`Cannot start from ${start.length / 3} points in start ${k}: expected ${n}`);
    }
  });
  if (options.classicalStart ?? true) {
    starts.push(classicalMds(completeDistances(problem.target, problem.weights, n), n));
  }
  if (starts.length === 0) {
    throw new RangeError("Cannot run mds without a start: give starts, or leave classicalStart on");
  }
  return starts;
}

/** Puts runs together into a result, the best one first chosen. */
export function bestMdsRun(problem: SmacofProblem, runs: readonly SmacofRun[]): MdsResult {
  const rated = runs.map((run) => ({ ...run, stress: rawStress(problem, run.points) }));
  let best = 0;
  rated.forEach((run, k) => {
    if (run.stress < rated[best].stress) best = k;
  });
  const { points, stress } = rated[best];
  return {
    points,
    stress,
    stress1: normalizedStress(problem, stress),
    best,
    runs: rated,
    components: problem.components,
    componentOf: problem.componentOf,
  };
}
