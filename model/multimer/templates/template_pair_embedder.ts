import type { Tensor } from "../../../core/mod.ts";
import {
  add,
  addScalar,
  chainOffsetClasses,
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
  square,
  sum,
} from "../../../ops/mod.ts";
import { binBounds, type TemplateConfig } from "../../alphafold/config.ts";
import { atomOf, backboneMask, type TemplateFeatures } from "../../alphafold/templates/template_features.ts";
import { normalize } from "../../layers/layer_norm.ts";
import { SLOT } from "../../protein/residues.ts";
import type { MultimerTemplatePairEmbedderParams } from "./params.ts";

/** Square root of the square of Å from which on no distance has a class. */
const END = Math.sqrt(1e5);

/** Added to squared lengths, Å²: those of real atoms stay what they are. */
const EPS = 1e-12;

/** What a template tells of pairs of residues; of templates that stand side by side in the batch. */
export type TemplateGeometry = {
  /**
   * i32 `[B, N_res, N_res]`: with K classes of distance, K + 1 where both C-betas are known and their distance has none, K + 2
   * … 2 K + 1 where it has one; other numbers up to K count as 0, as do pairs of different chains.
   */
  readonly classes: Tensor;
  /** Direction from i to j in i's frame, and 1: `[B, N_res, N_res, 4]`; 0 where a backbone is not known, or across chains. */
  readonly directions: Tensor;
};

/**
 * Distances and directions of a template's residues, within chains alone: how templates of different chains lie to each
 * other means nothing.
 *
 * Source: Evans et al. (2021), Suppl. 7.2; the published code's `SingleTemplateEmbedding`.
 *
 * @param asymId Which chain a residue is of, i32 `[B, N_res]`.
 */
export function templateGeometry(
  features: Pick<TemplateFeatures, "aatype" | "allAtomPositions" | "allAtomMask" | "pseudoBeta" | "pseudoBetaMask">,
  asymId: Tensor,
  config: Pick<TemplateConfig, "minBin" | "maxBin" | "bins">,
): TemplateGeometry {
  const { device, shape: [batch, n] } = asymId;
  using scope = device.scope("templateGeometry");
  const { pseudoBeta, pseudoBetaMask } = features;
  const bounds = binBounds(config);
  const classes = distanceClasses(pseudoBeta, { bounds, end: END, marks: pseudoBetaMask, groups: asymId });
  const [N, CA, C] = [SLOT.N, SLOT.CA, SLOT.C].map((slot) => atomOf(features, slot));
  const frames = reshape(framesFromThreePoints(N, CA, C, { eps: EPS }), [batch, n, 1, 3, 4]);
  const local = invertApplyFrames(frames, reshape(CA, [batch, 1, n, 3]));
  const scale = rsqrt(addScalar(sum(square(local), { axes: [-1], keepDims: true }), EPS));
  const known = backboneMask(features);
  const both = multiply(reshape(known, [batch, n, 1, 1]), reshape(known, [batch, 1, n, 1]));
  const weights = multiply(both, reshape(sameChain(asymId), [batch, n, n, 1]));
  return scope.keep({ classes, directions: concat([multiply(local, multiply(scale, weights)), weights], -1) });
}

/** 1 for pairs of residues of one chain, else 0: `[B, N_res, N_res]`. */
export function sameChain(asymId: Tensor): Tensor {
  const { device, shape: [batch, n] } = asymId;
  using scope = device.scope("sameChain");
  const numbers = { residues: asymId, chains: asymId, entities: asymId, copies: asymId };
  const classes = chainOffsetClasses(numbers, { residues: 0, copies: 0 }); // 1 within chains, 4 across
  return scope.keep(reshape(pairEmbedding({ table: device.tensor([1, 0, 0, 0], [4, 1]), classes }), [batch, n, n]));
}

/** What templates' pair representations are made of. */
export interface TemplatePairInputs extends TemplateGeometry {
  /** Residue types, i32 `[B, N_res]`: 0 … 20, and 21 where the template has no residue. */
  readonly aatype: Tensor;
  /** Pair representation of the target, `[B, N_res, N_res, c_z]`. */
  readonly z: Tensor;
}

/**
 * Pair representations of single templates: the sum of linear maps of the class of distance, whether C-betas are known,
 * both residue types, direction, whether backbones are known, and the target's pair representation. One-hot vectors are
 * never stored: their maps are rows of a table.
 *
 * Source: Evans et al. (2021), Suppl. 7.2; the published code's `SingleTemplateEmbedding.construct_input`.
 *
 * @returns `[B, N_res, N_res, c_t]`.
 */
export function embedMultimerTemplatePairs(
  params: MultimerTemplatePairEmbedderParams,
  { classes, directions, aatype, z }: TemplatePairInputs,
): Tensor {
  const { device } = z;
  using scope = device.scope("embedTemplatePairs");
  const rowsOf = (map: LinearParams) => permute(plainLinear(map).weight, [1, 0]); // it is used row by row
  const ofDistance = rowsOf(params.dgramLinear), known = rowsOf(params.pseudoBetaMaskLinear);
  const [bins, c] = ofDistance.shape;
  const { xLinear, yLinear, zLinear, backboneMaskLinear, queryEmbeddingLayerNorm, queryEmbeddingLinear } = params;
  const ofDirection = [xLinear, yLinear, zLinear, backboneMaskLinear];
  const told = linear(directions, { weight: concat(ofDirection.map((map) => plainLinear(map).weight), 1) }, {
    residual: linear(normalize(queryEmbeddingLayerNorm, z), queryEmbeddingLinear),
  });
  const biases = [params.dgramLinear, params.pseudoBetaMaskLinear, params.aatypeLinear_1, params.aatypeLinear_2]
    .concat(ofDirection).flatMap(({ bias }) => bias ?? []);
  return scope.keep(pairEmbedding({
    table: concat([device.zeros([bins, c]), known, add(ofDistance, known)], 0),
    classes,
    left: embedding(rowsOf(params.aatypeLinear_2), aatype),
    right: embedding(rowsOf(params.aatypeLinear_1), aatype),
    ...(biases.length && { bias: biases.reduce(add) }),
    residual: told,
  }, { consume: true }));
}
