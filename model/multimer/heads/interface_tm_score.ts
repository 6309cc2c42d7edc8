import type { Tensor } from "../../../core/mod.ts";
import { addScalar, divide, equal, max, multiply, negate, reshape, sum, where } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { sameChain } from "../templates/template_pair_embedder.ts";

/** Added to the denominators of means. */
const EPS = 1e-8;

/**
 * Predicted TM score of the interfaces (ipTM): of each alignment the mean over residues of other chains, where it is
 * largest. 0 for one chain.
 *
 * Source: Evans et al. (2021), equation 2; the published code's `predicted_tm_score(interface=True)`.
 *
 * @param tmTerms `PairErrors.tmTerms`, whose scale is that of all residues: `[batch, N_res, N_res]`.
 * @param asymId Which chain a residue is of, i32 `[batch, N_res]`.
 * @param residueWeights `[batch, N_res]`, as they were given for the terms. @default all residues count
 * @returns `[batch]`, owned by the current scope.
 */
export function interfaceTmScore(tmTerms: Tensor, asymId: Tensor, residueWeights?: Tensor): Tensor {
  const { device, shape: [batch, nRes] } = tmTerms;
  checkShape("interfaceTmScore", "tmTerms", tmTerms, ["batch", "N_res", "N_res"]);
  checkShape("interfaceTmScore", "asymId", asymId, [batch, nRes], "i32");
  if (residueWeights) checkShape("interfaceTmScore", "residueWeights", residueWeights, [batch, nRes]);
  using scope = device.scope("interfaceTmScore");
  const across = addScalar(negate(sameChain(asymId)), 1);
  const weights = residueWeights
    ? multiply(
      across,
      multiply(reshape(residueWeights, [batch, nRes, 1]), reshape(residueWeights, [batch, 1, nRes])),
    )
    : across;
  const total = addScalar(sum(weights, { axes: [-1] }), EPS);
  const ofAlignment = divide(sum(multiply(tmTerms, weights), { axes: [-1] }), total);
  if (!residueWeights) return scope.keep(max(ofAlignment, { axes: [-1] }));
  const weighted = multiply(ofAlignment, residueWeights);
  const best = equal(weighted, max(weighted, { axes: [-1], keepDims: true }));
  return scope.keep(max(where(best, ofAlignment, device.zeros([])), { axes: [-1] }));
}

/**
 * What predictions of complexes are ranked by: 0.8 ipTM + 0.2 pTM. The published code's `ranking_confidence`.
 *
 * @param interfaceWeight The first of the two weights; they sum to 1. @default 0.8
 */
export function rankingScore(interfaceTm: number, tm: number, interfaceWeight = 0.8): number {
  return interfaceWeight * interfaceTm + (1 - interfaceWeight) * tm;
}

/**
 * Predicted TM scores of every pair of chains: {@linkcode interfaceTmScore} of these two alone, with the scale of the whole
 * complex.
 *
 * @param tmTerms `[N_res, N_res]`, row by row.
 * @param asymId Which chain each residue is of; the chains are numbered as they are met.
 * @returns For each chain a row of scores with each other; NaN on the diagonal.
 */
export function interfaceTmScores(tmTerms: ArrayLike<number>, asymId: ArrayLike<number>): number[][] {
  const n = asymId.length;
  const numbers = new Map<number, number>();
  const chainOf = Array.from({ length: n }, (_, i) => {
    if (!numbers.has(asymId[i])) numbers.set(asymId[i], numbers.size);
    return numbers.get(asymId[i])!;
  });
  const count = numbers.size;
  const size = new Array<number>(count).fill(0);
  for (const chain of chainOf) size[chain]++;
  const best = Array.from({ length: count }, () => new Array<number>(count).fill(0));
  const sums = new Float64Array(count);
  for (let i = 0; i < n; i++) {
    sums.fill(0);
    for (let j = 0; j < n; j++) sums[chainOf[j]] += tmTerms[i * n + j];
    const own = chainOf[i];
    for (let other = 0; other < count; other++) {
      if (other === own) continue;
      const mean = sums[other] / (size[other] + EPS);
      if (mean > best[own][other]) best[own][other] = best[other][own] = Math.max(mean, best[other][own]);
    }
  }
  return best.map((row, a) => row.map((value, b) => (a === b ? NaN : value)));
}
