import type { Tensor } from "../../../core/mod.ts";
import { type AttentionParams, crossAttention } from "../../../model/layers/cross_attention.ts";
import { type LayerNormParams, normalize } from "../../../model/layers/layer_norm.ts";
import {
  constant,
  layerNormShapes,
  linearShapes,
  loadParams,
  type ParamShapes,
  shapesByPath,
} from "../../../model/layers/params.ts";
import { linear, type LinearParams, reshape } from "../../../ops/mod.ts";
import type { Family } from "../family.ts";
import type { Golden } from "../golden.ts";
import { checkParameterNames, differentiate, input, parameter } from "./_differentiate.ts";

type Tensors = Readonly<Record<string, Tensor>>;

const BIAS = { bias: constant(0) };

/** A layer that all networks share. */
function layer<P>(
  prefix: string,
  inputNames: readonly string[],
  shapes: (golden: Golden) => ParamShapes,
  run: (params: P, inputs: Tensors, golden: Golden) => Tensor,
): Family {
  return {
    prefix,
    matches: ({ source }) => /^openfold\/model\/primitives\.py/.test(source),
    run(device, golden) {
      const tree = shapes(golden);
      checkParameterNames(golden, shapesByPath(tree));
      const params = loadParams(device, tree, (path, shape) => parameter(golden, path, shape));
      const inputs = Object.fromEntries(inputNames.map((name) => [name, input(device, golden, name)]));
      return differentiate(
        device,
        golden,
        { params, inputs },
        (primals) => ({ y: run(primals.params as P, primals.inputs, golden) }),
      );
    },
  };
}

function attentionShapes(golden: Golden): ParamShapes {
  const [cQ, cK, cV] = ["c_q", "c_k", "c_v"].map((key) => golden.number(key));
  const hidden = golden.number("c_hidden") * golden.number("no_heads");
  return {
    linearQ: linearShapes(hidden, cQ),
    linearK: linearShapes(hidden, cK),
    linearV: linearShapes(hidden, cV),
    linearO: linearShapes(cQ, hidden, BIAS),
    ...(golden.config.gating === true && { linearG: linearShapes(hidden, cQ, BIAS) }),
  };
}

/** OpenFold's layer normalization, linear map and attention. */
export const EVOFORMER_PRIMITIVES: readonly Family[] = [
  layer<LayerNormParams>(
    "layer_norm",
    ["x"],
    (golden) => layerNormShapes(golden.number("c_in")),
    (params, { x }, golden) => normalize(params, x, golden.number("eps")),
  ),
  layer<LinearParams>(
    "linear",
    ["x"],
    (golden) =>
      linearShapes(golden.number("out_dim"), golden.number("in_dim"), golden.config.bias === true ? BIAS : {}),
    (params, { x }) => linear(x, params),
  ),
  layer<AttentionParams>(
    "attention",
    ["q_x", "kv_x", "mask", "pair_bias"],
    attentionShapes,
    (params, { q_x, kv_x, mask, pair_bias }, golden) => {
      const [x, y, rows] = [q_x, kv_x, mask].map((t) => reshape(t, [1, ...t.shape])); // rows share the bias
      const options = { nHead: golden.number("no_heads"), axis: 2, mask: rows, bias: pair_bias } as const;
      return reshape(crossAttention(params, x, y, options), q_x.shape);
    },
  ),
];
