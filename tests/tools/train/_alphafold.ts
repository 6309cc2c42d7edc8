/** A small AlphaFold and three zinc fingers for tests of its training. */
import { encodeFeatureFile, type FeatureFile, parseFeatureFile } from "../../../tools/prep/feature_file.ts";
import { prepareTarget } from "../../../tools/prep/prepare_target.ts";
import { alphafoldDefaults, type AlphaFoldOwn } from "../../../tools/train/alphafold/options.ts";
import type { Example } from "../../../tools/train/examples.ts";
import type { EvoformerSettings, TrainSettings } from "../../../tools/train/settings.ts";
import { FINGERS, FINGERS_MSA, TOY_IDS } from "./_toy.ts";

/** The fingers' features, with structures. */
export async function fingerFiles(): Promise<FeatureFile[]> {
  return await Promise.all(TOY_IDS.map(async (id) => {
    const alignments = [{ path: FINGERS_MSA, row: id }];
    const prepared = await prepareTarget({ id, structure: `${FINGERS}/${id}.cif`, alignments });
    return parseFeatureFile(encodeFeatureFile(prepared), `${id}.safetensors`);
  }));
}

/** Feature files as examples. */
export function examplesOf(files: readonly FeatureFile[]): Example[] {
  return files.map((file) => {
    const { id, sequence, features, supervised } = file;
    return {
      ...{ id, source: `${id}.safetensors`, sequence, depth: features.num_alignments[0] },
      identity: [id, sequence, supervised!.all_atom_positions],
      sample() {
        throw new TypeError("not used");
      },
      target: {
        rows: features.num_alignments[0],
        resolutionAngstrom: supervised!.resolution[0],
        features: () => file,
      },
    };
  });
}

/** Settings of a run of a small network. */
export function smallSettings(
  training: Partial<TrainSettings["training"]> = {},
  own: Partial<AlphaFoldOwn> = {},
): TrainSettings<EvoformerSettings> {
  const usual = alphafoldDefaults({ size: "reduced" });
  return {
    model: { ...usual.model, msaDim: 8, pairDim: 8, numBlocks: 1, numSeqs: 3, seqLen: 12 },
    training: { ...usual.training, batchSize: 2, numSteps: 4, lrWarmupSteps: 2, ema: 0.5, ...training },
    data: { kind: "features", folder: "features" },
    own: { ...usual.own, singleDim: 8, extraDim: 8, structureBlocks: 2, nExtra: 4, recycles: 1, dropStep: 2, ...own },
  };
}
