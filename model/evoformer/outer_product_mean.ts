import { leaves, type Tensor } from "../../core/mod.ts";
import {
  add,
  addScalar,
  isTracked,
  type LinearParams,
  matmul,
  multiply,
  multiplyScalar,
  outerProductMean as outerProductMeanOp,
  plainLinear,
  reciprocal,
  reshape,
} from "../../ops/mod.ts";
import { checkRepresentation, checkShape } from "../layers/check_shape.ts";
import { inParts, isMadeInParts, linearInParts } from "../layers/in_parts.ts";
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
  /** Whether the residual is not needed any more: without a gradient the result takes its place. @default false */
  readonly consume?: boolean;
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
  { layerNorm, linear_1, linear_2, linearOut }: OuterProductMeanParams,
  m: Tensor,
  { mask, residual, consume }: OuterProductMeanOptions = {},
): Tensor {
  const of = "outerProductMean";
  checkRepresentation(of, "m", m, ["N_seq", "N_res"], layerNorm.weight.size, { mask });
  const [batch, nSeq, nRes] = m.shape;
  if (residual) checkShape(of, "residual", residual, [batch, nRes, nRes, linearOut.weight.shape[0]]);
  using scope = m.device.scope(of);
  const { weight, bias } = linearOut.adapter ? plainLinear(linearOut) : linearOut; // the op knows no adapters
  const plan = { axis: 1, count: nSeq, size: 2 * m.size }; // what is normalized stands beside both projections
  const parts = isMadeInParts(m.device, plan, [m, layerNorm, linear_1, linear_2]);
  const x = parts ? m : normalize(layerNorm, m); // line 1
  const project = (map: LinearParams) =>
    // line 2; what is read in parts is normalized for each side
    linearInParts(
      m.device,
      plan,
      { x, layerNorm: parts ? layerNorm : undefined, split: { mask }, whole: map },
      ({ x, split: { mask }, whole: map }) => ({ x, map, factor: mask }),
    );
  const a = project(linear_1), b = project(linear_2);
  if (!parts) x.dispose();
  // DEVIATION(Alg. 10): the projection to c_z, its bias included, comes before the division, as in the published code
  if (!mask) {
    const scale = 1 / (EPS + nSeq);
    const scaled = bias && multiplyScalar(bias, scale);
    return scope.keep(outerProductMeanOp({ a, b, weight, bias: scaled, residual }, { scale, consume })); // lines 3 and 4
  }
  const count = matmul(mask, mask, { transposeA: true });
  const factor = reciprocal(addScalar(count, EPS));
  if (!isTracked(m, mask, residual, ...leaves<Tensor>([layerNorm, linear_1, linear_2, linearOut]))) {
    return scope.keep(outerProductMeanOp({ a, b, weight, bias, residual }, { scale: 1, factor, consume }));
  }
  return scope.keep(inParts(
    m.device,
    { axis: 1, inputAxis: { a: 2 }, count: nRes, size: 2 * batch * nRes ** 2 * weight.shape[0] },
    { split: { a, factor: reshape(factor, [...factor.shape, 1]), residual }, whole: { b, weight, bias } },
    ({ split: { a, factor, residual }, whole }) => {
      const update = multiply(outerProductMeanOp({ a, ...whole }, { scale: 1 }), factor); // lines 3 and 4
      return residual ? add(residual, update) : update;
    },
  ));
}
