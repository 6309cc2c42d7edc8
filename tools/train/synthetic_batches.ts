/** Batches of the noise data set. */
import { SyntheticDataset } from "../data/synthetic.ts";
import type { BatchSource } from "./batches.ts";
import type { ModelSettings } from "./settings.ts";

/** Steps with updates that the reference recipe makes before it starts to record. */
const WARMUP_STEPS = 5;

/** What {@link syntheticBatches} needs to know. */
export interface SyntheticBatchOptions {
  /** Sizes of the samples. */
  readonly model: ModelSettings;
  /** Samples a batch. */
  readonly batchSize: number;
  /** Seed of the data and of their order. */
  readonly seed: number;
  /** Called now and then with the part done in [0, 1]. */
  readonly onProgress?: (done: number) => void;
}

/**
 * The reference recipe's 1000 samples of noise, drawn in its order.
 *
 * @throws {RangeError} If a size or the seed is out of range.
 */
export async function syntheticBatches(options: SyntheticBatchOptions): Promise<BatchSource> {
  const { model: { numSeqs, seqLen }, batchSize, seed, onProgress } = options;
  const data = await SyntheticDataset.generate({ numSeqs, seqLen, seed, onProgress });
  let next = 0;
  return {
    description: `${data.numSamples} samples of noise`,
    fingerprint: `synthetic samples ${data.numSamples} seqs ${numSeqs} residues ${seqLen} seed ${seed}`,
    warmupSteps: WARMUP_STEPS,
    batch(step) {
      if (step !== next) throw new RangeError(`The stream of noise is at step ${next}, asked for step ${step}`);
      next++;
      const { msaTokens, pairFeatures, distances } = data.nextBatch(batchSize);
      const sizes = { size: batchSize, numSeqs, numRes: seqLen, pairChannels: data.pairDim };
      return { ...sizes, msaTokens, pairFeatures, distances };
    },
    saveOrder: () => data.saveOrder().toBase64(),
    restoreOrder(step, order) {
      if (order === undefined) throw new RangeError("The order of the noise is missing");
      data.restoreOrder(Uint8Array.fromBase64(order));
      next = step;
    },
  };
}
