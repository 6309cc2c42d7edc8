/** Parts of what a network reads: residues of a chain, some of its templates. */
import { takeRows } from "./_rows.ts";
import type { NetworkInputs } from "./network_inputs.ts";
import type { TemplateFeatures } from "./template_feats.ts";
import { type AxisWindow, type FeatureRecord, windowFeatures } from "./window.ts";

/** The inputs of a part of the residues. */
export function cropInputs(inputs: NetworkInputs, residues: AxisWindow): NetworkInputs {
  const sizes = {
    residues: inputs.aatype.length,
    clusters: inputs.msa_row_mask.length,
    extra: inputs.extra_msa_row_mask.length,
  };
  const { aatype, residue_index, between_segment_residues, target_feat, seq_mask, msa_feat, msa_mask } = inputs;
  const { msa_row_mask, true_msa, bert_mask, extra_msa, extra_msa_mask, extra_msa_row_mask } = inputs;
  const { extra_has_deletion, extra_deletion_value } = inputs;
  return windowFeatures(
    {
      ...{ aatype, residue_index, between_segment_residues, target_feat, seq_mask, msa_feat, msa_mask, msa_row_mask },
      ...{ true_msa, bert_mask, extra_msa, extra_msa_mask, extra_msa_row_mask, extra_has_deletion },
      extra_deletion_value,
    },
    sizes,
    { residues },
  );
}

const TEMPLATE_NAMES = [
  ...["template_aatype", "template_all_atom_positions", "template_all_atom_mask", "template_mask"],
  ...["template_pseudo_beta", "template_pseudo_beta_mask", "template_torsion_angles_sin_cos"],
  ...["template_alt_torsion_angles_sin_cos", "template_torsion_angles_mask"],
] as (keyof TemplateFeatures)[];

/** Some of the templates. */
export function templateRows(templates: TemplateFeatures, rows: readonly number[]): TemplateFeatures {
  const there = templates.template_mask.length;
  return Object.fromEntries(TEMPLATE_NAMES.map((name) => {
    const data = templates[name];
    return [name, takeRows(data as Float32Array, there ? data.length / there : 0, rows)];
  })) as unknown as TemplateFeatures;
}

/** The templates of a part of the residues. */
export function cropTemplates(templates: TemplateFeatures, residues: number, window: AxisWindow): TemplateFeatures {
  const sizes = { residues, templates: templates.template_mask.length };
  const all = Object.fromEntries(TEMPLATE_NAMES.map((name) => [name, templates[name]])) as unknown as FeatureRecord;
  return windowFeatures(all, sizes, { residues: window }) as unknown as TemplateFeatures;
}
