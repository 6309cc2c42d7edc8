import { type Device, elementGrid, type Tensor } from "../../core/mod.ts";
import { bestMdsRun, type MdsOptions, type MdsResult, mdsStarts } from "./mds.ts";
import { pullKernel, spreadKernel } from "./mds_gpu.wgsl.ts";
import type { Points } from "../protein/metrics/points.ts";
import { prepareSmacof, type SmacofLimits, type SmacofProblem, type SmacofRun, stepStress } from "./smacof.ts";

/** Steps between two looks at the stress. */
const STEPS_PER_READ = 25;

const WORKGROUP = 64;

/**
 * `mds` on the GPU: the same options, the same result up to rounding to float32, all starts at once.
 *
 * Every step is one kernel (two with unequal weights); the trajectory is read back every 25 steps, and the stop rule is
 * applied to it as `mds` applies it, with sums over points in float64. Steps are computed as
 * X' = X + V⁺ (B(X) - V) X, which is V⁺ B(X) X for centred points and loses less to rounding. The final stress is that
 * of float64 arithmetic.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { mdsOnGpu, pairwiseDistances } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 * const device = await Device.open(navigator.gpu);
 * const distances = pairwiseDistances(new Float64Array([0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5]));
 * const result = await mdsOnGpu(device, distances, 4);
 * const again = pairwiseDistances(result.points);
 * assert(distances.every((d, k) => Math.abs(d - again[k]) < 1e-3));
 * device.close();
 * ```
 * @param distances `[n, n]`, in Å.
 * @param n Points.
 * @throws {TypeError} If a size does not fit.
 * @throws {RangeError} If a distance or weight is negative or not finite, if there is no start, or a limit is not valid.
 */
export async function mdsOnGpu(
  device: Device,
  distances: ArrayLike<number>,
  n: number,
  options: MdsOptions = {},
): Promise<MdsResult> {
  const { iterations = 500, tolerance = 1e-6 } = options;
  if (!(iterations >= 0)) throw new RangeError(`Cannot run ${iterations} iterations: give 0 or more`);
  if (Number.isNaN(tolerance)) throw new RangeError("Cannot stop at a tolerance that is not a number");
  const problem = prepareSmacof(distances, n, options.weights);
  const starts = mdsStarts(problem, options);
  const runs = await iterate(new Stepper(device, problem), starts, { iterations, tolerance });
  return bestMdsRun(problem, runs);
}

/** A run that goes on. */
interface OpenRun {
  points: Float64Array;
  readonly history: number[];
  converged: boolean;
}

/** `iterateSmacof` for several starts in blocks of steps. */
async function iterate(
  stepper: Stepper,
  starts: readonly Points[],
  { iterations, tolerance }: SmacofLimits,
): Promise<SmacofRun[]> {
  const { problem } = stepper;
  const runs = starts.map((start): OpenRun => ({ points: Float64Array.from(start), history: [], converged: false }));
  try {
    let open = iterations > 0 ? [...runs] : [];
    if (open.length) stepper.load(open.map(({ points }) => centred(problem, points)));
    for (let done = 0; open.length > 0 && done < iterations; done += STEPS_PER_READ) {
      const blocks = await stepper.steps(Math.min(STEPS_PER_READ, iterations - done));
      open.forEach((run, slot) => follow(run, blocks.map((block) => stepper.unpack(block, slot)), tolerance));
      const stillOpen = open.filter(({ converged }) => !converged);
      if (stillOpen.length && stillOpen.length < open.length) stepper.load(stillOpen.map(({ points }) => points));
      open = stillOpen;
    }
  } finally {
    stepper[Symbol.dispose]();
  }
  return runs.map((run) => ({ ...run, points: run.history.length ? centred(problem, run.points) : run.points }));
}

/** Takes the steps of a block as far as the stop rule accepts them. */
function follow(run: OpenRun, steps: readonly { points: Float64Array; stress: number }[], tolerance: number): void {
  for (const step of steps) {
    const normalised = stepStress(step);
    const last = run.history.at(-1);
    if (last !== undefined && !(last - normalised > tolerance)) {
      run.converged = true;
      return;
    }
    run.points = step.points;
    run.history.push(normalised);
  }
}

/** The points with every component of the problem moved to the origin. */
function centred({ components, componentOf }: SmacofProblem, points: Float64Array): Float64Array {
  const sums = new Float64Array(3 * components), counts = new Float64Array(components);
  for (let i = 0; i < componentOf.length; i++) {
    counts[componentOf[i]]++;
    for (let axis = 0; axis < 3; axis++) sums[3 * componentOf[i] + axis] += points[3 * i + axis];
  }
  return points.map((x, k) => {
    const component = componentOf[Math.floor(k / 3)];
    return x - sums[3 * component + k % 3] / counts[component];
  });
}

