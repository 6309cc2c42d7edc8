import type { Tensor } from "../../core/mod.ts";
import {
  add,
  addScalar,
  linear,
  matmul,
  multiply,
  multiplyScalar,
  outerProductMean as outerProductMeanOp,
  reciprocal,
  reshape,
} from "../../ops/mod.ts";
import { checkRepresentation, checkShape } from "../layers/check_shape.ts";
import { normalize } from "../layers/layer_norm.ts";
import type { OuterProductMeanParams } from "./params.ts";

/** Added to the number of sequences that a mean is over. */
const EPS = 1e-3;

/** How the outer product mean runs. */
export interface OuterProductMeanOptions {
  /** 1 for residues that are there, 0 for padding: `[batch, N_seq, N_res]`. @default all are */
  readonly mask?: Tensor;
  /** Added to the update: `[batch, N_res, N_res, c_z]`. */
  readonly residual?: Tensor;
}

/**
 * Tells the pair representation of the MSA: for each pair of columns, the mean over sequences of the outer product of
 * what stands in them. The mean is over the sequences that have both residues.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 10 "OuterProductMean".
 *
 * @param m `[batch, N_seq, N_res, c_m]`.
 * @returns The update (plus the residual), `[batch, N_res, N_res, c_z]`.
 */
export function outerProductMean(
  { layerNorm, linear_1, linear_2, linearOut: { weight, bias } }: OuterProductMeanParams,
  m: Tensor,
  { mask, residual }: OuterProductMeanOptions = {},
): Tensor {
  const of = "outerProductMean";
  checkRepresentation(of, "m", m, ["N_seq", "N_res"], layerNorm.weight.size, { mask });
  const [batch, nSeq, nRes] = m.shape;
  if (residual) checkShape(of, "residual", residual, [batch, nRes, nRes, weight.shape[0]]);
  const x = normalize(layerNorm, m); // line 1
  const a = linear(x, linear_1), b = linear(x, linear_2); // line 2
  // DEVIATION(Alg. 10): the projection to c_z, its bias included, comes before the division, as in the published code
  if (!mask) {
    const scale = 1 / (EPS + nSeq);
    const scaled = bias && multiplyScalar(bias, scale);
    return outerProductMeanOp({ a, b, weight, bias: scaled, residual }, { scale }); // lines 3 and 4
  }
  const column = reshape(mask, [...mask.shape, 1]);
  const masked = { a: multiply(a, column), b: multiply(b, column) };
  const total = outerProductMeanOp({ ...masked, weight, bias }, { scale: 1 }); // lines 3 and 4
  const count = matmul(mask, mask, { transposeA: true });
  const update = multiply(total, reshape(reciprocal(addScalar(count, EPS)), [...count.shape, 1]));
  return residual ? add(residual, update) : update;
}
