/** What the network's embedders read of sequence and alignment. */
import { RESIDUE_TYPES } from "../../../model/protein/residue_constants.ts";
import { checkSize, checkTokens, checkTypes } from "./_check.ts";
import type { ClusterSummary } from "./clusters.ts";
import { MASKED_CLASSES } from "./masked_msa.ts";

/** Numbers a place of `msa_feat`. */
export const MSA_FEAT = 49;

/** Numbers a residue of `target_feat`. */
export const TARGET_FEAT = 22;

/** Deletions as the network reads them. */
export interface DeletionFeatures {
  /** 1 where residues were left out. */
  readonly has_deletion: Float32Array;
  /** 2/π · atan(number left out / 3), from 0 to 1. */
  readonly deletion_value: Float32Array;
}

/**
 * Features of the residues: a break in the chain before it, and the type, one of 21.
 *
 * Source: AlphaFold's `make_msa_feat`; Jumper et al. (2021), Suppl. Table 1.
 *
 * @param betweenSegmentResidues Residues missing before each, `[N_res]`. @default 0 everywhere
 * @returns `[N_res, 22]`
 * @throws {RangeError} If a residue type is not 0 … 20.
 */
export function makeTargetFeat(aatype: ArrayLike<number>, betweenSegmentResidues?: ArrayLike<number>): Float32Array {
  checkTypes("makeTargetFeat", aatype);
  if (betweenSegmentResidues) {
    checkSize("makeTargetFeat", "betweenSegmentResidues", betweenSegmentResidues, aatype.length);
  }
  const features = new Float32Array(aatype.length * TARGET_FEAT);
  for (let i = 0; i < aatype.length; i++) {
    features[i * TARGET_FEAT] = clip(betweenSegmentResidues?.[i] ?? 0);
    features[i * TARGET_FEAT + 1 + aatype[i]] = 1;
  }
  return features;
}

/**
 * Features of the clusters: token (23), has_deletion, deletion_value, cluster profile (23), mean deletion value.
 *
 * Source: AlphaFold's `make_msa_feat`; Jumper et al. (2021), Suppl. Table 1.
 *
 * @param msa Tokens with hidden residues, 0 … 22, `[N_clust, N_res]`.
 * @param deletions Residues left out before each, `[N_clust, N_res]`.
 * @param summary Of the clusters.
 * @returns `[N_clust, N_res, 49]`
 * @throws {TypeError} If the sizes do not fit together.
 * @throws {RangeError} If a token is not 0 … 22.
 */
export function makeMsaFeat(
  msa: ArrayLike<number>,
  deletions: ArrayLike<number>,
  { cluster_profile, cluster_deletion_mean }: ClusterSummary,
): Float32Array {
  const owner = "makeMsaFeat";
  checkTokens(owner, "msa", msa, MASKED_CLASSES);
  checkSize(owner, "deletions", deletions, msa.length);
  checkSize(owner, "cluster_profile", cluster_profile, msa.length * MASKED_CLASSES);
  checkSize(owner, "cluster_deletion_mean", cluster_deletion_mean, msa.length);
  const features = new Float32Array(msa.length * MSA_FEAT);
  for (let i = 0; i < msa.length; i++) {
    const at = i * MSA_FEAT;
    features[at + msa[i]] = 1;
    features[at + 23] = clip(deletions[i]);
    features[at + 24] = squash(deletions[i]);
    features.set(cluster_profile.subarray(i * MASKED_CLASSES, (i + 1) * MASKED_CLASSES), at + 25);
    features[at + 48] = squash(cluster_deletion_mean[i]);
  }
  return features;
}

/** Deletions as the network reads them; any shape. */
export function makeDeletionFeatures(deletions: ArrayLike<number>): DeletionFeatures {
  return { has_deletion: Float32Array.from(deletions, clip), deletion_value: Float32Array.from(deletions, squash) };
}

/** One-hot rows of `aatype`, as pickled features have it, back to types. */
export function typesOfOneHot(oneHot: ArrayLike<number>, classes: number = RESIDUE_TYPES): Int32Array {
  const types = new Int32Array(oneHot.length / classes);
  for (let i = 0; i < types.length; i++) {
    for (let k = 1; k < classes; k++) if (oneHot[i * classes + k] > oneHot[i * classes + types[i]]) types[i] = k;
  }
  return types;
}

function clip(count: number): number {
  return Math.min(Math.max(count, 0), 1);
}

function squash(count: number): number {
  return Math.atan(count / 3) * (2 / Math.PI);
}
