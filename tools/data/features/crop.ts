/** Parts of what a network reads: residues of a chain, some of its templates. */
import type { NetworkInputs } from "./network_inputs.ts";
import type { TemplateFeatures } from "./template_feats.ts";
import { type AxisWindow, takePlaces, windowFeatures } from "./window.ts";

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

/** What a network reads of templates, of objects that may hold more. */
export function templateParts(templates: TemplateFeatures): TemplateFeatures {
  const { template_aatype, template_all_atom_positions, template_all_atom_mask, template_mask } = templates;
  const { template_pseudo_beta, template_pseudo_beta_mask, template_torsion_angles_sin_cos } = templates;
  const { template_alt_torsion_angles_sin_cos, template_torsion_angles_mask } = templates;
  return {
    ...{ template_aatype, template_all_atom_positions, template_all_atom_mask, template_mask },
    ...{ template_pseudo_beta, template_pseudo_beta_mask, template_torsion_angles_sin_cos },
    ...{ template_alt_torsion_angles_sin_cos, template_torsion_angles_mask },
  };
}

/** Some of the templates. */
export function templateRows(templates: TemplateFeatures, rows: readonly number[]): TemplateFeatures {
  const there = templates.template_mask.length;
  const sizes = { templates: there, residues: there ? templates.template_aatype.length / there : 0 };
  return takePlaces(templateParts(templates), sizes, "templates", rows);
}

/** The templates of a part of the residues. */
export function cropTemplates(templates: TemplateFeatures, residues: number, window: AxisWindow): TemplateFeatures {
  const sizes = { residues, templates: templates.template_mask.length };
  return windowFeatures(templateParts(templates), sizes, { residues: window });
}
