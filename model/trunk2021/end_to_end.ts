import { type Device, Key, noGrad, type Shape, type Tensor } from "../../core/mod.ts";
import {
  add,
  addScalar,
  clamp,
  concat,
  digitize,
  divide,
  embedding,
  lessEqual,
  maximum,
  mean,
  multiply,
  multiplyScalar,
  reciprocal,
  reshape,
  slice,
  softmaxExpectation,
  sqrt,
  square,
  subtract,
  sum,
} from "../../ops/mod.ts";
import { alignedRmsd } from "../distance_geometry/aligned_rmsd.ts";
import { unrolledMds } from "../distance_geometry/unrolled_mds.ts";
import { randomLift } from "../equivariant/lie/lift.ts";
import { measure } from "../equivariant/vectors.ts";
import {
  refineCoordinates,
  type RefinerConfig,
  refinerConfig,
  type RefinerKind,
  refinerLiftSizes,
  type RefinerParams,
  refinerShapes,
} from "../equivariant/refiner/refiner.ts";
import { sidechainContainer } from "../equivariant/refiner/sidechain_container.ts";
import type { CaptureOptions } from "../layers/attention_capture.ts";
import { checkShape } from "../layers/check_shape.ts";
import { initParams, loadParams, type ParamShapes } from "../layers/params.ts";
import { ATOM14_EXISTS, ATOM14_SLOTS, RESIDUE_TYPES } from "../protein/residue_constants.ts";
import { attentionOfResidues } from "./attention_of_residues.ts";
import type { Trunk2021Config } from "./config.ts";
import { trunk2021DistogramLoss, trunk2021Edges } from "./distogram.ts";
import { trunk2021, type Trunk2021Inputs } from "./model.ts";
import { type Trunk2021Params, trunk2021Shapes } from "./params.ts";

/** Atoms of a residue that are looked at as points of the backbone. */
const BACKBONE = 3;
/** Atoms of a residue that are refined: of the backbone alone with O, or all. */
const REFINED: Readonly<Record<RefinedAtoms, number>> = { backbone: 4, heavy: ATOM14_SLOTS };
/** Mean distances beyond which a distance is not known, in Å. */
const FARTHEST = 19.5;
/** What a distance beyond the last edge is taken for, as a multiple of that. */
const OPEN_BIN = 1.33;
/** What the first bin's distances are taken for, in Å. */
const FIRST_BIN = 1.5;
/** Variances are at least this, in Å². */
const LEAST_VARIANCE = 1e-3;
/** The part of the dispersion in the loss. */
const DISPERSION_SHARE = 0.1;
/** Where points start from and how atoms are oriented: the same ones for every sequence of the same length. */
const SEED = 2021;

/** Which atoms of residues are refined: N, CA, C and O, or all. */
export type RefinedAtoms = "backbone" | "heavy";

/** Choices of the trunk, and of what follows it. */
export type EndToEndConfig = Trunk2021Config & {
  /** What makes a structure of the distogram. */
  readonly endToEnd: {
    /** The network that refines atoms; null: none. */
    readonly refiner: RefinerConfig | null;
    /** Which atoms of residues it sees and moves. */
    readonly atoms: RefinedAtoms;
  };
};

/** The trunk's parameters, and those of the refiner. */
export type EndToEndParams = Trunk2021Params & { readonly refiner?: RefinerParams };

/**
 * Choices of the trunk together with those of a refiner.
 *
 * @param given `refiner`: which one, and its sizes; `none` for scaling alone.
 * @throws {RangeError} If a size is not a positive integer, or there is no such refiner.
 */
export function endToEndConfig(
  trunk: Trunk2021Config,
  { refiner, atoms = "backbone", ...sizes }:
    & { readonly refiner: RefinerKind | "none"; readonly atoms?: RefinedAtoms }
    & Partial<Omit<RefinerConfig, "kind" | "numTokens">>,
): EndToEndConfig {
  const numTokens = RESIDUE_TYPES * ATOM14_SLOTS;
  const own = refiner === "none" ? null : refinerConfig({ ...sizes, kind: refiner, numTokens });
  return { ...trunk, endToEnd: { refiner: own, atoms } };
}

/** Shapes of all parameters. */
export function endToEndShapes(config: EndToEndConfig): ParamShapes {
  const { refiner } = config.endToEnd;
  return {
    ...trunk2021Shapes(config) as Record<string, ParamShapes>,
    ...(refiner && { refiner: refinerShapes(refiner) }),
  };
}

/**
 * Fresh parameters.
 *
 * @param key Source of the random numbers; used up.
 * @returns Owned by the current scope.
 */
export function initEndToEnd(device: Device, config: EndToEndConfig, key: Key): EndToEndParams {
  return initParams(device, endToEndShapes(config), key) as EndToEndParams;
}

/**
 * Parameters from given numbers.
 *
 * @param find The numbers of the parameter at a path.
 * @returns Owned by the current scope.
 */
