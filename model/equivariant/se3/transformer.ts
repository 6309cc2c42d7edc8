import { stopGradient, type Tensor } from "../../../core/mod.ts";
import { add, broadcastTo, concat, embedding, multiplyScalar, reshape, slice } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { couplingOf, reversible } from "../../layers/reversible.ts";
import type { Bonds } from "../bonds.ts";
import { nearestOthers, type NeighbourLists } from "../neighbours.ts";
import { se3AttentionBlock, type Se3AttentionOptions } from "./attention.ts";
import { fiberIn, type Se3Config } from "./config.ts";
import { se3Convolution, type Se3Geometry, se3Geometry } from "./convolution.ts";
import { se3EgnnLayer } from "./egnn_layer.ts";
import { se3FeedForward } from "./feed_forward.ts";
import { se3Linear } from "./linear.ts";
import { se3Norm } from "./norm.ts";
import type { Se3AttentionBlockParams, Se3Features, Se3FeedForwardParams } from "./params.ts";
import type { Se3BlockParams, Se3TransformerParams } from "./transformer_params.ts";

/** What the network reads. */
export type Se3Inputs = {
  /**
   * Kinds of nodes, i32 `[batch, N]`, where the network knows kinds; features of degree 0, `[batch, N, channels]`; or features
   * of several degrees, `[batch, N, 2 degree + 1, channels]` by degree.
   */
  readonly feats: Tensor | Se3Features;
  /** `[batch, N, 3]`, in Å. */
  readonly coors: Tensor;
  /** Kinds of pairs, i32 `[batch, N, N]`, where it knows such; else features, `[batch, N, N, edgeDim]`. */
  readonly edges?: Tensor;
  /** 1 for nodes, 0 for padding, `[batch, N]`. @default all are nodes */
  readonly mask?: Tensor;
  /** 1 where two nodes may be neighbours, `[batch, N, N]`. @default all may */
  readonly neighborMask?: Tensor;
  /** Features of tokens that all nodes attend to, `[batch, T, globalFeatsDim]`. */
  readonly globalFeats?: Tensor;
};

/**
 * A transformer of features that turn with the points they belong to: degree 0 are numbers, degree 1 vectors, degree 2 what
 * turns as products of two vectors do. However points are rotated and moved, what comes out is rotated alike; mirror images
 * are told apart.
 *
 * Source: Fuchs et al. (2020), "SE(3)-transformers: 3D roto-translation equivariant attention networks", as
 * se3-transformer-pytorch computes it.
 *
 * DEVIATION(se3-transformer-pytorch): gradients reach coordinates through directions too.
 *
 * @example
 * ```ts
 * import { Device, Key } from "@denofold/denofold";
 * import { initSe3Transformer, se3Config, se3Transformer } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const config = se3Config({ dim: 4, depth: 1, heads: 2, dimHead: 2, midDim: 8, numTokens: 3, outputDegrees: 2, reduceDimOut: true });
 * const params = initSe3Transformer(device, config, Key.fromSeed(0));
 * const feats = device.tensor([0, 1, 2, 1], [1, 4], "i32");
 * const coors = device.tensor(Key.fromSeed(1).normal(12), [1, 4, 3]);
 * const { 1: vectors } = se3Transformer(params, { feats, coors }, config);
 * assert.deepEqual([...vectors.shape], [1, 4, 3, 1]);
 * ```
 *
 * @param bonds Bonds between nodes, the same for all of a batch.
 * @returns Features by degree, `[batch, N, 2 degree + 1, channels]`, owned by the current scope.
 * @throws {TypeError} If shapes do not fit.
 * @throws {RangeError} If there are more nodes than positions, or no neighbour can be chosen.
 */
