/**
 * The small model's noise data set, equal bit for bit to the one its reference recipe draws from NumPy's legacy
 * generator: tokens, pair features and distances that are independent noise, good for timing and for comparing losses.
 *
 * Nothing large is kept: the generator's state is saved at the start of every sample, so that a batch's floats are drawn
 * again when they are asked for (2.5 KB a sample instead of 1 MB).
 */
import { Mt19937 } from "./mt19937.ts";

/** Sizes of the data set; the defaults are the reference recipe's. */
export interface SyntheticOptions {
  /** Number of samples. @default 1000 */
  readonly numSamples?: number;
  /** Rows of each alignment, N_seq. @default 16 */
  readonly numSeqs?: number;
  /** Residues, N_res. @default 64 */
  readonly seqLen?: number;
  /** Channels of the pair features. @default 65 */
  readonly pairDim?: number;
  /** Number of tokens. @default 21 */
  readonly vocabSize?: number;
  /** Seed of the generator. @default 42 */
  readonly seed?: number;
  /** Called now and then while the stream is walked, with the part done in [0, 1]. */
  readonly onProgress?: (done: number) => void;
}

/** Some samples, stacked along a first axis B. */
export interface SyntheticBatch {
  /** Which samples these are, `[B]`. */
  readonly indices: Int32Array;
  /** Tokens, `[B, N_seq, N_res]`. */
  readonly msaTokens: Int32Array;
  /** Standard normal pair features, `[B, N_res, N_res, pairDim]`. */
  readonly pairFeatures: Float32Array;
  /** Target distances in Å, uniform in [0, 20), `[B, N_res, N_res]`. */
  readonly distances: Float32Array;
}

/** Samples between two calls of `onProgress`; the event loop runs there, so that an interrupt is heard. */
const SLICE = 32;

/** The noise data set of the small model's reference recipe. */
export class SyntheticDataset {
  /** Number of samples. */
  readonly numSamples: number;
  /** Rows of each alignment, N_seq. */
  readonly numSeqs: number;
  /** Residues, N_res. */
  readonly seqLen: number;
  /** Channels of the pair features. */
  readonly pairDim: number;
  readonly #tokens: Uint8Array;
  readonly #pairStates: Uint8Array[] = [];
  readonly #distanceStates: Uint8Array[] = [];
  readonly #scratch = new Mt19937(0);
  readonly #stream: Mt19937;

  private constructor(options: Required<Omit<SyntheticOptions, "onProgress">>) {
    for (const [name, value] of Object.entries(options)) {
      if (name !== "seed" && !(Number.isInteger(value) && value > 0)) {
        throw new RangeError(`Cannot make the synthetic data set with ${name} = ${value}: expected a positive integer`);
      }
    }
    if (options.vocabSize > 256) {
      throw new RangeError(`Cannot make the synthetic data set with ${options.vocabSize} tokens: expected at most 256`);
    }
    this.numSamples = options.numSamples;
    this.numSeqs = options.numSeqs;
    this.seqLen = options.seqLen;
    this.pairDim = options.pairDim;
    this.#stream = new Mt19937(options.seed);
    this.#tokens = new Uint8Array(options.numSamples * options.numSeqs * options.seqLen);
    this.#stream.fillIntegers(this.#tokens, 0, options.vocabSize);
  }

  /**
   * Walks the stream once (about 2 s for the default sizes) and notes where each sample begins.
   *
   * @throws {RangeError} If a size is not a positive integer or the seed is not in [0, 2³²).
   */
  static async generate(options: SyntheticOptions = {}): Promise<SyntheticDataset> {
    const { numSamples = 1000, numSeqs = 16, seqLen = 64, pairDim = 65, vocabSize = 21, seed = 42 } = options;
    const dataset = new SyntheticDataset({ numSamples, numSeqs, seqLen, pairDim, vocabSize, seed });
    const pixels = seqLen * seqLen;
    for (let i = 0; i < numSamples; i++) {
      dataset.#pairStates.push(dataset.#stream.save());
      dataset.#stream.skipNormals(pixels * pairDim);
      if ((i + 1) % SLICE === 0 || i + 1 === numSamples) {
        options.onProgress?.((i + 1) / numSamples);
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
    }
    for (let i = 0; i < numSamples; i++) {
      dataset.#distanceStates.push(dataset.#stream.save());
      dataset.#stream.skipUniforms(pixels);
    }
    return dataset;
  }

  /**
   * Draws the next batch of different samples from the stream that made the data, as the reference recipe does.
   *
   * @param size Number of samples B, at most `numSamples`.
   * @throws {RangeError} If `size` is larger than the data set.
   */
  nextBatch(size: number): SyntheticBatch {
    return this.samples(this.#stream.choice(this.numSamples, size));
  }

  /** The samples of the given indices, stacked. */
  samples(indices: Int32Array): SyntheticBatch {
    const { numSeqs, seqLen, pairDim } = this;
    const tokens = numSeqs * seqLen;
    const pixels = seqLen * seqLen;
    const batch: SyntheticBatch = {
      indices,
      msaTokens: new Int32Array(indices.length * tokens),
      pairFeatures: new Float32Array(indices.length * pixels * pairDim),
      distances: new Float32Array(indices.length * pixels),
    };
    indices.forEach((sample, b) => {
      if (!(sample >= 0 && sample < this.numSamples)) {
        throw new RangeError(`Cannot take sample ${sample}: the data set has samples 0 to ${this.numSamples - 1}`);
      }
      batch.msaTokens.set(this.#tokens.subarray(sample * tokens, (sample + 1) * tokens), b * tokens);
      this.#scratch.restore(this.#pairStates[sample]);
      this.#scratch.fillNormals(batch.pairFeatures.subarray(b * pixels * pairDim, (b + 1) * pixels * pairDim));
      this.#scratch.restore(this.#distanceStates[sample]);
      for (let i = b * pixels; i < (b + 1) * pixels; i++) {
        batch.distances[i] = Math.fround(this.#scratch.uniform()) * 20; // rounded again by the store, as float32 × 20 is
      }
    });
    return batch;
  }

  /** The state from which {@link SyntheticDataset.nextBatch} continues: what a checkpoint keeps of the data order. */
  saveOrder(): Uint8Array<ArrayBuffer> {
    return this.#stream.save();
  }

  /** Continues the order of batches from a saved state. */
  restoreOrder(state: Uint8Array): void {
    this.#stream.restore(state);
  }
}