export function loadEndToEnd(
  device: Device,
  config: EndToEndConfig,
  find: (path: string, shape: Shape) => ArrayLike<number>,
): EndToEndParams {
  return loadParams(device, endToEndShapes(config), find) as EndToEndParams;
}

/** What a sequence becomes on its way to a structure. */
export type EndToEndOutputs = {
  /** Of distances between N, CA and C of all residues, `[batch, 3 L, 3 L, distogramBuckets]`. */
  readonly logits: Tensor;
  /** How far their distances are spread, in Å, `[batch, 3 L, 3 L]`. */
  readonly dispersion: Tensor;
  /** 1 where a distance is known, `[batch, 3 L, 3 L]`. */
  readonly known: Tensor;
  /** N, CA and C as they follow from the distances, `[batch, 3 L, 3]`, in Å. */
  readonly backbone: Tensor;
  /** The atoms that are refined, under AlphaFold's slots, `[batch, L, S, 3]`, in Å: refined, or as they were placed. */
  readonly atoms: Tensor;
  /** 1 for those that residues have, `[batch, L, S]`. */
  readonly there: Tensor;
};

/**
 * From a sequence to a structure: three points a residue go through the trunk, whose distogram becomes distances and weights,
 * those become points by multidimensional scaling, the points residues with side chains, and a refiner moves their atoms. All
 * of it has gradients.
 *
 * Source: alphafold2-pytorch 0.0.19, `train_end2end.py`, which cannot run.
 *
 * @param inputs Of the trunk: the sequence once, its residues in AlphaFold's order.
 * @param options `capture`: told of the attention of residues, into which that of their points is gathered.
 * @returns Owned by the current scope.
 * @throws {TypeError} If shapes do not fit.
 * @throws {RangeError} If there are more points than positions.
 */
export function endToEnd(
  params: EndToEndParams,
  inputs: Trunk2021Inputs,
  config: EndToEndConfig,
  { capture }: CaptureOptions = {},
): EndToEndOutputs {
  const { seq, mask } = inputs;
  const { device } = seq;
  checkShape("endToEnd", "seq", seq, ["batch", "L"], "i32");
  using scope = device.scope("endToEnd");
  const { refiner, atoms } = config.endToEnd;
  const [batch, length] = seq.shape;
  const points = mask && tripled(mask);
  const logits = trunk2021(params, { ...inputs, seq: tripled(seq), mask: points }, config, {
    capture: capture && attentionOfResidues(capture, BACKBONE),
  });
  const { distances, dispersion, known } = expected(logits, points);
  const weights = multiply(reciprocal(addScalar(dispersion, 1)), known);
  const [startKey, liftKey] = Key.fromSeed(SEED).split(2);
  const backbone = unrolledMds(distances, { weights, mask: points, key: startKey, backbone: true });

  const slots = REFINED[atoms];
  const all = sidechainContainer(backbone, { oxygen: true, aatype: seq, mask });
  const placed = slice(all, [0, 0, 0, 0], [batch, length, slots, 3]);
  const exists = embedding(
    tableOf(device, slots, (type, slot) => slot < REFINED.backbone ? 1 : ATOM14_EXISTS[type * ATOM14_SLOTS + slot]),
    seq,
  );
  const there = mask ? multiply(exists, reshape(mask, [batch, length, 1])) : exists;
  let refined = placed;
  if (refiner && params.refiner) {
    const flat = (x: Tensor) => reshape(x, [batch, length * slots, ...x.shape.slice(3)]);
    // Residue type and slot as one number: there are no sums of whole numbers, so it is looked up, then counted off.
    const numbers = embedding(tableOf(device, slots, (type, slot) => type * ATOM14_SLOTS + slot), seq);
    const tokens = digitize(numbers, Float32Array.from({ length: refiner.numTokens - 1 }, (_, k) => k + 0.5));
    const sizes = refinerLiftSizes(batch, length * slots);
    const lift = refiner.kind === "lie" ? randomLift(liftKey, ...sizes) : undefined;
    const moved = refineCoordinates(
      params.refiner,
      { tokens: flat(tokens), coors: flat(placed), mask: flat(there) },
      refiner,
      lift,
    );
    refined = reshape(moved, placed.shape);
  }
  return scope.keep({ logits, dispersion, known, backbone, atoms: refined, there });
}

/** Everything three times, one behind the other, `[batch, L]` → `[batch, 3 L]`. */
function tripled(x: Tensor): Tensor {
  const [batch, length] = x.shape;
  const column = reshape(x, [batch, length, 1]);
  return reshape(concat([column, column, column], 2), [batch, BACKBONE * length]);
}

/** A number for every residue type and slot, `[21, slots]`. */
function tableOf(device: Device, slots: number, of: (type: number, slot: number) => number): Tensor {
  const table = Float32Array.from({ length: RESIDUE_TYPES * slots }, (_, k) => of(Math.floor(k / slots), k % slots));
  return device.tensor(table, [RESIDUE_TYPES, slots]);
}

