import { type Device, stopGradient, type Tensor, type Tree } from "../../../core/mod.ts";
import {
  equivariantBasis,
  type Fiber,
  se3Attention,
  type Se3AttentionParams,
  type Se3AttentionShape,
  se3AttentionShapes,
  type Se3Config,
  se3Config,
  se3Convolution,
  type Se3ConvolutionParams,
  se3ConvolutionShapes,
  type Se3Features,
  se3FeedForward,
  type Se3FeedForwardParams,
  se3FeedForwardShapes,
  type Se3Geometry,
  se3Geometry,
  se3Norm,
  type Se3NormParams,
  se3NormShapes,
  se3Transformer,
  type Se3TransformerParams,
  se3TransformerShapes,
} from "../../../model/equivariant/mod.ts";
import { harmonicsOf } from "../../../model/equivariant/se3/basis.ts";
import { se3Messages, se3Sources } from "../../../model/equivariant/se3/convolution.ts";
import { coupling, sphericalHarmonics, type Vector, wignerD } from "../../../model/equivariant/se3/harmonics.ts";
import { degreesOf } from "../../../model/equivariant/se3/params.ts";
import { measure } from "../../../model/equivariant/vectors.ts";
import type { ParamShapes } from "../../../model/layers/params.ts";
import { add, concat, multiply, permute, reshape } from "../../../ops/mod.ts";
import type { Family, Results } from "../family.ts";
import type { Golden } from "../golden.ts";
import { bondsOf, camelConfig, given, goldenParams, isEquivariant, picked } from "./_equivariant.ts";
import { differentiate, input, type Primals } from "./_differentiate.ts";

type Tensors = Readonly<Record<string, Tensor>>;

/** Channels last, as features are here, and back. */
function turned(x: Tensor): Tensor {
  const rank = x.shape.length;
  return permute(x, [...Array.from({ length: rank - 2 }, (_, axis) => axis), rank - 1, rank - 2]);
}

/** Features of a case by degree, channels last. */
function featuresOf(inputs: Tensors): Se3Features {
  const named = Object.entries(inputs).filter(([name]) => /^feat\d$/.test(name));
  return Object.fromEntries(named.map(([name, x]) => [name.slice(4), turned(x)]));
}

function named(prefix: string, features: Se3Features): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(features).map(([degree, x]) => [`${prefix}${degree}`, turned(x)]));
}

/** The lists of neighbours of a case, counted on from entry to entry of the batch. */
function neighboursOf(device: Device, golden: Golden): Se3Geometry["neighbours"] {
  const shape = golden.shape("in/neighbor_indices"), [, n, k] = shape;
  const nodes = golden.data("in/neighbor_indices").map((node, at) => node + Math.floor(at / n / k) * n);
  return { nodes: device.tensor(nodes, shape, "i32"), mask: given(device, golden, "neighbor_mask") };
}

/** Runs twice: all gradients, and those of coordinates that flow through distances alone. */
async function differentiateTwice<P extends Tree<Tensor>>(
  device: Device,
  golden: Golden,
  primals: Primals<P>,
  f: (primals: Primals<P>, detached: boolean) => Record<string, Tensor>,
): Promise<Results> {
  const results = await differentiate<P>(device, golden, primals, (primals) => f(primals, false));
  if (golden.has("grad_in/coors_basis_detached")) {
    const { coors } = primals.inputs;
    const rest = { ...primals, inputs: { coors } };
    const other = await differentiate<P>(
      device,
      golden,
      rest,
      (own) => f({ params: primals.params, inputs: { ...primals.inputs, ...own.inputs } }, true),
    );
    const found = other.get("grad_in/coors");
    if (found) results.set("grad_in/coors_basis_detached", found);
  }
  return results;
}

