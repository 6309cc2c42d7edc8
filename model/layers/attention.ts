import type { Tensor } from "../../core/mod.ts";
import {
  attention,
  type BlockLayout,
  isFused,
  linear,
  type LinearParams,
  permute,
  sigmoidGate,
} from "../../ops/mod.ts";
import { channelsOfHead, wholeChannels, widenColumns, widenHeads } from "./_whole_heads.ts";
import { type AttentionTap, axialTapped } from "./attention_capture.ts";
import { explicitAttention } from "./explicit_attention.ts";
import { layoutBias } from "./_layout_bias.ts";
import { type LastMap, linearInParts, type PartPlan } from "./in_parts.ts";
import type { LayerNormParams } from "./layer_norm.ts";
import { projectApart, projectPacked } from "./packed_linear.ts";

/** Projections of multi-head self-attention: weights `[nHead * cHidden, c]`, and `[c, nHead * cHidden]` for the output. */
export type SelfAttentionParams = {
  readonly qProj: LinearParams;
  readonly kProj: LinearParams;
  readonly vProj: LinearParams;
  readonly oProj: LinearParams;
};

/** The projections of attention, under the names of no system in particular. */
export type AttentionProjections = {
  /** Queries, keys and values, each `[nHead * cHidden, c]`, or all three one below the other in one map. */
  readonly qkv: readonly LinearParams[];
  /** The gate of every channel before the sigmoid, `[nHead * cHidden, c]`. */
  readonly gate?: LinearParams;
  /** `[c, nHead * cHidden]`. */
  readonly out: LinearParams;
};

/** How self-attention runs. */
export interface SelfAttentionOptions {
  /** Number of heads. */
  readonly nHead: number;
  /** Axis of `[batch, I, J, c]` along which elements attend to each other: 1 or 2. */
  readonly axis: 1 | 2;
  /** Added to the logits: `[batch, nHead, L, L]`, L the size of that axis. */
  readonly bias?: Tensor;
  /** 1 for elements that may be attended to, 0 for others: `[batch, I, J]`. */
  readonly mask?: Tensor;
  /** Added to the update: `[batch, I, J, c]`. */
  readonly residual?: Tensor;
  /** Whether the residual is not needed any more: without a gradient the result takes its place. @default false */
  readonly consume?: boolean;
  /** Normalizes what is attended to, as it is read. @default nothing does: it is normalized already, if at all */
  readonly layerNorm?: LayerNormParams;
  /** Whether x is not needed any more once it has been read. @default false */
  readonly spendable?: boolean;
  /** What the gate is computed from, `[batch, I, J, c]`. @default what is attended to */
  readonly gateInput?: Tensor;
  /** Told of the attention, for its probabilities. @default nobody */
  readonly capture?: AttentionTap;
  /** The blocks of elements that blocks of elements attend to. Not together with a bias. @default all */
  readonly layout?: BlockLayout;
}

/**
 * Multi-head self-attention along one axis of a two-dimensional representation. Queries, keys, values and the gate come
 * from one product, unless the gate reads something else.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 7, 8, 13 and 14, without the layer normalizations and the bias's projection.
 *
 * @param x `[batch, I, J, c]`.
 * @returns The update (plus the residual), `[batch, I, J, c]`.
 * @throws {TypeError} If shapes do not fit, or channels do not divide into heads.
 */
export function axialAttention(projections: AttentionProjections, x: Tensor, options: SelfAttentionOptions): Tensor {
  const { axis, mask, residual, gateInput, capture, bias, layerNorm, consume, spendable } = options;
  const plan = axialPlan(projections, x, axis);
  return linearInParts(
    x.device,
    capture ? { ...plan, size: 0 } : plan, // a capture sees all at once
    { x, layerNorm, spendable, residual, consume, split: { mask, gateInput }, whole: { projections, bias } },
    ({ x, spend, split, whole: { projections, ...whole } }) =>
      attend(projections, x, spend, { ...options, ...split, ...whole }),
  );
}

