/** AlphaFold 2 as a training run sees it. */
import type { Device, Key, Tensor } from "../../../core/mod.ts";
import {
  alphafold,
  type AlphaFoldConfig,
  alphafoldParameterCount,
  type AlphaFoldParams,
  initAlphaFold,
  loadAlphaFold,
  lossOutputs,
  recycleForTraining,
} from "../../../model/alphafold/mod.ts";
import {
  type AlphaFoldLoss,
  alphafoldLoss,
  type AlphaFoldLossConfig,
  type LossTruth,
} from "../../../model/alphafold/losses/mod.ts";
import type { AlphaFoldFeatures } from "../../../model/alphafold/features.ts";
import type { Recompute } from "../../../model/evoformer/pair_stack.ts";
import { add, multiplyScalar } from "../../../ops/mod.ts";
import { pairedTruth } from "./complex_samples.ts";
import { evaluateTarget } from "../../predict/complex_truth.ts";
import { predictTarget } from "../../predict/network.ts";
import { deviceFeatures } from "../../predict/network_inputs.ts";
import type { Prediction } from "../../predict/prediction.ts";
import type { FeatureFile } from "../../prep/feature_file.ts";
import type { Network } from "../network.ts";
import type { EvoformerSettings, OwnSettings } from "../settings.ts";
import { evoformerLines, evoformerWords, runKeys } from "../tiny_openfold.ts";
import { deviceTruth } from "./loss_truth.ts";
import { ALPHAFOLD, alphafoldConfigOf, alphafoldLossOf, type AlphaFoldOwn, alphafoldOwn, AUTO } from "./options.ts";
import { type AlphaFoldSample, maskingOf } from "./samples.ts";

/** Seed of what is drawn for predictions. */
const PREDICTION_SEED = 0;

/**
 * AlphaFold 2 of given sizes.
 *
 * @param given Choices of its training. @default as at the initial stage
 * @throws {InputError} If sizes do not fit together.
 */
export function alphafoldNetwork(
  model: EvoformerSettings,
  given: OwnSettings = {},
): Network<AlphaFoldParams, readonly AlphaFoldSample[]> {
  const own = alphafoldOwn(given);
  const config = alphafoldConfigOf(model, own);
  const loss = alphafoldLossOf(config, own);
  const recompute = own.recompute === AUTO ? "block" : own.recompute;
  const predict = (device: Device, params: AlphaFoldParams, file: FeatureFile) =>
    predictStructure(device, params, file, config, own);
  return {
    name: ALPHAFOLD,
    title: "AlphaFold 2",
    config,
    sizes: {
      ...{ c_m: config.cM, c_z: config.cZ, c_s: config.cS, n_evoformer_blocks: config.evoformer.nBlock },
      n_extra_msa_blocks: config.extraMsa?.nBlock ?? 0,
      n_structure_blocks: config.structure.nBlock,
    },
    lines: evoformerLines(model),
    inWords: evoformerWords(model),
    parameters: alphafoldParameterCount(config),
    notes: [
      `${
        config.extraMsa?.nBlock ?? 0
      } extra-MSA blocks, ${config.structure.nBlock} iterations of the structure module, ` +
      `${own.recycles} recyclings, ${config.templates ? `${config.data.maxTemplates} templates` : "no templates"}` +
      (own.without ? `; without ${own.without.replaceAll(",", ", ")}` : ""),
    ],
    lossLabel: "Loss of AlphaFold 2",
    optimizer: "adam",
    protocol: {
      optimizer: { betas: [own.beta1, own.beta2], eps: own.adamEps },
      ...(own.dropStep !== null && { drop: { step: own.dropStep, factor: own.dropFactor } }),
      clipsSamples: true,
      activations: own.activations,
      maxSkipped: own.maxSkipped,
    },
    init: (device, seed) => initAlphaFold(device, config, runKeys(seed).params),
    load: (device, find) => loadAlphaFold(device, config, find),
    samplesOf: (batch) => batch.map((sample) => ({ id: sample.id, batch: [sample] })),
    lossOf(device, batch, report) {
      const ready = batch.map((sample) => onDevice(device, sample));
      return (params) => {
        const losses = ready.map((sample) => {
          const { loss: value, terms } = sampleLoss(params, sample, { config, loss, recompute });
          report?.(terms as Record<string, Tensor>);
          return value;
        });
        return losses.length === 1 ? losses[0] : multiplyScalar(losses.reduce(add), 1 / losses.length);
      };
    },
    async measure(device, params, batch) {
      const [{ file }] = batch;
      return { ...evaluateTarget(await predict(device, params, file), file).measures };
    },
    ...(config.multimer && {
      settle: (device: Device, params: AlphaFoldParams, batch: readonly AlphaFoldSample[]) =>
        settled(device, params, batch, config),
    }),
    predictStructure: predict,
  };
}

/** Samples of complexes with the true chains that theirs stand for at these parameters. */
async function settled(
  device: Device,
  params: AlphaFoldParams,
  batch: readonly AlphaFoldSample[],
  config: AlphaFoldConfig,
): Promise<AlphaFoldSample[]> {
  const found: AlphaFoldSample[] = [];
  for (const sample of batch) {
    const { rows } = sample;
    found.push(rows ? { ...sample, trueRows: await pairedTruth(device, params, { ...sample, rows }, config) } : sample);
  }
  return found;
}

/** A sample on the device. */
export interface DeviceSample {
  /** Of the iterations before the last. */
  readonly before: readonly AlphaFoldFeatures[];
  /** Of the last one, which is learnt from. */
  readonly features: AlphaFoldFeatures;
  /** What is true. */
  readonly truth: LossTruth;
  /** Makes dropout's decisions. @default no dropout */
  readonly key?: Key;
}

function onDevice(device: Device, sample: AlphaFoldSample): DeviceSample {
  const { iterations, templates, padded, file, start, clamped, key, trueRows: rows = sample.rows } = sample;
  const put = iterations.map((inputs) => deviceFeatures(device, inputs, templates, padded));
  const length = file.sequence.length;
  const supervised = { ...file.supervised!, resolution: Float32Array.of(sample.resolution) };
  const truth = deviceTruth(device, supervised, iterations.at(-1)!, { start, rows, length, clamped }, padded);
  return { before: put.slice(0, -1), features: put.at(-1)!, truth, key };
}

/**
 * The loss of a sample and its terms: iterations without gradient, then one that is learnt from.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 31 "RecyclingTraining", and 1.9, equation 7.
 *
 * @returns Owned by the current scope.
 */
export function sampleLoss(
  params: AlphaFoldParams,
  { before, features, truth, key }: DeviceSample,
  { config, loss, recompute }: {
    readonly config: AlphaFoldConfig;
    readonly loss: AlphaFoldLossConfig;
    readonly recompute?: Recompute;
  },
): AlphaFoldLoss {
  const recycled = recycleForTraining(params, before, config, { key });
  const outputs = alphafold(params, features, recycled, config, { key: key?.at(before.length), recompute });
  return alphafoldLoss(lossOutputs(params.auxHeads, outputs), truth, loss);
}

async function predictStructure(
  device: Device,
  params: AlphaFoldParams,
  { features, sequence }: FeatureFile,
  config: AlphaFoldConfig,
  own: AlphaFoldOwn,
): Promise<Prediction> {
  const held = { dtype: "f32" as const, bytes: 0, error: null };
  return await predictTarget(device, { config, params, held }, features, sequence, {
    seed: PREDICTION_SEED,
    maskedMsa: maskingOf(own),
  });
}
