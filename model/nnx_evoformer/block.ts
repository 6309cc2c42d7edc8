import type { Tensor } from "../../core/mod.ts";
import { add, mean, square } from "../../ops/mod.ts";
import { attentionTap, type CaptureOptions } from "../layers/attention_capture.ts";
import { checkShape } from "../layers/check_shape.ts";
import { step } from "../layers/step.ts";
import { normalizedTransition } from "../layers/transition.ts";
import type { NnxEvoformerConfig } from "./config.ts";
import { nnxGatedMha, nnxOuterProductMean, nnxTriangleUpdate } from "./modules.ts";
import type { NnxEvoformerParams } from "./params.ts";

/** The representations that the block updates. */
export type NnxRepresentations = {
  /** `[batch, N_seq, N_res, c_m]`. */
  readonly msa: Tensor;
  /** `[batch, N_res, N_res, c_z]`. */
  readonly pairs: Tensor;
};

/**
 * The notebook's Evoformer block. It is the one of AlphaFold 2 but for gates that read unnormalized input, an outer
 * product of the MSA as it came in, and an ending node whose bias is not transposed; it has neither masks nor dropout.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 6, lines 2-10.
 *
 * @returns Updated representations, owned by the current scope.
 */
export function nnxEvoformerBlock(
  params: NnxEvoformerParams,
  { msa, pairs }: NnxRepresentations,
  { nHead, normEps }: NnxEvoformerConfig,
  { capture }: CaptureOptions = {},
): NnxRepresentations {
  const { device } = msa;
  const p = params;
  const [batch, , nRes] = msa.shape;
  checkShape("nnxEvoformerBlock", "msa", msa, ["batch", "N_seq", "N_res", p.msaTransition.layerNorm.weight.size]);
  checkShape("nnxEvoformerBlock", "pairs", pairs, [batch, nRes, nRes, p.pairsTransition.layerNorm.weight.size]);
  const run = (name: string, update: (x: Tensor) => Tensor, x: Tensor) =>
    step(device, name, { x }, ({ x }) => update(x));
  const row = (m: Tensor) =>
    nnxGatedMha(p.rowWiseGatedSelfAttentionWithPairBias.gatedMha, m, {
      ...{ z: pairs, nHead, axis: 2, normEps, residual: m },
      capture: attentionTap(capture, "msaRowAttention"),
    });
  const column = (m: Tensor) =>
    nnxGatedMha(p.columnWiseGatedSelfAttention.gatedMha, m, {
      ...{ nHead, axis: 1, normEps, residual: m },
      capture: attentionTap(capture, "msaColumnAttention"),
    });
  const starting = (z: Tensor) =>
    nnxGatedMha(p.triangleSelfAttentionStartingNode.gatedMha, z, {
      ...{ z, nHead, axis: 2, normEps, residual: z },
      capture: attentionTap(capture, "triangleAttentionStarting"),
    });
  const ending = (z: Tensor) =>
    nnxGatedMha(p.triangleSelfAttentionEndingNode.gatedMha, z, {
      ...{ z, nHead, axis: 1, normEps, residual: z },
      capture: attentionTap(capture, "triangleAttentionEnding"),
    });
  const outgoing = (z: Tensor) =>
    nnxTriangleUpdate(p.triangularUpdateOutgoingEdges, z, { direction: "outgoing", residual: z, normEps });
  const incoming = (z: Tensor) =>
    nnxTriangleUpdate(p.triangularUpdateIncomingEdges, z, { direction: "incoming", residual: z, normEps });

  let m = run("msaRowAttention", row, msa);
  m = run("msaColumnAttention", column, m);
  m = run("msaTransition", (m) => normalizedTransition(p.msaTransition, m, { residual: m, normEps }), m);
  // DEVIATION(Alg. 6, line 5): the outer product is of the MSA representation before this block
  const told = (z: Tensor) => nnxOuterProductMean(p.outerProductMean, msa, { residual: z, normEps });
  let z = run("outerProductMean", told, pairs);
  z = run("triangleMultiplicationOutgoing", outgoing, z);
  z = run("triangleMultiplicationIncoming", incoming, z);
  z = run("triangleAttentionStarting", starting, z);
  z = run("triangleAttentionEnding", ending, z);
  z = run("pairTransition", (z) => normalizedTransition(p.pairsTransition, z, { residual: z, normEps }), z);
  return { msa: m, pairs: z };
}

/** What the notebook trains for, representations of zeros: mean(msa²) + mean(pairs²), a scalar. */
export function nnxLoss({ msa, pairs }: NnxRepresentations): Tensor {
  return add(mean(square(msa)), mean(square(pairs)));
}
