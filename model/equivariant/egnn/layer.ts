import type { Tensor } from "../../../core/mod.ts";
import {
  add,
  clamp,
  concat,
  divide,
  linear,
  type LinearParams,
  maximum,
  multiply,
  reshape,
  sigmoid,
  silu,
  slice,
  sum,
} from "../../../ops/mod.ts";
import { normalize } from "../../layers/layer_norm.ts";
import { atNeighbours, atPairs, type Neighbours, relativeVectors } from "../neighbours.ts";
import { fourierFeatures, measure } from "../vectors.ts";
import type { EgnnConfig } from "./config.ts";
import type { EgnnLayerParams, EgnnMlpParams } from "./params.ts";

/** EgnnNodes in space. */
export type EgnnNodes = {
  /** `[batch, N, dim]`. */
  readonly feats: Tensor;
  /** `[batch, N, 3]`, in Å. */
  readonly coors: Tensor;
};

/**
 * Messages between nodes, made of their features and distance; a node's features change by what comes in, and it moves along
 * the vectors to those that send, each by a number that is made of the message.
 *
 * Rotated, moved, mirrored coordinates give the same features, and coordinates rotated, moved, mirrored alike.
 *
 * Source: Satorras et al. (2021), "E(n) equivariant graph neural networks", equations 3-6, as egnn-pytorch computes them:
 * moves are sums, not means, and a node sends a message to itself too. Features and moves are both made of what came in.
 *
 * @param edges Features of pairs, `[batch, N, N, edgeDim]`.
 * @returns Owned by the current scope.
 */
export function egnnLayer(
  params: EgnnLayerParams,
  { feats, coors }: EgnnNodes,
  neighbours: Neighbours,
  config: EgnnConfig,
  edges?: Tensor,
): EgnnNodes {
  using scope = feats.device.scope("egnnLayer");
  const { mask } = neighbours;
  const vectors = relativeVectors(coors, neighbours);
  const measured = measure(vectors);
  const [batch, n, k] = vectors.shape;
  const there = mask && reshape(mask, [batch, n, k, 1]);
  const messages = messagesOf(params, feats, measured.squares, neighbours, config, edges);

  const { coorsMlp, coorsNorm, nodeMlp, nodeNorm } = params;
  let moved = coors;
  if (coorsMlp) {
    let weights = mlp(coorsMlp, messages);
    if (there) weights = multiply(weights, there);
    if (config.coorWeightsClampValue !== undefined) {
      weights = clamp(weights, -config.coorWeightsClampValue, config.coorWeightsClampValue);
    }
    const steps = coorsNorm ? multiply(vectors, multiply(measured.inverse, coorsNorm.scale)) : vectors;
    moved = add(coors, sum(multiply(weights, steps), { axes: [2] }));
  }
  let changed = feats;
  if (nodeMlp) {
    const arrived = there ? multiply(messages, there) : messages;
    let pooled = sum(arrived, { axes: [2] });
    if (config.mPoolMethod === "mean") pooled = divide(pooled, arrivals(pooled, mask, k));
    const normed = nodeNorm ? normalize(nodeNorm, feats) : feats;
    changed = mlp(nodeMlp, concat([normed, pooled], 2), feats);
  }
  return scope.keep({ feats: changed, coors: moved });
}

/** Number of messages that reach each node, at least 1, `[batch, N, 1]`. */
function arrivals({ device }: Tensor, mask: Tensor | undefined, k: number): Tensor {
  if (!mask) return device.tensor([k], [1]);
  return maximum(sum(mask, { axes: [2], keepDims: true }), device.tensor([1], [1]));
}

/** `[batch, N, K, mDim]`. */
function messagesOf(
  { edgeMlp, edgeGate }: EgnnLayerParams,
  feats: Tensor,
  squares: Tensor,
  neighbours: Neighbours,
  { dim, fourierFeatures: frequencies }: EgnnConfig,
  edges: Tensor | undefined,
): Tensor {
  const [batch, n] = feats.shape;
  const { weight, bias } = edgeMlp[0];
  const [rows, columns] = weight.shape;
  const part = (from: number, to: number): LinearParams => ({ weight: slice(weight, [0, from], [rows, to]) });
  // The first map of [h_i, h_j, pair] is a sum of maps of the three: those of nodes are computed once a node.
  const own = reshape(linear(feats, { ...part(0, dim), bias }), [batch, n, 1, rows]);
  const others = atNeighbours(linear(feats, part(dim, 2 * dim)), neighbours);
  const distances = fourierFeatures(squares, frequencies);
  const pair = edges ? concat([distances, atPairs(edges, neighbours)], 3) : distances;
  const hidden = silu(add(add(linear(pair, part(2 * dim, columns)), others), own));
  const messages = silu(linear(hidden, edgeMlp[3]));
  return edgeGate ? multiply(messages, sigmoid(linear(messages, edgeGate[0]))) : messages;
}

function mlp(params: EgnnMlpParams, x: Tensor, residual?: Tensor): Tensor {
  return linear(silu(linear(x, params[0])), params[3], { residual });
}
