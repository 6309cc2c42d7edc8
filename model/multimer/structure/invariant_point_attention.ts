import type { Tensor } from "../../../core/mod.ts";
import { clamp, linear, type LinearParams, permute, reshape, sqrt, square, sum } from "../../../ops/mod.ts";
import { attendToPoints, heads, points, TERM } from "../../alphafold/structure/_attend_to_points.ts";
import { MASKED } from "../../alphafold/structure/_point_logits.ts";
import type { StructureConfig } from "../../alphafold/structure/config.ts";
import {
  checkPointAttention,
  type InvariantPointAttentionInputs,
  pointAttentionBias,
} from "../../alphafold/structure/invariant_point_attention.ts";
import type { MultimerPointAttentionParams } from "./params.ts";

/** Least squared length of points. */
const LEAST = 1e-16;

/**
 * Points that a linear map makes of each residue for each head, in global coordinates.
 *
 * Source: the published code's `PointProjection`.
 *
 * @param map Weight `[3 H P, c_s]`: for each head all x, then all y, then all z.
 * @param s `[batch, N_res, c_s]`.
 * @param frames `[batch, N_res, 3, 4]`.
 * @param nHead H.
 * @returns `[batch, N_res, H, P, 3]`.
 */
export function pointProjection(map: LinearParams, s: Tensor, frames: Tensor, nHead: number): Tensor {
  const [batch, n] = s.shape;
  const count = map.weight.shape[0] / 3 / nHead;
  const local = permute(reshape(linear(s, map), [batch, n, nHead, 3, count]), [0, 1, 2, 4, 3]);
  return reshape(points(frames, reshape(local, [batch, n, nHead * count, 3])), [batch, n, nHead, count, 3]);
}

/**
 * Invariant point attention of AlphaFold-Multimer: queries, keys and values have maps of their own, without biases, and the
 * whole sum of terms is scaled, the mask included.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 22 "InvariantPointAttention"; the published code of complexes
 * (`folding_multimer.InvariantPointAttention`).
 *
 * @param s `[batch, N_res, c_s]`.
 * @returns The update (plus the residual), `[batch, N_res, c_s]`, owned by the current scope. Rows of masked residues have
 * no meaning.
 * @throws {TypeError} If shapes do not fit together.
 */
export function multimerPointAttention(
  params: MultimerPointAttentionParams,
  s: Tensor,
  { z, frames, mask, bias = pointAttentionBias(params, z), residual }: InvariantPointAttentionInputs,
  config: StructureConfig,
): Tensor {
  const { cIpa: c, nHeadIpa: H } = config;
  const of = "multimerPointAttention";
  checkPointAttention(of, s, { z, frames, mask, bias }, config);
  using scope = s.device.scope(of);
  const channels = (map: LinearParams) => heads(linear(s, map), H, c);
  const global = ({ linear: map }: { readonly linear: LinearParams }) =>
    permute(pointProjection(map, s, frames, H), [0, 2, 1, 3, 4]);
  const all = attendToPoints(
    {
      ...{ q: channels(params.linearQ), k: channels(params.linearK), v: channels(params.linearV) },
      ...{ qPoints: global(params.linearQPoints), kPoints: global(params.linearKPoints) },
      ...{ vPoints: global(params.linearVPoints), headWeights: params.headWeights, bias, mask, z, frames },
    },
    { lengths: (local) => sqrt(clamp(sum(square(local), { axes: [-1] }), LEAST, Infinity)), inf: TERM * MASKED },
  );
  return scope.keep(linear(all, params.linearOut, { residual }));
}
