/** Batches of examples in random order, and what is cut out of samples. */
import type { Key } from "../../core/mod.ts";
import { ATOM14_EXISTS, ATOM14_SLOTS, ATOM14_TO_ATOM37 } from "../../model/protein/residue_constants.ts";
import { ATOM_SLOTS, RESIDUE_LETTERS } from "../../model/protein/residues.ts";
import { distancesOf, type Family, type FamilyMember, learntResidues, msaTokens } from "../data/family.ts";
import { type Chain, pseudoBeta } from "../data/structure.ts";
import { type BatchSource, fingerprint, type Sample, type SampleAtoms, stackSamples } from "./batches.ts";
import type { Example } from "./examples.ts";

/** What {@link exampleBatches} needs to know. */
export interface ExampleBatchOptions {
  /** What to learn from. */
  readonly examples: readonly Example[];
  /** What they are, in a few words. */
  readonly description: string;
  /** What goes into the samples besides. @default nothing */
  readonly identity?: readonly string[];
  /** Samples a batch. */
  readonly batchSize: number;
  /** Most rows of the alignment in a sample, the target's own included. */
  readonly numSeqs: number;
  /** Most residues that each sample loses at random at either end. @default 0 */
  readonly cropEnds?: number | null;
  /** The order of samples, the choice of rows and the cuts. Used up. */
  readonly key: Key;
}

/**
 * Batches that are a function of the key and the step alone: examples come in a new random order every epoch; where an
 * alignment has more rows than a sample takes, those that go beside the target's are drawn anew each time.
 */
export async function exampleBatches(options: ExampleBatchOptions): Promise<BatchSource> {
  const { examples, batchSize, numSeqs, identity = [] } = options;
  const cropEnds = options.cropEnds ?? 0;
  const [orderKey, rowKey, cropKey] = options.key.split(3);
  const exampleAt = (position: number): Example => {
    const order = orderKey.at(Math.floor(position / examples.length)).permutation(examples.length);
    return examples[order[position % examples.length]];
  };
  return {
    description: options.description,
    fingerprint: await fingerprint([...identity, ...examples.flatMap((example) => example.identity)]),
    warmupSteps: 0,
    batch(step) {
      return stackSamples(Array.from({ length: batchSize }, (_, b) => {
        const position = step * batchSize + b;
        const sample = cropped(exampleAt(position).sample(), cropEnds, cropKey.at(position));
        const count = Math.min(numSeqs, sample.numSeqs);
        if (count === sample.numSeqs) return sample;
        const others = rowKey.at(position).permutation(sample.numSeqs - 1).slice(0, count - 1);
        return takeRows(sample, [0, ...others.map((row) => row + 1).sort((a, b) => a - b)]);
      }));
    },
    saveOrder: () => undefined,
    restoreOrder() {},
  };
}

/** A member with all rows of the alignment, its own first; distances of residues that are none of the 20 do not count. */
export function wholeSample({ alignment }: Family, member: FamilyMember): Sample {
  const { names, rows, tokens } = msaTokens(alignment, member.row, alignment.names.length);
  const { positions, mask } = pseudoBeta(member.chain);
  const target = distancesOf(positions, learntResidues(mask, rows[0]));
  return { numSeqs: names.length, numRes: mask.length, tokens, ...target, atoms: atomsOf(member.chain, rows[0]) };
}

/**
 * Atoms of a chain under AlphaFold's 14 slots; those of residues that are none of the 20 do not count.
 *
 * @param sequence Letters of the target's row.
 */
export function atomsOf({ atomPositions, atomMask }: Chain, sequence: string): SampleAtoms {
  const n = sequence.length;
  const positions = new Float32Array(3 * n * ATOM14_SLOTS), known = new Float32Array(n * ATOM14_SLOTS);
  const learnt = learntResidues(new Float32Array(n).fill(1), sequence);
  for (let at = 0; at < known.length; at++) {
    const [i, slot] = [Math.floor(at / ATOM14_SLOTS), at % ATOM14_SLOTS];
    const entry = RESIDUE_LETTERS.indexOf(sequence[i]) * ATOM14_SLOTS + slot;
    if (learnt[i] === 0 || ATOM14_EXISTS[entry] === 0) continue;
    const wide = i * ATOM_SLOTS + ATOM14_TO_ATOM37[entry];
    known[at] = atomMask[wide];
    for (let axis = 0; axis < 3; axis++) positions[3 * at + axis] = atomPositions[3 * wide + axis];
  }
  return { positions, known };
}

/** The same sample with at most so many rows of its alignment, the first ones, as predictions take them. */
export function firstRows(sample: Sample, most: number): Sample {
  return sample.numSeqs <= most ? sample : takeRows(sample, Array.from({ length: most }, (_, row) => row));
}

/** The same sample with some rows of its alignment. */
export function takeRows(sample: Sample, rows: readonly number[]): Sample {
  const { numRes } = sample;
  const tokens = new Int32Array(rows.length * numRes);
  rows.forEach((row, i) => tokens.set(sample.tokens.subarray(row * numRes, (row + 1) * numRes), i * numRes));
  return { ...sample, numSeqs: rows.length, tokens };
}

/** Fewest residues that a cut leaves. */
const LEAST_RESIDUES = 8;

/** The sample without some residues at its ends: 0 to `most` at either, equally likely each, if enough are left. */
function cropped(sample: Sample, most: number, key: Key): Sample {
  const [first, last] = key.uniform(2);
  const spare = Math.max(0, sample.numRes - LEAST_RESIDUES) / 2;
  const cut = (x: number) => Math.floor(x * (Math.min(most, Math.floor(spare)) + 1));
  return cutEnds(sample, cut(first), cut(last));
}

/** The sample without its first and last residues. */
export function cutEnds(sample: Sample, first: number, last: number): Sample {
  if (first + last === 0) return sample;
  const { numSeqs, numRes: n } = sample;
  const end = n - last;
  const rows = <A extends Int32Array | Float32Array>(from: A, to: A, count: number, row: (i: number) => number): A => {
    for (let i = 0; i < count; i++) {
      to.set(from.subarray(row(i) * n + first, row(i) * n + end), i * (end - first));
    }
    return to;
  };
  const size = end - first;
  const square = (from: Float32Array) => rows(from, new Float32Array(size * size), size, (i) => i + first);
  return {
    numSeqs,
    numRes: size,
    tokens: rows(sample.tokens, new Int32Array(numSeqs * size), numSeqs, (s) => s),
    distances: square(sample.distances),
    mask: square(sample.mask),
    ...(sample.atoms && {
      atoms: {
        positions: sample.atoms.positions.slice(3 * first * ATOM14_SLOTS, 3 * end * ATOM14_SLOTS),
        known: sample.atoms.known.slice(first * ATOM14_SLOTS, end * ATOM14_SLOTS),
      },
    }),
  };
}
