/** Parts of a complex: some of its residues, of any chains. */
import type { ComplexInputs } from "./complex_inputs.ts";
import type { TemplateFeatures } from "../template_feats.ts";
import { templateParts } from "../crop.ts";
import { takePlaces } from "../window.ts";

/** What the network reads of some of the residues. */
export function cropComplexInputs(inputs: ComplexInputs, rows: ArrayLike<number>): ComplexInputs {
  const sizes = {
    residues: inputs.aatype.length,
    clusters: inputs.msa_row_mask.length,
    extra: inputs.extra_msa_row_mask.length,
  };
  const { row_order, target_feat, ...others } = inputs;
  const { complex_target_feat, ...cut } = takePlaces(
    { ...others, complex_target_feat: target_feat },
    sizes,
    "residues",
    rows,
  );
  return { ...cut, target_feat: complex_target_feat, row_order };
}

/** The templates of some of the residues. */
export function cropComplexTemplates(
  templates: TemplateFeatures,
  residues: number,
  rows: ArrayLike<number>,
): TemplateFeatures {
  const sizes = { residues, templates: templates.template_mask.length };
  return takePlaces(templateParts(templates), sizes, "residues", rows);
}
