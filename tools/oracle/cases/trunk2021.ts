import type { Device, Shape, Tensor } from "../../../core/mod.ts";
import { attention as runAttention, concat, pad, permute, reshape, slice } from "../../../ops/mod.ts";
import { loadParams, type ParamShapes, shapesByPath } from "../../../model/layers/params.ts";
import { reversible } from "../../../model/layers/reversible.ts";
import {
  blockSparseLayout,
  couplingsOf,
  gegluFeedForward,
  layersOf,
  partsOfLayer,
  trunk2021,
  type Trunk2021AttentionParams,
  trunk2021AttentionShapes,
  trunk2021AxialAttention,
  type Trunk2021AxialParams,
  type Trunk2021Config,
  trunk2021Config,
  trunk2021CrossAttention,
  type Trunk2021FeedForwardParams,
  trunk2021FeedForwardShapes,
  type Trunk2021Inputs,
  type Trunk2021Params,
  trunk2021SelfAttention,
  trunk2021Shapes,
} from "../../../model/trunk2021/mod.ts";
import type { Family, Results } from "../family.ts";
import type { Golden } from "../golden.ts";
import { checkParameterNames, differentiate, input, parameter } from "./_differentiate.ts";
import { isTrunk2021 } from "./_distance_geometry.ts";

/** The model's configuration from the golden one, as the original computes it. */
export function configOf(golden: Golden): Trunk2021Config {
  const { config } = golden;
  const rows = (table: string) =>
    golden.has(`param/${table}.weight`) ? golden.shape(`param/${table}.weight`) : undefined;
  const size = (name: string, value: unknown) => typeof value === "number" ? { [name]: value } : {};
  const flag = (name: string, value: unknown) => typeof value === "boolean" ? { [name]: value } : {};
  return trunk2021Config({
    ...{ dim: golden.number("dim"), depth: golden.number("depth"), heads: golden.number("heads") },
    ...{ dimHead: golden.number("dim_head"), quirks: true },
    ...size("maxSeqLen", rows("pos_emb")?.[0]),
    ...size("maxNumMsa", rows("msa_num_pos_emb")?.[0]),
    ...size("numTokens", rows("token_emb")?.[0]),
    ...size("numEmbedds", rows("embedd_project")?.[1]),
    ...size("distogramBuckets", rows("to_distogram_logits.1")?.[0]),
    ...size("crossAttnCompressRatio", config.compress_ratio),
    ...flag("reversible", config.reversible),
    ...flag("interMsaSelfAttn", config.inter_msa_self_attn),
  });
}

/** Parameters of a case, each checked against its shape. */
export function goldenParams<P>(device: Device, golden: Golden, shapes: ParamShapes): P {
  checkParameterNames(golden, shapesByPath(shapes));
  return loadParams(device, shapes, (path, shape) => parameter(golden, path, shape)) as P;
}

/** A mask of a case under another shape; undefined where it has none. */
function mask(device: Device, golden: Golden, name: string, shape: Shape): Tensor | undefined {
  return golden.has(`in/${name}`) ? device.tensor(golden.data(`in/${name}`), shape) : undefined;
}

/** One list, `[batch, N, dim]` → `[batch, 1, N, dim]`. */
function listed(x: Tensor): Tensor {
  const [batch, ...rest] = x.shape;
  return reshape(x, [batch, 1, ...rest]);
}

const unlisted = (x: Tensor): Tensor => reshape(x, [x.shape[0], -1, x.shape[3]]);

/** The grid of pairs of a flat list of them. */
function grid(x: Tensor): Tensor {
  const [batch, pairs, dim] = x.shape;
  const n = Math.sqrt(pairs);
  return reshape(x, [batch, n, n, dim]);
}

interface Module<P> {
  readonly prefix: string;
  readonly inputs: readonly string[];
  shapes(config: Trunk2021Config): ParamShapes;
  run(
    params: P,
    inputs: Readonly<Record<string, Tensor>>,
    config: Trunk2021Config,
    golden: Golden,
  ): Record<string, Tensor>;
}

