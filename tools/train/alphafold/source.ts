/** Where AlphaFold's training takes its batches from. */
import type { AlphaFoldParams } from "../../../model/alphafold/mod.ts";
import { RESOLUTION_RANGE } from "../../../model/alphafold/losses/mod.ts";
import { InputError } from "../../errors.ts";
import { counted, listed } from "../../words.ts";
import { type BatchSource, fingerprint } from "../batches.ts";
import { type Example, type ExampleTarget, refuseBad } from "../examples.ts";
import { featureEntries, featureExamples } from "../feature_examples.ts";
import type { Learning, TrainData } from "../network.ts";
import type { EvoformerSettings, TrainSettings } from "../settings.ts";
import { runKeys } from "../tiny_openfold.ts";
import { readInitial } from "./initial.ts";
import { alphafoldNetwork } from "./network.ts";
import { ablationsOf, alphafoldConfigOf, type AlphaFoldOwn, alphafoldOwn } from "./options.ts";
import { type AlphaFoldSample, makeSample, type SampleOptions, sampleSizes, subsampled } from "./samples.ts";
import { clusterSizes, drawWeighted, filterExamples, samplingWeights } from "./sampling.ts";

/** Most names in a sentence. */
const MOST_NAMES = 5;

/** The network and the source of its batches, a function of the seed and the step alone. */
export async function openAlphaFold(
  settings: TrainSettings<EvoformerSettings>,
  { examples: given = [], description = "", identity = [], watched = [] }: TrainData,
): Promise<Learning<AlphaFoldParams, readonly AlphaFoldSample[]>> {
  const { model, training } = settings;
  const own = alphafoldOwn(settings.own);
  checkProbabilities(own);
  const config = alphafoldConfigOf(model, own);
  const usual = alphafoldNetwork(model, settings.own);
  const init = own.init === null ? usual.init : await readInitial(own.init, config);
  const network = { ...usual, init };
  const { kept, dropped } = filterExamples(given, own);
  if (kept.length === 0) {
    const reasons = dropped.slice(0, MOST_NAMES).map(({ reason }) => reason).join("; ");
    throw new InputError(`No target is left to train on: ${reasons || "there is none"}`);
  }
  const targets = kept.map(targetOf);
  const isMixed = own.distilled !== null && !ablationsOf(own).has("distillation");
  const distilled = isMixed ? await distilledExamples(own.distilled!) : [];
  const distilledWeights = samplingWeights(
    distilled.map(({ sequence }) => sequence.length),
    distilled.map(() => 1),
    own,
  );
  const lengths = kept.map(({ sequence }) => sequence.length);
  const padded = sampleSizes(
    [...kept, ...distilled, ...watched].map((one) => ({ residues: one.sequence.length, rows: targetOf(one).rows })),
    model.seqLen,
    config,
  );
  const sizes = await clusterSizes(kept.map(({ sequence }) => sequence), own.clusterIdentity);
  const weights = samplingWeights(lengths, sizes, own);
  const [chainKey, sampleKey, recycleKey, clampKey, watchKey, mixKey, rowKey] = runKeys(training.seed).data.split(7);
  const most = ablationsOf(own).has("recycling") ? 0 : own.recycles;
  const options = (recycles: number, clamped: boolean): SampleOptions => ({ config, own, padded, recycles, clamped });
  const source: BatchSource<readonly AlphaFoldSample[]> = {
    description:
      `${description}${droppedText(dropped.map(({ id }) => id))}${
        mixText(distilled.length, own)
      }; crops of ${padded.residues} residues with ` +
      `${padded.clusters} + ${padded.extra} rows` +
      (padded.residues < model.seqLen ? ` (no chain is longer: --seq-len ${model.seqLen} would be padding)` : ""),
    fingerprint: await fingerprint([
      ...identity,
      ...[...kept, ...distilled].flatMap((example) => example.identity),
      JSON.stringify([padded, weights, distilledWeights]),
    ]),
    warmupSteps: 0,
    batch(step) {
      const recycles = Math.floor((most + 1) * recycleKey.at(step).uniform(1)[0]);
      const clamped = clampKey.at(step).uniform(1)[0] >= own.unclamped;
      return Array.from({ length: training.batchSize }, (_, b) => {
        const position = step * training.batchSize + b;
        if (distilled.length > 0 && mixKey.at(position).uniform(1)[0] < own.distilledShare) {
          const one = distilled[drawWeighted(distilledWeights, chainKey.at(position))];
          const file = subsampled(targetOf(one).features(), own.distilledRows, rowKey.at(position));
          const sample = makeSample(one.id, file, options(recycles, clamped), sampleKey.at(position));
          return { ...sample, resolution: 0 }; // a prediction teaches no confidence
        }
        const i = drawWeighted(weights, chainKey.at(position));
        return makeSample(kept[i].id, targets[i].features(), options(recycles, clamped), sampleKey.at(position));
      });
    },
    saveOrder: () => undefined,
    restoreOrder() {},
  };
  return {
    network,
    source,
    planned: plannedSamples(),
    warnings: [
      ...dropped.map(({ reason }) => `${reason}: left out`),
      ...confidenceWarning(kept, own),
    ],
    watched: watched.map((example, i) => [
      makeSample(example.id, targetOf(example).features(), { ...options(most, true), fixed: true }, watchKey.at(i)),
    ]),
  };

  /** Of the target with the largest crop, without and with recycling; all samples are filled up to the same sizes. */
  function plannedSamples(): [readonly AlphaFoldSample[], readonly AlphaFoldSample[]] {
    const i = lengths.indexOf(Math.max(...lengths));
    const file = targets[i].features();
    const sample = (recycles: number) => [makeSample(kept[i].id, file, options(recycles, true), sampleKey.at(0))];
    return [sample(0), sample(most)];
  }
}

