/** How AlphaFold 2 reads templates. */
export {
  TEMPLATE_ANGLE_FEATURES,
  TEMPLATE_TYPES,
  type TemplateEmbedderParams,
  templateEmbedderShapes,
  type TemplatePairEmbedderParams,
  templatePairEmbedderShapes,
  templatePairFeatures,
  type TemplatePairStackParams,
  templatePairStackShapes,
  type TemplatePointwiseAttentionParams,
  templatePointwiseAttentionShapes,
  type TemplateSingleEmbedderParams,
  templateSingleEmbedderShapes,
} from "./params.ts";
export { embedTemplateAngles } from "./template_angle_embedder.ts";
export { addTemplatePairs, type TemplateEmbedderOptions, templateRows } from "./template_embedder.ts";
export { templateAngleFeatures, type TemplateFeatures } from "./template_features.ts";
export { embedTemplatePairs } from "./template_pair_embedder.ts";
export { templatePairStack, type TemplateStackOptions } from "./template_pair_stack.ts";
export { templatePointwiseAttention, type TemplatePointwiseAttentionOptions } from "./template_pointwise_attention.ts";
