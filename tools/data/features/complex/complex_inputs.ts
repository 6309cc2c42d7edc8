/** From the features of a complex to what the network reads, with the published random choices. */
import type { JaxKey } from "../../jax_random.ts";
import { checkSize } from "../_check.ts";
import { takeRows } from "../_rows.ts";
import { MASK_TOKEN, MASKED_CLASSES, type MaskedMsaOptions } from "../masked_msa.ts";
import { correctMsaRestypes, makeHhblitsProfile, MSA_CLASSES } from "../msa.ts";
import { makeDeletionFeatures, makeMsaFeat } from "../msa_feat.ts";
import type { NetworkInputs } from "../network_inputs.ts";
import { softClusters } from "./soft_clusters.ts";
import { askedFor, type ComplexFeatures } from "./complex_features.ts";

/** Uniform numbers of [0, 1) that random choices are made of. */
export interface ComplexDraws {
  /** Of row `row`, for the order of rows. */
  row(row: number): number;
  /** Of a place of the clusters: whether it is hidden. */
  hidden(row: number, column: number): number;
  /** Of a token at a place of the clusters: what it is hidden by. */
  token(row: number, column: number, token: number): number;
}

/** Choices of {@linkcode makeComplexInputs}. */
export interface ComplexInputOptions {
  /** Rows of the main stack that are none of templates. @default 508 */
  readonly maxMsaClusters?: number;
  /** Most rows in the extra stack. @default 2048 */
  readonly maxExtraMsa?: number;
  /** How residues are hidden; `false` hides none. @default as published */
  readonly maskedMsa?: MaskedMsaOptions | false;
  /**
   * Whether the rows of the extra stack alone are shared out among the clusters, as OpenFold does it, or all that are not
   * clusters themselves, as AlphaFold does it. @default false, all
   */
  readonly clusterExtraAlone?: boolean;
}

/** What the network reads of a complex's sequences and alignments. */
export interface ComplexInputs extends NetworkInputs, Pick<ComplexFeatures, "asym_id" | "entity_id" | "sym_id"> {
  /** Rows of the alignment: those of the main stack, then those of the extra one. */
  readonly row_order: Int32Array;
}

/** Added inside the logarithms of Gumbel noise, and to probabilities. */
const EPS = 1e-6;

/** What puts rows before or behind all others. */
const BIAS = 1e6;

const { fround } = Math;

/** Gumbel noise of a uniform number, in single precision as published. */
function gumbel(uniform: number): number {
  const log = (x: number) => fround(Math.log(fround(x + EPS)));
  return fround(-log(fround(-log(uniform))));
}

/**
 * Draws of JAX's generator, one of a key for each place, so that they do not change where others are added.
 *
 * Source: AlphaFold's `modules_multimer` (`sample_msa`, `make_masked_msa`) and `utils.padding_consistent_rng`.
 *
 * @param key Of one pass of the embedder.
 */
export function jaxDraws(key: JaxKey): ComplexDraws {
  const sample = key.foldIn(1), mask = key.foldIn(2); // of a split in three, whose first is kept for what follows
  const hide = mask.foldIn(1), token = mask.foldIn(2);
  let rowKey = token, ofRow = -1;
  return {
    row: (row) => sample.foldIn(row).uniform(1)[0],
    hidden: (row, column) => hide.foldIn(row).foldIn(column).uniform(1)[0],
    token(row, column, k) {
      if (row !== ofRow) [rowKey, ofRow] = [token.foldIn(row), row];
      return rowKey.foldIn(column).foldIn(k).uniform(1)[0];
    },
  };
}

/**
 * The rows of an alignment in random order: the queries first.
 *
 * Source: AlphaFold's `sample_msa`. In single precision the noise of queries is rounded to sixteenths, as published: their
 * order among themselves says nothing.
 *
 * @param bias 1 for rows that come first, `[N_seq]`.
 * @param mask 0 for rows that come last, `[N_seq]`. @default none does
 */
export function complexRowOrder(
  bias: ArrayLike<number>,
  draws: Pick<ComplexDraws, "row">,
  mask?: ArrayLike<number>,
): Int32Array {
  const logits = Float32Array.from(
    { length: bias.length },
    (_, row) => ((mask?.[row] ?? 1) - 1 + bias[row]) * BIAS + gumbel(draws.row(row)),
  );
  const ascending = Int32Array.from(logits, (_, row) => row).sort((a, b) => logits[a] - logits[b] || a - b);
  return ascending.reverse();
}

/**
 * What the network reads of a complex in one iteration: rows drawn, residues hidden, the other rows shared out among those.
 *
 * Source: Evans et al. (2021), Suppl. 7.3; AlphaFold's `modules_multimer` (`sample_msa`, `make_masked_msa`,
 * `nearest_neighbor_clusters`, `create_msa_feat`).
 *
 * @throws {TypeError} If the sizes do not fit together.
 */
