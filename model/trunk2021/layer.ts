import type { Tensor, Tree } from "../../core/mod.ts";
import { reshape } from "../../ops/mod.ts";
import { attentionTap, type CaptureOptions } from "../layers/attention_capture.ts";
import { normalize } from "../layers/layer_norm.ts";
import {
  type Trunk2021AttentionOptions,
  trunk2021AxialAttention,
  trunk2021CrossAttention,
  trunk2021SelfAttention,
} from "./attention.ts";
import type { Trunk2021Config } from "./config.ts";
import { gegluFeedForward } from "./feed_forward.ts";
import type { PreNormCrossParams, PreNormParams, Trunk2021FeedForwardParams, Trunk2021Layer } from "./params.ts";

/** Masks of both representations: 1 where there is something, 0 in padding. */
export type Trunk2021Masks = {
  /** `[batch, N_res, N_res]`. */
  readonly x?: Tensor;
  /** `[batch, N_seq, N]`. */
  readonly m?: Tensor;
};

/** What an update reads. */
export type UpdateReads<P> = {
  readonly params: P;
  /** The representation that is updated, `[batch, I, J, dim]`. */
  readonly own: Tensor;
  /** The other one, where it is read. */
  readonly context?: Tensor;
  readonly masks: Trunk2021Masks;
  /** Added to the update, of `own`'s shape. */
  readonly residual?: Tensor;
};

/** A part of a layer: what updates which representation, from what. */
export interface LayerPart {
  /** Name in errors and profiles. */
  readonly name: string;
  /** The representation it updates: of pairs (x) or of the MSA (m). */
  readonly of: "x" | "m";
  /** Attention within a representation or to the other one, or a feed-forward map. */
  readonly kind: "self" | "cross" | "feedForward";
  /** Its parameters. */
  readonly params: Tree<Tensor>;
  /** The update (plus the residual), of the shape of `own`. */
  run(reads: UpdateReads<Tree<Tensor>>): Tensor;
}

/** Which blocks attend to which. */
export interface LayerLayouts {
  /** In the self attention of pairs. @default all */
  readonly pairs?: Trunk2021AttentionOptions["layout"];
  /** In that of the MSA. @default all */
  readonly msa?: Trunk2021AttentionOptions["layout"];
  /** In cross attention. @default all */
  readonly cross?: Trunk2021AttentionOptions["layout"];
}

/** What a layer must know of its trunk. */
export type LayerOptions = Pick<
  Trunk2021Config,
  "heads" | "interMsaSelfAttn" | "crossAttnCompressRatio" | "quirks" | "reversible"
>;

/**
 * The parts of a layer in the order in which they run. A reversible layer has feed-forward maps after its self attention
 * and after its cross attention, another one at its end alone.
 *
 * @param withMsa Whether there is an MSA; without it pairs attend to themselves alone.
 */
export function partsOfLayer(
  layer: Trunk2021Layer,
  { heads, interMsaSelfAttn, crossAttnCompressRatio, quirks, reversible }: LayerOptions,
  withMsa: boolean,
  { capture, layouts = {} }: CaptureOptions & { readonly layouts?: LayerLayouts } = {},
): LayerPart[] {
  const shared = { heads, quirks };
  const pairAttention = part<Trunk2021Layer["pairAttention"]>(
    ["pairAttention", "x", "self"],
    layer.pairAttention,
    ({ params: { fn, norm }, own, masks, residual }) =>
      trunk2021AxialAttention(fn, normalize(norm, own), {
        ...{ ...shared, mask: masks.x, residual, layout: layouts.pairs },
        captures: [
          attentionTap(capture, "triangleAttentionEnding"),
          attentionTap(capture, "triangleAttentionStarting"),
        ],
      }),
  );
  const msaAttention = part<Trunk2021Layer["msaAttention"]>(
    ["msaAttention", "m", "self"],
    layer.msaAttention,
    ({ params: { fn, norm }, own, masks, residual }) => {
      const rows = interMsaSelfAttn ? inOneRow : (tensor: Tensor) => tensor;
      const update = trunk2021SelfAttention(fn, rows(normalize(norm, own)), {
        ...{
          ...shared,
          axis: 2,
          mask: masks.m && rows(masks.m),
          residual: residual && rows(residual),
          layout: layouts.msa,
        },
        capture: interMsaSelfAttn ? undefined : attentionTap(capture, "msaRowAttention"),
      });
      return reshape(update, own.shape);
    },
  );
  const cross = (name: string, of: "x" | "m", params: PreNormCrossParams) =>
    part<PreNormCrossParams>(
      [name, of, "cross"],
      params,
      ({ params: { fn, norm, normContext }, own, context, masks, residual }) => {
        const [mask, contextMask] = of === "x" ? [masks.x, masks.m] : [masks.m, masks.x];
        // DEVIATION(original): it normalizes the context as it does what asks
        const seen = normalize(quirks ? norm : normContext, context!);
        const update = trunk2021CrossAttention(fn, inOneRow(normalize(norm, own)), inOneRow(seen), {
          ...{ ...shared, compressRatio: crossAttnCompressRatio, residual: residual && inOneRow(residual) },
          ...{ mask: mask && inOneRow(mask), contextMask: contextMask && inOneRow(contextMask) },
          layout: layouts.cross,
        });
        return reshape(update, own.shape);
      },
    );
  const feedForward = (of: "x" | "m", params: PreNormParams<Trunk2021FeedForwardParams>) =>
    part<PreNormParams<Trunk2021FeedForwardParams>>(
      [of === "x" ? "pairFeedForward" : "msaFeedForward", of, "feedForward"],
      params,
      ({ params: { fn, norm }, own, residual }) => gegluFeedForward(fn, own, { layerNorm: norm, residual }),
    );
  const pairCross = cross("pairCross", "x", layer.pairCross), msaCross = cross("msaCross", "m", layer.msaCross);
  const pairs = feedForward("x", layer.pairFeedForward), msa = feedForward("m", layer.msaFeedForward);
  if (!withMsa) return [pairAttention, pairs];
  if (!reversible) return [pairAttention, msaAttention, pairCross, msaCross, pairs, msa];
  return [
    ...[pairAttention, pairs, msaAttention, msa],
    ...[pairCross, feedForward("x", layer.pairFeedForward2!), msaCross, feedForward("m", layer.msaFeedForward2!)],
  ];
}

function part<P extends Tree<Tensor>>(
  [name, of, kind]: readonly [string, LayerPart["of"], LayerPart["kind"]],
  params: P,
  run: (reads: UpdateReads<P>) => Tensor,
): LayerPart {
  return { name, of, kind, params, run: (reads) => run(reads as UpdateReads<P>) };
}

/** All elements of a representation or of a mask in one row, `[batch, I, J, …]` → `[batch, 1, I · J, …]`. */
function inOneRow(x: Tensor): Tensor {
  const [batch, rows, columns, ...rest] = x.shape;
  return reshape(x, [batch, 1, rows * columns, ...rest]);
}