/** Says so where no structure teaches confidence. */
function confidenceWarning(examples: readonly Example[], { assumedResolution }: AlphaFoldOwn): string[] {
  const { min, max } = RESOLUTION_RANGE;
  const teaches = ({ target }: Example) => {
    const resolution = target!.resolutionAngstrom || (assumedResolution ?? 0);
    return resolution >= min && resolution <= max;
  };
  if (examples.some(teaches)) return [];
  return [
    `no structure tells a resolution of ${min} to ${max} Å, so neither pLDDT nor aligned errors are learnt ` +
    "(--assumed-resolution)",
  ];
}

function targetOf({ id, source, target }: Example): ExampleTarget {
  if (target) return target;
  throw new InputError(`${source}: ${id} does not come from a feature file, which AlphaFold learns from (--features)`);
}

/** Targets with predicted structures. */
async function distilledExamples(folder: string): Promise<Example[]> {
  const { examples, bad } = await featureExamples(await featureEntries(folder));
  refuseBad(bad, { skipBad: false }, "targets");
  return examples;
}

function mixText(count: number, { distilledShare }: AlphaFoldOwn): string {
  if (count === 0) return "";
  return `; ${Math.round(100 * distilledShare)} % of the samples from ${
    counted(count, "target")
  } with predicted structures`;
}

function droppedText(ids: readonly string[]): string {
  if (ids.length === 0) return "";
  return `; filters leave out ${counted(ids.length, "target")} (${listed(ids, MOST_NAMES)})`;
}

function checkProbabilities({ maskUniform, maskProfile, maskSame }: AlphaFoldOwn): void {
  const sum = maskUniform + maskProfile + maskSame;
  if (sum <= 1 + 1e-9) return;
  throw new InputError(
    `--mask-uniform ${maskUniform}, --mask-profile ${maskProfile} and --mask-same ${maskSame} sum to ` +
      `${Number(sum.toFixed(6))}, expected no more than 1`,
  );
}