/** Holds a problem on the device and makes steps there. */
class Stepper {
  readonly problem: SmacofProblem;
  readonly #device: Device;
  /** Points rounded up to whole vec4s. */
  readonly #m: number;
  readonly #wanted: Tensor;
  readonly #weights: Tensor | null = null;
  readonly #inverse: Tensor | null = null;
  /** 1 / n, for equal weights. */
  readonly #factor: number;
  #points: Tensor | null = null;

  constructor(device: Device, problem: SmacofProblem) {
    const { n, inverse, weights, target } = problem;
    this.problem = problem;
    this.#device = device;
    this.#m = Math.ceil(n / 4) * 4;
    this.#factor = 1 / n;
    if (typeof inverse === "number") {
      this.#wanted = this.#matrix(target, -1);
    } else {
      this.#wanted = this.#matrix(target, 0);
      this.#weights = this.#matrix(weights, 0);
      this.#inverse = this.#matrix(inverse, 0);
    }
  }

  /** Sets the points of all starts. */
  load(starts: readonly Float64Array[]): void {
    const m = this.#m;
    const data = new Float32Array(starts.length * 4 * m);
    starts.forEach((points, s) =>
      points.forEach((x, k) => {
        data[(4 * s + k % 3) * m + Math.floor(k / 3)] = x;
      })
    );
    this.#points?.dispose();
    this.#points = this.#upload(data, [starts.length, 4, m]);
  }

  /** Makes steps from the points loaded or reached last; returns what each of them wrote, `[starts, 4, m]`. */
  async steps(count: number): Promise<Float32Array[]> {
    if (!this.#points) throw new TypeError("Cannot step before points are loaded");
    const device = this.#device, size = this.#points.size;
    const trajectory = this.#record(this.#points, count);
    try {
      const read = await device.read(trajectory) as Float32Array;
      return Array.from({ length: count }, (_, k) => read.subarray(k * size, (k + 1) * size));
    } finally {
      trajectory.dispose();
    }
  }

  /** Points of one start after a step, `[n, 3]`, and the raw stress before it. */
  unpack(block: Float32Array, slot: number): { points: Float64Array; stress: number } {
    const m = this.#m, { n } = this.problem, first = 4 * slot * m;
    const points = new Float64Array(3 * n);
    let stress = 0;
    for (let i = 0; i < n; i++) {
      for (let axis = 0; axis < 3; axis++) points[3 * i + axis] = block[first + axis * m + i];
      stress += block[first + 3 * m + i];
    }
    const weight = typeof this.problem.inverse === "number" ? this.problem.weights[1] ?? 1 : 1;
    return { points, stress: 0.5 * weight * stress };
  }

  /** Frees what is on the device. */
  [Symbol.dispose](): void {
    for (const tensor of [this.#wanted, this.#weights, this.#inverse, this.#points]) tensor?.dispose();
  }

  /** Records steps; keeps the points reached, and returns all on the way in one tensor. */
  #record(start: Tensor, count: number): Tensor {
    const device = this.#device;
    using scope = device.scope("mds");
    const path: Tensor[] = [];
    for (let k = 0, points = start; k < count; k++) path.push(points = this.#step(points));
    const trajectory = device.empty([count, ...start.shape]);
    path.forEach((points, k) => device.copy(points, trajectory, { toElement: k * start.size }));
    this.#points = device.hold(path[count - 1]);
    start.dispose();
    void scope;
    return device.hold(trajectory);
  }

  #step(points: Tensor): Tensor {
    const device = this.#device, m = this.#m, starts = points.shape[0];
    const grid = elementGrid(starts * m, WORKGROUP);
    const flops = 22 * starts * m * m;
    const out = device.empty(points.shape);
    if (!this.#weights || !this.#inverse) {
      const uniforms = { starts, m, factor: this.#factor };
      device.run(pullKernel({ weighted: false }), {
        bindings: { points, wanted: this.#wanted, out },
        uniforms,
        grid,
        flops,
      });
      return out;
    }
    using pulls = device.empty(points.shape);
    device.run(pullKernel({ weighted: true }), {
      bindings: { points, wanted: this.#wanted, weights: this.#weights, out: pulls },
      uniforms: { starts, m, factor: 0 },
      grid,
      flops,
    });
    device.run(spreadKernel, {
      bindings: { points, pulls, inverse: this.#inverse, out },
      uniforms: { starts, m },
      grid,
      flops: 6 * starts * m * m,
    });
    return out;
  }

  /** An `[n, n]` matrix with rows of whole vec4s. */
  #matrix(values: Float64Array, padding: number): Tensor {
    const m = this.#m, { n } = this.problem;
    const data = new Float32Array(m * m).fill(padding);
    for (let i = 0; i < n; i++) data.set(values.subarray(i * n, (i + 1) * n), i * m);
    return this.#upload(data, [m, m]);
  }

  /** A tensor that no scope owns. */
  #upload(data: Float32Array, shape: readonly number[]): Tensor {
    using tensor = this.#device.tensor(data, shape);
    return this.#device.hold(tensor);
  }
}
