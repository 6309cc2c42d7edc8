import type { Tensor } from "../../../core/mod.ts";
import { concat, linear, oneHot, reshape } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { inParts } from "../../layers/in_parts.ts";
import type { ExtraMsaEmbedderParams } from "./params.ts";

/** Letters of a row: 20 residues, unknown, gap, mask. */
const LETTERS = 23;

/** Rows of the alignment that are no clusters' centres. */
export type ExtraMsa = {
  /** Letters, i32 `[batch, N_extra, N_res]`, 0 … 22. */
  readonly extraMsa: Tensor;
  /** 1 where residues were left out before a residue, `[batch, N_extra, N_res]`. */
  readonly extraHasDeletion: Tensor;
  /** How many, squashed to 0 … 1, `[batch, N_extra, N_res]`. */
  readonly extraDeletionValue: Tensor;
};

/**
 * Features of the extra rows: letter (23), whether and how many residues were left out before it.
 *
 * Source: Jumper et al. (2021), Suppl. Table 1.
 *
 * @returns `[batch, N_extra, N_res, 25]`.
 */
export function extraMsaFeatures({ extraMsa, extraHasDeletion, extraDeletionValue }: ExtraMsa): Tensor {
  const shape = extraMsa.shape;
  checkShape("extraMsaFeatures", "extraMsa", extraMsa, ["batch", "N_extra", "N_res"], "i32");
  checkShape("extraMsaFeatures", "extraHasDeletion", extraHasDeletion, shape);
  checkShape("extraMsaFeatures", "extraDeletionValue", extraDeletionValue, shape);
  using scope = extraMsa.device.scope("extraMsaFeatures");
  const column = (x: Tensor) => reshape(x, [...shape, 1]);
  return scope.keep(concat([oneHot(extraMsa, LETTERS), column(extraHasDeletion), column(extraDeletionValue)], -1));
}

/**
 * The extra-MSA representation.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 2 "Inference", line 14.
 *
 * @returns `[batch, N_extra, N_res, c_e]`.
 */
export function embedExtraMsa(params: ExtraMsaEmbedderParams, rows: ExtraMsa): Tensor {
  const { extraMsa: { device, shape, size } } = rows;
  const [c, features] = params.linear.weight.shape;
  const { extraMsa, extraHasDeletion, extraDeletionValue } = rows;
  return inParts(
    device,
    { axis: 1, count: shape[1], size: size * Math.max(c, features) },
    { split: { extraMsa, extraHasDeletion, extraDeletionValue }, whole: params },
    ({ split, whole }) => linear(extraMsaFeatures(split), whole.linear),
  );
}
