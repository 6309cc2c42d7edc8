import { buildExtraMsaFeat } from "../../data/features/msa_feat.ts";
import { buildTemplateAngleFeat, buildTemplatePairFeat } from "../../data/features/template_feats.ts";
import type { Family, Results } from "../family.ts";
import type { Golden } from "../golden.ts";

/** Features that the embedders make of others. */
export const OPENFOLD_EMBEDDER_FEATURES: readonly Family[] = [
  family("build_extra_msa_feat", "extra_msa_feat", (golden) =>
    buildExtraMsaFeat(golden.data("in/extra_msa"), {
      has_deletion: golden.data("in/extra_has_deletion"),
      deletion_value: golden.data("in/extra_deletion_value"),
    })),
  family("build_template_angle_feat", "template_angle_feat", (golden) =>
    buildTemplateAngleFeat({
      template_aatype: types(golden),
      template_torsion_angles_sin_cos: golden.data("in/template_torsion_angles_sin_cos"),
      template_alt_torsion_angles_sin_cos: golden.data("in/template_alt_torsion_angles_sin_cos"),
      template_torsion_angles_mask: golden.data("in/template_torsion_angles_mask"),
    })),
  family("build_template_pair_feat", "template_pair_feat", (golden) => {
    const features = {
      template_aatype: types(golden),
      template_all_atom_positions: golden.data("in/template_all_atom_positions"),
      template_all_atom_mask: golden.data("in/template_all_atom_mask"),
      template_pseudo_beta: golden.data("in/template_pseudo_beta"),
      template_pseudo_beta_mask: golden.data("in/template_pseudo_beta_mask"),
    };
    return buildTemplatePairFeat(features, golden.shape("in/template_aatype")[1], {
      minBin: golden.number("min_bin"),
      maxBin: golden.number("max_bin"),
      bins: golden.number("no_bins"),
      useUnitVector: golden.config.use_unit_vector === true,
      eps: golden.number("eps"),
      inf: golden.number("inf"),
    });
  }),
];

function family(prefix: string, output: string, build: (golden: Golden) => Float32Array): Family {
  return {
    prefix,
    matches: ({ source }) => /^openfold\/utils\/feats\.py/.test(source),
    run: (_device, golden): Results => new Map([[`out/${output}`, build(golden)]]),
  };
}

function types(golden: Golden): Int32Array {
  return Int32Array.from(golden.data("in/template_aatype"));
}
