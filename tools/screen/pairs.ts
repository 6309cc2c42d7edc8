/** Which pairs of chains a screen tries. */
import { fileNames } from "../files.ts";
import { InputError } from "../errors.ts";
import { collectTargets, contentKind } from "../prep/collect_targets.ts";
import { type CollectedTarget, fastaTargets, tableTargets } from "../prep/list_targets.ts";

/** A pair to predict. */
export interface ScreenPair {
  /** Name of its folder. */
  readonly name: string;
  /** Name of the bait: a chain, or a complex. */
  readonly bait: string;
  /** Name of the prey. */
  readonly prey: string;
  /** Chains of the bait, then those of the prey. */
  readonly chains: readonly CollectedTarget[];
  /** Chains whose features these have: of copies of a sequence the first's. */
  readonly sources: readonly CollectedTarget[];
  /** How many of them are the bait's. */
  readonly baitChains: number;
  /** Residues of all. */
  readonly residues: number;
}

/** What a screen is made of. */
export interface ScreenPlan {
  /** Each chain once, in the order of the lists. */
  readonly chains: readonly CollectedTarget[];
  /** All pairs, each once, whichever of the two is the bait; the preys of a bait stand together. */
  readonly pairs: readonly ScreenPair[];
  /** Paths of structures that may be templates, by PDB code. */
  readonly templates: ReadonlyMap<string, string>;
  /** Files that no chain uses, a sentence each. */
  readonly notes: readonly string[];
}

/** Choices of {@linkcode planScreen}. */
export interface ScreenPlanOptions {
  /** Alignments and hits of the chains, files and folders. */
  readonly files?: readonly string[];
  /** Structures that may be templates, files and folders. */
  readonly templates?: readonly string[];
  /** Whether a chain in both lists is paired with itself. @default true */
  readonly self?: boolean;
}

/**
 * Pairs every bait with every prey. A name in both lists is one chain; with itself it is a pair of two copies, and of a
 * pair and its reverse one is left.
 *
 * @param baits FASTA or a table; `A:B` is a bait of two chains.
 * @param preys The same; the file of the baits for all against all.
 * @throws {InputError} If a list cannot be read, or a name has two sequences.
 */
export async function planScreen(
  baits: string,
  preys: string,
  { files = [], templates, self = true }: ScreenPlanOptions = {},
): Promise<ScreenPlan> {
  const names = { baits: await namesOf(baits), preys: await namesOf(preys) };
  const collected = await collectTargets([...new Set([baits, preys]), ...files], {
    ...{ templates, complexes: true, once: true },
  });
  const units = new Map(collected.targets.map((target) => [target.id, target]));
  for (const { problem } of units.values()) if (problem !== undefined) throw new InputError(problem);
  const chainsOf = (name: string): readonly CollectedTarget[] => {
    const unit = units.get(name)!;
    return unit.chains ?? [unit];
  };
  const residuesOf = (chains: readonly CollectedTarget[]) =>
    chains.reduce((sum, { sequence = "" }) => sum + sequence.length, 0);
  const seen = new Set<string>();
  const pairs: Omit<ScreenPair, "name">[] = [];
  for (const bait of names.baits) {
    for (const prey of names.preys) {
      const key = JSON.stringify([bait, prey].sort());
      if ((bait === prey && !self) || seen.has(key)) continue;
      seen.add(key);
      const chains = [...chainsOf(bait), ...chainsOf(prey)];
      const sources = chains.map(({ sequence }) => chains.find((other) => other.sequence === sequence)!);
      pairs.push({ bait, prey, chains, sources, baitChains: chainsOf(bait).length, residues: residuesOf(chains) });
    }
  }
  if (pairs.length === 0) {
    throw new InputError(`${baits} and ${preys} make no pair: the only chain is in both, and --no-self leaves it out`);
  }
  const folders = fileNames(pairs.map(({ bait, prey }) => `${bait}_and_${prey}`));
  const chains = new Map(pairs.flatMap(({ sources }) => sources).map((chain) => [chain.id, chain]));
  return {
    chains: [...chains.values()],
    pairs: pairs.map((pair, k) => ({ ...pair, name: folders[k] })),
    templates: collected.templates,
    notes: collected.notes,
  };
}

/** Names of what a list names, each once. */
async function namesOf(path: string): Promise<string[]> {
  const kind = await contentKind(path);
  if (kind !== "fasta" && kind !== "table") {
    throw new InputError(`${path} is no list of chains: expected sequences (.fasta) or a table (.csv, .tsv)`);
  }
  const targets = kind === "fasta" ? await fastaTargets([path]) : await tableTargets([path], {});
  for (const { id, sequence, problem } of targets) {
    if (problem !== undefined) throw new InputError(problem);
    if (sequence === undefined) throw new InputError(`${path}: "${id}" has no sequence`);
  }
  return [...new Set(targets.map(({ id, complex }) => complex ?? id))];
}
