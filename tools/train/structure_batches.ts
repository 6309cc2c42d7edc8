/** Batches from the structures of a family and their alignment. */
import type { Key } from "../../core/mod.ts";
import { distanceTarget, type Family, type FamilyMember, msaTokens } from "../data/family.ts";
import { InputError } from "../errors.ts";
import { type BatchSource, fingerprint, type Sample, stackSamples } from "./batches.ts";

/** What {@link structureBatches} needs to know. */
export interface StructureBatchOptions {
  /** Structures and alignment. */
  readonly family: Family;
  /** Members to learn from; structures of the others are not looked at. */
  readonly members: readonly FamilyMember[];
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
 * Batches that are a function of the key and the step alone: members come in a new random order every epoch; where the
 * alignment has more rows than a sample takes, those that go beside the target's are drawn anew each time.
 */
export async function structureBatches(options: StructureBatchOptions): Promise<BatchSource> {
  const { family, members, batchSize, numSeqs } = options;
  const cropEnds = options.cropEnds ?? 0;
  const [orderKey, rowKey, cropKey] = options.key.split(3);
  const count = Math.min(numSeqs, family.alignment.names.length);
  const samples = new Map<FamilyMember, Sample>();
  const whole = (member: FamilyMember): Sample => {
    let sample = samples.get(member);
    if (!sample) samples.set(member, sample = wholeSample(family, member));
    return sample;
  };
  const memberAt = (position: number): FamilyMember => {
    const order = orderKey.at(Math.floor(position / members.length)).permutation(members.length);
    return members[order[position % members.length]];
  };
  return {
    description: `${members.length} structures, an alignment of ${family.alignment.names.length} sequences`,
    fingerprint: await fingerprint([
      JSON.stringify([family.alignment.names, family.alignment.aligned]),
      ...members.flatMap(({ id, chain }) => [id, chain.sequence, chain.atomPositions, chain.atomMask]),
    ]),
    warmupSteps: 0,
    batch(step) {
      return stackSamples(Array.from({ length: batchSize }, (_, b) => {
        const position = step * batchSize + b;
        const sample = cropped(whole(memberAt(position)), cropEnds, cropKey.at(position));
        if (count === sample.numSeqs) return sample;
        const others = rowKey.at(position).permutation(sample.numSeqs - 1).slice(0, count - 1);
        return takeRows(sample, [0, ...others.map((row) => row + 1).sort((a, b) => a - b)]);
      }));
    },
    saveOrder: () => undefined,
    restoreOrder() {},
  };
}

/** A member with all rows of the alignment, its own first. */
export function wholeSample({ alignment }: Family, member: FamilyMember): Sample {
  const { names, tokens } = msaTokens(alignment, member.row, alignment.names.length);
  const numRes = member.chain.sequence.length;
  return { numSeqs: names.length, numRes, tokens, ...distanceTarget(member.chain) };
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
  };
}

/**
 * Checks that no chain is longer than the model takes.
 *
 * @throws {InputError} If one is; the message names its file.
 */
export function checkLengths(members: readonly FamilyMember[], seqLen: number): void {
  for (const { chain, structure } of members) {
    const { length } = chain.sequence;
    if (length > seqLen) {
      throw new InputError(
        `Chain ${chain.id} of ${structure.source} has ${length} residues, more than --seq-len ${seqLen} allows: ` +
          `give --seq-len ${length} or more, or leave it out`,
      );
    }
  }
}
