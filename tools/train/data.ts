/** Reads what a run learns from. */
import { type Family, type FamilyMember, loadFamily } from "../data/family.ts";
import { structureFiles } from "../data/structure_files.ts";
import { InputError } from "../errors.ts";
import { NameIndex } from "../name_index.ts";
import type { TinyOpenFoldParams } from "../../model/tiny_openfold/mod.ts";
import { type Batch, type BatchSource, stackSamples } from "./batches.ts";
import type { Learning, TrainData } from "./network.ts";
import type { TrainSettings } from "./settings.ts";
import { checkLengths, firstRows, structureBatches, wholeSample } from "./structure_batches.ts";
import { syntheticBatches } from "./synthetic_batches.ts";
import { runKeys, tinyOpenFoldNetwork } from "./tiny_openfold.ts";

/**
 * Reads structures and alignment, and checks that all fit the model.
 *
 * @returns undefined for noise, which is read from nowhere.
 * @throws {InputError} If a file cannot be used, the two do not fit together, a chain is too long, or a structure to hold
 * out is not there.
 */
export async function readFamily({ data, model }: TrainSettings): Promise<Family | undefined> {
  if (data.kind === "synthetic") return undefined;
  const family = await loadFamily({ structures: await structureFiles(data.structures), msa: data.msa });
  const heldOut = findMembers(family, data.holdOut);
  if (heldOut.length === family.members.length) {
    throw new InputError(`All ${heldOut.length} structures are held out: none is left to train on`);
  }
  checkLengths(family.members, model.seqLen);
  return family;
}

/**
 * The members of the given names, by the rules of `NameIndex`.
 *
 * @throws {InputError} If one is not there; the message lists those there are.
 */
export function findMembers({ members }: Family, ids: readonly string[]): FamilyMember[] {
  const there = members.map((member) => member.id);
  const names = new NameIndex(there);
  return ids.map((id) => {
    const found = names.find(id);
    if (found !== undefined) return members[there.indexOf(found)];
    throw new InputError(`There is no structure "${id}" to hold out: there are ${there.join(", ")}`);
  });
}

/** The small Evoformer, and the source of its batches. */
export async function openTiny(
  settings: TrainSettings,
  given: TrainData = {},
): Promise<Learning<TinyOpenFoldParams, Batch>> {
  const { family, heldOut = [] } = given;
  return {
    network: tinyOpenFoldNetwork(settings.model),
    source: await openSource(settings, given),
    watched: family ? watchedBatches(family, heldOut, settings.model.numSeqs) : [],
  };
}

/** The structures held out as batches of one, with the rows that a prediction takes. */
function watchedBatches(family: Family, heldOut: readonly FamilyMember[], numSeqs: number): Batch[] {
  return heldOut.map((member) => stackSamples([firstRows(wholeSample(family, member), numSeqs)]));
}

async function openSource(
  { model, training, data }: TrainSettings,
  { family, heldOut = [], onProgress }: TrainData,
): Promise<BatchSource> {
  const { batchSize, seed, cropEnds } = training;
  if (data.kind === "synthetic" || !family) {
    try {
      return await syntheticBatches({ model, batchSize, seed, onProgress });
    } catch (error) {
      if (error instanceof RangeError) throw new InputError(error.message);
      throw error;
    }
  }
  const members = family.members.filter((member) => !heldOut.includes(member));
  return await structureBatches({
    family,
    members,
    batchSize,
    numSeqs: model.numSeqs,
    cropEnds,
    key: runKeys(seed).data,
  });
}