/** Means and spreads of a distogram's distances, and which of them are known. */
function expected(logits: Tensor, mask?: Tensor): { distances: Tensor; dispersion: Tensor; known: Tensor } {
  const { device, shape: [batch, n, , bins] } = logits;
  const edges = trunk2021Edges(bins), half = (edges[2] - edges[1]) / 2;
  const centers = Float32Array.from(
    { length: bins },
    (_, k) => k === 0 ? FIRST_BIN : k < bins - 1 ? edges[k] - half : OPEN_BIN * (edges[bins - 2] + 2 * half),
  );
  const others = device.tensor(Float32Array.from({ length: n * n }, (_, k) => +(k % (n + 1) !== 0)), [1, n, n]);
  const average = softmaxExpectation(logits, device.tensor(centers, [bins]));
  const squares = softmaxExpectation(logits, device.tensor(centers.map((c) => c * c), [bins]));
  const dispersion = sqrt(clamp(subtract(squares, square(average)), LEAST_VARIANCE, Infinity));
  const known = noGrad(device, () => {
    const near = multiply(lessEqual(average, device.tensor([FARTHEST], [1])), others);
    return mask ? multiply(near, multiply(reshape(mask, [batch, n, 1]), reshape(mask, [batch, 1, n]))) : near;
  });
  return { distances: multiply(average, others), dispersion, known };
}

/** Where atoms are in truth. */
export type EndToEndTruth = {
  /** Under AlphaFold's 14 slots, `[batch, L, 14, 3]`, in Å. */
  readonly atoms: Tensor;
  /** 1 for atoms that are known, `[batch, L, 14]`. */
  readonly known: Tensor;
};

/** The terms of the loss of a structure, scalars. */
export type EndToEndTerms = {
  /** Root mean square deviation of atoms after superposition, in Å. */
  readonly rmsd: Tensor;
  /** Root mean square of the spread of known distances, in Å. */
  readonly dispersion: Tensor;
  /** Cross entropy of the distogram. */
  readonly distogram: Tensor;
};

/**
 * What a structure should be close to: the deviation of its atoms after superposition, plus a tenth of the dispersion of
 * distances, plus the cross entropy of the distogram times a weight.
 *
 * Source: alphafold2-pytorch 0.0.19, `train_end2end.py`: √MSE + 0.1 ‖1 / weights - 1‖.
 *
 * DEVIATION(alphafold2-pytorch): the norm grows with the number of pairs, so that nothing else counts; here it is a mean. It
 * starts from a trunk that has learnt distograms; the cross entropy stands for that, and with a weight of 0 is left out.
 *
 * @returns The loss and its terms, scalars owned by the current scope.
 */
export function endToEndLoss(
  { logits, dispersion, known, atoms, there }: EndToEndOutputs,
  truth: EndToEndTruth,
  distogramWeight = 1,
): { readonly loss: Tensor; readonly terms: EndToEndTerms } {
  const { device, shape: [batch, length, slots] } = atoms;
  checkShape("endToEndLoss", "atoms", truth.atoms, [batch, length, ATOM14_SLOTS, 3]);
  checkShape("endToEndLoss", "known", truth.known, [batch, length, ATOM14_SLOTS]);
  using scope = device.scope("endToEndLoss");
  const first = (x: Tensor, count: number) =>
    slice(x, x.shape.map(() => 0), x.shape.map((size, axis) => axis === 2 ? count : size));
  const counted = multiply(first(truth.known, slots), there);
  const flat = (x: Tensor) => reshape(x, [batch, length * slots, ...x.shape.slice(3)]);
  const rmsd = mean(alignedRmsd(flat(atoms), flat(first(truth.atoms, slots)), flat(counted)));

  const total = maximum(sum(known), device.tensor([1], []));
  const spread = sqrt(divide(sum(multiply(square(dispersion), known)), total));
  const n = BACKBONE * length;
  const { distances, pairs } = noGrad(device, () => {
    const points = reshape(first(truth.atoms, BACKBONE), [batch, n, 3]);
    const marks = reshape(first(truth.known, BACKBONE), [batch, n]);
    const vectors = subtract(reshape(points, [batch, n, 1, 3]), reshape(points, [batch, 1, n, 3]));
    return {
      distances: reshape(measure(vectors).lengths, [batch, n, n]),
      pairs: multiply(reshape(marks, [batch, n, 1]), reshape(marks, [batch, 1, n])),
    };
  });
  const distogram = trunk2021DistogramLoss(logits, distances, pairs);
  const loss = add(
    add(rmsd, multiplyScalar(spread, DISPERSION_SHARE)),
    multiplyScalar(distogram, distogramWeight),
  );
  return scope.keep({ loss, terms: { rmsd, dispersion: spread, distogram } });
}
