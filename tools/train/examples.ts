/** Chains to learn from, whatever files they come from. */
import { encodeTokens } from "../data/alignment.ts";
import {
  type ChosenChain,
  distancesOf,
  type Family,
  type FamilyMember,
  familyOf,
  learntResidues,
  rowSequence,
} from "../data/family.ts";
import { stem } from "../data/file_kind.ts";
import { pseudoBeta } from "../data/structure.ts";
import { InputError } from "../errors.ts";
import type { FeatureFile } from "../prep/feature_file.ts";
import type { Sample } from "./batches.ts";
import { atomsOf, wholeSample } from "./structure_batches.ts";

/** A chain whose structure is known, and its alignment. */
export interface Example {
  /** Name. */
  readonly id: string;
  /** File, for messages. */
  readonly source: string;
  /** The target's row, one letter a residue. */
  readonly sequence: string;
  /** Rows of its alignment that can be drawn. */
  readonly depth: number;
  /** What tells it from others: all that goes into a sample. */
  readonly identity: readonly (string | Float32Array)[];
  /** The whole of it; its own row first. */
  sample(): Sample;
  /** The target as its feature file has it, of examples that come from one. */
  readonly target?: ExampleTarget;
}

/** The target of an example that comes from a feature file. */
export interface ExampleTarget {
  /** Rows of its whole alignment. */
  readonly rows: number;
  /** Resolution of its structure in Å; 0: not known. */
  readonly resolutionAngstrom: number;
  /** Reads the file, which has a structure. */
  features(): FeatureFile;
}

/** What cannot be learnt from. */
export interface BadTarget {
  /** Name, or file. */
  readonly id: string;
  /** Why, with the file. */
  readonly reason: string;
}

/** Most reasons that an error lists. */
const SHOWN_REASONS = 20;

/**
 * Ends with the reasons of all that cannot be used, unless such are to be skipped.
 *
 * @param what Words for them, `targets`.
 * @throws {InputError} If there is one.
 */
export function refuseBad(
  bad: readonly BadTarget[],
  { skipBad }: { readonly skipBad?: boolean },
  what: string,
): void {
  if (bad.length === 0 || skipBad) return;
  const reasons = bad.map(({ reason }) => reason);
  if (bad.length === 1) throw new InputError(`${reasons[0]} (--skip-bad leaves it out)`);
  const more = bad.length > SHOWN_REASONS ? [`… and ${bad.length - SHOWN_REASONS} more`] : [];
  throw new InputError(
    [`${bad.length} ${what} cannot be used (--skip-bad leaves them out):`, ...reasons.slice(0, SHOWN_REASONS), ...more]
      .join("\n  "),
  );
}

/** Chains without an alignment as examples: each has its own sequence alone. */
export function chainExamples(chains: readonly ChosenChain[]): Example[] {
  const names = chains.map(({ structure }) => stem(structure.source));
  return chains.map(({ structure, chain }, k) => {
    const twice = names.indexOf(names[k]) !== names.lastIndexOf(names[k]);
    const id = twice ? `${names[k]}_${chain.id}` : names[k];
    const { sequence } = chain;
    const { positions, mask } = pseudoBeta(chain);
    const target = () => ({
      ...distancesOf(positions, learntResidues(mask, sequence)),
      atoms: atomsOf(chain, sequence),
    });
    let made: Sample | undefined;
    return {
      ...{ id, source: structure.source, sequence, depth: 1 },
      identity: [id, sequence, chain.atomPositions, chain.atomMask],
      sample: () => made ??= { numSeqs: 1, numRes: sequence.length, tokens: encodeTokens([sequence]), ...target() },
    };
  });
}

/** Members of families as examples. */
export function familyExamples(families: readonly Family[], members: readonly FamilyMember[]): Example[] {
  return members.map((member) => {
    const { id, chain, structure } = member;
    const family = familyOf(families, member);
    const { names, aligned } = family.alignment;
    const sequence = rowSequence(aligned[member.row]);
    let made: Sample | undefined;
    return {
      ...{ id, source: structure.source, sequence, depth: names.length },
      identity: [id, chain.sequence, chain.atomPositions, chain.atomMask],
      sample: () => made ??= wholeSample(family, member),
    };
  });
}
