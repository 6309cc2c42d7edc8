import type { Tensor } from "../../core/mod.ts";
import {
  add,
  type BlockLayout,
  linear,
  type LinearParams,
  matmul,
  max,
  mean,
  pad,
  permute,
  reshape,
  slice,
  where,
} from "../../ops/mod.ts";
import { axialAttention } from "../layers/attention.ts";
import type { AttentionTap } from "../layers/attention_capture.ts";
import { crossAttention } from "../layers/cross_attention.ts";
import type { Trunk2021AttentionParams, Trunk2021AxialParams } from "./params.ts";

/** How attention of the trunk runs. */
export interface Trunk2021AttentionOptions {
  /** Number of heads. */
  readonly heads: number;
  /** 1 where there is something, 0 in padding, `[batch, I, J]`. */
  readonly mask?: Tensor;
  /** Added to the update, of x's shape. */
  readonly residual?: Tensor;
  /** Which blocks attend to which, told their numbers of tokens. @default all to all */
  readonly layout?: (queries: number, keys: number) => BlockLayout;
  /** See {@linkcode Trunk2021Config.quirks}. @default false */
  readonly quirks?: boolean;
}

/**
 * Self attention along one axis.
 *
 * Source: Vaswani et al. (2017), section 3.2.2; queries, keys and values have no bias, the output has one.
 *
 * @param x `[batch, I, J, dim]`.
 * @param options `axis`: attended along, 1 or 2; `capture`: told of the attention.
 * @returns The update (plus the residual), of x's shape.
 */
export function trunk2021SelfAttention(
  { toQ, toKv, toOut }: Trunk2021AttentionParams,
  x: Tensor,
  { heads, axis, mask, residual, quirks, capture, layout }: Trunk2021AttentionOptions & {
    readonly axis: 1 | 2;
    readonly capture?: AttentionTap;
  },
): Tensor {
  const length = x.shape[axis];
  const attend = (residual?: Tensor) =>
    axialAttention({ qkv: [toQ, toKv], out: toOut }, x, {
      ...{ nHead: heads, axis, mask, residual, capture, layout: layout?.(length, length) },
    });
  if (!quirks || !mask) return attend(residual);
  return averagedWhereMasked(
    attend(),
    mask,
    linear(linear(mean(x, { axes: [axis], keepDims: true }), half(toKv, 1)), toOut),
    residual,
  );
}

/**
 * Attention of every pair to the pairs of its column and to those of its row; both updates are added.
 *
 * Source: Ho et al. (2019), "Axial attention in multidimensional transformers", section 3.
 *
 * @param x `[batch, N_res, N_res, dim]`.
 * @param options `captures`: told of the attention along the first axis, and along the second one.
 * @returns The update (plus the residual), of x's shape.
 */
export function trunk2021AxialAttention(
  { attnWidth, attnHeight }: Trunk2021AxialParams,
  x: Tensor,
  { residual, captures: [ofWidth, ofHeight] = [], ...options }: Trunk2021AttentionOptions & {
    readonly captures?: readonly (AttentionTap | undefined)[];
  },
): Tensor {
  const along = trunk2021SelfAttention(attnWidth, x, { ...options, axis: 1, residual, capture: ofWidth });
  return trunk2021SelfAttention(attnHeight, x, { ...options, axis: 2, residual: along, capture: ofHeight });
}

/** What cross attention may be told besides. */
export interface Trunk2021CrossOptions extends Trunk2021AttentionOptions {
  /** The same of what is attended to, `[batch, 1, N]`. */
  readonly contextMask?: Tensor;
  /** How many keys and values are made one. @default 1 */
  readonly compressRatio?: number;
}

/**
 * Attention of the elements of one list to those of another one, whose keys and values may be compressed: a convolution,
 * the same for both, makes one of `compressRatio` neighbours, head by head. What is missing to the last one are zeros, and
 * one of whose neighbours all are masked is masked.
 *
 * Source: Liu et al. (2018), "Generating Wikipedia by summarizing long sequences", section 4.2.3.
 *
 * @param x `[batch, 1, N, dim]`.
 * @param context `[batch, 1, N', dim]`.
 * @returns The update (plus the residual), of x's shape.
 */
export function trunk2021CrossAttention(
  { toQ, toKv, toOut, compressFn }: Trunk2021AttentionParams,
  x: Tensor,
  context: Tensor,
  { heads, mask, contextMask, compressRatio = 1, residual, quirks, layout: layoutOf }: Trunk2021CrossOptions,
): Tensor {
  using scope = x.device.scope("trunk2021CrossAttention");
  let [keys, values] = [half(toKv, 0), half(toKv, 1)];
  // DEVIATION(Liu et al.): the original compresses nothing where the number of keys divides by the ratio
  const compresses = compressFn && compressRatio > 1 && !(quirks && context.shape[2] % compressRatio === 0);
  if (compresses) {
    [keys, values] = [compressed(keys, compressFn, heads), compressed(values, compressFn, heads)];
    context = grouped(context, compressRatio);
    contextMask = contextMask &&
      max(grouped(reshape(contextMask, [...contextMask.shape, 1]), compressRatio), { axes: [3] });
  }
  const params = { linearQ: toQ, linearK: keys, linearV: values, linearO: toOut };
  const layout = layoutOf?.(x.shape[2], context.shape[2]);
  const attend = (residual?: Tensor) =>
    crossAttention(params, x, context, { nHead: heads, axis: 2, mask: contextMask, residual, layout });
  if (!quirks || !mask) return scope.keep(attend(residual));
  const average = linear(mean(linear(context, values), { axes: [2], keepDims: true }), toOut);
  return scope.keep(averagedWhereMasked(attend(), mask, average, residual));
}

/** The part of a map of keys and values that makes keys (0) or values (1). */
function half({ weight }: LinearParams, part: 0 | 1): LinearParams {
  const [rows, columns] = weight.shape;
  return { weight: slice(weight, [part * rows / 2, 0], [(part + 1) * rows / 2, columns]) };
}

/** A map to heads with the convolution of what it makes of neighbours: one map of the neighbours side by side. */
function compressed({ weight }: LinearParams, { weight: filter, bias }: LinearParams, heads: number): LinearParams {
  const [inner, channels, ratio] = filter.shape;
  const dim = weight.shape[1];
  const perHead = reshape(permute(reshape(filter, [heads, channels, channels, ratio]), [0, 1, 3, 2]), [
    ...[heads, channels * ratio, channels],
  ]);
  const both = matmul(perHead, reshape(weight, [heads, channels, dim])); // [heads, channels * ratio, dim]
  return { weight: reshape(both, [inner, ratio * dim]), bias };
}

/** Neighbours side by side, `[batch, 1, N, c]` → `[batch, 1, ⌈N / ratio⌉, ratio * c]`. */
function grouped(x: Tensor, ratio: number): Tensor {
  const [batch, , n, c] = x.shape;
  const groups = Math.ceil(n / ratio);
  const whole = groups * ratio === n ? x : pad(x, [0, 0, 0, 0], [0, 0, groups * ratio - n, 0]);
  return reshape(whole, [batch, 1, groups, ratio * c]);
}

/** The original gives a masked query the average of all values, those of masked keys too. */
function averagedWhereMasked(update: Tensor, mask: Tensor, average: Tensor, residual?: Tensor): Tensor {
  const mixed = where(reshape(mask, [...mask.shape, 1]), update, average);
  return residual ? add(residual, mixed) : mixed;
}
