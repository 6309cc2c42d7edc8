/** From the features of a target to what the network reads, with random choices from a key. */
import type { Key } from "../../../core/mod.ts";
import { checkSize, checkTokens, rowCount } from "./_check.ts";
import { takeRows } from "./_rows.ts";
import type { SequenceFeatures } from "./chain.ts";
import { nearestNeighborClusters, summarizeClusters } from "./clusters.ts";
import { makeMaskedMsa, type MaskedMsaOptions, type MaskingChoice } from "./masked_msa.ts";
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
  /** Random choices that are given instead of drawn. @default all are drawn */
  readonly choices?: InputChoices;
}

/** What {@linkcode makeNetworkInputs} chooses at random. */
export interface InputChoices {
  /** Rows of the main stack, and the others. */
  readonly rows?: SampledRows;
  /** Which residues of the main stack are hidden, and by what. */
  readonly masking?: MaskingChoice;
  /** Rows of the extra stack, counted among the others. */
  readonly extra?: ArrayLike<number>;
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
 * The same key gives the same features on every machine. See {@linkcode makeRecyclingInputs} for the samples of recycling.
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
  const { maxMsaClusters = 512, maxExtraMsa = 1024, maskedMsa = {}, choices = {} } = options;
  const columns = sequence.aatype.length;
  const rows = rowCount("makeNetworkInputs", "msa", msa.msa, columns);
  checkSize("makeNetworkInputs", "deletion_matrix_int", msa.deletion_matrix_int, msa.msa.length);
  const [rowKey, maskKey, extraKey] = key.split(3);
  const { selected, others } = choices.rows ?? sampleMsaRows(rows, maxMsaClusters, rowKey);
  checkTokens("makeNetworkInputs", "choices.rows.selected", selected, rows);
  checkTokens("makeNetworkInputs", "choices.rows.others", others, rows);
  const types = correctMsaRestypes(msa.msa);
  const profile = makeHhblitsProfile(types, columns);
  const chosen = takeRows(types, columns, selected);
  const masking = maskedMsa === false ? { replaceFraction: 0 } : maskedMsa;
  const masked = makeMaskedMsa(chosen, profile, choices.masking ?? maskKey, masking);
  const centers = { msa: masked.msa, deletions: takeRows(msa.deletion_matrix_int, columns, selected) };
  const extra = {
    msa: takeRows(types, columns, others),
    deletions: takeRows(msa.deletion_matrix_int, columns, others),
  };
  const summary = summarizeClusters(centers, extra, nearestNeighborClusters(centers, extra, columns), columns);
  const kept = choices.extra ?? extraKey.permutation(others.length).slice(0, maxExtraMsa);
  checkTokens("makeNetworkInputs", "choices.extra", kept, others.length);
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

/**
 * What the network reads in each iteration of recycling: rows drawn and residues hidden anew.
 *
 * Source: Jumper et al. (2021), Suppl. 1.2.7 and Alg. 30.
 *
 * @param key For all random choices.
 * @param count Iterations, one more than there are recyclings.
 * @throws {TypeError} As {@linkcode makeNetworkInputs} does.
 * @throws {RangeError} As {@linkcode makeNetworkInputs} does.
 */
export function makeRecyclingInputs(
  sequence: SequenceFeatures,
  msa: Pick<MsaFeatures, "msa" | "deletion_matrix_int">,
  key: Key,
  count: number,
  options: Omit<NetworkInputOptions, "choices"> = {},
): NetworkInputs[] {
  const base = key.split(1)[0];
  return Array.from({ length: count }, (_, i) => makeNetworkInputs(sequence, msa, base.at(i), options));
}
