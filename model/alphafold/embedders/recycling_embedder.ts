import type { Tensor } from "../../../core/mod.ts";
import { distanceClasses, pairEmbedding, permute, plainLinear } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { normalize } from "../../layers/layer_norm.ts";
import { binBounds, type RecyclingConfig } from "../config.ts";
import type { RecyclingEmbedderParams } from "./params.ts";

/** Square root of the square of Å from which on no distance has a class. */
const END = 1e4;

/** What an iteration leaves to the next. */
export type Recycled = {
  /** The MSA representation's first row, `[batch, N_res, c_m]`. */
  readonly m: Tensor;
  /** The pair representation, `[batch, N_res, N_res, c_z]`. */
  readonly z: Tensor;
  /** C-betas (C-alphas of glycines), Å, `[batch, N_res, 3]`. */
  readonly positions: Tensor;
};

/**
 * What the last iteration adds to the first row of the MSA representation.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 32 "RecyclingEmbedder", line 4.
 *
 * @param m `[batch, N_res, c_m]`.
 * @returns `[batch, N_res, c_m]`.
 */
export function recycledRow({ layerNormM }: Pick<RecyclingEmbedderParams, "layerNormM">, m: Tensor): Tensor {
  checkShape("recycledRow", "m", m, ["batch", "N_res", layerNormM.weight.size]);
  return normalize(layerNormM, m);
}

/**
 * What the last iteration adds to the pair representation: its own, normalized, and the distances of its structure.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 32 "RecyclingEmbedder", lines 1-3 and 5. Distances have no gradient: they
 * count by their class, and iterations are not differentiated through.
 *
 * @param options `consume`: whether z is not needed any more: it is disposed of once read (@default false).
 * @returns `[batch, N_res, N_res, c_z]`, on top of what is given as `residual`.
 */
export function recycledPairs(
  { linear, layerNormZ }: RecyclingEmbedderParams,
  { z, positions }: Pick<Recycled, "z" | "positions">,
  config: RecyclingConfig,
  { consume = false }: { readonly consume?: boolean } = {},
): Tensor {
  const { device, shape: [batch, nRes] } = z;
  checkShape("recycledPairs", "z", z, ["batch", "N_res", "N_res", layerNormZ.weight.size]);
  checkShape("recycledPairs", "positions", positions, [batch, nRes, 3]);
  using scope = device.scope("recycledPairs");
  const classes = distanceClasses(positions, { bounds: binBounds(config), end: END }); // lines 1 and 2
  const residual = normalize(layerNormZ, z); // line 5
  if (consume) z.dispose();
  const { weight, bias } = plainLinear(linear); // the op knows no adapters
  return scope.keep(pairEmbedding({ table: permute(weight, [1, 0]), bias, classes, residual }, { consume: true })); // line 3
}