const harmonics: Family = {
  prefix: "eq_spherical_harmonics",
  matches: isEquivariant,
  async run(device, golden) {
    const most = golden.number("l_max"), v = golden.data64("in/v");
    const results = await differentiate(
      device,
      golden,
      { params: {}, inputs: { v: input(device, golden, "v") } },
      ({ inputs: { v } }) => {
        const directions = unit(v);
        return Object.fromEntries(harmonicsOf(directions, most).map((y, degree) => [`Y${degree}`, y]));
      },
    );
    const points = Array.from(
      { length: v.length / 3 },
      (_, k) => [...v.subarray(3 * k, 3 * k + 3)] as unknown as Vector,
    );
    for (let degree = 0; degree <= most; degree++) {
      const own = points.flatMap((point) => sphericalHarmonics(degree, point)); // the two ways agree
      const device = results.get(`out/Y${degree}`)!;
      if (own.some((y, k) => Math.abs(y - device[k]) > 1e-5)) results.delete(`out/Y${degree}`);
    }
    // The polar angle is measured from coordinate 1, the other one in the plane of 2 and 0.
    const angles = points.flatMap((
      [a, b, c],
    ) => [Math.hypot(a, b, c), Math.atan2(a, c), Math.acos(b / Math.hypot(a, b, c))]);
    return results.set("out/radius_alpha_beta", angles);
  },
};

/** Vectors at length 1. */
function unit(vectors: Tensor): Tensor {
  return multiply(vectors, measure(vectors).inverse);
}

const basis: Family = {
  prefix: "eq_basis",
  matches: isEquivariant,
  async run(device, golden) {
    const most = golden.number("max_degree");
    const results = await differentiate(
      device,
      golden,
      { params: {}, inputs: { r: input(device, golden, "r") } },
      ({ inputs: { r } }) =>
        Object.fromEntries(
          Object.entries(equivariantBasis(unit(r), most)).map(([pair, matrices]) => {
            const [degreeIn, degreeOut] = pair.slice(1, -1).split(",").map(Number);
            const [count] = matrices.shape, frequencies = 2 * Math.min(degreeIn, degreeOut) + 1;
            const parts = reshape(matrices, [count, 2 * degreeOut + 1, frequencies, 2 * degreeIn + 1]);
            return [`basis_${degreeIn}_${degreeOut}`, permute(parts, [0, 1, 3, 2])];
          }),
        ),
    );
    for (const name of golden.names("out/Q_")) {
      const [degreeIn, degreeOut, j] = name.split("_").map(Number);
      results.set(`out/Q_${name}`, coupling(degreeOut, degreeIn, j).data);
    }
    return results;
  },
};

const wigner: Family = {
  prefix: "eq_wigner_d",
  matches: isEquivariant,
  run(_device, golden) {
    const most = golden.number("l_max");
    const angles = golden.data64("in/angles"), v = golden.data64("in/v");
    const own = Array.from({ length: angles.length / 3 }, (_, k) => eulerRotation(angles.subarray(3 * k, 3 * k + 3)));
    const plain = own.map(inPlainCoordinates);
    const halfTurn = inPlainCoordinates([-1, 0, 0, 0, 0, 1, 0, 1, 0]);
    const results: Results = new Map([["out/R_own", own.flat()], ["out/R", plain.flat()]]);
    for (let degree = 0; degree <= most; degree++) {
      results.set(`out/D${degree}`, plain.flatMap((R) => [...wignerD(degree, R).data]));
      const j = wignerD(degree, halfTurn).data, golden_ = golden.data(`out/J${degree}`);
      const at = golden_.findIndex((x) => Math.abs(x) > 1e-3); // its sign is free
      results.set(`out/J${degree}`, j.map((x) => x * Math.sign(j[at] * golden_[at])));
      const rotated = plain.flatMap((R) =>
        Array.from(
          { length: v.length / 3 },
          (_, k) => [0, 1, 2].map((i) => [0, 1, 2].reduce((sum, c) => sum + R[3 * i + c] * v[3 * k + c], 0)),
        )
          .flatMap((point) => sphericalHarmonics(degree, point as unknown as Vector))
      );
      results.set(`out/Yrot${degree}`, rotated);
    }
    return results;
  },
};

