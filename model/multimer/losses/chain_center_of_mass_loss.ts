import { noGrad, type Tensor } from "../../../core/mod.ts";
import {
  addScalar,
  clamp,
  divide,
  matmul,
  multiply,
  oneHot,
  reshape,
  slice,
  sqrt,
  square,
  subtract,
  sum,
} from "../../../ops/mod.ts";
import { maskedMean } from "../../alphafold/losses/masked_mean.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { ATOM_SLOTS, SLOT } from "../../protein/residues.ts";

/** Choices of {@linkcode chainCenterOfMassLoss}. */
export interface CenterOfMassOptions {
  /** Å by which chains may be closer than they are at no cost. @default 4 */
  readonly tolerance?: number;
  /** Factor of the distances that are squared; the published code has the term's weight here as well. @default 0.05 */
  readonly factor?: number;
}

/** Least distance of two centres, Å; added to the number of pairs. */
const LEAST = 1e-10, EPS = 1e-4;

/**
 * Punishes chains that lie closer to each other than they should: the mean over all pairs of chains, each with itself too, of
 * the square of how far the distance of their centres falls below the true one less a tolerance.
 *
 * Source: Evans et al. (2021), Suppl. 7.4, equation 1; OpenFold's `chain_center_of_mass_loss`.
 *
 * @param positions The prediction, Å, `[batch, N_res, 37, 3]`.
 * @param truth Å, of the same shape.
 * @param mask 1 for atoms that are known, `[batch, N_res, 37]`.
 * @param asymId Which chain a residue is of, 0 … N_res, i32 `[batch, N_res]`.
 * @returns `[batch]`.
 * @throws {TypeError} If shapes do not fit together.
 */
export function chainCenterOfMassLoss(
  positions: Tensor,
  truth: Tensor,
  mask: Tensor,
  asymId: Tensor,
  { tolerance = 4, factor = 0.05 }: CenterOfMassOptions = {},
): Tensor {
  const of = "chainCenterOfMassLoss";
  checkShape(of, "positions", positions, ["batch", "N_res", ATOM_SLOTS, 3]);
  const { device, shape: [batch, n] } = positions;
  checkShape(of, "truth", truth, positions.shape);
  checkShape(of, "mask", mask, [batch, n, ATOM_SLOTS]);
  checkShape(of, "asymId", asymId, [batch, n], "i32");
  using scope = device.scope(of);
  const chains = n + 1;
  const { members, pairs } = noGrad(device, () => {
    const known = alphas(reshape(mask, [batch, n, ATOM_SLOTS, 1]));
    const members = multiply(oneHot(asymId, chains), known); // [batch, N_res, chains]
    const there = clamp(sum(members, { axes: [1] }), 0, 1);
    return { members, pairs: multiply(reshape(there, [batch, chains, 1]), reshape(there, [batch, 1, chains])) };
  });
  const count = noGrad(device, () => addScalar(reshape(sum(members, { axes: [1] }), [batch, chains, 1]), LEAST));
  const distances = (x: Tensor) => {
    const centers = divide(matmul(members, alphas(x), { transposeA: true }), count);
    const apart = subtract(reshape(centers, [batch, chains, 1, 3]), reshape(centers, [batch, 1, chains, 3]));
    return sqrt(clamp(sum(square(apart), { axes: [-1] }), LEAST ** 2, Infinity));
  };
  const lacking = addScalar(subtract(distances(positions), noGrad(device, () => distances(truth))), tolerance);
  const loss = square(clamp(multiply(lacking, device.tensor([factor], [])), -Infinity, 0));
  return scope.keep(maskedMean(loss, pairs, EPS));
}

/** What C-alphas have, `[batch, N_res, width]` of `[batch, N_res, 37, width]`. */
function alphas(x: Tensor): Tensor {
  const [batch, n, , width] = x.shape;
  return reshape(slice(x, [0, 0, SLOT.CA, 0], [batch, n, SLOT.CA + 1, width]), [batch, n, width]);
}
