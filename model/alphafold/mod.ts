/**
 * AlphaFold 2: embedders, templates, structure module, heads and losses around the Evoformer, and the whole network.
 *
 * `alphafoldConfig(preset)` → `initAlphaFold` or `loadAlphaFold` → `recycledAlphaFold(params, samplesOf, config)`, which
 * runs `alphafold` (one iteration) until it has recycled enough; `confidence` and `lossOutputs` read the heads.
 *
 * @module
 */
export {
  alphafold,
  type AlphaFoldOptions,
  type AlphaFoldOutputs,
  type AlphaFoldRepresentations,
  alphafoldRepresentations,
  atomPositions,
  pseudoBeta,
  recycledOf,
} from "./alphafold.ts";
export {
  type Ablations,
  ALPHAFOLD_PRESETS,
  type AlphaFoldChoices,
  type AlphaFoldConfig,
  alphafoldConfig,
  type AlphaFoldPreset,
  binBounds,
  type DataConfig,
  type EmbedderConfig,
  type MonomerPreset,
  MULTIMER_PRESETS,
  type MultimerPreset,
  type RecyclingConfig,
  type SharedSizes,
  type TemplateConfig,
} from "./config.ts";
export * from "./embedders/mod.ts";
export type { AlphaFoldFeatures } from "./features.ts";
export { type Confidence, confidence, lossOutputs } from "./logits.ts";
export {
  alphafoldParameterCount,
  type AlphaFoldParams,
  alphafoldShapes,
  initAlphaFold,
  loadAlphaFold,
} from "./params.ts";
export {
  distanceChange,
  recycledAlphaFold,
  recycleForTraining,
  type RecyclingIteration,
  type RecyclingOptions,
  type RecyclingResult,
  type Samples,
} from "./recycling.ts";
export * from "./templates/mod.ts";
