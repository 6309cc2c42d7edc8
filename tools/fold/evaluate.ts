/** How far a fold is from the true structure. */
import { applyMotion, gdtHa, gdtTs, kabsch, lddt, tmScore } from "../../model/protein/metrics/mod.ts";
import { firstDifference } from "../data/alignment.ts";
import { distanceTarget } from "../data/family.ts";
import { alphaCarbons, type AtomsPerResidue, type Chain, pseudoBeta } from "../data/structure.ts";
import { InputError } from "../errors.ts";
import type { MetricValues } from "../report/report_data.ts";
import type { Fold } from "./fold.ts";

/** Measures of a fold against the true chain. */
export interface FoldEvaluation {
  /** Measures by the names of `STANDARD_METRICS`; `null` where there are too few atoms. */
  readonly values: MetricValues;
  /** The fold's C-alpha atoms, superposed on the true ones, `[N_res, 3]`. */
  readonly alphas: Float32Array;
  /** The fold's C-beta atoms, moved along, `[N_res, 3]`. */
  readonly betas?: Float32Array;
  /** Residues whose C-alpha atom is in the true structure: those that count. */
  readonly residues: number;
}

/**
 * Measures a fold against the true chain, residue by residue; atoms that the true structure lacks are left out.
 *
 * `meanDistanceError` is that of the distances given to the fold, not of its coordinates: the mean of |d - t| over the
 * pairs i < j whose C-beta atoms (C-alpha for glycine) are there, both clamped at the fold's `cap` as in training.
 * `lddt` is lDDT-Cα over all pairs of C-alpha atoms; `tmScore` and the GDTs refer to the number of true C-alpha atoms.
 *
 * @throws {InputError} If the chain's sequence is not the fold's (where both know the residue), or it has no C-alpha atom.
 */
export function evaluateFold(fold: Fold, chain: Chain): FoldEvaluation {
  checkSequence(fold, chain);
  const truth = alphaCarbons(chain);
  const { mask } = truth;
  const residues = mask.reduce((sum, x) => sum + x, 0);
  if (residues === 0) throw new InputError(`Chain ${chain.id} has no C-alpha atom to compare ${fold.id} with`);
  const placed = kabsch(fold.alphas, truth.positions, { mask });
  return {
    values: {
      caRmsd: placed.rmsd,
      cbRmsd: fold.betas ? superposedRmsd(fold.betas, pseudoBeta(chain)) : null,
      meanDistanceError: fold.betas ? meanDistanceError(fold, chain) : null,
      lddt: residues > 1 ? lddt(fold.alphas, truth.positions, { mask }).overall : null,
      tmScore: tmScore(fold.alphas, truth.positions, { mask }).score,
      gdtTs: gdtTs(fold.alphas, truth.positions, { mask }),
      gdtHa: gdtHa(fold.alphas, truth.positions, { mask }),
    },
    alphas: Float32Array.from(placed.points),
    betas: fold.betas && Float32Array.from(applyMotion(placed, fold.betas)),
    residues,
  };
}

function superposedRmsd(points: Float32Array, { positions, mask }: AtomsPerResidue): number | null {
  return mask.includes(1) ? kabsch(points, positions, { mask }).rmsd : null;
}

function meanDistanceError({ distances, cap }: Fold, chain: Chain): number | null {
  const target = distanceTarget(chain, cap);
  const n = chain.sequence.length;
  let sum = 0;
  let count = 0;
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const k = i * n + j;
      if (target.mask[k] === 0) continue;
      sum += Math.abs(Math.min(distances[k], cap) - target.distances[k]);
      count++;
    }
  }
  return count > 0 ? sum / count : null;
}

function checkSequence(fold: Fold, chain: Chain): void {
  const { id, sequence } = fold;
  if (sequence.length !== chain.sequence.length) {
    throw new InputError(
      `Cannot compare ${id} with chain ${chain.id} of the true structure: ${id} has ${sequence.length} residues, ` +
        `the chain ${chain.sequence.length}`,
    );
  }
  const at = firstDifference(sequence, chain.sequence);
  if (at === undefined) return;
  throw new InputError(
    `Cannot compare ${id} with chain ${chain.id} of the true structure: residue ${at + 1} is ${
      sequence[at]
    } in ${id}, ` +
      `${chain.sequence[at]} in the chain`,
  );
}
