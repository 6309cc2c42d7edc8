/** Reads what a run learns from. */
import {
  chooseChains,
  type ChosenChain,
  type Family,
  type FamilyMember,
  findFamilies,
  learntResidues,
  rowSequence,
  unknownLetters,
} from "../data/family.ts";
import { warningsOf } from "../data/remarks.ts";
import { pseudoBeta } from "../data/structure.ts";
import { structureFiles } from "../data/structure_files.ts";
import { InputError } from "../errors.ts";
import { contentKind } from "../prep/collect_targets.ts";
import { filesOf } from "../prep/walk.ts";
import { NameIndex } from "../name_index.ts";
import type { TinyOpenFoldParams } from "../../model/tiny_openfold/mod.ts";
import { counted, listed } from "../words.ts";
import { type Batch, type BatchSource, stackSamples } from "./batches.ts";
import { type BadTarget, chainExamples, type Example, familyExamples, refuseBad } from "./examples.ts";
import { chosen, featureEntries, featureExamples, readNames } from "./feature_examples.ts";
import type { Learning, TrainData } from "./network.ts";
import type { DataChoice, DataSettings, EvoformerSettings, TrainSettings } from "./settings.ts";
import { exampleBatches, firstRows } from "./structure_batches.ts";
import { syntheticBatches } from "./synthetic_batches.ts";
import { runKeys, tinyOpenFoldNetwork } from "./tiny_openfold.ts";