/** How attention along an axis can be made in parts. */
export function axialPlan({ qkv, gate }: AttentionProjections, x: Tensor, axis: 1 | 2): PartPlan {
  const across = axis === 2 ? 1 : 2;
  const columns = [...qkv, ...(gate ? [gate] : [])].reduce((sum, { weight }) => sum + weight.shape[0], 0);
  return { axis: across, count: x.shape[across], size: x.size / x.shape[3] * columns };
}

/** All but the output's projection. */
function attend(
  projections: AttentionProjections,
  x: Tensor,
  spend: () => void,
  options: SelfAttentionOptions,
): LastMap {
  const { nHead, axis, mask, gateInput, capture, layout } = options;
  const { qkv, gate, out } = projections;
  const cHidden = channelsOfHead(out.weight.shape[1], nHead);
  const apart = gate !== undefined && gateInput !== undefined;
  const together = gate && !apart ? [...qkv, gate] : qkv;
  const fused = isFused(x.device, "attention");
  const length = x.shape[axis];
  const bias = layout && (capture || !fused)
    ? layoutBias(x.device, layout, [x.shape[0], nHead, length, length])
    : options.bias;
  const logits = { nHead, axis, scale: 1 / Math.sqrt(cHidden), bias, mask };
  if (!fused) {
    using scope = x.device.scope("attention");
    const gated = together !== qkv;
    const [q, k, v, inner] = projectApart(x, together, gated ? 4 : 3);
    capture?.(axialTapped({ q, k, kFrom: 0, width: cHidden, ...logits }));
    const separate = gate && apart ? linear(gateInput, gate) : inner;
    const o = explicitAttention({ q, k, v, gate: separate, bias, mask }, { nHead, axis });
    return { x: scope.keep(o), map: out };
  }
  const widen = (map: LinearParams) => widenHeads(map, cHidden);
  const packed = projectPacked(x, together.map(widen), { intermediate: !capture }); // a capture reads 32 bits
  spend();
  const width = wholeChannels(cHidden);
  capture?.(axialTapped({ q: packed, k: packed, kFrom: nHead * width, width, ...logits }));
  const settings = { heads: nHead, axis, gated: together !== qkv, scale: logits.scale };
  let o = attention({ qkv: packed, bias: options.bias, mask }, { ...settings, layout });
  packed.dispose();
  if (apart) o = sigmoidGate({ x: o, gate: linear(gateInput, widen(gate)) });
  return { x: o, map: widenColumns(out, cHidden) };
}

/**
 * {@linkcode axialAttention} without gate and without biases in its projections.
 *
 * @param x `[batch, I, J, c]`.
 * @returns The update (plus the residual), `[batch, I, J, c]`.
 */
export function selfAttention(params: SelfAttentionParams, x: Tensor, options: SelfAttentionOptions): Tensor {
  const { qProj, kProj, vProj, oProj } = params;
  return axialAttention({ qkv: [qProj, kProj, vProj], out: oProj }, x, options);
}

/**
 * Biases of the logits from the pair representation, one of each head for every pair.
 *
 * @param z `[batch, N_res, N_res, c_z]`.
 * @param projection Weight `[nHead, c_z]`.
 * @param options `transposed`: whether the bias of query i and key j is that of the pair (j, i) (@default false);
 * `layerNorm` normalizes z as it is read (@default nothing does).
 * @returns `[batch, nHead, N_res, N_res]`.
 */
export function pairBias(
  projection: LinearParams,
  z: Tensor,
  { transposed = false, layerNorm }: { readonly transposed?: boolean; readonly layerNorm?: LayerNormParams } = {},
): Tensor {
  using scope = z.device.scope("pairBias");
  const biases = linearInParts(
    z.device,
    { axis: 1, count: z.shape[1], size: z.size },
    { x: z, layerNorm, split: [], whole: projection },
    ({ x, whole: map }) => ({ x, map }),
  );
  return scope.keep(permute(biases, transposed ? [0, 3, 2, 1] : [0, 3, 1, 2]));
}