/** The rotation by Euler angles about z, y and z. */
function eulerRotation([alpha, beta, gamma]: ArrayLike<number> & Iterable<number>): number[] {
  const about = (angle: number, axis: 1 | 2) => {
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    return axis === 2 ? [c, -s, 0, s, c, 0, 0, 0, 1] : [c, 0, s, 0, 1, 0, -s, 0, c];
  };
  return product(product(about(alpha, 2), about(beta, 1)), about(gamma, 2));
}

function product(a: readonly number[], b: readonly number[]): number[] {
  return Array.from({ length: 9 }, (_, k) => {
    const [i, j] = [Math.floor(k / 3), k % 3];
    return a[3 * i] * b[j] + a[3 * i + 1] * b[3 + j] + a[3 * i + 2] * b[6 + j];
  });
}

/** A rotation of the frame whose x, y and z are coordinates 2, 0 and 1, as one of coordinates. */
function inPlainCoordinates(own: readonly number[]): number[] {
  const axis = [1, 2, 0]; // of coordinates 0, 1, 2
  return Array.from({ length: 9 }, (_, k) => own[3 * axis[Math.floor(k / 3)] + axis[k % 3]]);
}

interface Layer<P> {
  readonly prefix: string;
  shapes(golden: Golden): ParamShapes;
  run(params: P, x: Se3Features, golden: Golden): Se3Features;
}

/** A layer that looks at every node on its own. */
function nodeLayer<P>({ prefix, shapes, run }: Layer<P>): Family {
  return {
    prefix,
    matches: isEquivariant,
    run(device, golden) {
      const params = goldenParams<P>(device, golden, shapes(golden));
      const inputs = Object.fromEntries(golden.names("in/").map((name) => [name, input(device, golden, name)]));
      return differentiate(
        device,
        golden,
        { params: params as never, inputs },
        ({ params, inputs }) => named("feat", run(params as P, featuresOf(inputs), golden)),
      );
    },
  };
}

const fiberOf = (golden: Golden): Fiber => golden.config.fiber as Fiber;

const norm = nodeLayer<Se3NormParams>({
  prefix: "eq_se3_norm",
  shapes: (golden) => {
    const kind = golden.name.endsWith("gated") ? "gated" : golden.name.endsWith("feb2021") ? "layerNorm" : "scale";
    return se3NormShapes(fiberOf(golden), kind);
  },
  run: (params, x, golden) => se3Norm(params, x, golden.config.nonlin === "identity"),
});

const feedForward = nodeLayer<Se3FeedForwardParams>({
  prefix: "eq_se3_feedforward",
  shapes: (golden) => se3FeedForwardShapes(fiberOf(golden)),
  run: se3FeedForward,
});

interface PairLayer<P> {
  readonly prefix: string;
  shapes(golden: Golden): ParamShapes;
  run(params: P, x: Se3Features, geometry: Se3Geometry, golden: Golden, inputs: Tensors): Se3Features;
}

/** A layer that looks at neighbours, whose lists are given. */
function pairLayer<P>({ prefix, shapes, run }: PairLayer<P>): Family {
  return {
    prefix,
    matches: isEquivariant,
    run(device, golden) {
      const params = goldenParams<P>(device, golden, shapes(golden));
      const neighbours = neighboursOf(device, golden);
      const names = golden.names("in/").filter((name) => !name.startsWith("neighbor"));
      const inputs = Object.fromEntries(names.map((name) => [name, input(device, golden, name)]));
      return differentiateTwice(
        device,
        golden,
        { params: params as never, inputs },
        ({ params, inputs }, detached) => {
          const x = featuresOf(inputs);
          const most = Math.max(...degreesOf(x), ...degreesOf((golden.config.fiber_out ?? {}) as Fiber));
          const fourier = Number(golden.config.num_fourier_features ?? 0);
          const made = se3Geometry(inputs.coors, neighbours, most, { fourier });
          const edges = inputs.edges && reshape(inputs.edges, [-1, inputs.edges.shape[3]]);
          const geometry = {
            ...made,
            basis: detached ? stopGradient(made.basis) : made.basis,
            radial: edges ? concat([made.radial, edges], 1) : made.radial,
          };
          return named("feat", run(params as P, x, geometry, golden, inputs));
        },
      );
    },
  };
}

