import { type Device, leaves, noGrad, type Tensor, type Tree } from "../../core/mod.ts";
import { addScalar, divide, multiply, multiplyScalar, reshape, sqrt, square, subtract, sum } from "../../ops/mod.ts";
import { SLOT } from "../protein/residues.ts";
import { alphafold, type AlphaFoldOptions, type AlphaFoldOutputs, atomPositions, recycledOf } from "./alphafold.ts";
import type { AlphaFoldConfig } from "./config.ts";
import type { Recycled } from "./embedders/recycling_embedder.ts";
import type { AlphaFoldFeatures } from "./features.ts";
import type { AlphaFoldParams } from "./params.ts";

/** Features of one sample of the alignment, or of several that representations are averaged over. */
export type Samples = AlphaFoldFeatures | readonly AlphaFoldFeatures[];

/** How iterations run. */
export interface RecyclingOptions extends Omit<AlphaFoldOptions, "consume"> {
  /** Iterations after the first. @default as configured */
  readonly maxRecycles?: number;
  /** Å, see {@linkcode RecyclingConfig.tolerance}. @default as configured */
  readonly tolerance?: number;
  /**
   * Told of every iteration, from 0, before the next one begins: its outputs, which belong to the loop, and how far
   * distances have changed since the one before, Å (of the samples of the batch that changed most). @default nobody is
   */
  readonly onIteration?: (iteration: RecyclingIteration) => void | Promise<void>;
}

/** An iteration that has ended. */
export interface RecyclingIteration {
  /** Its number, from 0. */
  readonly index: number;
  /** What it gave. */
  readonly outputs: AlphaFoldOutputs;
  /**
   * How far distances have changed, Å; unknown where no tolerance asks for it, and for the first iteration, but in a network
   * for complexes, where that is compared with all atoms at the origin.
   */
  readonly changeAngstrom?: number;
}

/** Why and where iterations ended. */
export interface RecyclingResult extends RecyclingIteration {
  /** Whether they ended because the structure did not change any more. */
  readonly converged: boolean;
}

/**
 * Runs AlphaFold 2 again and again, each iteration reading what the last one found, until there were enough or the
 * distances between C-alphas hardly change any more. In a network for complexes one more iteration follows then, which gives
 * the result, as its published code does it.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 2 "Inference", lines 1-3 and 19, and Alg. 30; the early end as in the published
 * code of 2023 on.
 *
 * @param samplesOf Features of an iteration, whose sample of the alignment may differ; the caller owns them.
 * @param options No MSA representation is kept, and of the structure module the last iteration alone, unless asked for.
 * @returns The last iteration; its outputs are owned by the scope that is current then.
 */
export async function recycledAlphaFold(
  params: AlphaFoldParams,
  samplesOf: (iteration: number) => Samples | Promise<Samples>,
  config: AlphaFoldConfig,
  options: RecyclingOptions = {},
): Promise<RecyclingResult> {
  const { maxRecycles = config.recycling.maxRecycles, tolerance = config.recycling.tolerance, ...own } = options;
  const { onIteration, key, msa = false, trajectory = false, ...rest } = own;
  let last: AlphaFoldOutputs | undefined;
  let aatype: Tensor | undefined;
  let isLast = false;
  for (let index = 0;; index++) {
    const samples = await samplesOf(index);
    const first: AlphaFoldFeatures = Array.isArray(samples) ? samples[0] : samples as AlphaFoldFeatures;
    const { device } = first.aatype;
    const before = last;
    const { outputs, change } = nextIteration(device, () => {
      const recycled = before && recycledOf(before, aatype!);
      if (before) dispose({ ...before, positions: undefined }); // the next iteration uses the rest up
      const outputs = alphafold(params, samples, recycled, config, {
        ...{ ...rest, msa, trajectory, key: key?.at(index), consume: true },
      });
      const { positions } = outputs;
      const compared = before?.positions ?? (config.multimer && device.zeros(positions.shape));
      return {
        outputs,
        change: compared && tolerance > 0 ? distanceChange(compared, positions, first.seqMask) : undefined,
      };
    });
    before?.positions.dispose();
    last = outputs;
    aatype = first.aatype;
    const changeAngstrom = change && Math.max(...await change.read());
    change?.dispose();
    const iteration: RecyclingIteration = { index, outputs, ...(changeAngstrom !== undefined && { changeAngstrom }) };
    await onIteration?.(iteration);
    const converged = changeAngstrom !== undefined && changeAngstrom <= tolerance;
    if (isLast || index >= maxRecycles || (converged && !config.multimer)) {
      return { ...iteration, converged: converged || isLast };
    }
    isLast = converged;
  }
}

