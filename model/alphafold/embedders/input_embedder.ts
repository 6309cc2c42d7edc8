import { noGrad, type Tensor } from "../../../core/mod.ts";
import {
  add,
  broadcastTo,
  cast,
  concat,
  isTracked,
  linear,
  linearInto,
  type LinearParams,
  offsetClasses,
  pairEmbedding,
  permute,
  plainLinear,
  readPart,
  reshape,
  slice,
  writePart,
} from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { inParts, partsOf } from "../../layers/in_parts.ts";
import { MULTIMER, relativeFeatures } from "../../multimer/config.ts";
import { type ChainIds, relativeEncoding } from "../../multimer/relative_encoding.ts";
import type { InputEmbedderParams } from "./params.ts";

/** What the pair representation is first made of. */
export interface PairInputs {
  /** Features of the residues, `[batch, N_res, 22]`; 21 in a complex. */
  readonly targetFeat: Tensor;
  /** Numbers of the residues along their chain, i32 `[batch, N_res]`. */
  readonly residueIndex: Tensor;
  /** Chains of a complex. @default there is one, and the network is for one */
  readonly chains?: ChainIds;
  /** Copies of a chain apart from which on all offsets among copies are alike. @default 2 */
  readonly maxRelativeChain?: number;
}

/**
 * The first MSA representation: features of the clusters, and of the target in every row.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 3 "InputEmbedder", line 4.
 *
 * @param targetFeat `[batch, N_res, 22]`.
 * @param msaFeat `[batch, N_seq, N_res, 49]`.
 * @param firstRow Added to the first row, `[batch, N_res, c_m]`. @default nothing
 * @param behind Rows that follow, `[batch, T, N_res, c_m]`. @default none
 * @returns `[batch, N_seq + T, N_res, c_m]`.
 */
export function embedMsa(
  { linearTfM, linearMsaM }: Pick<InputEmbedderParams, "linearTfM" | "linearMsaM">,
  targetFeat: Tensor,
  msaFeat: Tensor,
  firstRow?: Tensor,
  behind?: Tensor,
): Tensor {
  checkShape("embedMsa", "msaFeat", msaFeat, ["batch", "N_seq", "N_res", linearMsaM.weight.shape[1]]);
  const { device, shape: [batch, nSeq, nRes] } = msaFeat;
  checkShape("embedMsa", "targetFeat", targetFeat, [batch, nRes, linearTfM.weight.shape[1]]);
  const cM = linearMsaM.weight.shape[0];
  using scope = device.scope("embedMsa");
  if (firstRow) checkShape("embedMsa", "firstRow", firstRow, [batch, nRes, cM]);
  if (behind) checkShape("embedMsa", "behind", behind, [batch, "T", nRes, cM]);
  const target = linear(targetFeat, linearTfM);
  if (!isTracked(target, msaFeat, linearMsaM.weight, linearMsaM.bias, firstRow, behind)) {
    return scope.keep(embedMsaInPlace(linearMsaM, target, msaFeat, firstRow, behind));
  }
  const size = batch * nSeq * nRes * cM;
  const rows = (msaFeat: Tensor, added: Tensor) =>
    inParts(
      device,
      { axis: 1, count: msaFeat.shape[1], size },
      { split: msaFeat, whole: { added: reshape(added, [batch, 1, nRes, cM]), linearMsaM } },
      ({ split: msaFeat, whole: { added, linearMsaM } }) =>
        linear(msaFeat, linearMsaM, { residual: broadcastTo(added, [batch, msaFeat.shape[1], nRes, cM]) }),
    );
  const parts: Tensor[] = behind ? [behind] : [];
  const joined = (first: readonly Tensor[]) => {
    const all = [...first, ...parts];
    return scope.keep(all.length === 1 ? all[0] : concat(all, 1));
  };
  if (!firstRow) return joined([rows(msaFeat, target)]);
  const some = (from: number, to: number) => slice(msaFeat, [0, from, 0, 0], [batch, to, nRes, msaFeat.shape[3]]);
  const first = rows(some(0, 1), add(target, firstRow));
  return joined(nSeq === 1 ? [first] : [first, rows(some(1, nSeq), target)]);
}

/** The same without a gradient: rows are added up where they belong. */
function embedMsaInPlace(
  linearMsaM: LinearParams,
  target: Tensor,
  msaFeat: Tensor,
  firstRow: Tensor | undefined,
  behind: Tensor | undefined,
): Tensor {
  const { device, shape: [batch, nSeq, nRes] } = msaFeat;
  const cM = target.shape[2];
  return noGrad(device, () => {
    const dtype = cM % 4 === 0 ? device.representations : "f32";
    const m = device.empty([batch, nSeq + (behind?.shape[1] ?? 0), nRes, cM], dtype);
    const size = 4 * batch * nSeq * nRes * cM; // of the features and what is added, and copies of both
    for (const [from, to] of partsOf(device, { count: nSeq, size })) {
      using _ = device.scope("part");
      const part = { axis: 1, from, to };
      const added = broadcastTo(reshape(target, [batch, 1, nRes, cM]), [batch, to - from, nRes, cM]);
      writePart(added, m, part);
      added.dispose();
      linearInto(readPart(msaFeat, part), linearMsaM, m, part, { onTop: true });
    }
    if (firstRow) {
      using _ = device.scope("firstRow");
      const first = { axis: 1, from: 0, to: 1 };
      writePart(add(cast(readPart(m, first), "f32"), reshape(firstRow, [batch, 1, nRes, cM])), m, first);
    }
    if (behind) writePart(behind, m, { axis: 1, from: nSeq, to: m.shape[1] });
    return m;
  });
}

/**
 * The first pair representation: features of both residues, and how far they lie apart along the chain; in a complex,
 * also how their chains are related.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 3 "InputEmbedder", lines 1-3, with Alg. 4 "relpos" and Alg. 5 "one_hot"; Evans
 * et al. (2021), Suppl. 7.1, for complexes.
 *
 * @param residual Added, `[batch, N_res, N_res, c_z]`. @default nothing
 * @param options `consume`: whether the residual is not needed any more, so that without a gradient the result takes its
 * place (@default false).
 * @returns `[batch, N_res, N_res, c_z]`.
 */
export function embedPairs(
  { linearTfZI, linearTfZJ, linearRelpos }: Pick<InputEmbedderParams, "linearTfZI" | "linearTfZJ" | "linearRelpos">,
  { targetFeat, residueIndex, chains, maxRelativeChain = MULTIMER.maxRelativeChain }: PairInputs,
  residual?: Tensor,
  { consume = false }: { readonly consume?: boolean } = {},
): Tensor {
  const { device, shape: [batch, nRes] } = targetFeat;
  checkShape("embedPairs", "targetFeat", targetFeat, ["batch", "N_res", linearTfZI.weight.shape[1]]);
  checkShape("embedPairs", "residueIndex", residueIndex, [batch, nRes], "i32");
  using scope = device.scope("embedPairs");
  const { weight, bias } = plainLinear(linearRelpos); // the op knows no adapters
  const relative = chains
    ? relativeEncoding(weight, residueIndex, chains, {
      residues: (weight.shape[1] - relativeFeatures(0, maxRelativeChain)) / 2,
      copies: maxRelativeChain,
    })
    : { table: permute(weight, [1, 0]), classes: offsetClasses(residueIndex, (weight.shape[1] - 1) / 2) };
  return scope.keep(pairEmbedding({
    ...relative,
    bias,
    left: linear(targetFeat, linearTfZI), // line 1
    right: linear(targetFeat, linearTfZJ),
    residual,
  }, { consume })); // lines 2 and 3
}