/** What convolutions of a case know of pairs. */
function convolutionOf(golden: Golden) {
  const { fourier_encode_dist: encoded, num_fourier_features: count, edge_dim: edges } = golden.config;
  return { radial: 1 + 2 * (encoded ? Number(count) : 0) + Number(edges ?? 0), mid: golden.number("mid_dim") };
}

const convolution = pairLayer<Se3ConvolutionParams>({
  prefix: "eq_se3_conv",
  shapes: (golden) =>
    se3ConvolutionShapes(golden.config.fiber_in as Fiber, golden.config.fiber_out as Fiber, {
      ...convolutionOf(golden),
      selfInteraction: golden.config.self_interaction === true,
    }),
  run: (params, x, geometry, { config }) =>
    config.pool === false
      ? se3Messages(params, se3Sources(x, geometry, degreesOf(config.fiber_out as Fiber)), geometry)
      : se3Convolution(params, x, geometry),
});

/** How attention of a case is made, as the original makes it. */
function attentionOf(golden: Golden): Se3AttentionShape {
  const names = ["heads", "dimHead", "attendSelf", "useNullKv", "linearProjKeys", "tieKeyValues", "globalFeatsDim"];
  const one = golden.name.endsWith("onehead") && { oneHeadedKeyValues: true };
  return { ...picked(camelConfig(golden), names), ...one, quirks: true } as unknown as Se3AttentionShape;
}

/** `eq_se3_attention_block` too, whose numbers are those of attention alone: without the norm and the sum that it describes. */
const attention = pairLayer<Se3AttentionParams>({
  prefix: "eq_se3_attention",
  shapes: (golden) => se3AttentionShapes(fiberOf(golden), attentionOf(golden), convolutionOf(golden)),
  run: (params, x, geometry, golden, { global_feats: globalFeats }) =>
    se3Attention(params, x, geometry, { heads: golden.number("heads"), globalFeats, quirks: true }),
});

const NAMES = [
  ...["dim", "dimIn", "depth", "heads", "dimHead", "numDegrees", "inputDegrees", "outputDegrees", "reduceDimOut"],
  ...["numConvLayers", "midDim", "validRadius", "attendSparseNeighbors", "causal", "edgeDim", "numEdgeTokens"],
  ...["numTokens", "numAdjDegrees", "adjDim", "globalFeatsDim", "normGatedScale", "normOut", "reversible", "useEgnn"],
  ...["egnnHiddenDim", "egnnFeedforward"],
];

/** The configuration of a case, as the original computes it. */
function configOf(golden: Golden): Se3Config {
  const config = camelConfig(golden);
  const count = typeof config.numNeighbors === "number" ? { numNeighbors: config.numNeighbors } : {};
  const fourier = config.fourierEncodeDist ? Number(config.relDistNumFourierFeatures ?? 4) : 0;
  return se3Config(
    {
      ...picked(config, NAMES),
      ...count,
      ...{ distanceFourierFeatures: fourier, quirks: true },
    } as Partial<Se3Config> & { dim: number },
  );
}

/** Features of a network's output without the axes that are 1: of orders and of channels. */
function squeezed(features: Se3Features, { reduceDimOut }: Se3Config): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(features).map(([degree, x]) => {
      const [batch, n, m, c] = x.shape;
      const shape = [batch, n, ...(reduceDimOut ? [] : [c]), ...(degree === "0" ? [] : [m])];
      return [`type${degree}`, reshape(turned(x), shape)];
    }),
  );
}

