import { noGrad, type Tensor } from "../../../core/mod.ts";
import {
  add,
  addScalar,
  concat,
  divide,
  less,
  linear,
  max,
  mean,
  multiply,
  multiplyScalar,
  negate,
  relu,
  reshape,
  smallest,
  softmax,
  sum,
  where,
} from "../../../ops/mod.ts";
import { atNeighbours, atPairs, type Neighbours } from "../neighbours.ts";
import { motionDistances } from "./lift.ts";
import type { LieAttentionParams, LieConfig } from "./params.ts";

/** Where motions attend to. */
export type LieBall = {
  /** Candidates of every motion. */
  readonly candidates: Neighbours;
  /** 1 where a candidate is attended to, `[batch, N, K]`. */
  readonly mask: Tensor;
  /** The part of all motions that one attends to on average, a scalar. */
  readonly fill: Tensor;
};

/** The logit of what is masked. */
const MASKED = -1e30;

/** How far the radius moves towards what fills the ball as it should. */
const RADIUS_RATE = 0.5;

/**
 * Which motions lie within the radius of which, and candidates chosen among them at random where they are too many.
 *
 * @param motions `[batch, N, N, 6]`.
 * @param mask 1 for motions of points, `[batch, N]`. @default all are
 * @param noise Numbers in [0, 1) that decide which are chosen, `[batch, N, N]`; needed where there are more than `nbhd`.
 * @returns Owned by the current scope.
 * @throws {TypeError} If noise is missing.
 */
export function lieBall(
  motions: Tensor,
  { radius, nbhd, quirks }: Pick<LieConfig, "radius" | "nbhd" | "quirks">,
  mask?: Tensor,
  noise?: Tensor,
): LieBall {
  const { device, shape: [batch, n] } = motions;
  using scope = device.scope("lieBall");
  return scope.keep(noGrad(device, () => {
    const number = (value: number) => device.tensor([value], [1]);
    const there = mask ?? device.tensor(new Float32Array(batch * n).fill(1), [batch, n]);
    const pairs = multiply(reshape(there, [batch, n, 1]), reshape(there, [batch, 1, n]));
    const inside = multiply(less(motionDistances(motions), number(radius)), pairs);
    const valid = quirks.invertedMask ? multiplyScalar(inside, 0) : inside;
    const points = sum(there, { axes: [1] });
    const fill = divide(divide(sum(inside), sum(points)), mean(points));
    if (nbhd === undefined || nbhd >= n) return { candidates: {}, mask: valid, fill };
    if (!noise) throw new TypeError(`Cannot choose ${nbhd} of ${n} motions at random: noise is missing`);
    const { places, items } = smallest(negate(add(valid, noise)), nbhd);
    const candidates = { nodes: items, places };
    return { candidates, mask: atPairs(valid, candidates), fill };
  }));
}

/** The radius after a step of training: nearer to that whose ball holds the part `wanted` of all motions. */
export function adaptedRadius(radius: Tensor, fill: Tensor, wanted: number): Tensor {
  return add(radius, multiplyScalar(addScalar(negate(fill), wanted), RADIUS_RATE));
}

/**
 * Attention of motions to those within a ball: the logit of a pair is the product of query and key, and a number made of the
 * motion from one to the other.
 *
 * Source: Hutchinson et al. (2021), "LieTransformer", section 4, with dot product attention; lie-transformer-pytorch.
 *
 * DEVIATION(lie-transformer-pytorch): its mask is inverted, so that nothing but an average is computed.
 *
 * @param x `[batch, N, dim]`.
 * @param motions `[batch, N, N, 6]`.
 * @param edges Features of pairs, `[batch, N, N, edgeDim]`.
 * @returns `[batch, N, dim]`, owned by the current scope; nothing but the bias where nothing is attended to.
 */
export function lieAttention(
  { toQ, toK, toV, toOut, locAttnMlp }: LieAttentionParams,
  x: Tensor,
  motions: Tensor,
  { candidates, mask }: LieBall,
  { heads, quirks }: Pick<LieConfig, "heads" | "quirks">,
  edges?: Tensor,
): Tensor {
  const { device, shape: [batch, n] } = x;
  using scope = device.scope("lieAttention");
  const hidden = toQ.weight.shape[0], d = hidden / heads, k = mask.shape[2];
  const queries = reshape(linear(x, toQ), [batch, n, 1, heads, d]);
  const at = (map: typeof toK) => {
    const found = atNeighbours(linear(x, map), candidates); // [batch, N or 1, K, heads d]
    return reshape(found, [...found.shape.slice(0, 3), heads, d]);
  };
  const keys = at(toK), values = at(toV);
  const there = reshape(mask, [batch, n, k, 1]);
  let logits = multiplyScalar(sum(multiply(queries, keys), { axes: [4] }), 1 / Math.sqrt(d)); // [batch, N, K, heads]
  const pairs = edges ? concat([motions, edges], 3) : motions;
  const location = linear(relu(linear(atPairs(pairs, candidates), locAttnMlp[0])), locAttnMlp[2]);
  logits = where(there, add(logits, location), device.tensor([MASKED], [1]));
  const weights = reshape(softmax(logits, { axis: 2 }), [batch, n, k, heads, 1]);
  const out = reshape(sum(multiply(weights, values), { axes: [2] }), [batch, n, hidden]);
  const averages = quirks.averagesMasked || quirks.invertedMask;
  const attended = averages ? out : multiply(out, reshape(max(mask, { axes: [2] }), [batch, n, 1]));
  return scope.keep(linear(attended, toOut));
}
