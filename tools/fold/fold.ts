/** From predicted distances to coordinates. */
import { type Device, Key } from "../../core/mod.ts";
import { alphaFromBeta, mirrorImage, traceHandedness } from "../../model/distance_geometry/mod.ts";
import { distanceWeights, scaleDistances } from "./scale.ts";

/** Distances of one chain, and how to fold it. */
export interface FoldOptions {
  /** Name of the fold, for files and reports. */
  readonly id: string;
  /** One letter a residue, `N_res` letters; `X` where it is not known. */
  readonly sequence: string;
  /** Distances in Å, `[N_res, N_res]`; need not be symmetric, the diagonal is not looked at. */
  readonly distances: ArrayLike<number>;
  /**
   * How much each distance counts, `[N_res, N_res]`, not negative.
   * @default {@link distanceWeights} of the symmetrised distances; 1 throughout where `cap` is infinite
   */
  readonly weights?: ArrayLike<number>;
  /**
   * Distances are known up to here, in Å: one above 0.8 of it may be longer in truth. Infinite where each distance is
   * what it says.
   * @default 20
   */
  readonly cap?: number;
  /**
   * Which atoms the distances are between: C-beta (C-alpha for glycine), or C-alpha throughout.
   * @default "beta"
   */
  readonly atoms?: "beta" | "alpha";
  /**
   * Random starts, besides that of classical scaling.
   * @default 8
   */
  readonly starts?: number;
  /**
   * At most so many steps a start.
   * @default 500
   */
  readonly iterations?: number;
  /**
   * Seed of the random starts.
   * @default 0
   */
  readonly seed?: number;
  /**
   * Which mirror image to take, as distances do not tell: `auto`, by the handedness of the C-alpha trace; `keep`, as
   * scaling left it; `flip`, the other one.
   * @default "auto"
   */
  readonly mirror?: MirrorMode;
  /**
   * Where scaling runs.
   * @default the processor, in float64
   */
  readonly device?: Device;
}

/** How the mirror image is chosen. */
export type MirrorMode = "auto" | "keep" | "flip";

/** A folded chain. */
export interface Fold {
  /** Name, as given. */
  readonly id: string;
  /** One letter a residue, as given. */
  readonly sequence: string;
  /** The distances that were folded, symmetrised, 0 on the diagonal, in Å, `[N_res, N_res]`. */
  readonly distances: Float32Array;
  /** The weights that were used, symmetric, `[N_res, N_res]`. */
  readonly weights: Float32Array;
  /** Where distances were taken for clamped, in Å. */
  readonly cap: number;
  /** C-beta positions (C-alpha for glycine) in Å, `[N_res, 3]`; none where the distances were between C-alpha atoms. */
  readonly betas?: Float32Array;
  /** C-alpha positions in Å, `[N_res, 3]`. */
  readonly alphas: Float32Array;
  /** Kruskal's stress-1: 0 is a perfect fit, below 0.05 a good one; distances that count as lower bounds add nothing. */
  readonly stress1: number;
  /** Stress-1 of each start, before lower bounds were looked at: the random ones, then classical scaling. */
  readonly runs: readonly number[];
  /** Pairs i < j whose distance counted as a lower bound. */
  readonly lowerBounds: number;
  /** Parts that the distances of positive weight leave unconnected; more than 1 lie to each other without meaning. */
  readonly components: number;
  /** The choice of the mirror image. */
  readonly mirror: {
    /** How it was chosen. */
    readonly mode: MirrorMode;
    /** Whether the result of scaling was mirrored. */
    readonly flipped: boolean;
    /** Handedness of the C-alpha trace that was taken, between -1 and 1; proteins are above 0. */
    readonly handedness: number;
    /** Handedness of the C-alpha trace of the other image. */
    readonly otherHandedness: number;
  };
}

/**
 * Finds coordinates that fit predicted distances.
 *
 * The distances are symmetrised and weighted; metric scaling (SMACOF) runs from several random starts and from classical
 * scaling, and the run with the least stress is kept; C-alpha atoms are placed for both mirror images, and the image
 * whose C-alpha trace is the more right-handed is taken.
 *
 * @throws {RangeError} If there are fewer than 2 residues, or a distance or weight is negative or not finite.
 * @throws {TypeError} If a size does not fit the sequence.
 */
export async function foldDistances(options: FoldOptions): Promise<Fold> {
  const { id, sequence, cap = 20, atoms = "beta", starts = 8, iterations = 500, seed = 0, mirror = "auto" } = options;
  const n = sequence.length;
  if (n < 2) throw new RangeError(`Cannot fold ${id}: it has ${n} residues, expected at least 2`);
  const distances = symmetrize(options.distances, n, `distances of ${id}`);
  const weights = options.weights
    ? symmetrize(options.weights, n, `weights of ${id}`)
    : cap < Infinity
    ? distanceWeights(distances)
    : new Float32Array(n * n).fill(1);
  const extent = distances.reduce((most, d) => Math.max(most, d), 0);
  const keys = Key.fromSeed(seed).split(starts);
  const scaled = await scaleDistances(distances, n, {
    weights,
    cap,
    iterations,
    starts: keys.map((key) => Float64Array.from(key.uniform(3 * n), (u) => (u - 0.5) * extent)),
    device: options.device,
  });
  const images = [Float64Array.from(scaled.points), mirrorImage(scaled.points)].map((points) => {
    const alphas = atoms === "alpha"
      ? points
      : alphaFromBeta(points, { glycine: Array.from(sequence, (letter) => (letter === "G" ? 1 : 0)) }).points;
    return { points, alphas, handedness: traceHandedness(alphas) };
  });
  const flipped = mirror === "auto" ? images[1].handedness > images[0].handedness : mirror === "flip";
  const [chosen, other] = flipped ? images.toReversed() : images;
  return {
    id,
    sequence,
    distances,
    weights,
    cap,
    betas: atoms === "alpha" ? undefined : Float32Array.from(chosen.points),
    alphas: Float32Array.from(chosen.alphas),
    stress1: scaled.stress1,
    runs: scaled.runs,
    lowerBounds: scaled.lowerBounds,
    components: scaled.components,
    mirror: { mode: mirror, flipped, handedness: chosen.handedness, otherHandedness: other.handedness },
  };
}

function symmetrize(values: ArrayLike<number>, n: number, name: string): Float32Array {
  if (values.length !== n * n) {
    throw new TypeError(`Cannot use ${values.length} ${name}: ${n} residues need ${n * n}`);
  }
  const out = new Float32Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) out[i * n + j] = out[j * n + i] = (values[i * n + j] + values[j * n + i]) / 2;
  }
  return out;
}
