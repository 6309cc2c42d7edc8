/** The small Evoformer as a training run sees it. */
import { type Device, Key, type Tensor } from "../../core/mod.ts";
import {
  distanceLoss,
  documentedParameterCount,
  initTinyOpenFold,
  loadTinyOpenFold,
  parameterCount,
  tinyOpenFold,
  type TinyOpenFoldConfig,
  type TinyOpenFoldInputs,
  type TinyOpenFoldParams,
} from "../../model/tiny_openfold/mod.ts";
import { predictDistances, TINY_OPENFOLD } from "../fold/predict.ts";
import type { Batch } from "./batches.ts";
import type { Network } from "./network.ts";
import { type EvoformerSettings, modelConfig } from "./settings.ts";

/** A batch on the device. */
export type DeviceBatch = {
  /** What the model reads. */
  readonly inputs: TinyOpenFoldInputs;
  /** True distances, `[B, N_res, N_res, 1]`. */
  readonly target: Tensor;
  /** 1 where a distance counts, of the same shape. */
  readonly lossMask?: Tensor;
};

/** Keys of a run: of its first parameters, and of its data. */
export function runKeys(seed: number): { readonly params: Key; readonly data: Key } {
  const [params, data] = Key.fromSeed(seed).split(2);
  return { params, data };
}

/**
 * The small Evoformer of given sizes.
 *
 * @throws {InputError} If sizes do not fit together.
 */
export function tinyOpenFoldNetwork(model: EvoformerSettings): Network<TinyOpenFoldParams, Batch> {
  const config = modelConfig(model);
  return {
    name: TINY_OPENFOLD,
    title: "The small Evoformer",
    config,
    sizes: referenceSizes(config),
    lines: evoformerLines(model),
    inWords: evoformerWords(model),
    parameters: parameterCount(config),
    notes: [
      `By the documented formula: ${documentedParameterCount(config).toLocaleString("en")} (it leaves out all layer ` +
      "normalizations and counts three outputs of the structure module where there is one)",
    ],
    lossLabel: "Mean squared distance error (Å²)",
    optimizer: "adamw",
    init: (device, seed) => initTinyOpenFold(device, config, runKeys(seed).params),
    load: (device, find) => loadTinyOpenFold(device, config, find),
    lossOf(device, batch) {
      const { inputs, target, lossMask } = upload(device, batch);
      return (params) => distanceLoss(tinyOpenFold(params, inputs, config).distances, target, lossMask);
    },
    predictDistances: (device, params, input) => predictDistances(device, params, config, input),
  };
}

/** An Evoformer's sizes, for the summary before a run. */
export function evoformerLines({ msaDim, pairDim, numBlocks }: EvoformerSettings): [string, number][] {
  return [["MSA dimension", msaDim], ["Pair dimension", pairDim], ["Evoformer blocks", numBlocks]];
}

/** The same in words. */
export function evoformerWords({ msaDim, pairDim, numBlocks }: EvoformerSettings): string {
  return `${numBlocks} Evoformer block${numBlocks > 1 ? "s" : ""}, ${msaDim} MSA and ${pairDim} pair channels`;
}

/** Puts a batch on the device; its tensors belong to the current scope. */
export function upload(device: Device, batch: Batch): DeviceBatch {
  const { size: b, numSeqs: s, numRes: l, pairChannels, msaMask, pairMask, lossMask } = batch;
  return {
    inputs: {
      msaTokens: device.tensor(batch.msaTokens, [b, s, l], "i32"),
      pairFeatures: device.tensor(batch.pairFeatures, [b, l, l, pairChannels]),
      msaMask: msaMask && device.tensor(msaMask, [b, s, l]),
      pairMask: pairMask && device.tensor(pairMask, [b, l, l]),
    },
    target: device.tensor(batch.distances, [b, l, l, 1]),
    lossMask: lossMask && device.tensor(lossMask, [b, l, l, 1]),
  };
}

/** The sizes under the names of the reference recipe's summary. */
function referenceSizes(config: TinyOpenFoldConfig): Record<string, number> {
  return {
    vocab_size: config.vocabSize,
    msa_dim: config.msaDim,
    pair_dim: config.pairDim,
    n_evoformer_blocks: config.nBlocks,
    n_heads_msa: config.nHeadsMsa,
    n_heads_pair: config.nHeadsPair,
    msa_intermediate_dim: config.msaIntermediateDim,
    pair_intermediate_dim: config.pairIntermediateDim,
    outer_product_dim: config.outerProductDim,
    max_seq_len: config.maxSeqLen,
    n_seqs: config.nSeqs,
    pair_input_dim: config.pairInputDim,
    dropout: 0,
    norm_eps: config.normEps,
  };
}
