/** Which networks the weights of a file are for. */
import {
  ALPHAFOLD_PRESETS,
  type AlphaFoldChoices,
  type AlphaFoldConfig,
  alphafoldConfig,
  type AlphaFoldPreset,
  MULTIMER_PRESETS,
} from "../../model/alphafold/mod.ts";
import { fitOf, fits, fitText } from "../../model/weights/load_weights.ts";
import { openfoldWeights, type WeightNaming } from "../../model/weights/openfold_weights.ts";
import type { WeightFile } from "../../model/weights/weight_file.ts";
import { asInputError, InputError } from "../errors.ts";
import { fittingPresets, namedShapes } from "../weights/presets.ts";
import { fileNameOf } from "./planned_model.ts";

/** The published networks, those for complexes too. */
export const PRESETS: readonly AlphaFoldPreset[] = [...ALPHAFOLD_PRESETS, ...MULTIMER_PRESETS];

/** A network that a file has the weights of. */
export interface FittedModel {
  /** Its preset. */
  readonly preset: AlphaFoldPreset;
  /** Its sizes and choices. */
  readonly config: AlphaFoldConfig;
  /** Whose names the file has. */
  readonly naming: WeightNaming;
}

/**
 * The networks that a file's weights are for: those asked for, else the one that its name or its shapes tell.
 *
 * @param path Name of the file.
 * @param models Presets that were asked for. @default the one that it fits
 * @param choices Other sizes than the presets' own.
 * @throws {InputError} If they are for none of these; the message says what they lack.
 */
export function fittedModels(
  file: WeightFile,
  path: string,
  models?: readonly AlphaFoldPreset[],
  choices: AlphaFoldChoices = {},
): FittedModel[] {
  const { entries, naming, unknown } = asInputError(() => openfoldWeights(file));
  if (unknown.length > 0) {
    throw new InputError(`${path} has arrays that no network has, such as ${unknown.slice(0, 3).join(", ")}`);
  }
  const configOf = (preset: AlphaFoldPreset) => asInputError(() => alphafoldConfig(preset, choices));
  const fitting = asInputError(() => fittingPresets(entries, choices));
  const named = presetOfName(path);
  const wanted = models ?? (named && fitting.includes(named) ? [named] : fitting.slice(0, 1));
  for (const preset of wanted.length ? wanted : [named ?? "model_1_ptm" as const]) {
    const fit = fitOf(entries, namedShapes(configOf(preset)));
    if (fits(fit)) continue;
    const surplus = fit.surplus.length
      ? `; it has ${fit.surplus.length} tensors that ${preset} has not, such as ${fit.surplus[0]}`
      : "";
    const others = fitting.length ? ` They fit ${fitting.join(", ")}.` : "";
    throw new InputError(
      `The weights of ${path} are not those of ${preset}: ${
        fitText(fit.missing, fit.misshapen) || "it has more"
      }${surplus}.${others}`,
    );
  }
  return wanted.map((preset) => ({ preset, config: configOf(preset), naming }));
}

/** What weights are, in words for files and reports. */
export function weightsText(path: string, naming: FittedModel["naming"], sha256: string): string {
  return `${fileNameOf(path)} (${naming === "alphafold" ? "AlphaFold" : "OpenFold"} names), SHA-256 ${sha256}`;
}

/** The preset that a file's name contains. */
function presetOfName(path: string): AlphaFoldPreset | undefined {
  const found = /model_[1-5](?:_ptm|_multimer(?:_v[23])?)?/.exec(fileNameOf(path))?.[0];
  return PRESETS.find((preset) => preset === found);
}