export function se3Transformer(
  params: Se3TransformerParams,
  inputs: Se3Inputs,
  config: Se3Config,
  bonds?: Bonds,
): Se3Features {
  checkInputs(inputs, config, bonds);
  const { coors, mask, globalFeats, neighborMask: pairs } = inputs;
  const { causal, attendSparseNeighbors, distanceFourierFeatures: fourier, quirks, heads } = config;
  using scope = coors.device.scope("se3Transformer");
  const neighbours = nearestOthers(coors, {
    ...{ count: config.numNeighbors, radius: config.validRadius, mask, pairs, causal },
    bonds: attendSparseNeighbors ? bonds : undefined,
  });
  const edges = edgesOf(params, inputs, config, bonds);
  const made = se3Geometry(coors, neighbours, config.numDegrees - 1, { fourier, edges, quirks });
  const geometry = config.differentiableCoors ? made : { ...made, basis: stopGradient(made.basis) };

  let x = se3Convolution(params.convIn, featuresOf(params, inputs, config), geometry);
  for (const { 0: convolution, 1: norm } of params.convs) x = se3Convolution(convolution, se3Norm(norm, x), geometry);
  const { net } = params;
  if ("layers" in net) {
    for (const { 0: layer, 1: feedForward } of net.layers) {
      x = se3EgnnLayer(layer, x, geometry, quirks);
      if (feedForward) x = se3FeedForward(feedForward, x);
    }
  } else {
    const options = { heads, globalFeats, quirks };
    x = config.reversible ? reversibleBlocks(net.blocks, x, geometry, options) : net.blocks.map(partsOf).reduce(
      (x, [attention, feedForward]) => se3FeedForward(feedForward, se3AttentionBlock(attention, x, geometry, options)),
      x,
    );
  }
  if (params.convOut) x = se3Convolution(params.convOut, x, geometry);
  if (params.norm) x = se3Norm(params.norm, x, true);
  return scope.keep(params.linearOut ? se3Linear(params.linearOut, x) : x);
}

/** What a step of attention reads besides features. */
type AttentionReads = Pick<Se3Geometry, "basis" | "radial"> & {
  readonly own: Se3AttentionBlockParams;
  readonly globalFeats?: Tensor;
};

function partsOf(block: Se3BlockParams): readonly [Se3AttentionBlockParams, Se3FeedForwardParams] {
  return "f" in block ? [block.f.net, block.g.net] : [block[0], block[1]];
}

/**
 * Blocks on two copies of the features, each of which is added to what the other one becomes; the way back computes
 * activations again. Features of all degrees lie in one tensor meanwhile.
 */
function reversibleBlocks(
  blocks: readonly Se3BlockParams[],
  x: Se3Features,
  geometry: Se3Geometry,
  options: Se3AttentionOptions,
): Se3Features {
  const { device } = geometry.radial;
  const { neighbours, basis, radial } = geometry;
  const shapes = Object.entries(x).map(([degree, { shape }]) => [degree, shape] as const);
  const [batch, n] = shapes[0][1];
  const joined = (x: Se3Features) => concat(shapes.map(([degree]) => reshape(x[degree], [batch, n, -1])), 2);
  const split = (joint: Tensor): Se3Features => {
    let at = 0;
    return Object.fromEntries(shapes.map(([degree, shape]) => {
      const width = shape[2] * shape[3];
      const part = slice(joint, [0, 0, at], [batch, n, at + width]);
      at += width;
      return [degree, reshape(part, shape)];
    }));
  };
  // Gradients flow to distances, directions and global tokens as they do to parameters.
  const { globalFeats, ...choices } = options;
  const onTop = (update: Se3Features, residual?: Tensor) => residual ? add(residual, joined(update)) : joined(update);
  const couplings = blocks.map(partsOf).flatMap(([attention, feedForward]) => [
    couplingOf<AttentionReads, NeighbourLists>(
      {
        ...{ name: "attention", target: 0, sources: [1], params: { own: attention, basis, radial, globalFeats } },
        update({ params: { own, globalFeats, ...edges }, sources: [x], constants: neighbours, residual }) {
          const update = se3AttentionBlock(own, split(x), { neighbours, ...edges }, { ...choices, globalFeats });
          return onTop(update, residual);
        },
      },
    ),
    couplingOf({
      ...{ name: "feedForward", target: 1, sources: [0], params: feedForward },
      update: ({ params, sources: [x], residual }) => onTop(se3FeedForward(params, split(x)), residual),
    }),
  ]);
  const start = joined(x);
  const [first, second] = reversible(device, couplings, [start, start], neighbours);
  return split(multiplyScalar(add(first, second), 0.5));
}

