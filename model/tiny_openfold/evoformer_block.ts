import type { Tensor } from "../../core/mod.ts";
import { linear, outerProductMean as outerProductMeanOp } from "../../ops/mod.ts";
import { pairBias, selfAttention } from "../layers/attention.ts";
import { type AttentionTap, attentionTap, type CaptureOptions } from "../layers/attention_capture.ts";
import { normalize } from "../layers/layer_norm.ts";
import { step as layerStep } from "../layers/step.ts";
import { transition } from "../layers/transition.ts";
import type { TinyOpenFoldConfig } from "./config.ts";
import type {
  MsaRowAttentionParams,
  OuterProductMeanParams,
  TinyEvoformerBlockParams,
  TriangleAttentionParams,
} from "./params.ts";
import { triangleMultiplication } from "./triangle_multiplication.ts";

/** Which residues are real, where chains of different lengths share a batch; without masks all are. */
export type Masks = {
  /** `[batch, N_seq, N_res]`. */
  readonly msaMask?: Tensor;
  /** `[batch, N_res, N_res]`. */
  readonly pairMask?: Tensor;
};

/**
 * Attention within each sequence, biased by the pair representation (not normalized, unlike in AlphaFold 2).
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 7, without the gate.
 *
 * @param m Normalized MSA representation, `[batch, N_seq, N_res, c_m]`.
 * @param z Pair representation, `[batch, N_res, N_res, c_z]`.
 */
export function msaRowAttentionWithPairBias(
  params: MsaRowAttentionParams,
  m: Tensor,
  z: Tensor,
  options: { nHead: number; mask?: Tensor; residual?: Tensor; capture?: AttentionTap },
): Tensor {
  const bias = pairBias(params.pairBiasProj, z);
  return selfAttention(params, m, { ...options, axis: 2, bias });
}

/**
 * Mean over sequences of the outer product of projections of two columns.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 10; one projection serves both sides.
 *
 * @param m `[batch, N_seq, N_res, c_m]`.
 * @returns The update (plus the residual), `[batch, N_res, N_res, c_z]`.
 */
export function outerProductMean(
  params: OuterProductMeanParams,
  m: Tensor,
  { residual, normEps }: { residual?: Tensor; normEps?: number } = {},
): Tensor {
  const a = linear(normalize(params.layerNorm, m, normEps), params.msaToOuter);
  return outerProductMeanOp({ a, b: a, weight: params.outerToPair.weight, residual });
}

/**
 * Attention among the edges that start (axis 2) or end (axis 1) at the same residue, without the third edge's bias
 * and without gate.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 13 and 14.
 *
 * @param z `[batch, N_res, N_res, c_z]`.
 */
export function triangleAttention(
  params: TriangleAttentionParams,
  z: Tensor,
  { normEps, ...options }: {
    nHead: number;
    axis: 1 | 2;
    mask?: Tensor;
    residual?: Tensor;
    capture?: AttentionTap;
    normEps?: number;
  },
): Tensor {
  return selfAttention(params, normalize(params.layerNorm, z, normEps), options);
}

/**
 * One block: updates the MSA representation, then the pair representation from it.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 6, lines 2-10; every pair module normalizes its input twice, as the
 * original does.
 *
 * @param m `[batch, N_seq, N_res, c_m]`.
 * @param z `[batch, N_res, N_res, c_z]`.
 */
export function tinyEvoformerBlock(
  params: TinyEvoformerBlockParams,
  m: Tensor,
  z: Tensor,
  config: TinyOpenFoldConfig,
  { msaMask, pairMask, capture }: Masks & CaptureOptions = {},
): { m: Tensor; z: Tensor } {
  const { device } = m;
  const { nHeadsMsa, nHeadsPair, normEps } = config;
  const p = params;
  const step = (name: string, run: () => Tensor): Tensor => layerStep(device, name, {}, run);
  const msa = { nHead: nHeadsMsa, mask: msaMask };
  const pair = { nHead: nHeadsPair, mask: pairMask, normEps };
  m = step(
    "msaRowAttention",
    () =>
      msaRowAttentionWithPairBias(p.msaRowAttention, normalize(p.msaNormRow, m, normEps), z, {
        ...msa,
        residual: m,
        capture: attentionTap(capture, "msaRowAttention"),
      }),
  );
  m = step(
    "msaColumnAttention",
    () =>
      selfAttention(p.msaColumnAttention, normalize(p.msaNormCol, m, normEps), {
        ...msa,
        axis: 1,
        residual: m,
        capture: attentionTap(capture, "msaColumnAttention"),
      }),
  );
  m = step("msaTransition", () => transition(p.msaTransition, normalize(p.msaNormTrans, m, normEps), m));
  z = step("outerProductMean", () => outerProductMean(p.outerProductMean, m, { residual: z, normEps }));
  z = step(
    "triangleMultiplicationOutgoing",
    () =>
      triangleMultiplication(p.triangleMultOutgoing, normalize(p.pairNormTriOut, z, normEps), {
        ...{ direction: "outgoing", mask: pairMask, residual: z, normEps },
      }),
  );
  z = step(
    "triangleMultiplicationIncoming",
    () =>
      triangleMultiplication(p.triangleMultIncoming, normalize(p.pairNormTriIn, z, normEps), {
        ...{ direction: "incoming", mask: pairMask, residual: z, normEps },
      }),
  );
  z = step(
    "triangleAttentionStarting",
    () =>
      triangleAttention(p.triangleAttnStarting, normalize(p.pairNormAttnStart, z, normEps), {
        ...pair,
        axis: 2,
        residual: z,
        capture: attentionTap(capture, "triangleAttentionStarting"),
      }),
  );
  z = step(
    "triangleAttentionEnding",
    () =>
      triangleAttention(p.triangleAttnEnding, normalize(p.pairNormAttnEnd, z, normEps), {
        ...pair,
        axis: 1,
        residual: z,
        capture: attentionTap(capture, "triangleAttentionEnding"),
      }),
  );
  z = step("pairTransition", () => transition(p.pairTransition, normalize(p.pairNormTrans, z, normEps), z));
  return { m, z };
}
