/** Which of the published networks weights are for. */
import type { Shape } from "../../core/mod.ts";
import {
  ALPHAFOLD_PRESETS,
  type AlphaFoldChoices,
  type AlphaFoldConfig,
  alphafoldConfig,
  type AlphaFoldPreset,
  alphafoldShapes,
  MULTIMER_PRESETS,
} from "../../model/alphafold/mod.ts";
import { shapesByPath } from "../../model/layers/params.ts";
import { fitOf, fits } from "../../model/weights/load_weights.ts";
import { snakeCase } from "../../model/weights/names.ts";

/** Shapes of a configuration's parameters by OpenFold's names. */
export function namedShapes(config: AlphaFoldConfig): Map<string, Shape> {
  return new Map(Array.from(shapesByPath(alphafoldShapes(config)), ([path, shape]) => [snakeCase(path), shape]));
}

/**
 * The presets whose parameters are exactly those of a file; several differ in nothing but their numbers.
 *
 * @param choices Other sizes than the presets' own.
 */
export function fittingPresets(
  entries: ReadonlyMap<string, { readonly shape: Shape }>,
  choices: AlphaFoldChoices = {},
): AlphaFoldPreset[] {
  const isFitting = (preset: AlphaFoldPreset) => fits(fitOf(entries, namedShapes(alphafoldConfig(preset, choices))));
  return [...ALPHAFOLD_PRESETS, ...MULTIMER_PRESETS].filter(isFitting);
}
