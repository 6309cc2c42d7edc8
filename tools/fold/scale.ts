/** Coordinates from distances that are known up to a cap only. */
import type { Device } from "../../core/mod.ts";
import { mds, mdsOnGpu, type MdsOptions, type MdsResult } from "../../model/distance_geometry/mod.ts";
import { pairwiseDistances } from "../../model/protein/metrics/mod.ts";

/** From this share of the cap on, a distance is only a lower bound. */
const BOUND_SHARE = 0.8;
/** Weight of lower bounds in the first scaling, against 1: enough to hold loose parts together. */
const BOUND_WEIGHT = 0.001;
/** Distance, in Å, at which a distance of certain weight counts half as much. */
const HALF_WEIGHT_DISTANCE = 4;
/** Rounds in which lower bounds follow the coordinates, and steps of each but the last, which makes as many as asked for. */
const ROUNDS = 10;
const ROUND_STEPS = 50;

/** What {@link scaleDistances} reads. */
export interface ScalingOptions extends MdsOptions {
  /**
   * Distances are known up to here, in Å; those above 0.8 of it count as lower bounds.
   * @default none: each distance is what it says
   */
  readonly cap?: number;
  /** Where it runs. @default the processor, in float64 */
  readonly device?: Device;
}

/** What {@link scaleDistances} returns. */
export interface Scaling {
  /** Coordinates, centred, either mirror image, in Å, `[n, 3]`. */
  readonly points: Float64Array;
  /** Kruskal's stress-1; a lower bound that is kept adds nothing. */
  readonly stress1: number;
  /** Stress-1 of each start, before lower bounds were looked at. */
  readonly runs: readonly number[];
  /** Parts that distances of positive weight leave unconnected. */
  readonly components: number;
  /** Pairs i < j that counted as lower bounds only. */
  readonly lowerBounds: number;
}

/**
 * Scales distances to coordinates: SMACOF from all starts, the best run kept; then pairs near the cap are treated as lower
 * bounds, and scaling goes on from there.
 *
 * A model that learned clamped distances says about 20 Å for everything that is farther away, so that such a pair must
 * not be pulled together. In the first scaling it has next to no weight; in the rounds that follow its wanted distance is
 * the larger one of that predicted and that of the coordinates at hand. This lowers the stress in which a kept bound
 * counts nothing, as each round does so for an upper bound of it that touches it at these coordinates.
 *
 * Measured on true C-beta distance maps, clamped at 20 Å, with noise that grows with the distance (mean error 1 Å,
 * independent from pair to pair | smooth along both residues); mean C-alpha RMSD in Å of the folds by `foldDistances`:
 *
 *     chains                               equal weights  1/(1+(d/4Å)²)  little above 16 Å  with lower bounds
 *     14 zinc fingers, 20-32 residues       1.75 | 2.33    1.34 | 1.61      0.98 | 1.20        0.89 | 1.20
 *     10 cytochromes c, 1adz, 2sdf, 67-108  2.42 | 2.64    2.12 | 2.35      1.00 | 1.47        0.67 | 1.19
 *     4 trypsin-like, 1s40, 147-265         7.28 | 9.33    7.12 | 7.31      2.34 | 2.69        1.33 | 1.83
 *
 * The mean maps of the zinc-finger family (see `meanDistanceMap`) fold to 2.59, 2.30, 1.94 and 1.93 Å.
 *
 * Source: Borg & Groenen, Modern Multidimensional Scaling, 2nd ed., chapters 8 and 9 (majorization with admissible
 * disparities).
 *
 * @param distances `[n, n]`, symmetric, in Å.
 * @throws {TypeError} If a size does not fit.
 * @throws {RangeError} If a distance or weight is negative or not finite.
 */
export async function scaleDistances(
  distances: Float32Array,
  n: number,
  { cap = Infinity, device, weights, ...options }: ScalingOptions = {},
): Promise<Scaling> {
  const run = (wanted: Float32Array, more: MdsOptions) =>
    device ? mdsOnGpu(device, wanted, n, more) : Promise.resolve(mds(wanted, n, more));
  const base = Float32Array.from(weights ?? distances, (x) => (weights ? x : 1));
  const bound = distances.map((d) => d > BOUND_SHARE * cap ? 1 : 0);
  const lowerBounds = bound.reduce((sum, x) => sum + x, 0) / 2;
  const first = base.map((w, k) => bound[k] ? BOUND_WEIGHT * w : w);
  let result = await run(distances, { ...options, weights: first });
  const { components } = result;
  const runs = stressOfRuns(result);
  for (let round = 1; round <= ROUNDS && lowerBounds > 0; round++) {
    const now = pairwiseDistances(result.points);
    const wanted = distances.map((d, k) => bound[k] ? Math.max(d, now[k]) : d);
    const steps = options.iterations ?? 500;
    result = await run(wanted, {
      ...options,
      weights: base,
      starts: [result.points],
      classicalStart: false,
      iterations: round < ROUNDS ? Math.min(ROUND_STEPS, steps) : steps,
    });
  }
  return { points: result.points, stress1: result.stress1, runs, components, lowerBounds };
}

/**
 * Most points that the processor scales sooner than a device, which it waits for at every few steps. Measured on two processors:
 * 25 points in 11 ms against 760 by lavapipe, 128 in 140 against 640, 256 in 730 against 1,330; a GPU has the same waits.
 */
const FEW_POINTS = { software: 256, gpu: 64 } as const;

/** Where so many points are scaled soonest: the device, or undefined for the processor. */
export function soonestPlace(device: Device, n: number): Device | undefined {
  return n <= FEW_POINTS[device.traits.software ? "software" : "gpu"] ? undefined : device;
}

/**
 * Weights of predicted distances: 1 / (1 + (d / 4 Å)²), as the error of a prediction grows with the distance.
 *
 * @param distances `[n, n]`, in Å.
 * @returns `[n, n]`.
 */
export function distanceWeights(distances: ArrayLike<number>): Float32Array {
  return Float32Array.from(distances, (d) => 1 / (1 + (d / HALF_WEIGHT_DISTANCE) ** 2));
}

/** All runs have the same weights and distances, so that their stress-1 goes with the root of their stress. */
function stressOfRuns({ stress, stress1, runs }: MdsResult): number[] {
  const scale = stress > 0 ? stress1 / Math.sqrt(stress) : 0;
  return runs.map((run) => scale * Math.sqrt(run.stress));
}
