import type { Tensor } from "../../../core/mod.ts";
import {
  add,
  concat,
  divide,
  equal,
  gelu,
  linear,
  type LinearParams,
  matmul,
  maximum,
  multiply,
  pad,
  permute,
  reorderRows,
  reshape,
  sum,
} from "../../../ops/mod.ts";
import { normalize } from "../../layers/layer_norm.ts";
import { atNeighbours, atPairs, type NeighbourLists, relativeVectors } from "../neighbours.ts";
import { fourierFeatures, measure } from "../vectors.ts";
import { equivariantBasis, pairName } from "./basis.ts";
import { addFeatures, se3Linear } from "./linear.ts";
import { degreesOf, type Se3ConvolutionParams, type Se3Features } from "./params.ts";

/** Where the neighbours of nodes are, as convolutions read it. */
export type Se3Geometry = {
  /** Lists of neighbours. */
  readonly neighbours: NeighbourLists;
  /**
   * {@linkcode equivariantBasis} of the vectors to nodes from their neighbours, in the order of the lists; where every node
   * stands in as many, in that of the neighbours (`bySource`).
   */
  readonly basis: { readonly [pair: string]: Tensor };
  /** What is known of every pair of neighbours, `[E, radial]`: distance, features. */
  readonly radial: Tensor;
};

/**
 * Distances and directions of neighbours as convolutions read them.
 *
 * @param coors `[batch, N, 3]`, in Å; gradients flow to them through distances and directions.
 * @param most The highest degree of features.
 * @param options `fourier`: frequencies of the distance; `edges`: features of pairs, `[batch, N, N, c]`; `quirks`: whether a
 * zero vector points along the second axis, as the original's, in place of nowhere.
 */
export function se3Geometry(
  coors: Tensor,
  neighbours: Se3Geometry["neighbours"],
  most: number,
  { fourier = 0, edges, quirks = false }: {
    readonly fourier?: number;
    readonly edges?: Tensor;
    readonly quirks?: boolean;
  } = {},
): Se3Geometry {
  using scope = coors.device.scope("se3Geometry");
  const vectors = reshape(relativeVectors(coors, neighbours), [-1, 3]);
  const measured = measure(vectors);
  const distances = fourierFeatures(measured.lengths, fourier);
  let directions = multiply(vectors, measured.inverse);
  if (quirks) {
    const { device } = coors;
    const none = equal(measured.squares, device.zeros([1]));
    directions = add(directions, multiply(none, device.tensor([0, 1, 0], [3])));
  }
  const { bySource } = neighbours;
  const pairs = edges && reshape(atPairs(edges, neighbours), [vectors.shape[0], edges.shape[3]]);
  return scope.keep({
    neighbours,
    basis: equivariantBasis(bySource ? reorderRows(directions, bySource.entries, bySource.back) : directions, most),
    radial: pairs ? concat([distances, pairs], 1) : distances,
  });
}

/** What messages are made of; convolutions of the same features share it. */
export type Se3Sources = {
  /** Features of nodes. */
  readonly x: Se3Features;
  /**
   * Those of neighbours, turned by every matrix of the basis, by {@linkcode pairName}: `[E, 2 out + 1, F cIn]`. Where every
   * node stands in as many lists, they are not needed.
   */
  readonly carried?: { readonly [pair: string]: Tensor };
};

/**
 * Makes features ready for convolutions.
 *
 * @param degreesOut Of the convolutions' results.
 */
export function se3Sources(
  x: Se3Features,
  { neighbours, basis }: Se3Geometry,
  degreesOut: readonly number[],
): Se3Sources {
  if (neighbours.bySource) return { x };
  using scope = neighbours.nodes.device.scope("se3Sources");
  const carried: Record<string, Tensor> = {};
  for (const degreeIn of degreesOf(x)) {
    const channels = x[degreeIn].shape[3], size = 2 * degreeIn + 1;
    const found = reshape(atNeighbours(x[degreeIn], neighbours), [-1, size, channels]); // [E, 2 in + 1, cIn]
    for (const degreeOut of degreesOut) {
      const name = pairName(degreeIn, degreeOut), matrices = basis[name];
      const turned = size === 1 ? multiply(matrices, found) : matmul(matrices, found);
      const frequencies = matrices.shape[1] / (2 * degreeOut + 1);
      carried[name] = reshape(turned, [found.shape[0], 2 * degreeOut + 1, frequencies * channels]);
    }
  }
  return scope.keep({ x, carried });
}

/**
 * Weighs what comes from neighbours by numbers made of distances, and adds it up over the degrees that it comes from.
 *
 * @returns Messages, `[batch, N, K, 2 degree + 1, cOut]` by degree.
 */
export function se3Messages(
  { kernelUnary }: Se3ConvolutionParams,
  sources: Se3Sources,
  geometry: Se3Geometry,
): Se3Features {
  const { neighbours: { nodes, bySource }, radial, basis } = geometry;
  using scope = radial.device.scope("se3Messages");
  const messages: Record<string, Tensor> = {};
  const seen = bySource ? reorderRows(radial, bySource.entries, bySource.back) : radial;
  for (const [name, { rp: { net } }] of Object.entries(kernelUnary)) {
    const [degreeIn, degreeOut] = name.slice(1, -1).split(",").map(Number);
    const frequencies = 2 * Math.min(degreeIn, degreeOut) + 1;
    const first = gelu(normalize(net[1], linear(seen, net[0])));
    const hidden = gelu(normalize(net[4], linear(first, net[3]))); // [E, mid]
    const message = sources.carried
      ? weighed(sources.carried[name], hidden, net[6], frequencies)
      : spread(sources.x[degreeIn], hidden, net[6], basis[name], frequencies);
    messages[degreeOut] = messages[degreeOut] ? add(messages[degreeOut], message) : message;
  }
  const perPair = Object.entries(messages).map(([degree, x]) => {
    const listed = bySource ? reorderRows(x, bySource.back, bySource.entries) : x;
    return [degree, reshape(listed, [...nodes.shape, ...x.shape.slice(1)])];
  });
  return scope.keep(Object.fromEntries(perPair) as Record<string, Tensor>);
}

