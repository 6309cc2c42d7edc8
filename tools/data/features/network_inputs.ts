/** From the features of a target to what the network reads, with random choices from a key. */
import type { Key } from "../../../core/mod.ts";
import { takeRows } from "./_rows.ts";
import { checkSize, rowCount } from "./_check.ts";
import type { SequenceFeatures } from "./chain.ts";
import { nearestNeighborClusters, summarizeClusters } from "./clusters.ts";
import { makeMaskedMsa, type MaskedMsaOptions } from "./masked_msa.ts";
import { correctMsaRestypes, makeHhblitsProfile, type MsaFeatures } from "./msa.ts";
import { makeDeletionFeatures, makeMsaFeat, makeTargetFeat } from "./msa_feat.ts";

/** Choices of {@linkcode makeNetworkInputs}. */
export interface NetworkInputOptions {
  /** Most rows in the main stack. @default 512 */
  readonly maxMsaClusters?: number;
  /** Most rows in the extra stack. @default 1024 */
  readonly maxExtraMsa?: number;
  /** How residues are hidden; `false` hides none. @default as in AlphaFold's training */
  readonly maskedMsa?: MaskedMsaOptions | false;
}

/** What the network reads of sequence and alignment. */
export interface NetworkInputs extends SequenceFeatures {
  /** `[N_res, 22]` */
  readonly target_feat: Float32Array;
  /** 1 for every residue, `[N_res]`. */
  readonly seq_mask: Float32Array;
  /** `[N_clust, N_res, 49]` */
  readonly msa_feat: Float32Array;
  /** 1 everywhere, `[N_clust, N_res]`. */
  readonly msa_mask: Float32Array;
  /** 1 for every row, `[N_clust]`. */
  readonly msa_row_mask: Float32Array;
  /** Tokens before residues were hidden, `[N_clust, N_res]`. */
  readonly true_msa: Int32Array;
  /** 1 where a residue was hidden, `[N_clust, N_res]`. */
  readonly bert_mask: Float32Array;
  /** `[N_extra, N_res]` */
  readonly extra_msa: Int32Array;
  /** 1 everywhere, `[N_extra, N_res]`. */
  readonly extra_msa_mask: Float32Array;
  /** 1 for every row, `[N_extra]`. */
  readonly extra_msa_row_mask: Float32Array;
  /** `[N_extra, N_res]` */
  readonly extra_has_deletion: Float32Array;
  /** `[N_extra, N_res]` */
  readonly extra_deletion_value: Float32Array;
}

/** Rows of the main stack, and the others. */
export interface SampledRows {
  /** The query first. */
  readonly selected: Int32Array;
  /** In random order. */
  readonly others: Int32Array;
}

/**
 * Draws the rows of the main stack: the query and others at random.
 *
 * Source: AlphaFold's `sample_msa`.
 *
 * @throws {RangeError} If there is no row or no place.
 */
export function sampleMsaRows(rows: number, maxRows: number, key: Key): SampledRows {
  if (!(rows > 0 && maxRows > 0)) {
    throw new RangeError(`Cannot choose ${maxRows} of ${rows} rows: expected at least 1 of each`);
  }
  const order = Int32Array.from([0, ...key.permutation(rows - 1).map((row) => row + 1)]);
  return { selected: order.slice(0, maxRows), others: order.slice(maxRows) };
}

/**
 * What the network reads of a target: rows drawn, residues hidden, the other rows in clusters.
 *
 * The same key gives the same features on every machine. For the samples of recycling call it with `key.at(iteration)`.
 *
 * Source: Jumper et al. (2021), Suppl. 1.2.6 to 1.2.9.
 *
 * @param sequence Of the query.
 * @param msa Of its alignments, tokens in HHblits' order.
 * @param key For all random choices.
 * @throws {TypeError} If the sizes do not fit together.
 * @throws {RangeError} If an option is out of range.
 */
export function makeNetworkInputs(
  sequence: SequenceFeatures,
  msa: Pick<MsaFeatures, "msa" | "deletion_matrix_int">,
  key: Key,
  options: NetworkInputOptions = {},
): NetworkInputs {
  const { maxMsaClusters = 512, maxExtraMsa = 1024, maskedMsa = {} } = options;
  const columns = sequence.aatype.length;
  const rows = rowCount("makeNetworkInputs", "msa", msa.msa, columns);
  checkSize("makeNetworkInputs", "deletion_matrix_int", msa.deletion_matrix_int, msa.msa.length);
  const [rowKey, maskKey, extraKey] = key.split(3);
  const { selected, others } = sampleMsaRows(rows, maxMsaClusters, rowKey);
  const types = correctMsaRestypes(msa.msa);
  const profile = makeHhblitsProfile(types, columns);
  const chosen = takeRows(types, columns, selected);
  const masked = makeMaskedMsa(chosen, profile, maskKey, maskedMsa === false ? { replaceFraction: 0 } : maskedMsa);
  const centers = { msa: masked.msa, deletions: takeRows(msa.deletion_matrix_int, columns, selected) };
  const extra = {
    msa: takeRows(types, columns, others),
    deletions: takeRows(msa.deletion_matrix_int, columns, others),
  };
  const summary = summarizeClusters(centers, extra, nearestNeighborClusters(centers, extra, columns), columns);
  const kept = extraKey.permutation(others.length).slice(0, maxExtraMsa);
  const deletions = makeDeletionFeatures(takeRows(extra.deletions, columns, kept));
  return {
    ...sequence,
    target_feat: makeTargetFeat(sequence.aatype, sequence.between_segment_residues),
    seq_mask: new Float32Array(columns).fill(1),
    msa_feat: makeMsaFeat(masked.msa, centers.deletions, summary),
    msa_mask: new Float32Array(masked.msa.length).fill(1),
    msa_row_mask: new Float32Array(selected.length).fill(1),
    true_msa: masked.true_msa,
    bert_mask: masked.bert_mask,
    extra_msa: takeRows(extra.msa, columns, kept),
    extra_msa_mask: new Float32Array(kept.length * columns).fill(1),
    extra_msa_row_mask: new Float32Array(kept.length).fill(1),
    extra_has_deletion: deletions.has_deletion,
    extra_deletion_value: deletions.deletion_value,
  };
}
