import type { Tensor } from "../../../core/mod.ts";
import {
  add,
  addScalar,
  concat,
  distanceClasses,
  embedding,
  framesFromThreePoints,
  invertApplyFrames,
  linear,
  type LinearParams,
  multiply,
  pairEmbedding,
  permute,
  plainLinear,
  reshape,
  rsqrt,
  slice,
  square,
  sum,
} from "../../../ops/mod.ts";
import { SLOT } from "../../protein/residues.ts";
import { binBounds, type TemplateConfig } from "../config.ts";
import { TEMPLATE_TYPES, type TemplatePairEmbedderParams, templatePairFeatures } from "./params.ts";
import { atomOf, backboneMask, type TemplateFeatures } from "./template_features.ts";

/** Square root of the square of Å from which on no distance has a class. */
const END = Math.sqrt(1e5);

/** Added to squared lengths. */
const EPS = 1e-8;

/**
 * Pair representations of single templates, the linear map of 88 features of each pair: class of distance, whether both
 * C-betas are known, types of j and of i, direction from i to j, whether both backbones are known; all 0 where they are
 * not. Features of a pair are never stored: most are 1 for one class, so that their map is a row of a table.
 *
 * Source: Jumper et al. (2021), Suppl. Table 1; Alg. 2 "Inference", lines 9 and 10.
 *
 * @param features Of templates that stand side by side in the batch, `[B, …]` instead of `[batch, T, …]`.
 * @param eps Å², added to squared lengths of directions. @default 1e-8
 * @returns `[B, N_res, N_res, c_t]`.
 */
export function embedTemplatePairs(
  params: TemplatePairEmbedderParams,
  features: Pick<
    TemplateFeatures,
    "aatype" | "allAtomPositions" | "allAtomMask" | "pseudoBeta" | "pseudoBetaMask"
  >,
  config: Pick<TemplateConfig, "minBin" | "maxBin" | "bins" | "useUnitVector">,
  eps: number = EPS,
): Tensor {
  const { aatype, pseudoBeta, pseudoBetaMask } = features;
  const { bins, useUnitVector } = config;
  const [c] = params.linear.weight.shape;
  using scope = aatype.device.scope("embedTemplatePairs");
  const { weight, bias } = plainLinear(params.linear); // it is used row by row
  const rows = permute(weight, [1, 0]); // one for each feature
  const some = (first: number, count: number) => slice(rows, [first, 0], [first + count, c]);
  const ofDistance = some(0, bins), known = some(bins, 1);
  const ofJ = some(bins + 1, TEMPLATE_TYPES), ofI = some(bins + 1 + TEMPLATE_TYPES, TEMPLATE_TYPES);
  const backbones = reshape(some(templatePairFeatures(config) - 1, 1), [c]);
  const weights = backboneMask(features);
  return scope.keep(pairEmbedding({
    table: concat([ofDistance, known, add(ofDistance, known)], 0),
    classes: distanceClasses(pseudoBeta, { bounds: binBounds(config), end: END, marks: pseudoBetaMask }),
    left: add(embedding(ofI, aatype), backbones),
    right: embedding(ofJ, aatype),
    weights,
    bias,
    residual: useUnitVector ? linear(directions(features, weights, eps), ofDirection(weight, bins)) : undefined,
  }));
}

/** The part of the map that reads directions, weight `[c_t, 3]`. */
function ofDirection(weight: Tensor, bins: number): LinearParams {
  const first = bins + 1 + 2 * TEMPLATE_TYPES;
  return { weight: slice(weight, [0, first], [weight.shape[0], first + 3]) };
}

/** Directions from each residue to each other, as the first one's backbone sees them, `[B, N_res, N_res, 3]`. */
function directions(
  features: Pick<TemplateFeatures, "allAtomPositions">,
  weights: Tensor,
  eps: number,
): Tensor {
  const [batch, n] = weights.shape;
  const [N, CA, C] = [SLOT.N, SLOT.CA, SLOT.C].map((slot) => atomOf(features, slot));
  const frames = reshape(framesFromThreePoints(N, CA, C, { eps }), [batch, n, 1, 3, 4]);
  const local = invertApplyFrames(frames, reshape(CA, [batch, 1, n, 3]));
  const scale = rsqrt(addScalar(sum(square(local), { axes: [-1], keepDims: true }), eps));
  const both = multiply(reshape(weights, [batch, n, 1, 1]), reshape(weights, [batch, 1, n, 1]));
  return multiply(local, multiply(scale, both));
}
