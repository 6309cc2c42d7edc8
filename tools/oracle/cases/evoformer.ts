import type { Device, Tensor, Tree } from "../../../core/mod.ts";
import {
  evoformerBlock,
  type EvoformerBlockParams,
  evoformerBlockShapes,
  type EvoformerConfig,
  evoformerConfig,
  evoformerShapes,
  evoformerStack,
  type EvoformerStackParams,
  extraMsaBlockShapes,
  extraMsaShapes,
  extraMsaStack,
  type ExtraMsaStackParams,
  msaColumnAttention,
  type MsaColumnAttentionParams,
  msaColumnGlobalAttention,
  type MsaColumnGlobalAttentionParams,
  type MsaRowAttentionParams,
  msaRowAttentionWithPairBias,
  msaTransition,
  type NormalizedTransitionParams,
  outerProductMean,
  type OuterProductMeanParams,
  pairTransition,
  type Representations,
  triangleAttentionEndingNode,
  type TriangleAttentionParams,
  triangleAttentionStartingNode,
  triangleMultiplicationIncoming,
  triangleMultiplicationOutgoing,
  type TriangleMultiplicationParams,
} from "../../../model/evoformer/mod.ts";
import { loadParams, type ParamShapes, shapesByPath } from "../../../model/layers/params.ts";
import type { Family } from "../family.ts";
import type { Golden } from "../golden.ts";
import { checkParameterNames, differentiate, parameter } from "./_differentiate.ts";
import { compareSummaries } from "./evoformer_summaries.ts";

type Tensors = Readonly<Record<string, Tensor>>;

/** Keys of the golden configuration and what they are called here; a case has some of them. */
const KEYS: Readonly<Record<string, keyof EvoformerConfig>> = {
  c_m: "cM",
  c_z: "cZ",
  c_s: "cS",
  c_hidden_msa_att: "cHiddenMsaAtt",
  c_hidden_opm: "cHiddenOpm",
  c_hidden_mul: "cHiddenMul",
  c_hidden_pair_att: "cHiddenPairAtt",
  no_heads_msa: "nHeadMsa",
  no_heads_pair: "nHeadPair",
  no_blocks: "nBlock",
  transition_n: "transitionN",
  msa_dropout: "msaDropout",
  pair_dropout: "pairDropout",
  opm_first: "opmFirst",
  fuse_projection_weights: "fusedTriangles",
  _mask_trans: "maskTrans",
};

/** The configuration of a block or stack, or of a module that says what its own keys mean. */
export function configOf(
  { config, source }: Golden,
  own: Readonly<Record<string, readonly (keyof EvoformerConfig)[]>>,
) {
  const given: Record<string, unknown> = {
    columnAttention: config.no_column_attention !== true,
    fusedTriangles: /::Fused/.test(source),
  };
  for (const [key, value] of Object.entries(config)) {
    for (const name of own[key] ?? (KEYS[key] ? [KEYS[key]] : [])) given[name] = value;
  }
  return evoformerConfig(given);
}

/** A tensor of the case with a batch axis in front, which the golden data lack. */
export function batched(device: Device, golden: Golden, name: string): Tensor {
  return device.tensor(golden.data(`in/${name}`), [1, ...golden.shape(`in/${name}`)]);
}

/** A part of the network, and how to run it. */
interface Part<P> {
  readonly prefix: string;
  /** Source of the case. */
  readonly source: RegExp;
  /** What keys of the case's configuration mean that other cases use otherwise. */
  readonly keys?: Readonly<Record<string, readonly (keyof EvoformerConfig)[]>>;
  /** Shapes of its parameters under the names of the case. */
  shapes(config: EvoformerConfig): ParamShapes;
  /** Names of the inputs that have a gradient, and of the masks. */
  readonly inputs: readonly string[];
  readonly masks: readonly string[];
  run(params: P, inputs: Tensors, masks: Tensors, config: EvoformerConfig, golden: Golden): Record<string, Tensor>;
}

