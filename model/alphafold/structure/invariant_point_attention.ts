import type { Tensor } from "../../../core/mod.ts";
import { addScalar, linear, multiplyScalar, permute, reshape, split, sqrt, square, sum } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import type { StructureConfig } from "./config.ts";
import type { InvariantPointAttentionParams } from "./params.ts";
import { attendToPoints, heads, points, TERM } from "./_attend_to_points.ts";

/** Added to squared lengths of points. */
const EPS = 1e-8;

/** What invariant point attention reads besides the single representation. */
export interface InvariantPointAttentionInputs {
  /** Pair representation, `[batch, N_res, N_res, c_z]`. */
  readonly z: Tensor;
  /** Frames of the backbones in the module's units, `[batch, N_res, 3, 4]`. */
  readonly frames: Tensor;
  /** 1 for residues that are there, 0 for padding: `[batch, N_res]`. @default all are */
  readonly mask?: Tensor;
  /** {@linkcode pointAttentionBias} of `z`, where many calls share it. @default made here */
  readonly bias?: Tensor;
  /** Added to the update: `[batch, N_res, c_s]`. */
  readonly residual?: Tensor;
}

/**
 * The heads' biases, made of the pair representation: lines 4 and 7, scaled.
 *
 * @param z `[batch, N_res, N_res, c_z]`.
 * @returns `[batch, nHead, N_res, N_res]`.
 */
export function pointAttentionBias({ linearB }: Pick<InvariantPointAttentionParams, "linearB">, z: Tensor): Tensor {
  return permute(multiplyScalar(linear(z, linearB), TERM), [0, 3, 1, 2]);
}

/**
 * Refuses tensors that do not fit together.
 *
 * @param of Who asks.
 * @param s `[batch, N_res, c_s]`.
 * @throws {TypeError} It names the tensor, its shape and the one expected.
 */
export function checkPointAttention(
  of: string,
  s: Tensor,
  { z, frames, mask, bias }: InvariantPointAttentionInputs,
  { cS, cZ, nHeadIpa }: StructureConfig,
): void {
  checkShape(of, "s", s, ["batch", "N_res", cS]);
  const [batch, n] = s.shape;
  checkShape(of, "z", z, [batch, n, n, cZ]);
  checkShape(of, "frames", frames, [batch, n, 3, 4]);
  if (bias) checkShape(of, "bias", bias, [batch, nHeadIpa, n, n]);
  if (mask) checkShape(of, "mask", mask, [batch, n]);
}

/**
 * Lets residues attend to each other by their representations, their pairs, and points in their frames; what comes out
 * does not change when all frames are moved together.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 22 "InvariantPointAttention".
 *
 * @param s `[batch, N_res, c_s]`.
 * @returns The update (plus the residual), `[batch, N_res, c_s]`, owned by the current scope. Rows of masked residues
 * have no meaning.
 * @throws {TypeError} If shapes do not fit together.
 */
export function invariantPointAttention(
  params: InvariantPointAttentionParams,
  s: Tensor,
  { z, frames, mask, bias = pointAttentionBias(params, z), residual }: InvariantPointAttentionInputs,
  config: StructureConfig,
): Tensor {
  const { cIpa: c, nHeadIpa: H, nQkPoints: P, nVPoints: V } = config;
  const of = "invariantPointAttention";
  checkPointAttention(of, s, { z, frames, mask, bias }, config);
  const { device, shape: [batch, n] } = s;
  using scope = device.scope(of);
  /** Points in global coordinates, [batch, H, N, count, 3]; the map gives all x, then all y, then all z. */
  const global = (projected: Tensor, count: number) =>
    heads(points(frames, permute(reshape(projected, [batch, n, 3, H * count]), [0, 1, 3, 2])), H, count, 3);

  const q = heads(linear(s, params.linearQ), H, c); // line 1
  const [k, v] = split(heads(linear(s, params.linearKv), H, 2 * c), [c, c], 3);
  const qPoints = global(linear(s, params.linearQPoints.linear), P); // line 2
  const [kPoints, vPoints] = split(global(linear(s, params.linearKvPoints.linear), P + V), [P, V], 3); // lines 2 and 3
  const all = attendToPoints(
    {
      ...{ q, k, v, z, frames, bias, mask, headWeights: params.headWeights },
      ...{ qPoints, kPoints, vPoints },
    },
    { lengths: (local) => sqrt(addScalar(sum(square(local), { axes: [-1] }), EPS)) },
  );
  return scope.keep(linear(all, params.linearOut, { residual })); // line 11
}
