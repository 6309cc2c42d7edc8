import type { Device, Shape, Tensor } from "../../../core/mod.ts";
import { loadParams, type ParamShapes, shapesByPath } from "../../../model/layers/params.ts";
import { normalizedTransition } from "../../../model/layers/transition.ts";
import {
  flaxName,
  type NnxAttentionParams,
  nnxEvoformerBlock,
  type NnxEvoformerConfig,
  nnxEvoformerConfig,
  type NnxEvoformerParams,
  nnxEvoformerShapes,
  nnxGatedMha,
  type NnxGatedMhaParams,
  nnxOuterProductMean,
  type NnxOuterProductMeanParams,
  type NnxTransitionParams,
  type NnxTriangleParams,
  nnxTriangleUpdate,
  transposed,
} from "../../../model/nnx_evoformer/mod.ts";
import { compare } from "../compare.ts";
import type { Family, Results } from "../family.ts";
import type { Golden } from "../golden.ts";
import { differentiate } from "./_differentiate.ts";

type Tensors = Readonly<Record<string, Tensor>>;

/** Whether a case is from the notebook. */
export function isNnxEvoformer({ source }: Golden): boolean {
  return /notebook.*\bflax\b/.test(source);
}

/** The block's configuration from the golden one; `c` is the inner size of the module at hand. */
export function configOf(golden: Golden): NnxEvoformerConfig {
  const { c, tri_c, opm_c } = golden.config;
  const size = (own: unknown, name: string) => typeof (own ?? c) === "number" ? { [name]: Number(own ?? c) } : {};
  return nnxEvoformerConfig({
    cM: golden.number("c_m"),
    cZ: golden.number("c_z"),
    nHead: golden.number("num_heads"),
    headDim: golden.number("head_dim"),
    normEps: golden.number("layer_norm_eps"),
    ...size(tri_c, "triangleDim"),
    ...size(opm_c, "outerProductDim"),
  });
}

/**
 * Parameters of a part of the block from a case, which has them in Flax's names and layout.
 *
 * @throws {TypeError} If names or shapes differ.
 */
export function flaxParams<P>(device: Device, golden: Golden, shapes: ParamShapes): P {
  const names = new Set([...shapesByPath(shapes)].map(([path, shape]) => flaxName(path, shape)));
  const extra = golden.names("param/").find((name) => !names.has(name));
  if (extra) throw new TypeError(`the golden case has a parameter ${extra} that the model lacks`);
  return loadParams(device, shapes, (path, shape) => {
    const name = `param/${flaxName(path, shape)}`, found = golden.shape(name), expected = [...shape].reverse();
    if (found.join() !== expected.join()) {
      throw new TypeError(`${name} is [${found}], the model with this config has [${expected}]`);
    }
    return transposed(golden.data(name), expected);
  }) as P;
}

/** Numbers of our parameters or their gradients as Flax lays them out. */
export function asFlax(
  numbers: ReadonlyMap<string, ArrayLike<number>>,
  shapes: ReadonlyMap<string, Shape>,
): [string, Float32Array][] {
  return [...shapes].flatMap(([path, shape]): [string, Float32Array][] => {
    const data = numbers.get(path);
    return data ? [[flaxName(path, shape), transposed(data, shape)]] : [];
  });
}

interface Part<P> {
  readonly prefix: string;
  /** Of the part in the block's parameter tree; empty for all of it. */
  readonly path: string;
  /** Names of the inputs, each with the number of axes before it that the case lacks. */
  readonly inputs: Readonly<Record<string, number>>;
  readonly special?: Family["special"];
  run(params: P, inputs: Tensors, config: NnxEvoformerConfig, golden: Golden, device: Device): Record<string, Tensor>;
}

function part<P>({ prefix, path, inputs: axes, special, run }: Part<P>): Family {
  return {
    prefix,
    matches: isNnxEvoformer,
    special,
    async run(device, golden) {
      const config = configOf(golden);
      let shapes = nnxEvoformerShapes(config);
      for (const key of path.split(".").filter(Boolean)) shapes = (shapes as Record<string, ParamShapes>)[key];
      // A case without pair representation has no parameters for it either.
      if (!golden.has("param/pair_bias_proj.kernel") && path.endsWith("gatedMha")) {
        shapes = { ...shapes as Record<string, ParamShapes>, layerNormZ: undefined, pairBiasProj: undefined };
      }
      const params = flaxParams<P>(device, golden, shapes);
      const inputs: Record<string, Tensor> = {};
      for (const [name, missing] of Object.entries(axes)) {
        if (!golden.has(`in/${name}`)) continue;
        const shape = [...new Array<number>(missing).fill(1), ...golden.shape(`in/${name}`)];
        inputs[name] = device.tensor(golden.data(`in/${name}`), shape);
      }
      const results = await differentiate(
        device,
        golden,
        { params: params as never, inputs },
        (primals) => run(primals.params as P, primals.inputs, config, golden, device),
      );
      return inFlaxNames(results, shapesByPath(shapes));
    },
  };
}