function family<P>({ prefix, source, keys = {}, shapes, inputs, masks, run }: Part<P>): Family {
  return {
    prefix,
    matches: (golden) => source.test(golden.source),
    run(device, golden) {
      const config = configOf(golden, keys);
      const tree = shapes(config);
      checkParameterNames(golden, shapesByPath(tree));
      const params = loadParams(device, tree, (path, shape) => parameter(golden, path, shape));
      const read = (names: readonly string[]) =>
        Object.fromEntries(names.map((name) => [name, batched(device, golden, name)]));
      const constants = read(masks);
      return differentiate(
        device,
        golden,
        { params, inputs: read(inputs) },
        (primals) => run(primals.params as P, primals.inputs, constants, config, golden),
      );
    },
    special: (golden, results) => compareSummaries(golden.gradientSummaries, results, golden.largestGradient),
  };
}

/** A part of a tree of shapes. */
function pick(tree: ParamShapes, path: string): ParamShapes {
  return path.split(".").reduce<ParamShapes>((node, key) => (node as Readonly<Record<string, ParamShapes>>)[key], tree);
}

const inBlock = (path: string) => (config: EvoformerConfig) => pick(evoformerBlockShapes(config), path);

const representations = ({ m, z }: Tensors, { msa_mask: msaMask, pair_mask: pairMask }: Tensors): Representations => ({
  m,
  z,
  msaMask,
  pairMask,
});

const MSA_KEYS = { c_in: ["cM"], c_hidden: ["cHiddenMsaAtt"], no_heads: ["nHeadMsa"] } as const;
const PAIR_KEYS = { c_in: ["cZ"], c_hidden: ["cHiddenPairAtt"], no_heads: ["nHeadPair"] } as const;

/** A module that updates the pair representation from itself. */
function triangle<P extends Tree<Tensor>>(
  prefix: string,
  path: string,
  keys: Part<P>["keys"],
  run: (params: P, z: Tensor, mask: Tensor, config: EvoformerConfig) => Tensor,
): Family {
  return family<P>({
    prefix,
    source: /^openfold\/model\/triangular_/,
    keys,
    shapes: inBlock(`pairStack.${path}`),
    inputs: ["z"],
    masks: ["pair_mask"],
    run: (params, { z }, { pair_mask }, config) => ({ z_update: run(params, z, pair_mask, config) }),
  });
}

