/** Features of a target, of what was read of it. */
import type { Alignment } from "../data/alignment.ts";
import { alignmentDepth, type DepthSummary, depthSummary, FEW_ROWS } from "../data/depth.ts";
import { makeSequenceFeatures, type SequenceFeatures } from "../data/features/chain.ts";
import type { ComplexFeatures } from "../data/features/complex/complex_features.ts";
import { correctMsaRestypes, makeHhblitsProfile, makeMsaFeatures, type MsaFeatures } from "../data/features/msa.ts";
import { makeTargetFeat } from "../data/features/msa_feat.ts";
import type { TemplateFeatures } from "../data/features/template_feats.ts";
import type { Templates } from "../data/features/templates.ts";
import { counted } from "../words.ts";

/** Features of a target under AlphaFold's names: those of the sequence, the alignment, templates, and the structure. */
export interface TargetFeatures extends
  SequenceFeatures,
  MsaFeatures,
  TemplateFeatures,
  Templates,
  Partial<
    Pick<
      ComplexFeatures,
      "asym_id" | "entity_id" | "sym_id" | "msa_row_entity" | "cluster_bias_mask" | "deletion_mean"
    >
  > {
  /** N_res everywhere, `[N_res]`. */
  readonly seq_length: Int32Array;
  /** 1 everywhere, `[N_res]`. */
  readonly seq_mask: Float32Array;
  /** `[N_res, 22]` */
  readonly target_feat: Float32Array;
  /** How often each residue type stands in each column, `[N_res, 22]`. */
  readonly hhblits_profile: Float32Array;
}

/**
 * Features of a chain but for its templates.
 *
 * @param alignments Their first rows are the sequence; at least one.
 * @returns They, how deep the alignments are, and what is doubtful, a sentence each.
 */
export function makeTargetFeatures(
  sequence: string,
  alignments: readonly Alignment[],
): {
  features: Omit<TargetFeatures, keyof Templates | keyof TemplateFeatures>;
  depth: DepthSummary;
  warnings: string[];
} {
  const msa = makeMsaFeatures(alignments);
  const types = correctMsaRestypes(msa.msa);
  const depth = depthSummary(alignmentDepth(types, sequence.length));
  const residues = makeSequenceFeatures(sequence);
  const n = sequence.length;
  const features = {
    ...residues,
    ...msa,
    seq_length: new Int32Array(n).fill(n),
    seq_mask: new Float32Array(n).fill(1),
    target_feat: makeTargetFeat(residues.aatype, residues.between_segment_residues),
    hhblits_profile: makeHhblitsProfile(types, n),
  };
  const isShallow = depth.sequences < FEW_ROWS;
  const rows = counted(depth.sequences, "row");
  const warning = `The alignment has ${rows}: with fewer than ${FEW_ROWS} predictions are much less accurate`;
  return { features, depth, warnings: isShallow ? [warning] : [] };
}
