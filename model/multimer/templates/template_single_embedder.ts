import type { Tensor } from "../../../core/mod.ts";
import { concat, linear, multiply, oneHot, reshape, slice } from "../../../ops/mod.ts";
import { TEMPLATE_TYPES } from "../../alphafold/templates/params.ts";
import type { TemplateFeatures } from "../../alphafold/templates/template_features.ts";
import { checkShape } from "../../layers/check_shape.ts";
import type { MultimerTemplateSingleEmbedderParams } from "./params.ts";

/** Torsion angles before chi 1, and those from it on. */
const FIRST_CHI = 3, CHI_ANGLES = 4;

/** Features of templates' residues, and which of them count as rows of the alignment. */
export type TemplateRowFeatures = {
  /** `[batch, T, N_res, 34]` */
  readonly features: Tensor;
  /** 1 where chi 1 is known, `[batch, T, N_res]`. */
  readonly mask: Tensor;
};

/**
 * Features of the templates' residues: type (22), sine and cosine of chi 1 to 4 (8), and which of these are known (4). A
 * residue counts where its chi 1 is known: glycines and alanines do not.
 *
 * Source: Evans et al. (2021), Suppl. 7.2; the published code's `TemplateEmbedding1D`.
 */
export function multimerTemplateFeatures(
  { aatype, torsionAnglesSinCos, torsionAnglesMask }: Pick<
    TemplateFeatures,
    "aatype" | "torsionAnglesSinCos" | "torsionAnglesMask"
  >,
): TemplateRowFeatures {
  const { device, shape } = aatype; // [batch, T, N_res]
  using scope = device.scope("templateFeatures");
  const begin = (last: readonly number[]) => [...shape.map(() => 0), ...last];
  const known = slice(torsionAnglesMask, begin([FIRST_CHI]), [...shape, FIRST_CHI + CHI_ANGLES]);
  const coordinate = (k: 0 | 1) => {
    const cut = slice(torsionAnglesSinCos, begin([FIRST_CHI, k]), [...shape, FIRST_CHI + CHI_ANGLES, k + 1]);
    return multiply(reshape(cut, [...shape, CHI_ANGLES]), known);
  };
  const first = slice(known, begin([0]), [...shape, 1]);
  return scope.keep({
    features: concat([oneHot(aatype, TEMPLATE_TYPES), coordinate(0), coordinate(1), known], -1),
    mask: reshape(first, shape),
  });
}

/**
 * Rows of the MSA representation for the templates.
 *
 * Source: the published code's `TemplateEmbedding1D`.
 *
 * @param features `[batch, T, N_res, 34]`.
 * @returns `[batch, T, N_res, c_m]`.
 */
export function embedMultimerTemplateRows(params: MultimerTemplateSingleEmbedderParams, features: Tensor): Tensor {
  const { templateSingleEmbedder, templateProjector } = params;
  checkShape("embedTemplateRows", "features", features, [
    "batch",
    "T",
    "N_res",
    templateSingleEmbedder.weight.shape[1],
  ]);
  return linear(linear(features, templateSingleEmbedder, { activation: "relu" }), templateProjector);
}