/** AlphaFold 2's Evoformer as OpenFold computes it: its modules, blocks, stacks. */
export const EVOFORMER: readonly Family[] = [
  family<MsaRowAttentionParams>({
    prefix: "msa_row_attention",
    source: /^openfold\/model\/msa\.py/,
    keys: MSA_KEYS,
    shapes: inBlock("msaAttRow"),
    inputs: ["m", "z"],
    masks: ["msa_mask"],
    run: (params, { m, z }, { msa_mask: mask }, { nHeadMsa: nHead }) => ({
      m_update: msaRowAttentionWithPairBias(params, m, z, { nHead, mask }),
    }),
  }),
  family<MsaColumnAttentionParams>({
    prefix: "msa_column_attention",
    source: /^openfold\/model\/msa\.py/,
    keys: MSA_KEYS,
    shapes: inBlock("msaAttCol"),
    inputs: ["m"],
    masks: ["msa_mask"],
    run: (params, { m }, { msa_mask: mask }, { nHeadMsa: nHead }) => ({
      m_update: msaColumnAttention(params, m, { nHead, mask }),
    }),
  }),
  family<MsaColumnGlobalAttentionParams>({
    prefix: "msa_column_global_attention",
    source: /^openfold\/model\/msa\.py/,
    keys: MSA_KEYS,
    shapes: (config) => pick(extraMsaBlockShapes(config), "msaAttCol"),
    inputs: ["m"],
    masks: ["msa_mask"],
    run: (params, { m }, { msa_mask: mask }, { nHeadMsa: nHead }, golden) => ({
      m_update: msaColumnGlobalAttention(params, m, { nHead, mask, eps: golden.number("eps") }),
    }),
  }),
  family<{ readonly 0: MsaRowAttentionParams; readonly 1: MsaColumnAttentionParams }>({
    prefix: "fully_masked_rows_f32",
    source: /^openfold\/model\/msa\.py/,
    keys: MSA_KEYS,
    shapes: (config) => {
      const block = evoformerBlockShapes(config);
      return { 0: pick(block, "msaAttRow"), 1: pick(block, "msaAttCol") };
    },
    inputs: ["m", "z"],
    masks: ["msa_mask"],
    run: (params, { m, z }, { msa_mask: mask }, { nHeadMsa: nHead }) => ({
      row_update: msaRowAttentionWithPairBias(params[0], m, z, { nHead, mask }),
      col_update: msaColumnAttention(params[1], m, { nHead, mask }),
    }),
  }),
  family<NormalizedTransitionParams>({
    prefix: "msa_transition",
    source: /^openfold\/model\/evoformer\.py/,
    keys: { n: ["transitionN"] },
    shapes: inBlock("msaTransition"),
    inputs: ["m"],
    masks: ["msa_mask"],
    run: (params, { m }, { msa_mask: mask }) => ({
      m_update: msaTransition(params, m),
      m_update_masked: msaTransition(params, m, { mask }),
    }),
  }),
  family<NormalizedTransitionParams>({
    prefix: "pair_transition",
    source: /^openfold\/model\/pair_transition\.py/,
    keys: { n: ["transitionN"] },
    shapes: inBlock("pairStack.pairTransition"),
    inputs: ["z"],
    masks: ["pair_mask"],
    run: (params, { z }, { pair_mask: mask }) => ({
      z_update: pairTransition(params, z),
      z_update_masked: pairTransition(params, z, { mask }),
    }),
  }),
  family<OuterProductMeanParams>({
    prefix: "outer_product_mean",
    source: /^openfold\/model\/outer_product_mean\.py/,
    keys: { c_hidden: ["cHiddenOpm"] },
    shapes: inBlock("outerProductMean"),
    inputs: ["m"],
    masks: ["msa_mask"],
    run: (params, { m }, { msa_mask: mask }) => ({ z_update: outerProductMean(params, m, { mask }) }),
  }),
  triangle<TriangleMultiplicationParams>(
    "triangle_multiplication_outgoing",
    "triMulOut",
    { c_hidden: ["cHiddenMul"] },
    (params, z, mask) => triangleMultiplicationOutgoing(params, z, { mask }),
  ),
  triangle<TriangleMultiplicationParams>(
    "triangle_multiplication_incoming",
    "triMulIn",
    { c_hidden: ["cHiddenMul"] },
    (params, z, mask) => triangleMultiplicationIncoming(params, z, { mask }),
  ),
  triangle<TriangleAttentionParams>(
    "triangle_attention_starting",
    "triAttStart",
    PAIR_KEYS,
    (params, z, mask, { nHeadPair: nHead }) => triangleAttentionStartingNode(params, z, { nHead, mask }),
  ),
  triangle<TriangleAttentionParams>(
    "triangle_attention_ending",
    "triAttEnd",
    PAIR_KEYS,
    (params, z, mask, { nHeadPair: nHead }) => triangleAttentionEndingNode(params, z, { nHead, mask }),
  ),
  family<EvoformerBlockParams>({
    prefix: "evoformer_block",
    source: /^openfold\/model\/evoformer\.py/,
    shapes: evoformerBlockShapes,
    inputs: ["m", "z"],
    masks: ["msa_mask", "pair_mask"],
    run: (params, inputs, masks, config) => evoformerBlock(params, representations(inputs, masks), config),
  }),
  family<EvoformerStackParams>({
    prefix: "evoformer_stack",
    source: /^openfold\/model\/evoformer\.py/,
    shapes: evoformerShapes,
    inputs: ["m", "z"],
    masks: ["msa_mask", "pair_mask"],
    run: (params, inputs, masks, config) => evoformerStack(params, representations(inputs, masks), config),
  }),
  family<ExtraMsaStackParams>({
    prefix: "extra_msa_stack",
    source: /^openfold\/model\/evoformer\.py/,
    shapes: extraMsaShapes,
    inputs: ["m", "z"],
    masks: ["msa_mask", "pair_mask"],
    run: (params, inputs, masks, config) => ({ z: extraMsaStack(params, representations(inputs, masks), config) }),
  }),
];
