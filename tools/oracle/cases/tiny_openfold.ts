import type { Device, Shape, Tensor } from "../../../core/mod.ts";
import { selfAttention, type SelfAttentionParams } from "../../../model/layers/attention.ts";
import { transition, type TransitionParams } from "../../../model/layers/transition.ts";
import {
  distanceHead,
  distanceLoss,
  loadTinyOpenFold,
  type MsaRowAttentionParams,
  msaRowAttentionWithPairBias,
  outerProductMean,
  type OuterProductMeanParams,
  parameterCount,
  tinyEvoformerBlock,
  type TinyEvoformerBlockParams,
  tinyOpenFold,
  type TinyOpenFoldConfig,
  tinyOpenFoldConfig,
  type TinyOpenFoldParams,
  tinyOpenFoldShapes,
  triangleAttention,
  type TriangleAttentionParams,
  triangleMultiplication,
  type TriangleMultiplicationParams,
} from "../../../model/tiny_openfold/mod.ts";
import { compare } from "../compare.ts";
import type { Family, Results } from "../family.ts";
import type { Golden } from "../golden.ts";
import { EXACT } from "../tolerance.ts";
import { checkParameterNames, differentiate, input, parameter, parameterTree } from "./_differentiate.ts";

/** Whether a case is from the first version of the program. */
export function isTinyOpenFold({ source }: Golden): boolean {
  return /TinyOpenFold\/version1/.test(source);
}

/** The model's configuration from the golden one. */
export function configOf(golden: Golden): TinyOpenFoldConfig {
  return tinyOpenFoldConfig({
    vocabSize: golden.number("vocab_size"),
    msaDim: golden.number("msa_dim"),
    pairDim: golden.number("pair_dim"),
    nBlocks: golden.number("n_evoformer_blocks"),
    nHeadsMsa: golden.number("n_heads_msa"),
    nHeadsPair: golden.number("n_heads_pair"),
    msaIntermediateDim: golden.number("msa_intermediate_dim"),
    pairIntermediateDim: golden.number("pair_intermediate_dim"),
    outerProductDim: golden.number("outer_product_dim"),
    pairInputDim: golden.number("pair_input_dim"),
    maxSeqLen: golden.number("max_seq_len"),
    nSeqs: golden.number("n_seqs"),
    normEps: golden.number("norm_eps"),
  });
}

/** All parameters of the model, by the names of the case. */
export function modelParams(device: Device, golden: Golden, config: TinyOpenFoldConfig): TinyOpenFoldParams {
  checkParameterNames(golden, tinyOpenFoldShapes(config));
  return loadTinyOpenFold(device, config, (path, shape) => parameter(golden, path, shape));
}

type Inputs = Readonly<Record<string, Tensor>>;

/**
 * A part of the model: its parameters stand in the case under their names within the part.
 *
 * @param path Of the part in the model's parameter tree.
 */
function part<P extends { readonly [name: string]: unknown }>(
  prefix: string,
  path: string,
  inputNames: readonly string[],
  f: (params: P, inputs: Inputs, config: TinyOpenFoldConfig) => Record<string, Tensor>,
): Family {
  return {
    prefix,
    matches: isTinyOpenFold,
    run(device, golden): Promise<Results> {
      const config = configOf(golden);
      const shapes = new Map<string, Shape>();
      for (const [name, shape] of tinyOpenFoldShapes(config)) {
        if (name.startsWith(`${path}.`)) shapes.set(name.slice(path.length + 1), shape);
      }
      const params = parameterTree(device, golden, shapes);
      const inputs = Object.fromEntries(inputNames.map((name) => [name, input(device, golden, name)]));
      return differentiate(
        device,
        golden,
        { params, inputs },
        (primals) => f(primals.params as P, primals.inputs, config),
      );
    },
  };
}

const BLOCK = "evoformerBlocks.0";

