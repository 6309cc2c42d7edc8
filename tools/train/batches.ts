/** Batches of samples on the CPU, and what gives them. */
import { ATOM14_SLOTS } from "../../model/protein/residue_constants.ts";
import { RELATIVE_POSITION_CLASSES, relativePositionFeatures } from "../fold/features.ts";

/** One example: an alignment seen from its target, and the target's distances. */
export interface Sample {
  /** Rows of the alignment, N_seq. */
  readonly numSeqs: number;
  /** Residues of the target, N_res. */
  readonly numRes: number;
  /** The target's row first, `[N_seq, N_res]`. */
  readonly tokens: Int32Array;
  /** True distances in Å, `[N_res, N_res]`. */
  readonly distances: Float32Array;
  /** 1 where a distance is known, `[N_res, N_res]`. */
  readonly mask: Float32Array;
  /** Where all atoms are, of targets whose structures are at hand. */
  readonly atoms?: SampleAtoms;
}

/** Atoms of a chain under AlphaFold's 14 slots. */
export interface SampleAtoms {
  /** In Å, `[N_res, 14, 3]`. */
  readonly positions: Float32Array;
  /** 1 for atoms that are known, `[N_res, 14]`. */
  readonly known: Float32Array;
}

/** Samples stacked along a first axis B; chains shorter than the longest, and alignments of fewer rows, are padded. */
export interface Batch {
  /** Number of samples, B. */
  readonly size: number;
  /** Rows of the deepest alignment, N_seq. */
  readonly numSeqs: number;
  /** Residues of the longest chain, N_res. */
  readonly numRes: number;
  /** `[B, N_seq, N_res]`. */
  readonly msaTokens: Int32Array;
  /** `[B, N_res, N_res, pairChannels]`. */
  readonly pairFeatures: Float32Array;
  /** Channels of the pair features. */
  readonly pairChannels: number;
  /** True distances in Å, `[B, N_res, N_res]`. */
  readonly distances: Float32Array;
  /** 1 for residues of real rows, `[B, N_seq, N_res]`; absent where all are. */
  readonly msaMask?: Float32Array;
  /** 1 for pairs of real residues, `[B, N_res, N_res]`; absent where all are. */
  readonly pairMask?: Float32Array;
  /** 1 for distances that count, `[B, N_res, N_res]`; absent where all do. */
  readonly lossMask?: Float32Array;
  /** Atoms, `[B, N_res, 14, …]`; absent where a sample has none. */
  readonly atoms?: SampleAtoms;
}

/** Where training takes its batches from. */
export interface BatchSource<B = Batch> {
  /** What the data are, in a few words. */
  readonly description: string;
  /** Tells two data sets apart: a hash of all that goes in. */
  readonly fingerprint: string;
  /** Steps with updates that come before the first recorded one. */
  readonly warmupSteps: number;
  /**
   * The batch of a step, counted from 0 with the warm-up steps. Sources with a stream give them in order only.
   *
   * @throws {RangeError} If it is not this step's turn.
   */
  batch(step: number): B;
  /** What a checkpoint must keep so that the next batches come out the same; undefined if the step alone is enough. */
  saveOrder(): string | undefined;
  /** Goes on so that `step` is the next, from what {@link saveOrder} gave. */
  restoreOrder(step: number, order: string | undefined): void;
}

/** Token of padding and gaps. */
const PAD_TOKEN = 20;

/**
 * Stacks samples. Pair features are one-hot relative positions.
 *
 * @throws {TypeError} If there is no sample.
 */
export function stackSamples(samples: readonly Sample[]): Batch {
  const size = samples.length;
  if (size === 0) throw new TypeError("Cannot stack samples: there is none");
  const numSeqs = Math.max(...samples.map((sample) => sample.numSeqs));
  const numRes = Math.max(...samples.map((sample) => sample.numRes));
  const pixels = numRes * numRes;
  const batch = {
    ...{ size, numSeqs, numRes, pairChannels: RELATIVE_POSITION_CLASSES },
    msaTokens: new Int32Array(size * numSeqs * numRes).fill(PAD_TOKEN),
    pairFeatures: new Float32Array(size * pixels * RELATIVE_POSITION_CLASSES),
    distances: new Float32Array(size * pixels),
  };
  const msaMask = new Float32Array(size * numSeqs * numRes);
  const pairMask = new Float32Array(size * pixels);
  const lossMask = new Float32Array(size * pixels);
  const features = relativePositionFeatures(numRes);
  samples.forEach(({ numRes: n, numSeqs: rows, tokens, distances, mask }, b) => {
    batch.pairFeatures.set(features, b * features.length);
    for (let s = 0; s < rows; s++) {
      const at = (b * numSeqs + s) * numRes;
      batch.msaTokens.set(tokens.subarray(s * n, (s + 1) * n), at);
      msaMask.fill(1, at, at + n);
    }
    for (let i = 0; i < n; i++) {
      const at = b * pixels + i * numRes;
      batch.distances.set(distances.subarray(i * n, (i + 1) * n), at);
      lossMask.set(mask.subarray(i * n, (i + 1) * n), at);
      pairMask.fill(1, at, at + n);
    }
  });
  return {
    ...batch,
    ...(msaMask.includes(0) ? { msaMask, pairMask } : {}),
    ...(lossMask.includes(0) ? { lossMask } : {}),
    ...stackedAtoms(samples, numRes),
  };
}

function stackedAtoms(samples: readonly Sample[], numRes: number): { atoms?: SampleAtoms } {
  const all = samples.flatMap(({ atoms }) => atoms ?? []);
  if (all.length < samples.length) return {};
  const count = samples.length * numRes * ATOM14_SLOTS;
  const positions = new Float32Array(3 * count), known = new Float32Array(count);
  all.forEach((atoms, b) => {
    positions.set(atoms.positions, 3 * b * numRes * ATOM14_SLOTS);
    known.set(atoms.known, b * numRes * ATOM14_SLOTS);
  });
  return { atoms: { positions, known } };
}

/** First 16 hexadecimal digits of the SHA-256 of texts and arrays, in order. */
export async function fingerprint(parts: readonly (string | Float32Array)[]): Promise<string> {
  const encoder = new TextEncoder();
  const chunks = parts.map((part) =>
    typeof part === "string"
      ? encoder.encode(`${part.length}:${part}\n`)
      : new Uint8Array(part.buffer, part.byteOffset, part.byteLength)
  );
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole)).toHex().slice(0, 16);
}