/** What was carried, times weights made for each pair of nodes: `[E, 2 out + 1, cOut]`. */
function weighed(carried: Tensor, hidden: Tensor, last: LinearParams, frequencies: number): Tensor {
  const channels = carried.shape[2] / frequencies;
  const weights = linear(hidden, frequencies === 1 ? last : frequenciesFirst(last, frequencies, channels));
  return matmul(carried, reshape(weights, [hidden.shape[0], -1, frequencies * channels]), { transposeB: true });
}

/**
 * The same without weights for each pair of nodes: the last map is applied to the features of a node, once for all that look
 * at it, and what pairs add is multiplied by that. It takes as many operations a pair as features have orders, not channels.
 * Pairs come, and messages go, in the order of the nodes that they come from.
 */
function spread(
  x: Tensor,
  hidden: Tensor,
  { weight, bias }: LinearParams,
  basis: Tensor,
  frequencies: number,
): Tensor {
  const [batch, n, orders, channels] = x.shape, [rows, mid] = weight.shape, nodes = batch * n;
  const cOut = rows / channels / frequencies, k = hidden.shape[0] / nodes;
  // One map for each of the net's numbers, [cIn, mid, F, cOut]; the bias is that of one more number, which is 1.
  const ofNumbers = (map: Tensor, numbers: number) =>
    permute(reshape(map, [cOut, channels, frequencies, numbers]), [1, 3, 2, 0]);
  let maps = ofNumbers(weight, mid);
  if (bias) {
    const filled = pad(ofNumbers(bias, 1), [0, 0, 0, 0], [0, ONE_MORE - 1, 0, 0]);
    maps = concat([maps, filled], 1);
    const one = Float32Array.from({ length: hidden.shape[0] * ONE_MORE }, (_, at) => +(at % ONE_MORE === 0));
    hidden = concat([hidden, x.device.tensor(one, [hidden.shape[0], ONE_MORE])], 1);
  }
  const numbers = hidden.shape[1];
  const made = matmul(reshape(x, [nodes * orders, channels]), reshape(maps, [channels, -1]));
  const products = matmul(
    reshape(hidden, [nodes, 1, k, numbers]),
    reshape(made, [nodes, orders, numbers, frequencies * cOut]),
  ); // [batch N, orders, K, F cOut]
  const byPair = orders === 1
    ? products
    : permute(reshape(products, [nodes, orders, k, frequencies, cOut]), [0, 2, 3, 1, 4]);
  return matmul(
    reshape(basis, [nodes * k, -1, frequencies * orders]),
    reshape(byPair, [nodes * k, frequencies * orders, cOut]),
  );
}

/** Columns of a bias's number, filled up with zeros to a whole vec4. */
const ONE_MORE = 4;

/** A map to `[cOut, cIn, F]` numbers, made one to `[cOut, F, cIn]`: in that order they are carried. */
function frequenciesFirst({ weight, bias }: LinearParams, frequencies: number, channels: number): LinearParams {
  const [rows, columns] = weight.shape;
  const sizes = [rows / frequencies / channels, channels, frequencies];
  return {
    weight: reshape(permute(reshape(weight, [...sizes, columns]), [0, 2, 1, 3]), [rows, columns]),
    bias: bias && reshape(permute(reshape(bias, sizes), [0, 2, 1]), [rows]),
  };
}

/**
 * A convolution over neighbours: the mean of their messages, and a map of the node's own features.
 *
 * Source: Thomas et al. (2018), "Tensor field networks"; Fuchs et al. (2020), "SE(3)-transformers", equations 7 and 8.
 *
 * @returns `[batch, N, 2 degree + 1, cOut]` by degree; 0 where a node has no neighbour and adds nothing of itself.
 */
export function se3Convolution(params: Se3ConvolutionParams, x: Se3Features, geometry: Se3Geometry): Se3Features {
  const { neighbours: { nodes, mask } } = geometry;
  using scope = nodes.device.scope("se3Convolution");
  const degreesOut = [
    ...new Set(Object.keys(params.kernelUnary).map((name) => Number(name.slice(1, -1).split(",")[1]))),
  ];
  const messages = se3Messages(params, se3Sources(x, geometry, degreesOut), geometry);
  const [batch, n, k] = nodes.shape;
  const there = mask && reshape(mask, [batch, n, k, 1, 1]);
  const count = mask
    ? maximum(reshape(sum(mask, { axes: [2] }), [batch, n, 1, 1]), nodes.device.tensor([1], [1]))
    : nodes.device.tensor([k], [1]);
  const pooled = Object.fromEntries(
    Object.entries(messages).map(([degree, message]) => {
      return [degree, divide(sum(there ? multiply(message, there) : message, { axes: [2] }), count)];
    }),
  );
  return scope.keep(params.selfInteract ? addFeatures(pooled, se3Linear(params.selfInteract, x)) : pooled);
}