/** Outputs, loss and gradients of the whole model. */
export function runModel(
  device: Device,
  golden: Golden,
  params: TinyOpenFoldParams,
  config: TinyOpenFoldConfig,
): Promise<Results> {
  const msaTokens = input(device, golden, "msa_tokens", "i32");
  const target = input(device, golden, "target_distances");
  const inputs = { pair_features: input(device, golden, "pair_features") };
  return differentiate(device, golden, { params, inputs }, ({ params, inputs }) => {
    const outputs = tinyOpenFold(params, { msaTokens, pairFeatures: inputs.pair_features }, config);
    return {
      distances: outputs.distances,
      pair_repr: outputs.pairRepr,
      msa_repr: outputs.msaRepr,
      loss: distanceLoss(outputs.distances, target),
    };
  }, "loss");
}

const model: Family = {
  prefix: "tof_full_model",
  matches: isTinyOpenFold,
  async run(device, golden) {
    const config = configOf(golden);
    const results = await runModel(device, golden, modelParams(device, golden, config), config);
    return results.set("values/n_params", [parameterCount(config)]);
  },
  special(golden, results) {
    const count = golden.values.n_params;
    if (typeof count !== "number") return [];
    return [compare("values/n_params", results.get("values/n_params"), [count], EXACT)];
  },
};

/** The small Evoformer: its parts, a block, the model. */
export const TINY_OPENFOLD: readonly Family[] = [
  part<MsaRowAttentionParams>(
    "tof_msa_row_attention",
    `${BLOCK}.msaRowAttention`,
    ["msa", "pair"],
    (params, { msa, pair }, { nHeadsMsa }) => ({
      update: msaRowAttentionWithPairBias(params, msa, pair, { nHead: nHeadsMsa }),
    }),
  ),
  part<SelfAttentionParams>(
    "tof_msa_column_attention",
    `${BLOCK}.msaColumnAttention`,
    ["msa"],
    (params, { msa }, { nHeadsMsa }) => ({ update: selfAttention(params, msa, { nHead: nHeadsMsa, axis: 1 }) }),
  ),
  part<TransitionParams>(
    "tof_msa_transition",
    `${BLOCK}.msaTransition`,
    ["msa"],
    (params, { msa }) => ({ update: transition(params, msa) }),
  ),
  part<OuterProductMeanParams>(
    "tof_outer_product_mean",
    `${BLOCK}.outerProductMean`,
    ["msa"],
    (params, { msa }, { normEps }) => ({ update: outerProductMean(params, msa, { normEps }) }),
  ),
  part<TriangleMultiplicationParams>(
    "tof_triangle_mult_outgoing",
    `${BLOCK}.triangleMultOutgoing`,
    ["pair"],
    (params, { pair }, { normEps }) => ({
      update: triangleMultiplication(params, pair, { direction: "outgoing", normEps }),
    }),
  ),
  part<TriangleMultiplicationParams>(
    "tof_triangle_mult_incoming",
    `${BLOCK}.triangleMultIncoming`,
    ["pair"],
    (params, { pair }, { normEps }) => ({
      update: triangleMultiplication(params, pair, { direction: "incoming", normEps }),
    }),
  ),
  part<TriangleAttentionParams>(
    "tof_triangle_attn_starting",
    `${BLOCK}.triangleAttnStarting`,
    ["pair"],
    (params, { pair }, { nHeadsPair, normEps }) => ({
      update: triangleAttention(params, pair, { nHead: nHeadsPair, axis: 2, normEps }),
    }),
  ),
  part<TriangleAttentionParams>(
    "tof_triangle_attn_ending",
    `${BLOCK}.triangleAttnEnding`,
    ["pair"],
    (params, { pair }, { nHeadsPair, normEps }) => ({
      update: triangleAttention(params, pair, { nHead: nHeadsPair, axis: 1, normEps }),
    }),
  ),
  part<TransitionParams>(
    "tof_pair_transition",
    `${BLOCK}.pairTransition`,
    ["pair"],
    (params, { pair }) => ({ update: transition(params, pair) }),
  ),
  part<TinyOpenFoldParams["structureModule"]>(
    "tof_structure_module",
    "structureModule",
    ["pair"],
    (params, { pair }) => ({ distances: distanceHead(params, pair) }),
  ),
  part<TinyEvoformerBlockParams>(
    "tof_evoformer_block",
    BLOCK,
    ["msa", "pair"],
    (params, { msa, pair }, config) => {
      const { m, z } = tinyEvoformerBlock(params, msa, pair, config);
      return { msa: m, pair: z };
    },
  ),
  model,
];
