import type { Tensor } from "../../../core/mod.ts";
import { add, divide, embedding, gelu, linear, multiply, multiplyScalar, reshape, sum } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { normalize } from "../../layers/layer_norm.ts";
import { lieAttention, lieBall } from "./attention.ts";
import { type Lift, lifted, liftedMotions, liftedPairs } from "./lift.ts";
import type { LieConfig, LieTransformerParams } from "./params.ts";

/** What the network reads. */
export type LieInputs = {
  /** Kinds of points, i32 `[batch, n]`, where the network knows kinds; else features, `[batch, n, dim]`. */
  readonly feats: Tensor;
  /** `[batch, n, 3]`. */
  readonly coors: Tensor;
  /** Kinds of pairs, i32 `[batch, n, n]`, where it knows such; else features, `[batch, n, n, edgeDim]`. */
  readonly edges?: Tensor;
  /** 1 for points, 0 for padding, `[batch, n]`. @default all are points */
  readonly mask?: Tensor;
};

/**
 * A transformer of points that are lifted to motions, in which attention looks at the motions between them. What comes out
 * does not change when points and their orientations are turned and moved together; with orientations drawn anew, its
 * distribution does not.
 *
 * Source: Hutchinson et al. (2021), "LieTransformer: equivariant self-attention for Lie groups"; lie-transformer-pytorch.
 *
 * @example
 * ```ts
 * import { Device, Key } from "@denofold/denofold";
 * import { initLieTransformer, lieConfig, lieTransformer, randomLift } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const config = lieConfig({ dim: 4, depth: 1, heads: 2, dimHead: 2, liftsamples: 2, numTokens: 3 });
 * const params = initLieTransformer(device, config, Key.fromSeed(0));
 * const feats = device.tensor([0, 1, 2, 1], [1, 4], "i32");
 * const coors = device.tensor(Key.fromSeed(1).normal(12), [1, 4, 3]);
 * const out = lieTransformer(params, { feats, coors }, randomLift(Key.fromSeed(2), 1, 4, 2), config);
 * assert.deepEqual([...out.shape], [1, 8, 4]);
 * ```
 *
 * @param lift Orientations, {@linkcode randomLift}.
 * @param noise See {@linkcode lieBall}.
 * @returns Features of every motion, `[batch, n liftsamples, dimOut]`, owned by the current scope.
 * @throws {TypeError} If shapes do not fit.
 */
export function lieTransformer(
  params: LieTransformerParams,
  inputs: LieInputs,
  lift: Lift,
  config: LieConfig,
  noise?: Tensor,
): Tensor {
  checkInputs(inputs, lift, config);
  const { device } = inputs.coors;
  using scope = device.scope("lieTransformer");
  const { tokenEmb, edgeEmb, net, toLogits } = params;
  const motions = liftedMotions(inputs.coors, lift);
  const pairs = inputs.edges && edgeEmb ? embedding(edgeEmb.weight, inputs.edges) : inputs.edges;
  const edges = pairs && liftedPairs(pairs, lift);
  const ball = lieBall(motions, config, inputs.mask && lifted(inputs.mask, lift), noise);
  let x = lifted(tokenEmb ? embedding(tokenEmb.weight, inputs.feats) : inputs.feats, lift);
  // DEVIATION(lie-transformer-pytorch): it adds residuals twice
  const residual = (x: Tensor) => config.quirks.doubledResiduals ? multiplyScalar(x, 2) : x;
  for (const { 0: attention, 1: { net: feedForward } } of net.blocks) {
    const normed = normalize(attention.net[0].fn, x);
    x = add(residual(x), lieAttention(attention.attn, normed, motions, ball, config, edges));
    const hidden = gelu(linear(normalize(feedForward[0].fn, x), feedForward[1].fn));
    x = linear(hidden, feedForward[3].fn, { residual: residual(x) });
  }
  return scope.keep(linear(normalize(toLogits[0].fn, x), toLogits[1].fn));
}

/** Mean over all motions of the points that are there, `[batch, N, c]` → `[batch, c]`. */
export function liePooled(x: Tensor, lift: Lift, mask?: Tensor): Tensor {
  const [batch, n] = x.shape;
  if (!mask) return multiplyScalar(sum(x, { axes: [1] }), 1 / n);
  const there = lifted(mask, lift);
  const total = sum(multiply(x, reshape(there, [batch, n, 1])), { axes: [1] });
  return divide(total, sum(there, { axes: [1], keepDims: true }));
}

function checkInputs({ feats, coors, edges, mask }: LieInputs, { sizes, quaternions }: Lift, config: LieConfig): void {
  const { dim, numTokens, numEdgeTypes, edgeDim, liftsamples } = config;
  const check = (name: string, tensor: Tensor, shape: readonly (number | string)[], kind: "f32" | "i32" = "f32") =>
    checkShape("lieTransformer", name, tensor, shape, kind);
  check("coors", coors, ["batch", "n", 3]);
  const [batch, n] = coors.shape;
  if (numTokens) check("feats", feats, [batch, n], "i32");
  else check("feats", feats, [batch, n, dim]);
  if (edges && numEdgeTypes) check("edges", edges, [batch, n, n], "i32");
  else if (edges) check("edges", edges, [batch, n, n, edgeDim]);
  else if (edgeDim > 0) {
    throw new TypeError(`Cannot run lieTransformer: edges are missing, [${batch}, ${n}, ${n}, ${edgeDim}]`);
  }
  if (mask) check("mask", mask, [batch, n]);
  const expected = [batch, n, liftsamples];
  if (sizes.some((size, k) => size !== expected[k]) || quaternions.length !== 4 * batch * n * liftsamples) {
    throw new TypeError(
      `Cannot run lieTransformer: the lift is of [${sizes}] with ${quaternions.length} numbers, expected [${expected}] with ` +
        `${4 * batch * n * liftsamples}`,
    );
  }
}
