import type { Tensor } from "../../../core/mod.ts";
import { linear } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import type { TemplateSingleEmbedderParams } from "./params.ts";

/**
 * Rows of the MSA representation for the templates.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 2 "Inference", lines 7 and 8.
 *
 * @param features `[batch, T, N_res, 57]`.
 * @returns `[batch, T, N_res, c_m]`.
 */
export function embedTemplateAngles({ linear_1, linear_2 }: TemplateSingleEmbedderParams, features: Tensor): Tensor {
  checkShape("embedTemplateAngles", "features", features, ["batch", "T", "N_res", linear_1.weight.shape[1]]);
  return linear(linear(features, linear_1, { activation: "relu" }), linear_2);
}
