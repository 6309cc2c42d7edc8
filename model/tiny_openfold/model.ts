import type { Tensor } from "../../core/mod.ts";
import { embedding, linear, type LinearParams, meanSquaredError, multiplyScalar } from "../../ops/mod.ts";
import { type CaptureOptions, inBlock } from "../layers/attention_capture.ts";
import type { TinyOpenFoldConfig } from "./config.ts";
import { type Masks, tinyEvoformerBlock } from "./evoformer_block.ts";
import type { TinyOpenFoldParams } from "./params.ts";

/** What the model reads. */
export type TinyOpenFoldInputs = {
  /** Amino acid tokens 0 … vocabSize - 1, i32 `[batch, N_seq, N_res]`. */
  readonly msaTokens: Tensor;
  /** `[batch, N_res, N_res, pairInputDim]`. */
  readonly pairFeatures: Tensor;
} & Masks;

/** What the model returns. */
export type TinyOpenFoldOutputs = {
  /** Predicted distances in Å, between 0 and 20, `[batch, N_res, N_res, 1]`. */
  readonly distances: Tensor;
  /** `[batch, N_res, N_res, c_z]`. */
  readonly pairRepr: Tensor;
  /** `[batch, N_seq, N_res, c_m]`. */
  readonly msaRepr: Tensor;
};

/** Largest distance the model can say, in Å. */
export const MAX_DISTANCE_ANGSTROM = 20;

/** Distances from the pair representation: 20 · sigmoid(w·z), in Å, `[batch, N_res, N_res, 1]`. */
export function distanceHead(params: { readonly distancePred: LinearParams }, z: Tensor): Tensor {
  return multiplyScalar(linear(z, params.distancePred, { activation: "sigmoid" }), MAX_DISTANCE_ANGSTROM);
}

/**
 * The small Evoformer: embeds an alignment and pair features, runs the blocks, predicts the distance map.
 *
 * @returns Tensors owned by the current scope.
 */
export function tinyOpenFold(
  params: TinyOpenFoldParams,
  { msaTokens, pairFeatures, ...masks }: TinyOpenFoldInputs,
  config: TinyOpenFoldConfig,
  { capture }: CaptureOptions = {},
): TinyOpenFoldOutputs {
  const { device } = msaTokens;
  let m = embedding(params.msaEmbedding.weight, msaTokens);
  let z = linear(pairFeatures, params.pairEmbedding);
  params.evoformerBlocks.forEach((block, i) => {
    using scope = device.scope(`evoformer/${i}`);
    ({ m, z } = scope.keep(tinyEvoformerBlock(block, m, z, config, { ...masks, capture: inBlock(capture, i) })));
  });
  return { distances: distanceHead(params.structureModule, z), pairRepr: z, msaRepr: m };
}

/**
 * Mean squared error of the predicted distances, in Å².
 *
 * @param target `[batch, N_res, N_res, 1]`, in Å.
 * @param mask 1 for pairs that count, `[batch, N_res, N_res, 1]`; without it all do.
 */
export function distanceLoss(distances: Tensor, target: Tensor, mask?: Tensor): Tensor {
  return meanSquaredError(distances, target, { mask });
}
