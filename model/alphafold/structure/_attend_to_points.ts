/** What invariant point attention of single chains and of complexes have in common. */
import type { Tensor } from "../../../core/mod.ts";
import {
  applyFrames,
  concat,
  invertApplyFrames,
  matmul,
  multiplyScalar,
  permute,
  reshape,
  softmax,
  softplus,
} from "../../../ops/mod.ts";
import { pointLogits } from "./_point_logits.ts";

/** Each of the three terms of the logits is scaled to a third of their variance. */
export const TERM: number = Math.sqrt(1 / 3);

/** What is projected from the single representation, heads first, and what attention reads besides. */
export interface PointAttentionInputs {
  /** `[batch, H, N_res, C]` */
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  /** In global coordinates, `[batch, H, N_res, P, 3]`. */
  readonly qPoints: Tensor;
  readonly kPoints: Tensor;
  /** `[batch, H, N_res, V, 3]` */
  readonly vPoints: Tensor;
  /** What softplus makes the weights of points of, `[H]`. */
  readonly headWeights: Tensor;
  /** `[batch, H, N_res, N_res]` */
  readonly bias: Tensor;
  /** `[batch, N_res]` */
  readonly mask: Tensor | undefined;
  /** `[batch, N_res, N_res, c_z]` */
  readonly z: Tensor;
  /** `[batch, N_res, 3, 4]` */
  readonly frames: Tensor;
}

/** In what both kinds differ. */
export interface PointAttentionChoices {
  /** Lengths `[…]` of vectors `[…, 3]`. */
  readonly lengths: (vectors: Tensor) => Tensor;
  /** What stands for minus infinity. @default 1e5 */
  readonly inf?: number;
}

/**
 * Attends by channels, pairs and points, and gathers what each residue reads of the others.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 22 "InvariantPointAttention", lines 7-10, and what line 11 reads.
 *
 * @returns `[batch, N_res, H (C + 4 V + c_z)]`: channels, all x, all y, all z, lengths, pairs.
 */
export function attendToPoints(inputs: PointAttentionInputs, { lengths, inf }: PointAttentionChoices): Tensor {
  const { q, k, v, qPoints, kPoints, vPoints, headWeights, bias, mask, z, frames } = inputs;
  const [batch, H, n, c] = q.shape;
  const P = qPoints.shape[3], V = vPoints.shape[3];
  const perPoint = reshape(frames, [batch, n, 1, 3, 4]);
  const residues = (x: Tensor) => permute(x, [0, 2, 1, ...x.shape.slice(3).map((_, axis) => axis + 3)]);
  // line 7: w_C = √(2 / 9 P), and each term times w_L = √(1 / 3)
  const weights = multiplyScalar(softplus(headWeights), TERM * Math.sqrt(2 / (9 * P)));
  const a = softmax(pointLogits({ q, k, qPoints, kPoints, weights, bias, mask }, TERM / Math.sqrt(c), inf));

  const oPair = matmul(residues(a), z); // line 8, [batch, N, H, c_z]
  const o = residues(matmul(a, v)); // line 9
  const global = residues(matmul(a, reshape(vPoints, [batch, H, n, 3 * V])));
  const local = invertApplyFrames(perPoint, reshape(global, [batch, n, H * V, 3])); // line 10
  const flat = (x: Tensor) => reshape(x, [batch, n, -1]);
  return concat([flat(o), flat(permute(local, [0, 1, 3, 2])), lengths(local), flat(oPair)], -1);
}

/** `[batch, N_res, H · rest]` as `[batch, H, N_res, …rest]`. */
export function heads(x: Tensor, H: number, ...rest: number[]): Tensor {
  const [batch, n] = x.shape;
  return permute(reshape(x, [batch, n, H, ...rest]), [0, 2, 1, ...rest.map((_, axis) => axis + 3)]);
}

/** Points of residues' frames, `[batch, N_res, M, 3]`, in global coordinates. */
export function points(frames: Tensor, local: Tensor): Tensor {
  const [batch, n] = frames.shape;
  return applyFrames(reshape(frames, [batch, n, 1, 3, 4]), local);
}