export function makeComplexInputs(
  features: ComplexFeatures,
  draws: ComplexDraws,
  { maxMsaClusters = 508, maxExtraMsa = 2048, maskedMsa = {}, clusterExtraAlone = false }: ComplexInputOptions = {},
): ComplexInputs {
  const { aatype, residue_index, between_segment_residues, asym_id, entity_id, sym_id } = features;
  const columns = aatype.length;
  const types = correctMsaRestypes(features.msa);
  checkSize("makeComplexInputs", "deletion_matrix_int", features.deletion_matrix_int, types.length);
  const { msa_row_mask: rowMask = new Float32Array(features.cluster_bias_mask.length).fill(1) } = features;
  const order = complexRowOrder(features.cluster_bias_mask, draws, rowMask);
  const selected = order.slice(0, maxMsaClusters), others = order.slice(maxMsaClusters);
  const true_msa = takeRows(types, columns, selected);
  const deletions = takeRows(features.deletion_matrix_int, columns, selected);
  const present = Int32Array.from(order).filter((row) => rowMask[row] !== 0);
  const profile = makeHhblitsProfile(takeRows(types, columns, present), columns);
  const isAsked = askedFor(features);
  const draw: ComplexDraws = {
    ...draws,
    hidden: (row, column) => rowMask[selected[row]] === 0 ? 1 : draws.hidden(row, column),
  };
  const { msa, bert_mask } = maskedMsa === false
    ? { msa: true_msa.slice(), bert_mask: new Float32Array(true_msa.length) }
    : hideResidues(true_msa, profile, columns, draw, (row, column) => isAsked(selected[row], column), maskedMsa);
  const ofPlaces = (rows: Int32Array) =>
    Float32Array.from({ length: rows.length * columns }, (_, i) => rowMask[rows[Math.floor(i / columns)]]);
  const kept = others.slice(0, maxExtraMsa), shared = clusterExtraAlone ? kept : others;
  const extra = {
    msa: takeRows(types, columns, shared),
    deletions: takeRows(features.deletion_matrix_int, columns, shared),
  };
  const isFull = present.length === order.length;
  const summary = isFull
    ? softClusters({ msa, deletions }, extra, columns)
    : softClusters({ msa, deletions, mask: ofPlaces(selected) }, { ...extra, mask: ofPlaces(shared) }, columns);
  const extraDeletions = makeDeletionFeatures(takeRows(features.deletion_matrix_int, columns, kept));
  return {
    ...{ aatype, residue_index, between_segment_residues, asym_id, entity_id, sym_id },
    target_feat: oneHotTypes(aatype),
    seq_mask: new Float32Array(columns).fill(1),
    msa_feat: makeMsaFeat(msa, deletions, summary),
    msa_mask: ofPlaces(selected),
    msa_row_mask: Float32Array.from(selected, (row) => rowMask[row]),
    ...{ true_msa, bert_mask },
    extra_msa: takeRows(types, columns, kept),
    extra_msa_mask: ofPlaces(kept),
    extra_msa_row_mask: Float32Array.from(kept, (row) => rowMask[row]),
    extra_has_deletion: extraDeletions.has_deletion,
    extra_deletion_value: extraDeletions.deletion_value,
    row_order: order.slice(0, maxMsaClusters + maxExtraMsa),
  };
}

/** Residue types a complex's target features tell: 20 amino acids and X. */
const TARGET_TYPES = 21;

/** Target features of a complex: the type alone, `[N_res, 21]`. */
function oneHotTypes(aatype: ArrayLike<number>): Float32Array {
  const features = new Float32Array(aatype.length * TARGET_TYPES);
  for (let i = 0; i < aatype.length; i++) features[i * TARGET_TYPES + aatype[i]] = 1;
  return features;
}

/** Hides residues; what stands outside of a row's own columns may be replaced too, but is not asked for. */
function hideResidues(
  truth: Int32Array,
  profile: Float32Array,
  columns: number,
  draws: Pick<ComplexDraws, "hidden" | "token">,
  isAsked: (row: number, column: number) => boolean,
  { replaceFraction = 0.15, uniformProb = 0.1, profileProb = 0.1, sameProb = 0.1 }: MaskedMsaOptions,
): { msa: Int32Array; bert_mask: Float32Array } {
  const msa = truth.slice(), bert_mask = new Float32Array(truth.length);
  const ofMask = 1 - profileProb - sameProb - uniformProb;
  if (ofMask < -1e-9) {
    throw new RangeError(`Cannot hide residues as the probabilities sum to ${1 - ofMask}: expected 1 at most`);
  }
  for (let i = 0; i < truth.length; i++) {
    const row = Math.floor(i / columns), column = i % columns;
    if (!(draws.hidden(row, column) < replaceFraction)) continue;
    bert_mask[i] = isAsked(row, column) ? 1 : 0;
    let best = -Infinity;
    for (let token = 0; token < MASKED_CLASSES; token++) {
      const probability = token === MASK_TOKEN
        ? Math.max(ofMask, 0)
        : uniformProb * (token < 20 ? 0.05 : 0) + profileProb * profile[column * MSA_CLASSES + token] +
          (token === truth[i] ? sameProb : 0);
      const logit = fround(Math.log(fround(probability + EPS))) + gumbel(draws.token(row, column, token));
      if (logit > best) [best, msa[i]] = [logit, token];
    }
  }
  return { msa, bert_mask };
}
