import type { Tensor } from "../../../core/mod.ts";
import {
  add,
  broadcastTo,
  concat,
  linear,
  type LinearParams,
  multiply,
  pad,
  reshape,
  sigmoid,
  silu,
  slice,
  subtract,
  sum,
} from "../../../ops/mod.ts";
import { type LayerNormParams, normalize } from "../../layers/layer_norm.ts";
import {
  constant,
  layerNormShapes,
  linearShapes,
  ParamShape,
  type ParamShapes,
  uniformFanIn,
} from "../../layers/params.ts";
import { atNeighbours } from "../neighbours.ts";
import { measure } from "../vectors.ts";
import { radialDim, type Se3Config } from "./config.ts";
import type { Se3Geometry } from "./convolution.ts";
import type { Se3Features } from "./params.ts";

/** A layer of messages between features of all degrees; names and numbers are the original's. */
export type Se3EgnnLayerParams = {
  readonly nodeNorm: LayerNormParams;
  readonly edgeMlp: { readonly 0: LinearParams; readonly 2: LinearParams };
  /** What lengths of differences are made of by degree, `[1, 1, 1, channels, 1]`. */
  readonly htypeNorms: { readonly [degree: string]: { readonly scale: Tensor; readonly bias: Tensor } };
  readonly htypeGating: { readonly [degree: string]: LinearParams };
  readonly htypesMlp: { readonly 0: LinearParams; readonly 2: LinearParams };
  readonly nodeMlp: { readonly 0: LinearParams; readonly 2: LinearParams };
};

/** Lengths of differences in the beginning. */
const INITIAL = 1e-2;

/** Shapes of a layer's parameters. */
export function se3EgnnLayerShapes(config: Se3Config): ParamShapes {
  const { dim, numDegrees, egnnHiddenDim: hidden } = config;
  const linear = (cOut: number, cIn: number) =>
    linearShapes(cOut, cIn, { weight: uniformFanIn(cIn), bias: uniformFanIn(cIn) });
  const degrees = Array.from({ length: numDegrees - 1 }, (_, k) => k + 1);
  const edge = 2 * dim + degrees.length * dim + radialDim(config);
  const length = new ParamShape([1, 1, 1, dim, 1], constant(INITIAL));
  return {
    nodeNorm: layerNormShapes(dim),
    edgeMlp: { 0: linear(2 * edge, edge), 2: linear(hidden, 2 * edge) },
    htypeNorms: Object.fromEntries(degrees.map((degree) => [degree, { scale: length, bias: length }])),
    htypeGating: Object.fromEntries(degrees.map((degree) => [degree, linear(dim, dim)])),
    htypesMlp: { 0: linear(4 * hidden, hidden), 2: linear(degrees.length * dim, 4 * hidden) },
    nodeMlp: { 0: linear(2 * dim, dim + hidden), 2: linear(dim, 2 * dim) },
  };
}

/**
 * Messages between nodes, made of features of degree 0, lengths of differences of all others, and distances; features of
 * higher degrees move along their differences, as points do in an E(n)-equivariant layer, and are gated.
 *
 * Source: Satorras et al. (2021), "E(n) equivariant graph neural networks", as se3-transformer-pytorch extends it to degrees.
 *
 * @param quirks Whether features of higher degrees move by what is masked too, as the original's do. @default false
 */
export function se3EgnnLayer(
  params: Se3EgnnLayerParams,
  x: Se3Features,
  { neighbours, radial }: Se3Geometry,
  quirks = false,
): Se3Features {
  using scope = radial.device.scope("se3EgnnLayer");
  const [batch, n, k] = neighbours.nodes.shape;
  const degrees = Object.keys(x).filter((degree) => degree !== "0");
  const nodes = reshape(x[0], [batch, n, x[0].shape[3]]);
  const own = (y: Tensor) => reshape(y, [batch, n, 1, ...y.shape.slice(2)]);
  const differences = degrees.map((degree) => subtract(own(x[degree]), atNeighbours(x[degree], neighbours)));
  const measured = differences.map((d) => {
    const { lengths, inverse } = measure(d, 3);
    const perChannel = (y: Tensor) => reshape(y, [batch, n, k, d.shape[4]]);
    return { lengths: perChannel(lengths), inverse: perChannel(inverse) };
  });
  const first = (y: Tensor) => pad(y, [0, 0, 1, 0], [0, 0, 0, 0]); // a node sends a message to itself too, of zeros
  const others = concat([own(nodes), atNeighbours(nodes, neighbours)], 2);
  const pairs = [...measured.map(({ lengths }) => lengths), reshape(radial, [batch, n, k, radial.shape[1]])].map(first);
  const mine = broadcastTo(own(nodes), others.shape);
  const hidden = silu(linear(concat([mine, others, ...pairs], 3), params.edgeMlp[0]));
  const messages = silu(linear(hidden, params.edgeMlp[2])); // [batch, N, 1 + K, hidden]

  const there = neighbours.mask && reshape(neighbours.mask, [batch, n, k, 1]);
  const sent = slice(messages, [0, 0, 1, 0], messages.shape);
  const self = slice(messages, [0, 0, 0, 0], [batch, n, 1, messages.shape[3]]);
  const arrived = add(
    reshape(self, [batch, n, self.shape[3]]),
    sum(there ? multiply(sent, there) : sent, { axes: [2] }),
  );
  const update = silu(linear(concat([normalize(params.nodeNorm, nodes), arrived], 2), params.nodeMlp[0]));
  const changed = linear(update, params.nodeMlp[2], { residual: nodes });

  let weights = linear(silu(linear(sent, params.htypesMlp[0])), params.htypesMlp[2]);
  if (there && !quirks) weights = multiply(weights, there);
  const result: Record<string, Tensor> = { 0: reshape(changed, x[0].shape) };
  degrees.forEach((degree, at) => {
    const channels = x[degree].shape[3];
    const { scale, bias } = params.htypeNorms[degree];
    const { lengths, inverse } = measured[at];
    const length = add(multiply(lengths, reshape(scale, [channels])), reshape(bias, [channels]));
    const weight = slice(weights, [0, 0, 0, at * channels], [batch, n, k, (at + 1) * channels]);
    const factors = reshape(multiply(weight, multiply(length, inverse)), [batch, n, k, 1, channels]);
    const moved = add(x[degree], sum(multiply(factors, differences[at]), { axes: [2] }));
    const gate = sigmoid(linear(changed, params.htypeGating[degree]));
    result[degree] = multiply(moved, reshape(gate, [batch, n, 1, channels]));
  });
  return scope.keep(result);
}
