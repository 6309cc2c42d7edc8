import type { Tensor } from "../../../core/mod.ts";
import {
  add,
  broadcastTo,
  concat,
  linear,
  offsetClasses,
  pairEmbedding,
  permute,
  plainLinear,
  reshape,
  slice,
} from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { inParts } from "../../layers/in_parts.ts";
import type { InputEmbedderParams } from "./params.ts";

/** What the pair representation is first made of. */
export interface PairInputs {
  /** Features of the residues, `[batch, N_res, 22]`. */
  readonly targetFeat: Tensor;
  /** Numbers of the residues along their chain, i32 `[batch, N_res]`. */
  readonly residueIndex: Tensor;
}

/**
 * The first MSA representation: features of the clusters, and of the target in every row.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 3 "InputEmbedder", line 4.
 *
 * @param targetFeat `[batch, N_res, 22]`.
 * @param msaFeat `[batch, N_seq, N_res, 49]`.
 * @param firstRow Added to the first row, `[batch, N_res, c_m]`. @default nothing
 * @returns `[batch, N_seq, N_res, c_m]`.
 */
export function embedMsa(
  { linearTfM, linearMsaM }: Pick<InputEmbedderParams, "linearTfM" | "linearMsaM">,
  targetFeat: Tensor,
  msaFeat: Tensor,
  firstRow?: Tensor,
): Tensor {
  checkShape("embedMsa", "msaFeat", msaFeat, ["batch", "N_seq", "N_res", linearMsaM.weight.shape[1]]);
  const { device, shape: [batch, nSeq, nRes] } = msaFeat;
  checkShape("embedMsa", "targetFeat", targetFeat, [batch, nRes, linearTfM.weight.shape[1]]);
  const cM = linearMsaM.weight.shape[0];
  using scope = device.scope("embedMsa");
  if (firstRow) checkShape("embedMsa", "firstRow", firstRow, [batch, nRes, cM]);
  const target = linear(targetFeat, linearTfM);
  const size = batch * nSeq * nRes * cM;
  const rows = (msaFeat: Tensor, added: Tensor) =>
    inParts(
      device,
      { axis: 1, count: msaFeat.shape[1], size },
      { split: msaFeat, whole: { added: reshape(added, [batch, 1, nRes, cM]), linearMsaM } },
      ({ split: msaFeat, whole: { added, linearMsaM } }) =>
        linear(msaFeat, linearMsaM, { residual: broadcastTo(added, [batch, msaFeat.shape[1], nRes, cM]) }),
    );
  if (!firstRow) return scope.keep(rows(msaFeat, target));
  const some = (from: number, to: number) => slice(msaFeat, [0, from, 0, 0], [batch, to, nRes, msaFeat.shape[3]]);
  const first = rows(some(0, 1), add(target, firstRow));
  return scope.keep(nSeq === 1 ? first : concat([first, rows(some(1, nSeq), target)], 1));
}

/**
 * The first pair representation: features of both residues, and how far they lie apart along the chain.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 3 "InputEmbedder", lines 1-3, with Alg. 4 "relpos" and Alg. 5 "one_hot".
 *
 * @param residual Added, `[batch, N_res, N_res, c_z]`. @default nothing
 * @returns `[batch, N_res, N_res, c_z]`.
 */
export function embedPairs(
  { linearTfZI, linearTfZJ, linearRelpos }: Pick<InputEmbedderParams, "linearTfZI" | "linearTfZJ" | "linearRelpos">,
  { targetFeat, residueIndex }: PairInputs,
  residual?: Tensor,
): Tensor {
  const { device, shape: [batch, nRes] } = targetFeat;
  checkShape("embedPairs", "targetFeat", targetFeat, ["batch", "N_res", linearTfZI.weight.shape[1]]);
  checkShape("embedPairs", "residueIndex", residueIndex, [batch, nRes], "i32");
  using scope = device.scope("embedPairs");
  const { weight, bias } = plainLinear(linearRelpos); // the op knows no adapters
  return scope.keep(pairEmbedding({
    table: permute(weight, [1, 0]),
    bias,
    classes: offsetClasses(residueIndex, (weight.shape[1] - 1) / 2),
    left: linear(targetFeat, linearTfZI), // line 1
    right: linear(targetFeat, linearTfZJ),
    residual,
  })); // lines 2 and 3
}
