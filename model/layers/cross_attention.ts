import type { Tensor } from "../../core/mod.ts";
import { attention, type BlockLayout, concat, isFused, linear, type LinearParams } from "../../ops/mod.ts";
import { channelsOfHead, widenColumns, widenHeads } from "./_whole_heads.ts";
import { layoutBias } from "./_layout_bias.ts";
import { explicitAttention } from "./explicit_attention.ts";
import { type LastMap, linearInParts } from "./in_parts.ts";

/** Projections of multi-head attention as OpenFold names them; weights `[nHead * cHidden, c]`, the output's `[c, …]`. */
export type AttentionParams = {
  readonly linearQ: LinearParams;
  readonly linearK: LinearParams;
  readonly linearV: LinearParams;
  readonly linearO: LinearParams;
  /** Left out where the output is not gated. */
  readonly linearG?: LinearParams;
};

/** How cross attention runs. */
export interface CrossAttentionOptions {
  /** Number of heads. */
  readonly nHead: number;
  /** Axis of both representations along which elements attend to each other: 1 or 2. */
  readonly axis: 1 | 2;
  /** Added to the logits: `[batch, nHead, Lq, Lk]`. */
  readonly bias?: Tensor;
  /** 1 for elements of `y` that may be attended to, 0 for others: `[batch, I', J']`. */
  readonly mask?: Tensor;
  /** Added to the update, of `x`'s shape. */
  readonly residual?: Tensor;
  /** Whether the residual is not needed any more: without a gradient the result takes its place. @default false */
  readonly consume?: boolean;
  /** The blocks of elements of `y` that blocks of elements of `x` attend to. Not together with a bias. @default all */
  readonly layout?: BlockLayout;
}

/**
 * Multi-head attention of the elements of one representation to those of another, which may be more or fewer.
 *
 * Source: Vaswani et al. (2017), section 3.2.2; with a gate as in Jumper et al. (2021), Suppl. Alg. 7.
 *
 * @param x What asks, `[batch, I, J, cQ]`.
 * @param y What is attended to, `[batch, I', J', cK]`, or tensors that lie one behind the other along the axis; they differ
 * from `x` along that axis alone.
 * @returns The update (plus the residual), of `x`'s shape.
 * @throws {TypeError} If shapes do not fit, or channels do not divide into heads.
 */
export function crossAttention(
  params: AttentionParams,
  x: Tensor,
  y: Tensor | readonly Tensor[],
  options: CrossAttentionOptions,
): Tensor {
  const { axis, mask, residual, consume, bias } = options;
  const across = axis === 2 ? 1 : 2;
  const hidden = params.linearQ.weight.shape[0];
  const keys = y instanceof Array ? y : [y as Tensor];
  const [cX, cY] = [x.shape[3], keys[0].shape[3]];
  const sizeY = keys.reduce((sum, { size }) => sum + size, 0);
  const size = x.size / cX * (2 * hidden + cX) + sizeY / cY * (2 * hidden + cY); // all that a part holds at once
  using scope = x.device.scope("crossAttention");
  return scope.keep(linearInParts(
    x.device,
    { axis: across, count: x.shape[across], size },
    { x, residual, consume, split: { keys, mask }, whole: { params, bias } },
    ({ x, split: { keys, mask }, whole: { params, bias } }) =>
      attend(params, x, keys.length === 1 ? keys[0] : concat(keys, axis), { ...options, mask, bias }),
  ));
}

/** All but the output's projection. */
function attend(params: AttentionParams, x: Tensor, y: Tensor, options: CrossAttentionOptions): LastMap {
  const { nHead, axis, mask, layout } = options;
  const cHidden = channelsOfHead(params.linearQ.weight.shape[0], nHead);
  if (!isFused(x.device, "attention")) {
    const { linearQ, linearK, linearV, linearG } = params;
    const [q, k, v] = [linear(x, linearQ), linear(y, linearK), linear(y, linearV)];
    const gate = linearG && linear(x, linearG);
    const sizes = [x.shape[0], nHead, x.shape[axis], y.shape[axis]] as const;
    const bias = layout ? layoutBias(x.device, layout, sizes) : options.bias;
    return { x: explicitAttention({ q, k, v, gate, bias, mask }, { nHead, axis }), map: params.linearO };
  }
  const project = (of: Tensor, map: LinearParams) => linear(of, widenHeads(map, cHidden), { intermediate: true });
  const inputs = {
    q: project(x, params.linearQ),
    k: project(y, params.linearK),
    v: project(y, params.linearV),
    gate: params.linearG && project(x, params.linearG),
  };
  const o = attention({ ...inputs, bias: options.bias, mask }, {
    ...{ heads: nHead, axis, scale: 1 / Math.sqrt(cHidden), layout },
  });
  return { x: o, map: widenColumns(params.linearO, cHidden) };
}
