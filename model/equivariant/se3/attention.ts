import type { Tensor } from "../../../core/mod.ts";
import {
  broadcastTo,
  concat,
  max,
  multiply,
  multiplyScalar,
  permute,
  reshape,
  softmax,
  sum,
  where,
} from "../../../ops/mod.ts";
import { atNeighbours } from "../neighbours.ts";
import { type Se3Geometry, se3Messages, se3Sources } from "./convolution.ts";
import { addFeatures, se3Linear } from "./linear.ts";
import { se3Norm } from "./norm.ts";
import { degreesOf, type Se3AttentionBlockParams, type Se3AttentionParams, type Se3Features } from "./params.ts";

/** How attention runs. */
export interface Se3AttentionOptions {
  /** Number of heads. */
  readonly heads: number;
  /** Features of tokens that all nodes attend to, `[batch, T, c]`. */
  readonly globalFeats?: Tensor;
  /** Whether a node without a neighbour averages what fills its list up, as the original does. @default false */
  readonly quirks?: boolean;
}

/** The logit of what is masked. */
const MASKED = -1e30;

/**
 * Attention of nodes to their neighbours, for every degree of features on its own: keys and values are messages of a
 * convolution, and queries are compared with keys by all their numbers, which rotations leave alone.
 *
 * Source: Fuchs et al. (2020), "SE(3)-transformers", equations 9-11; se3-transformer-pytorch, where every degree has a softmax
 * of its own.
 *
 * @returns Of the form of `x`: 0 where a node attends to nothing.
 */
export function se3Attention(
  params: Se3AttentionParams,
  x: Se3Features,
  geometry: Se3Geometry,
  { heads, globalFeats, quirks = false }: Se3AttentionOptions,
): Se3Features {
  const { neighbours } = geometry;
  using scope = neighbours.nodes.device.scope("se3Attention");
  const degrees = degreesOf(x);
  const sources = se3Sources(x, geometry, degrees);
  const values = se3Messages(params.toV, sources, geometry);
  const { toK } = params;
  const keys = !toK ? values : "kernelUnary" in toK ? se3Messages(toK, sources, geometry) : Object.fromEntries(
    Object.entries(se3Linear(toK, x)).map(([degree, key]) => [degree, atNeighbours(key, neighbours)]),
  );
  const queries = se3Linear(params.toQ, x);
  const ownKeys = params.toSelfK && se3Linear(params.toSelfK, x);
  const ownValues = params.toSelfV && se3Linear(params.toSelfV, x);
  const of = (map: Se3AttentionParams["toGlobalK"]) =>
    map && globalFeats &&
    se3Linear(map, { 0: reshape(globalFeats, [globalFeats.shape[0], 1, ...globalFeats.shape.slice(1)]) });
  const globalKeys = of(params.toGlobalK), globalValues = of(params.toGlobalV);

  const attended: Record<string, Tensor> = {};
  for (const degree of degrees) {
    const first = (global?: Se3Features, nothing?: Se3Features, own?: Se3Features) =>
      [
        degree === 0 && global ? tokens(global[0], x[0]) : undefined,
        nothing?.[degree] && fixed(nothing[degree], x[degree]),
        own && unsqueezed(own[degree]),
      ].filter((slot) => slot !== undefined);
    attended[degree] = attend(
      queries[degree],
      concat([...first(globalKeys, params.nullKeys, ownKeys), keys[degree]], 2),
      concat([...first(globalValues, params.nullValues, ownValues), values[degree]], 2),
      { heads, mask: neighbours.mask, quirks },
    );
  }
  return scope.keep(params.toOut ? se3Linear(params.toOut, attended) : attended);
}

/** Attention behind a norm, added to the features. */
export function se3AttentionBlock(
  { attn, prenorm }: Se3AttentionBlockParams,
  x: Se3Features,
  geometry: Se3Geometry,
  options: Se3AttentionOptions,
): Se3Features {
  return addFeatures(x, se3Attention(attn, se3Norm(prenorm, x), geometry, options));
}

/**
 * Attention of every node to slots of its own.
 *
 * @param q `[batch, N, M, heads d]`.
 * @param k, v `[batch, N, S, M, heads d]`, or `[…, d]`, which all heads share.
 * @param options `mask`: of the last slots, `[batch, N, K]`; those before are always there.
 * @returns `[batch, N, M, heads d]`.
 */
function attend(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { heads, mask, quirks }: { readonly heads: number; readonly mask?: Tensor; readonly quirks: boolean },
): Tensor {
  const [batch, n, m, hidden] = q.shape;
  const slots = k.shape[2], d = hidden / heads, shared = k.shape[4] / d;
  const split = (x: Tensor) => reshape(x, [batch, n, slots, m, shared, d]);
  const scores = sum(multiply(reshape(q, [batch, n, 1, m, heads, d]), split(k)), { axes: [3, 5] }); // [batch, N, S, heads]
  let logits = multiplyScalar(scores, 1 / Math.sqrt(d));
  const { device } = q;
  const always = slots - (mask?.shape[2] ?? slots);
  if (mask) {
    const ones = always ? [device.tensor(new Float32Array(batch * n * always).fill(1), [batch, n, always])] : [];
    const there = reshape(concat([...ones, mask], 2), [batch, n, slots, 1]);
    logits = where(there, logits, device.tensor([MASKED], [1]));
  }
  const weights = reshape(softmax(logits, { axis: 2 }), [batch, n, slots, 1, heads, 1]);
  const out = reshape(sum(multiply(weights, split(v)), { axes: [2] }), [batch, n, m, hidden]);
  // DEVIATION(se3-transformer-pytorch): it averages what is masked where all is
  return mask && !always && !quirks ? multiply(out, reshape(max(mask, { axes: [2] }), [batch, n, 1, 1])) : out;
}

/** `[batch, N, M, c]` → `[batch, N, 1, M, c]`. */
function unsqueezed(x: Tensor): Tensor {
  const [batch, n, m, c] = x.shape;
  return reshape(x, [batch, n, 1, m, c]);
}

/** Keys or values that are the same for all nodes, `[heads, d, M]` → `[batch, N, 1, M, heads d]`. */
function fixed(x: Tensor, { shape: [batch, n] }: Tensor): Tensor {
  const [heads, d, m] = x.shape;
  return broadcastTo(reshape(permute(x, [2, 0, 1]), [1, 1, 1, m, heads * d]), [batch, n, 1, m, heads * d]);
}

/** Those of tokens, `[batch, 1, T, c]` → `[batch, N, T, 1, c]`. */
function tokens(x: Tensor, { shape: [batch, n] }: Tensor): Tensor {
  const [, , count, c] = x.shape;
  return broadcastTo(reshape(x, [batch, 1, count, 1, c]), [batch, n, count, 1, c]);
}
