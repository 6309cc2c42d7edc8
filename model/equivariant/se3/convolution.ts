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
  permute,
  reshape,
  sum,
} from "../../../ops/mod.ts";
import { normalize } from "../../layers/layer_norm.ts";
import { atNeighbours, atPairs, type Neighbours, relativeVectors } from "../neighbours.ts";
import { fourierFeatures, measure } from "../vectors.ts";
import { equivariantBasis, pairName } from "./basis.ts";
import { addFeatures, se3Linear } from "./linear.ts";
import { degreesOf, type Se3ConvolutionParams, type Se3Features, type Se3RadialParams } from "./params.ts";

/** Where the neighbours of nodes are, as convolutions read it. */
export type Se3Geometry = {
  /** Lists of neighbours; they are needed. */
  readonly neighbours: Neighbours & { readonly nodes: Tensor };
  /** {@linkcode equivariantBasis} of the vectors to nodes from their neighbours. */
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
  const pairs = edges && reshape(atPairs(edges, neighbours), [vectors.shape[0], edges.shape[3]]);
  return scope.keep({
    neighbours,
    basis: equivariantBasis(directions, most),
    radial: pairs ? concat([distances, pairs], 1) : distances,
  });
}

/** What neighbours have, turned by every matrix of the basis, by {@linkcode pairName}: `[E, 2 out + 1, F cIn]`. */
export type Se3Carried = { readonly [pair: string]: Tensor };

/**
 * Carries features from neighbours to nodes, for convolutions to weigh.
 *
 * @param x Features of nodes.
 * @param degreesOut Of the convolutions' results.
 */
export function carryFeatures(
  x: Se3Features,
  { neighbours, basis }: Se3Geometry,
  degreesOut: readonly number[],
): Se3Carried {
  using scope = neighbours.nodes.device.scope("carryFeatures");
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
  return scope.keep(carried);
}

/**
 * Weighs what was carried to nodes by numbers made of distances, and adds it up over the degrees that it comes from.
 *
 * @returns Messages, `[batch, N, K, 2 degree + 1, cOut]` by degree.
 */
export function weighMessages(
  { kernelUnary }: Se3ConvolutionParams,
  carried: Se3Carried,
  { neighbours: { nodes }, radial }: Se3Geometry,
): Se3Features {
  using scope = radial.device.scope("weighMessages");
  const messages: Record<string, Tensor> = {};
  for (const [name, net] of Object.entries(kernelUnary)) {
    const degreeOut = name.slice(1, -1).split(",")[1];
    const features = carried[name];
    const frequencies = 2 * Math.min(...name.slice(1, -1).split(",").map(Number)) + 1;
    const weights = radialWeights(net, radial, frequencies, features.shape[2] / frequencies);
    const message = matmul(features, weights, { transposeB: true });
    messages[degreeOut] = messages[degreeOut] ? add(messages[degreeOut], message) : message;
  }
  const perPair = Object.entries(messages).map(([degree, x]) => [
    degree,
    reshape(x, [...nodes.shape, ...x.shape.slice(1)]),
  ]);
  return scope.keep(Object.fromEntries(perPair) as Record<string, Tensor>);
}

/** Numbers by which channels and matrices of the basis are weighed, `[E, cOut, F cIn]`. */
function radialWeights(
  { rp: { net } }: Se3RadialParams,
  radial: Tensor,
  frequencies: number,
  channels: number,
): Tensor {
  const first = gelu(normalize(net[1], linear(radial, net[0])));
  const second = gelu(normalize(net[4], linear(first, net[3])));
  const last = frequencies === 1 ? net[6] : frequenciesFirst(net[6], frequencies, channels);
  const weights = linear(second, last);
  return reshape(weights, [radial.shape[0], -1, frequencies * channels]);
}

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
  const messages = weighMessages(params, carryFeatures(x, geometry, degreesOut), geometry);
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