/** What a run learns from, read. */
export interface RunData {
  /** Structures with their alignments, where these were given, an alignment each. */
  readonly families: readonly Family[];
  /** Members whose structures are predicted at the end. */
  readonly heldOut: readonly FamilyMember[];
  /** Examples that are learnt from. */
  readonly examples: readonly Example[];
  /** Targets of feature files that are predicted at the end. @default none */
  readonly heldOutTargets?: readonly Example[];
  /** Examples whose loss is watched. */
  readonly validation: readonly Example[];
  /** What cannot be learnt from, and is left out. */
  readonly bad: readonly BadTarget[];
  /** What is doubtful, a sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Reads structures and alignment, or feature files, and chooses what is learnt from and what is watched.
 *
 * @param seqLen Most residues. @default any number
 * @returns undefined for noise, which is read from nowhere.
 * @throws {InputError} If a file cannot be used (all of them are listed) unless such are skipped, a name is not there, a name
 * is both learnt from and watched, or nothing is left to learn from.
 */
export async function readRunData(
  { data }: Pick<TrainSettings, "data">,
  seqLen?: number,
): Promise<RunData | undefined> {
  if (data.kind === "synthetic") return undefined;
  return data.kind === "structures" ? await readStructures(data, seqLen) : await readFeatures(data, seqLen);
}

async function readStructures(
  data: DataSettings & { readonly kind: "structures" },
  seqLen = Infinity,
): Promise<RunData> {
  if (data.msa === null) return await readChains(data, seqLen);
  const found = await findFamilies({
    structures: await structureFiles(data.structures),
    msas: await alignmentFiles(data.msa),
  });
  const bad: BadTarget[] = [...found.bad];
  const longest = Math.max(...found.families.flatMap(({ members }) => members.map(lengthOf)));
  const taken = new Map<string, FamilyMember>();
  const families = found.families.map(({ alignment, members }): Family => {
    const good = members.filter((member) => {
      const twin = taken.get(member.id);
      const reason = lengthOf(member) > seqLen
        ? tooLong(member, seqLen, longest)
        : twin
        ? namedTwice(twin, member)
        : tooFewBetas(member, rowSequence(alignment.aligned[member.row]));
      if (reason !== undefined) bad.push({ id: member.id, reason });
      else taken.set(member.id, member);
      return reason === undefined;
    });
    return Object.freeze({ alignment, members: good });
  });
  const members = families.flatMap((family) => family.members);
  refuseBad(bad, data, "structures");
  const heldOut = findMembers(members, data.holdOut);
  const { list, validation } = await chooseLists(members, data);
  const watched = validation.filter((member) => !heldOut.includes(member));
  const learnt = (list ?? members).filter((member) => !heldOut.includes(member) && !validation.includes(member));
  if (learnt.length === 0) {
    const names = heldOut.length > 0 ? `All ${members.length} structures are held out` : "No structure is left";
    throw new InputError(`${names}: none is left to train on`);
  }
  const examples = familyExamples(families, learnt);
  const watchedExamples = familyExamples(families, watched);
  return {
    ...{ families, heldOut, bad, examples },
    validation: watchedExamples,
    warnings: [
      ...families.flatMap(({ alignment }) => warningsOf(alignment)),
      ...new Set(members.flatMap(({ structure }) => warningsOf(structure))),
      ...found.warnings,
      ...unknownText([...examples, ...watchedExamples]),
    ],
  };
}

/** The alignments of a folder, or the file itself. */
async function alignmentFiles(path: string): Promise<string[]> {
  const files = await filesOf(path);
  if (files.length === 1 && files[0] === path) return files;
  const alignments: string[] = [];
  for (const file of files) if (await contentKind(file) === "alignment") alignments.push(file);
  if (alignments.length > 0) return alignments;
  throw new InputError(`The folder ${path} has no alignment: expected files named .a3m, .sto, .aln or aligned .fasta`);
}

function lengthOf({ chain }: FamilyMember): number {
  return chain.sequence.length;
}

/** Members of different families that have one name: files and lists could not tell them apart. */
function namedTwice({ structure }: FamilyMember, other: FamilyMember): string {
  return `${structure.source} and ${other.structure.source} are both named "${other.id}": expected one of each name`;
}

/** Why nothing can be learnt from the distances of a chain, if nothing can. */
function tooFewBetas({ chain, structure }: ChosenChain, sequence: string): string | undefined {
  const known = learntResidues(pseudoBeta(chain).mask, sequence).reduce((sum, is) => sum + is, 0);
  return known >= 2
    ? undefined
    : `Chain ${chain.id} of ${structure.source} shows ${known} C-beta atoms of known residues, expected 2 or more`;
}

/** What is done with residues that are none of the 20 amino acids. */
function unknownText(examples: readonly Example[]): string[] {
  const odd = examples.map(({ id, sequence }) => ({ id, count: unknownLetters(sequence) })).filter(({ count }) =>
    count > 0
  );
  if (odd.length === 0) return [];
  const count = odd.reduce((sum, one) => sum + one.count, 0);
  return [
    `${counted(count, "residue")} of ${
      listed(odd.map(({ id }) => id))
    } are none of the 20 amino acids: the network sees X, ` +
    "and their distances are not learnt",
  ];
}

/** Structures without an alignment. */
async function readChains(data: DataSettings & { readonly kind: "structures" }, seqLen: number): Promise<RunData> {
  const { chosen, bad: unread } = await chooseChains(await structureFiles(data.structures));
  const longest = chosen.reduce((most, { chain }) => Math.max(most, chain.sequence.length), 0);
  const bad: BadTarget[] = [...unread];
  const good = chosen.filter((one) => {
    const { chain: { sequence }, structure } = one;
    const reason = sequence.length > seqLen ? tooLong(one, seqLen, longest) : tooFewBetas(one, sequence);
    if (reason !== undefined) bad.push({ id: structure.source, reason });
    return reason === undefined;
  });
  refuseBad(bad, data, "structures");
  const examples = chainExamples(good);
  const { list, validation } = await chooseLists(examples, data);
  const learnt = (list ?? examples).filter((example) => !validation.includes(example));
  if (learnt.length === 0) throw new InputError("No structure is left: none is left to train on");
  const structures = [...new Set(good.map(({ structure }) => structure))];
  const warnings = [...structures.flatMap(warningsOf), ...unknownText([...learnt, ...validation])];
  return { families: [], heldOut: [], examples: learnt, validation, bad, warnings };
}

async function readFeatures(data: DataSettings & { readonly kind: "features" }, seqLen?: number): Promise<RunData> {
  const entries = await featureEntries(data.folder);
  const { list, validation, missing } = await chooseLists(entries, data);
  const heldOut = findEntries(entries, data.holdOut ?? []);
  const wanted = entries.filter((entry) => [...list ?? entries, ...validation, ...heldOut].includes(entry));
  const { examples, bad } = await featureExamples(wanted, seqLen);
  const all = [...missing, ...bad];
  refuseBad(all, data, "targets");
  const watched = new Set(validation.map(({ id }) => id)), kept = new Set(heldOut.map(({ id }) => id));
  const learnt = examples.filter(({ id }) => !watched.has(id) && !kept.has(id));
  if (learnt.length === 0) throw new InputError(`${data.folder}: no target is left to train on`);
  return {
    ...{ families: [], heldOut: [], examples: learnt, bad: all, warnings: unknownText(examples) },
    validation: examples.filter(({ id }) => watched.has(id) && !kept.has(id)),
    ...(heldOut.length > 0 && { heldOutTargets: examples.filter(({ id }) => kept.has(id)) }),
  };
}

/** The feature files of the given names. */
function findEntries<T extends { readonly id: string }>(entries: readonly T[], ids: readonly string[]): T[] {
  const there = entries.map(({ id }) => id), names = new NameIndex(there);
  return ids.map((id) => {
    const found = names.find(id);
    if (found !== undefined) return entries[there.indexOf(found)];
    throw new InputError(`There is no target "${id}" to hold out: there are ${listed(there)}`);
  });
}

function tooLong(
  { chain, structure }: Pick<FamilyMember, "chain" | "structure">,
  seqLen: number,
  longest: number,
): string {
  return `Chain ${chain.id} of ${structure.source} has ${chain.sequence.length} residues, more than --seq-len ${seqLen} ` +
    `allows: give --seq-len ${longest} or more for the longest of all, or leave it out`;
}

/** What the lists name. */
async function chooseLists<T extends { readonly id: string }>(
  there: readonly T[],
  { list, validation, skipBad }: DataChoice,
): Promise<{ list?: T[]; validation: T[]; missing: BadTarget[] }> {
  const missing: BadTarget[] = [];
  const choose = async (path: string) => {
    const { found, missing: unknown } = chosen(there, await readNames(path));
    missing.push(...unknown);
    return found;
  };
  const own = list ? await choose(list) : undefined;
  const watched = validation ? await choose(validation) : [];
  const both = own?.filter((one) => watched.includes(one)) ?? [];
  if (both.length > 0) {
    throw new InputError(
      `${
        listed(both.map(({ id }) => id))
      }: learnt from by ${list} and watched by ${validation}, expected one of the two`,
    );
  }
  refuseBad(missing, { skipBad }, "names");
  return { list: own, validation: watched, missing };
}

/**
 * The members of the given names, by the rules of `NameIndex`.
 *
 * @throws {InputError} If one is not there; the message lists those there are.
 */
export function findMembers(members: readonly FamilyMember[], ids: readonly string[]): FamilyMember[] {
  const there = members.map((member) => member.id);
  const names = new NameIndex(there);
  return ids.map((id) => {
    const found = names.find(id);
    if (found !== undefined) return members[there.indexOf(found)];
    throw new InputError(`There is no structure "${id}" to hold out: there are ${there.join(", ")}`);
  });
}

/** What a run makes of its data for the network. */
export function trainDataOf(
  { families, heldOut, heldOutTargets = [], examples, validation }: RunData,
  from: DataSettings["kind"] = "features",
): TrainData {
  return {
    examples,
    description: families.length > 0
      ? `${counted(examples.length, "structure")}, ${alignmentsText(families)}`
      : from === "features"
      ? `${counted(examples.length, "target")} with structures, from feature files`
      : `${counted(examples.length, "structure")}, without an alignment`,
    identity: families.map(({ alignment }) => JSON.stringify([alignment.names, alignment.aligned])),
    watched: validation.length > 0 ? validation : [...familyExamples(families, heldOut), ...heldOutTargets],
  };
}

/** Words for the alignments of families. */
export function alignmentsText(families: readonly Family[]): string {
  const depths = families.map(({ alignment }) => alignment.names.length);
  const [least, most] = [Math.min(...depths), Math.max(...depths)];
  if (families.length === 1) return `an alignment of ${counted(most, "sequence")}`;
  return `${families.length} alignments of ${least === most ? "" : `${least} to `}${counted(most, "sequence")}`;
}

/** The small Evoformer, and the source of its batches. */
export async function openTiny(
  settings: TrainSettings<EvoformerSettings>,
  given: TrainData = {},
): Promise<Learning<TinyOpenFoldParams, Batch>> {
  const { numSeqs } = settings.model;
  return {
    network: tinyOpenFoldNetwork(settings.model),
    source: await openSource(settings, given),
    // Batches of one, with the rows that a prediction takes.
    watched: (given.watched ?? []).map((example) => stackSamples([firstRows(example.sample(), numSeqs)])),
  };
}

async function openSource(
  { model, training }: TrainSettings,
  { examples, description = "", identity, onProgress }: TrainData,
): Promise<BatchSource> {
  const { batchSize, seed, cropEnds } = training;
  if (examples === undefined) {
    try {
      return await syntheticBatches({ model, batchSize, seed, onProgress });
    } catch (error) {
      if (error instanceof RangeError) throw new InputError(error.message);
      throw error;
    }
  }
  const { numSeqs } = model;
  const key = runKeys(seed).data;
  return await exampleBatches({ examples, description, identity, batchSize, numSeqs, cropEnds, key });
}
