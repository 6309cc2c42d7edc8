/** The Flax notebook's block as a training run sees it, and the notebook's data. */
import { type Shape, sizeOf } from "../../core/mod.ts";
import { CUT_DEVIATION } from "../../model/layers/params.ts";
import {
  loadNnxEvoformer,
  nnxEvoformerBlock,
  type NnxEvoformerConfig,
  nnxEvoformerConfig,
  nnxEvoformerParameterCount,
  type NnxEvoformerParams,
  nnxEvoformerParamShapes,
  nnxLoss,
  transposed,
} from "../../model/nnx_evoformer/mod.ts";
import { snakeCase } from "../../model/weights/names.ts";
import { JaxKey } from "../data/jax_random.ts";
import { InputError } from "../errors.ts";
import type { BatchSource } from "./batches.ts";
import type { Learning, Network } from "./network.ts";
import { type EvoformerSettings, NNX_EVOFORMER, type TrainSettings } from "./settings.ts";
import { evoformerLines, evoformerWords } from "./tiny_openfold.ts";

/** Representations of several samples on the CPU. */
export interface NnxBatch {
  /** `[B, N_seq, N_res, c_m]`. */
  readonly msa: Float32Array;
  /** `[B, N_seq, N_res, c_m]` of `msa`. */
  readonly msaShape: Shape;
  /** `[B, N_res, N_res, c_z]`. */
  readonly pairs: Float32Array;
  /** `[B, N_res, N_res, c_z]` of `pairs`. */
  readonly pairsShape: Shape;
}

/** The notebook's block and its data, as its cells make them from one seed. */
export function openNnx(
  { model, training: { batchSize, seed } }: TrainSettings<EvoformerSettings>,
): Learning<NnxEvoformerParams, NnxBatch> {
  try {
    return { network: nnxNetwork(model), source: nnxBatches({ model, batchSize, seed }) };
  } catch (error) {
    if (error instanceof RangeError) throw new InputError(error.message);
    throw error;
  }
}

/**
 * The notebook's block: channels as given, the rest as in the notebook. Its fresh parameters are those of
 * `nnx.Rngs(params=seed)`.
 */
export function nnxNetwork(model: EvoformerSettings): Network<NnxEvoformerParams, NnxBatch> {
  const config = nnxEvoformerConfig({ cM: model.msaDim, cZ: model.pairDim });
  return {
    name: NNX_EVOFORMER,
    title: "The Flax notebook's Evoformer block",
    config,
    sizes: Object.fromEntries(Object.entries(config).map(([name, size]) => [snakeCase(name), size])),
    lines: evoformerLines(model),
    inWords: evoformerWords(model),
    parameters: nnxEvoformerParameterCount(config),
    lossLabel: "Mean square of both representations",
    optimizer: "adam",
    init(device, seed) {
      const numbers = flaxInit(config, seed);
      return loadNnxEvoformer(device, config, (path) => numbers.get(path)!);
    },
    load: (device, find) => loadNnxEvoformer(device, config, find),
    lossOf(device, batch) {
      const msa = device.tensor(batch.msa, batch.msaShape);
      const pairs = device.tensor(batch.pairs, batch.pairsShape);
      return (params) => nnxLoss(nnxEvoformerBlock(params, { msa, pairs }, config));
    },
  };
}

/**
 * The numbers that Flax gives the block's parameters: weights are LeCun's cut normal numbers, each parameter's key is
 * that of its place in the order of construction, which is the order of the tree.
 */
function flaxInit(config: NnxEvoformerConfig, seed: number): Map<string, Float32Array> {
  const key = JaxKey.fromSeed(seed);
  return new Map([...nnxEvoformerParamShapes(config)].map(([path, shape], place) => {
    const [cOut, cIn] = shape;
    if (shape.length === 1) return [path, new Float32Array(cOut).fill(path.endsWith("weight") ? 1 : 0)];
    const scale = Math.sqrt(1 / cIn) / CUT_DEVIATION;
    const kernel = key.foldIn(place).truncatedNormal(cOut * cIn).map((x) => x * scale);
    return [path, transposed(kernel, [cIn, cOut])];
  }));
}

/** What {@link nnxBatches} needs to know. */
export interface NnxBatchOptions {
  /** Sizes of the samples. */
  readonly model: EvoformerSettings;
  /** Samples a batch. */
  readonly batchSize: number;
  /** Seed of the data. */
  readonly seed: number;
}

/** The notebook's data: a new batch of standard normal numbers each step, from keys that each step splits off. */
export function nnxBatches({ model, batchSize, seed }: NnxBatchOptions): BatchSource<NnxBatch> {
  const { msaDim, pairDim, numSeqs, seqLen } = model;
  const msaShape = [batchSize, numSeqs, seqLen, msaDim], pairsShape = [batchSize, seqLen, seqLen, pairDim];
  const first = JaxKey.fromSeed(seed);
  let next = { step: 0, key: first };
  const keyOf = (step: number): JaxKey => {
    if (step < next.step) next = { step: 0, key: first };
    while (next.step < step) next = { step: next.step + 1, key: next.key.foldIn(0) };
    return next.key;
  };
  return {
    description: `representations of ${numSeqs} sequences and ${seqLen} residues, normal random numbers`,
    fingerprint: `normal ${msaShape} ${pairsShape} seed ${seed}`,
    warmupSteps: 0,
    batch(step) {
      const key = keyOf(step);
      return {
        msa: key.foldIn(1).normal(sizeOf(msaShape)),
        msaShape,
        pairs: key.foldIn(2).normal(sizeOf(pairsShape)),
        pairsShape,
      };
    },
    saveOrder: () => undefined,
    restoreOrder() {},
  };
}