function moduleCase<P>({ prefix, inputs, shapes, run }: Module<P>): Family {
  return {
    prefix,
    matches: isTrunk2021,
    run(device, golden) {
      const config = configOf(golden);
      const params = goldenParams<P>(device, golden, shapes(config));
      const given = inputs.filter((name) => golden.has(`in/${name}`));
      return differentiate(
        device,
        golden,
        {
          params: params as never,
          inputs: Object.fromEntries(given.map((name) => [name, input(device, golden, name)])),
        },
        (primals) => run(primals.params as P, primals.inputs, config, golden),
      );
    },
  };
}

const attention = moduleCase<Trunk2021AttentionParams>({
  prefix: "luc_attention",
  inputs: ["x", "context"],
  shapes: (config) => trunk2021AttentionShapes(config, config.crossAttnCompressRatio),
  run(params, { x, context }, { heads, crossAttnCompressRatio: compressRatio }, golden) {
    const own = mask(x.device, golden, "mask", [x.shape[0], 1, x.shape[1]]);
    const options = { heads, mask: own, quirks: true };
    if (!context) return { out: unlisted(trunk2021SelfAttention(params, listed(x), { ...options, axis: 2 })) };
    const contextMask = mask(x.device, golden, "context_mask", [context.shape[0], 1, context.shape[1]]);
    const cross = { ...options, contextMask, compressRatio };
    return { out: unlisted(trunk2021CrossAttention(params, listed(x), listed(context), cross)) };
  },
});

const axial = moduleCase<Trunk2021AxialParams>({
  prefix: "luc_axial_attention",
  inputs: ["x"],
  shapes: (config) => ({
    attnWidth: trunk2021AttentionShapes(config),
    attnHeight: trunk2021AttentionShapes(config),
  }),
  run(params, { x }, { heads }, golden) {
    const pairs = grid(x);
    const pairMask = mask(x.device, golden, "mask", pairs.shape.slice(0, 3));
    return { out: unlisted(trunk2021AxialAttention(params, pairs, { heads, mask: pairMask, quirks: true })) };
  },
});

const feedForward = moduleCase<Trunk2021FeedForwardParams>({
  prefix: "luc_feedforward_geglu",
  inputs: ["x"],
  shapes: trunk2021FeedForwardShapes,
  run: (params, { x }) => ({ out: unlisted(gegluFeedForward(params, listed(x))) }),
});

/** Two halves of a reversible layer; the streams lie side by side in the last axis. */
const reversibleBlocks = moduleCase<Pick<Trunk2021Params, "net">>({
  prefix: "luc_reversible_blocks",
  inputs: ["x", "m"],
  shapes: (config) => {
    const { net } = trunk2021Shapes({ ...config, depth: 1, reversible: true }) as Record<string, ParamShapes>;
    return { net };
  },
  run(params, { x, m }, config) {
    const { device } = x;
    const [layer] = layersOf(params);
    const parts = partsOfLayer(layer, { ...config, reversible: true }, true);
    const half = (x: Tensor, part: 0 | 1) => {
      const c = x.shape[3] / 2;
      return slice(x, [0, 0, 0, part * c], [...x.shape.slice(0, 3), (part + 1) * c]);
    };
    const joined = (first: Tensor, second: Tensor) => unlisted(concat([first, second], 3));
    const pairs = grid(x), msa = listed(m);
    const before = [half(pairs, 0), half(pairs, 1), half(msa, 0), half(msa, 1)];
    const self = reversible(device, couplingsOf(parts.slice(0, 4)), before);
    const cross = reversible(device, couplingsOf(parts.slice(4)), self);
    return {
      ...{ x0: joined(self[0], self[1]), m0: joined(self[2], self[3]) },
      ...{ x1: joined(cross[0], cross[1]), m1: joined(cross[2], cross[3]) },
    };
  },
});