/**
 * What iterations leave to a last one that is differentiated: all but that one, without gradients.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 31 "RecyclingTraining".
 *
 * @param samples Features of each iteration before the last.
 * @param options A key is that of the whole step: iterations have keys of their own.
 * @returns What the last iteration reads, owned by the current scope; undefined if there is none before it.
 */
export function recycleForTraining(
  params: AlphaFoldParams,
  samples: readonly Samples[],
  config: AlphaFoldConfig,
  { key }: Pick<AlphaFoldOptions, "key"> = {},
): Recycled | undefined {
  let recycled: Recycled | undefined;
  for (const [index, sample] of samples.entries()) {
    const first: AlphaFoldFeatures = Array.isArray(sample) ? sample[0] : sample as AlphaFoldFeatures;
    const { device } = first.aatype;
    const before = recycled;
    recycled = nextIteration(device, () => {
      const options = { key: key?.at(index), msa: false, trajectory: false, consume: true };
      return recycledOf(noGrad(device, () => alphafold(params, sample, before, config, options)), first.aatype);
    });
    dispose(before);
  }
  return recycled;
}

/** Runs an iteration; what it makes besides its result is freed. */
function nextIteration<T extends Tree<Tensor>>(device: Device, run: () => T): T {
  using scope = device.scope("recycle");
  return scope.keep(run());
}

function dispose(tensors: Tree<Tensor>): void {
  for (const tensor of leaves<Tensor>(tensors)) tensor.dispose();
}

/** Added to the square of a change. */
const EPS = 1e-8;

/**
 * How far the distances between C-alphas differ in two structures: the root of the mean square difference over all pairs.
 *
 * Source: Gao et al. (2022), "AF2Complex predicts direct physical interactions in multimeric proteins with deep learning",
 * as in AlphaFold's published code of 2023 on.
 *
 * @param a `[batch, N_res, 37, 3]`, Å.
 * @param b Of the same shape.
 * @param seqMask 1 for residues that count, `[batch, N_res]`. @default all do
 * @returns Å, `[batch]`, owned by the current scope.
 */
export function distanceChange(a: Tensor, b: Tensor, seqMask?: Tensor): Tensor {
  const { device, shape: [batch, n] } = a;
  using scope = device.scope("distanceChange");
  return scope.keep(noGrad(device, () => {
    const distances = (positions: Tensor) => {
      const points = atomPositions(positions, SLOT.CA);
      const apart = subtract(reshape(points, [batch, n, 1, 3]), reshape(points, [batch, 1, n, 3]));
      return sqrt(sum(square(apart), { axes: [-1] }));
    };
    const squares = square(subtract(distances(a), distances(b)));
    const mean = (x: Tensor) => sum(x, { axes: [1, 2] });
    if (!seqMask) return sqrt(addScalar(multiplyScalar(mean(squares), 1 / n ** 2), EPS));
    const both = multiply(reshape(seqMask, [batch, n, 1]), reshape(seqMask, [batch, 1, n]));
    return sqrt(addScalar(divide(mean(multiply(squares, both)), addScalar(mean(both), 1e-10)), EPS));
  }));
}
