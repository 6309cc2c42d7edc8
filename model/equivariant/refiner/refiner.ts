import type { Tensor } from "../../../core/mod.ts";
import { add, reshape } from "../../../ops/mod.ts";
import { checkSize } from "../../layers/config.ts";
import type { ParamShapes } from "../../layers/params.ts";
import { type EgnnConfig, egnnConfig } from "../egnn/config.ts";
import { egnn } from "../egnn/network.ts";
import { type EgnnParams, egnnShapes } from "../egnn/params.ts";
import { fromLiftedFrames, type Lift } from "../lie/lift.ts";
import { type LieConfig, lieConfig, type LieTransformerParams, lieTransformerShapes } from "../lie/params.ts";
import { lieTransformer } from "../lie/transformer.ts";
import { pairMask } from "../neighbours.ts";
import { type Se3Config, se3Config } from "../se3/config.ts";
import { se3Transformer } from "../se3/transformer.ts";
import { type Se3TransformerParams, se3TransformerShapes } from "../se3/transformer_params.ts";

/** The networks that refine coordinates. */
export const REFINERS = ["egnn", "se3", "lie"] as const;

/** One of {@linkcode REFINERS}. */
export type RefinerKind = typeof REFINERS[number];

/** Sizes of a refiner; what its network has besides is as its authors use it. */
export interface RefinerConfig {
  /** E(n)-equivariant layers, an SE(3)-transformer, or a LieTransformer. */
  readonly kind: RefinerKind;
  /** Kinds of atoms. */
  readonly numTokens: number;
  /** Channels of an atom. @default 64 */
  readonly dim: number;
  /** Layers. @default 2 */
  readonly depth: number;
  /** Heads of attention. @default 8 */
  readonly heads: number;
  /** Channels of a head. @default 24 */
  readonly dimHead: number;
  /** Nearest atoms that an atom looks at. @default 16 */
  readonly neighbors: number;
}

/**
 * A configuration with defaults for what is not given.
 *
 * @throws {RangeError} If a size is not a positive integer, or there is no such refiner.
 */
export function refinerConfig(
  given: Partial<RefinerConfig> & Pick<RefinerConfig, "kind" | "numTokens">,
): RefinerConfig {
  const config = { dim: 64, depth: 2, heads: 8, dimHead: 24, neighbors: 16, ...given };
  if (!REFINERS.includes(config.kind)) {
    throw new RangeError(`The refiner must be one of ${REFINERS.join(", ")}, got ${config.kind}`);
  }
  for (const name of ["numTokens", "dim", "depth", "heads", "dimHead", "neighbors"] as const) {
    checkSize("The refiner's", name, config[name]);
  }
  return config;
}

/** Motions of an atom that a LieTransformer looks at. */
const LIFT_SAMPLES = 2;
/** The distance of motions within which it looks. */
const LIFT_RADIUS = 8;
/** The most that a message may move an atom, as a multiple of the learnt length. */
const MOST_WEIGHT = 2;

function egnnOf({ numTokens, dim, depth, neighbors }: RefinerConfig, n = Infinity): EgnnConfig {
  const numNearestNeighbors = neighbors + 1 < n ? neighbors + 1 : undefined;
  return egnnConfig({
    numTokens,
    dim,
    depth,
    numNearestNeighbors,
    normCoors: true,
    coorWeightsClampValue: MOST_WEIGHT,
  });
}

function se3Of({ numTokens, dim, depth, heads, dimHead, neighbors }: RefinerConfig): Se3Config {
  const output = { outputDegrees: 2, reduceDimOut: true };
  return se3Config({ numTokens, dim, depth, heads, dimHead, numNeighbors: neighbors, ...output });
}

function lieOf({ numTokens, dim, depth, heads, dimHead }: RefinerConfig): LieConfig {
  return lieConfig({
    ...{ numTokens, dim, depth, heads, dimHead },
    ...{ dimOut: 3, liftsamples: LIFT_SAMPLES, radius: LIFT_RADIUS },
  });
}

/** Parameters of a refiner: those of its network. */
export type RefinerParams = EgnnParams | Se3TransformerParams | LieTransformerParams;

/** Shapes of a refiner's parameters. */
export function refinerShapes(config: RefinerConfig): ParamShapes {
  return {
    egnn: () => egnnShapes(egnnOf(config)),
    se3: () => se3TransformerShapes(se3Of(config)),
    lie: () => lieTransformerShapes(lieOf(config)),
  }[config.kind]();
}

/** What a refiner reads. */
export type RefinerInputs = {
  /** Kinds of atoms, i32 `[batch, N]`. */
  readonly tokens: Tensor;
  /** `[batch, N, 3]`, in Å. */
  readonly coors: Tensor;
  /** 1 for atoms, 0 for padding, `[batch, N]`. @default all are atoms */
  readonly mask?: Tensor;
};

/** Motions of atoms that a LieTransformer looks at: entries of the batch, atoms, and motions an atom. */
export function refinerLiftSizes(batch: number, n: number): Lift["sizes"] {
  return [batch, n, LIFT_SAMPLES];
}

/**
 * Moves atoms to where they should be: adds to coordinates what an equivariant network makes of them, so that turned and moved
 * coordinates are refined alike.
 *
 * Source: alphafold2-pytorch 0.0.19, whose refiner is an SE(3)-transformer.
 *
 * DEVIATION(alphafold2-pytorch): its output took the place of the coordinates, which cannot be right.
 *
 * @param lift Orientations of atoms, of {@linkcode refinerLiftSizes}, for a LieTransformer.
 * @returns `[batch, N, 3]`, in Å, owned by the current scope.
 * @throws {TypeError} If shapes do not fit, or a LieTransformer has no orientations.
 */
export function refineCoordinates(
  params: RefinerParams,
  inputs: RefinerInputs,
  config: RefinerConfig,
  lift?: Lift,
): Tensor {
  const { tokens: feats, coors, mask } = inputs;
  using scope = coors.device.scope("refineCoordinates");
  const read = { feats, coors, mask };
  if (config.kind === "egnn") {
    return scope.keep(egnn(params as EgnnParams, read, egnnOf(config, coors.shape[1])).coors);
  }
  if (config.kind === "se3") {
    const neighborMask = mask && pairMask(mask); // what is padding is no neighbour, wherever it lies
    const { 1: vectors } = se3Transformer(params as Se3TransformerParams, { ...read, neighborMask }, se3Of(config));
    return scope.keep(add(coors, reshape(vectors, coors.shape)));
  }
  if (!lift) throw new TypeError("Cannot refine coordinates by a LieTransformer: lift is missing");
  const shifts = lieTransformer(params as LieTransformerParams, read, lift, lieOf(config));
  return scope.keep(add(coors, fromLiftedFrames(shifts, lift)));
}