/** Gradients of parameters under the names of the case. */
function inFlaxNames(results: Results, shapes: ReadonlyMap<string, Shape>): Results {
  const renamed: Results = new Map([...results].filter(([name]) => !name.startsWith("grad_param/")));
  const grads = new Map([...shapes].flatMap(([path, shape]): [string, ArrayLike<number>][] => {
    const ours = flaxName(path, shape).replace(/(kernel|scale)$/, "weight");
    const grad = results.get(`grad_param/${ours}`);
    return grad ? [[path, grad]] : [];
  }));
  for (const [name, grad] of asFlax(grads, shapes)) renamed.set(`grad_param/${name}`, grad);
  return renamed;
}

const attentionOf = (
  params: NnxAttentionParams,
  m: Tensor,
  axis: 1 | 2,
  z: Tensor | undefined,
  { nHead, normEps }: NnxEvoformerConfig,
) => ({ out: nnxGatedMha(params.gatedMha, m, { z, nHead, axis, normEps }) });

const triangle = (direction: "outgoing" | "incoming", path: string) =>
  part<NnxTriangleParams>({
    prefix: `nnx_triangle_mult_${direction}`,
    path,
    inputs: { z: 1 },
    run: (params, { z }, { normEps }) => ({ out: nnxTriangleUpdate(params, z, { direction, normEps }) }),
  });

const transitionOf = (prefix: string, path: string, name: string) =>
  part<NnxTransitionParams>({
    prefix,
    path,
    inputs: { [name]: 1 },
    run: (params, inputs, { normEps }) => ({ out: normalizedTransition(params, inputs[name], { normEps }) }),
  });

const triangleAttention = (prefix: string, path: string, axis: 1 | 2) =>
  part<NnxAttentionParams>({
    prefix,
    path,
    inputs: { z: 1 },
    run: (params, { z }, config) => attentionOf(params, z, axis, z, config),
  });

/** The Flax notebook's Evoformer: its modules and its block. */
export const NNX_EVOFORMER: readonly Family[] = [
  part<NnxGatedMhaParams>({
    prefix: "nnx_gated_mha",
    path: "rowWiseGatedSelfAttentionWithPairBias.gatedMha",
    inputs: { m: 2, z: 1 },
    run(params, { m, z }, { nHead, normEps }, golden, device) {
      const mask = golden.has("in/mask") ? device.tensor(golden.data("in/mask"), m.shape.slice(0, 3)) : undefined;
      return { out: nnxGatedMha(params, m, { z, nHead, axis: 2, mask, normEps }) };
    },
    special(golden, results) {
      if (!golden.has("in/mask")) return [];
      // What a masked query attends to is a matter of rounding.
      const mask = golden.data("in/mask"), expected = golden.data("out/out");
      const valid = expected.map((_, i) => mask[Math.floor(i / (expected.length / mask.length))]);
      return [compare("out/out", results.get("out/out"), expected, golden.tolerance("out/out"), { valid })];
    },
  }),
  part<NnxAttentionParams>({
    prefix: "nnx_msa_row_attention",
    path: "rowWiseGatedSelfAttentionWithPairBias",
    inputs: { msa: 1, z: 1 },
    run: (params, { msa, z }, config) => attentionOf(params, msa, 2, z, config),
  }),
  part<NnxAttentionParams>({
    prefix: "nnx_msa_column_attention",
    path: "columnWiseGatedSelfAttention",
    inputs: { msa: 1 },
    run: (params, { msa }, config) => attentionOf(params, msa, 1, undefined, config),
  }),
  transitionOf("nnx_msa_transition", "msaTransition", "msa"),
  part<NnxOuterProductMeanParams>({
    prefix: "nnx_outer_product_mean",
    path: "outerProductMean",
    inputs: { msa: 1 },
    run: (params, { msa }, { normEps }) => ({ out: nnxOuterProductMean(params, msa, { normEps }) }),
  }),
  triangle("outgoing", "triangularUpdateOutgoingEdges"),
  triangle("incoming", "triangularUpdateIncomingEdges"),
  triangleAttention("nnx_triangle_attn_starting", "triangleSelfAttentionStartingNode", 2),
  triangleAttention("nnx_triangle_attn_ending", "triangleSelfAttentionEndingNode", 1),
  transitionOf("nnx_pair_transition", "pairsTransition", "z"),
  part<NnxEvoformerParams>({
    prefix: "nnx_evoformer_block",
    path: "",
    inputs: { msa: 1, pairs: 1 },
    run: (params, { msa, pairs }, config) => nnxEvoformerBlock(params, { msa, pairs }, config),
  }),
];