function featuresOf({ tokenEmb, posEmb }: Se3TransformerParams, { feats }: Se3Inputs, config: Se3Config): Se3Features {
  if (!isTensor(feats)) return feats;
  const channels = fiberIn(config)[0];
  const [batch, n] = feats.shape;
  let nodes = tokenEmb ? embedding(tokenEmb.weight, feats) : feats;
  if (posEmb) nodes = add(nodes, slice(posEmb.weight, [0, 0], [n, channels]));
  return { 0: reshape(nodes, [batch, n, 1, channels]) };
}

function isTensor(feats: Se3Inputs["feats"]): feats is Tensor {
  return "dtype" in feats;
}

/** Features of pairs: those given, and those of the number of bonds between them. */
function edgesOf(
  { edgeEmb, adjEmb }: Se3TransformerParams,
  { edges, coors }: Se3Inputs,
  { numAdjDegrees }: Se3Config,
  bonds?: Bonds,
): Tensor | undefined {
  const given = edges && edgeEmb ? embedding(edgeEmb.weight, edges) : edges;
  if (!adjEmb || !bonds || !numAdjDegrees) return given;
  const { device, shape: [batch, n] } = coors;
  const labels = embedding(adjEmb.weight, device.tensor(bonds.labels, [1, n, n], "i32"));
  const all = broadcastTo(labels, [batch, n, n, labels.shape[3]]);
  return given ? concat([given, all], 3) : all;
}

function checkInputs(
  { feats, coors, edges, mask, neighborMask, globalFeats }: Se3Inputs,
  config: Se3Config,
  bonds?: Bonds,
): void {
  const check = (name: string, tensor: Tensor, shape: readonly (number | string)[], kind: "f32" | "i32" = "f32") =>
    checkShape("se3Transformer", name, tensor, shape, kind);
  const fiber = fiberIn(config);
  check("coors", coors, ["batch", "N", 3]);
  const [batch, n] = coors.shape;
  if (config.numTokens && isTensor(feats)) check("feats", feats, [batch, n], "i32");
  else if (isTensor(feats)) check("feats", feats, [batch, n, fiber[0]]);
  else {
    for (const [degree, channels] of Object.entries(fiber)) {
      if (!feats[degree]) throw new TypeError(`Cannot run se3Transformer: features of degree ${degree} are missing`);
      check(`feats of degree ${degree}`, feats[degree], [batch, n, 2 * Number(degree) + 1, channels]);
    }
  }
  if (edges && config.numEdgeTokens) check("edges", edges, [batch, n, n], "i32");
  else if (edges) check("edges", edges, [batch, n, n, config.edgeDim]);
  else if (config.edgeDim > 0) {
    throw new TypeError(`Cannot run se3Transformer: edges are missing, [${batch}, ${n}, ${n}, ${config.edgeDim}]`);
  }
  if (mask) check("mask", mask, [batch, n]);
  if (neighborMask) check("neighborMask", neighborMask, [batch, n, n]);
  if (globalFeats && config.globalFeatsDim) check("globalFeats", globalFeats, [batch, "T", config.globalFeatsDim]);
  if (!globalFeats !== !config.globalFeatsDim) {
    throw new TypeError("Cannot run se3Transformer: globalFeats and globalFeatsDim must be given together");
  }
  if (bonds && bonds.n !== n) {
    throw new TypeError(`Cannot run se3Transformer: there are bonds of ${bonds.n} nodes, not ${n}`);
  }
  if (!bonds && (config.attendSparseNeighbors || config.numAdjDegrees)) {
    throw new TypeError("Cannot run se3Transformer: bonds are missing");
  }
  if (config.numPositions && n > config.numPositions) {
    throw new RangeError(
      `Cannot run se3Transformer: there are ${n} nodes, expected at most numPositions = ${config.numPositions}`,
    );
  }
}
