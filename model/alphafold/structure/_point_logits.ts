import { defineOp, elementGrid, inWindows, type Tensor } from "../../../core/mod.ts";
import { matmul, multiplyScalar, reshape, sum } from "../../../ops/mod.ts";
import { pointGradientKernel, pointLogitsKernel, TILE } from "./_point_logits.wgsl.ts";

/** What stands for minus infinity in the logits of masked pairs: small enough to leave their logits some digits. */
export const MASKED = 1e5;

type Inputs = {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly qPoints: Tensor;
  readonly kPoints: Tensor;
  readonly weights: Tensor;
  readonly bias: Tensor;
  readonly mask: Tensor | undefined;
};

const POINTS = ["qPoints", "kPoints", "weights"] as const;

const op = defineOp<
  Inputs,
  "q" | "k" | "qPoints" | "kPoints" | "weights",
  Record<never, never>,
  { readonly scale: number; readonly inf: number }
>({
  name: "pointLogits",
  needs: { q: ["k"], k: ["q"], qPoints: POINTS, kPoints: POINTS, weights: POINTS },
  forward({ q, k, qPoints, kPoints, weights, bias, mask }, { scale, inf }, { device }) {
    const [batch, heads, n, channels] = q.shape;
    const coordinates = qPoints.shape[3];
    const structure = {
      channelVectors: channels % 4 === 0,
      pointVectors: coordinates % 4 === 0,
      masked: !!mask,
      rowVectors: n % 4 === 0,
    };
    const logits = device.empty([batch, heads, n, n]);
    const blocks = Math.ceil(n / TILE);
    inWindows(
      device,
      batch * heads,
      { reads: { q, k, qPoints, kPoints, bias }, writes: { logits } },
      (windows, matrices, first) => {
        const count = matrices * blocks ** 2;
        device.run(pointLogitsKernel(structure), {
          bindings: { ...windows, weights, ...(mask && { mask }) },
          uniforms: {
            count,
            n,
            blocks,
            heads,
            first,
            scale,
            inf,
            channels: structure.channelVectors ? channels / 4 : channels,
            coordinates: structure.pointVectors ? coordinates / 4 : coordinates,
          },
          grid: elementGrid(count, 64),
          flops: matrices * n * n * (2 * channels + 3 * coordinates + 6),
        });
      },
    );
    return { out: logits };
  },
  vjp({ device, inputs: { q, k, qPoints, kPoints, weights }, shapes, attributes: { scale }, wanted }, d) {
    const [batch, heads, n, coordinates] = shapes.qPoints;
    const pointVectors = coordinates % 4 === 0;
    const parts = pointVectors ? coordinates / 4 : coordinates;
    /** Gradient of the points, and for queries what that of the weights is made of. */
    const gradient = (own: Tensor, others: Tensor, transposed: boolean) => {
      const dOwn = device.empty(own.shape);
      const squares = transposed ? undefined : device.empty([batch, heads, n, parts]);
      inWindows(
        device,
        batch * heads,
        { reads: { d, own, others }, writes: { dOwn, squares } },
        (windows, matrices, first) => {
          const count = matrices * n * parts;
          device.run(pointGradientKernel({ pointVectors, transposed }), {
            bindings: { ...windows, weights },
            uniforms: { count, n, heads, first, coordinates: parts },
            grid: elementGrid(count, 64),
            flops: matrices * n * n * 6 * coordinates,
          });
        },
      );
      return { dOwn, squares };
    };
    const queries = wanted.qPoints || wanted.weights ? gradient(qPoints, kPoints, false) : undefined;
    const squares = queries?.squares;
    return {
      q: wanted.q ? multiplyScalar(matmul(d, k), scale) : undefined,
      k: wanted.k ? multiplyScalar(matmul(d, q, { transposeA: true }), scale) : undefined,
      qPoints: queries?.dOwn,
      kPoints: wanted.kPoints ? gradient(kPoints, qPoints, true).dOwn : undefined,
      weights: wanted.weights && squares ? multiplyScalar(sum(squares, { axes: [0, 2, 3] }), -0.5) : undefined,
      bias: wanted.bias ? d : undefined,
    };
  },
});

/**
 * Logits of invariant point attention: scale q_i · k_j - weight / 2 · Σ |p_i - p_j|² + bias, and -inf (1e5) where a residue is
 * masked. Squared distances come from differences, so that they keep their digits far from the origin.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 22 "InvariantPointAttention", line 7.
 *
 * @param inputs `q`, `k` `[batch, H, N, C]`; `qPoints`, `kPoints` `[batch, H, N, P, 3]` in global coordinates; `weights`
 * `[H]`; `bias` `[batch, H, N, N]`; `mask` `[batch, N]`, without gradient.
 * @param scale Of the channels' product.
 * @returns `[batch, H, N, N]`.
 */
export function pointLogits({ qPoints, kPoints, ...inputs }: Inputs, scale: number, inf: number = MASKED): Tensor {
  const flat = (points: Tensor) => reshape(points, [...points.shape.slice(0, 3), -1]);
  return op({ ...inputs, qPoints: flat(qPoints), kPoints: flat(kPoints) }, { scale, inf });
}