/** A network of a case: what it reads besides what gradients flow to, and its outputs by golden name. */
export function se3NetworkOf(device: Device, golden: Golden) {
  const config = configOf(golden);
  const name = golden.has("in/feats") ? "feats" : "atom_tokens";
  const params = goldenParams<Se3TransformerParams>(device, golden, se3TransformerShapes(config));
  const feats = input(device, golden, name, config.numTokens ? "i32" : "f32");
  const edges = given(device, golden, "edges", config.numEdgeTokens ? "i32" : "f32");
  const [globalFeats, feats1] = [given(device, golden, "global_feats"), given(device, golden, "feats1")];
  const bonds = bondsOf(golden, config.numAdjDegrees ?? 1);
  const fixed = { mask: given(device, golden, "mask"), neighborMask: given(device, golden, "neighbor_mask") };
  const inputs: Record<string, Tensor> = {
    coors: input(device, golden, "coors"),
    ...(!config.numTokens && { feats }),
    ...(edges && !config.numEdgeTokens && { edges }),
    ...(globalFeats && { global_feats: globalFeats }),
    ...(feats1 && { feats1 }),
  };
  const run = (params: Se3TransformerParams, given: Tensors, choices: Partial<Se3Config> = {}) => {
    const { coors } = given;
    const nodes = given.feats1
      ? {
        0: reshape(given.feats, [...given.feats.shape.slice(0, 2), 1, given.feats.shape[2]]),
        1: turned(given.feats1),
      }
      : given.feats ?? feats;
    const read = { ...fixed, coors, feats: nodes, edges: given.edges ?? edges, globalFeats: given.global_feats };
    const types = squeezed(se3Transformer(params, read, { ...config, ...choices }, bonds), config);
    const moved = types.type1 && types.type1.shape.length === 3 ? { refined_coors: add(coors, types.type1) } : {};
    return { ...types, ...moved } as Record<string, Tensor>;
  };
  return { config, params, inputs, run };
}

const network: Family = {
  prefix: "eq_se3_transformer",
  matches: isEquivariant,
  run(device, golden) {
    const { params, inputs, run } = se3NetworkOf(device, golden);
    return differentiateTwice<Se3TransformerParams>(
      device,
      golden,
      { params, inputs },
      ({ params, inputs }, detached) => {
        const found = run(params, inputs, { differentiableCoors: !detached });
        if (!golden.has("out/type1_fixed")) return found;
        const fixed = Object.entries(run(params, inputs, { quirks: false }));
        return { ...found, ...Object.fromEntries(fixed.map(([name, x]) => [`${name}_fixed`, x])) };
      },
    );
  },
};

/** Coordinates turned and moved, and mirrored. */
const invariance: Family = {
  prefix: "eq_refine_invariance_se3",
  matches: isEquivariant,
  async run(device, golden) {
    const { params, inputs, run } = se3NetworkOf(device, golden);
    const shape = golden.shape("in/coors"), coors = golden.data("in/coors");
    const R = golden.data("in/R"), t = golden.data("in/t");
    const moved = Array.from(coors, (_, k) => {
      const [row, i] = [3 * Math.floor(k / 3), k % 3];
      return R[3 * i] * coors[row] + R[3 * i + 1] * coors[row + 1] + R[3 * i + 2] * coors[row + 2] + t[i];
    });
    const runs = { "": coors, _moved: moved, _mirrored: coors.map((x, k) => k % 3 === 2 ? -x : x) };
    const results: Results = new Map();
    for (const [suffix, coors] of Object.entries(runs)) {
      const out = run(params, { ...inputs, coors: device.tensor(coors, shape) });
      for (const [name, x] of Object.entries(out)) results.set(`out/${name}${suffix}`, await x.read());
    }
    return results;
  },
};

/** Harmonics, what couples them, the layers of an SE(3)-transformer, and the whole of it. */
export const EQUIVARIANT_SE3: readonly Family[] = [
  ...[harmonics, basis, wigner, norm, feedForward, convolution, attention, network, invariance],
];