const model: Family = {
  prefix: "luc_model",
  matches: isTrunk2021,
  run(device, golden) {
    const config = configOf(golden);
    const params = goldenParams<Trunk2021Params>(device, golden, trunk2021Shapes(config));
    const tokens = (name: string) => golden.has(`in/${name}`) ? input(device, golden, name, "i32") : undefined;
    const masks = Object.fromEntries(
      [["mask", "mask"], ["msaMask", "msa_mask"]].flatMap(([name, given]) =>
        golden.has(`in/${given}`) ? [[name, input(device, golden, given)]] : []
      ),
    );
    const fixed = { seq: tokens("seq")!, msa: tokens("msa"), ...masks };
    const inputs: Record<string, Tensor> = golden.has("in/embedds")
      ? { embedds: input(device, golden, "embedds") }
      : {};
    return differentiate(
      device,
      golden,
      { params, inputs },
      ({ params, inputs }) => ({ distogram: trunk2021(params, { ...fixed, ...inputs } as Trunk2021Inputs, config) }),
    );
  },
};

/**
 * Attention over blocks. Heads of channels that are no whole vec4s are padded; in one of those channels the keys hold what
 * the original adds to the logits of keys that are masked: 1, where it means minus infinity.
 */
const sparse: Family = {
  prefix: "luc_sparse_attention",
  matches: ({ source }) => /DeepSpeed/.test(source),
  async run(device, golden) {
    const [batch, heads, n, channels] = golden.shape("in/q");
    const wide = 4 * Math.ceil((channels + 1) / 4), scale = 1 / Math.sqrt(channels);
    const block = golden.number("block"), blocks = golden.number("num_blocks");
    const random = golden.data("in/random_blocks"), each = golden.shape("in/random_blocks")[1];
    const layout = blockSparseLayout(blocks, blocks, {
      ...{ block, window: Number((golden.config.local_window_blocks as number[])[0]) },
      random: (row) => [...random.subarray(row * each, (row + 1) * each)],
    });
    const results: Results = new Map();
    results.set(
      "out/layout",
      layout.visited.flatMap((list) => Array.from({ length: blocks }, (_, k) => +list.includes(k))),
    );
    const there = golden.data("in/key_mask");
    const tokens = (x: Tensor) => reshape(permute(x, [0, 2, 1, 3]), [batch, 1, n, heads * wide]);
    const attend = ({ q, k, v }: Readonly<Record<string, Tensor>>, mask?: Tensor, added?: (key: number) => number) => {
      const extra = (value: (key: number) => number) =>
        device.tensor(
          Float32Array.from({ length: batch * heads * n }, (_, i) => value(Math.floor(i / (heads * n)) * n + i % n)),
          [batch, heads, n, 1],
        );
      const widened = (x: Tensor, last?: Tensor) =>
        tokens(
          last ? pad(concat([x, last], 3), [0, 0, 0, 0], [0, 0, 0, wide - channels - 1]) : pad(x, [0, 0, 0, 0], [
            ...[0, 0, 0, wide - channels],
          ]),
        );
      const inputs = added
        ? { q: widened(q, extra(() => 1)), k: widened(k, extra((key) => added(key) / scale)), v: widened(v) }
        : { q: widened(q), k: widened(k), v: widened(v) };
      const out = runAttention({ ...inputs, mask }, { heads, axis: 2, scale, layout });
      const perHead = permute(reshape(out, [batch, n, heads, wide]), [0, 2, 1, 3]);
      return slice(perHead, [0, 0, 0, 0], [batch, heads, n, channels]);
    };
    const inputs = Object.fromEntries(["q", "k", "v"].map((name) => [name, input(device, golden, name)]));
    const keyMask = device.tensor(there, [batch, 1, n]);
    const found = await differentiate(device, golden, { params: {}, inputs }, ({ inputs }) => ({
      nomask: attend(inputs),
      keymask_neginf: attend(inputs, keyMask),
      keymask_plus1_quirk: attend(inputs, undefined, (key) => 1 - there[key]),
    }));
    for (const [name, numbers] of found) results.set(name, numbers);
    return results;
  },
};

/** The trunk of 2021: its parts, the reversible blocks, the model with its choices. */
export const TRUNK_2021: readonly Family[] = [
  attention,
  axial,
  feedForward,
  reversibleBlocks,
  sparse,
  model,
];
