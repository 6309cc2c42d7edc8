/** Which networks run, with which weights. */
import { join } from "node:path";
import { openfoldWeights } from "../../model/weights/openfold_weights.ts";
import {
  ALPHAFOLD_PRESETS,
  type AlphaFoldChoices,
  alphafoldConfig,
  type AlphaFoldPreset,
} from "../../model/alphafold/mod.ts";
import { asInputError, InputError } from "../errors.ts";
import { sha256OfFile } from "../weights/download.ts";
import { openWeights } from "../weights/open_weights.ts";
import { namedShapes } from "../weights/presets.ts";
import { fittedModels, PRESETS, weightsText } from "./fitted_models.ts";
import type { PlannedModel } from "./planned_model.ts";
import { randomWeights } from "./random_weights.ts";
import { trainedModel } from "./trained_model.ts";

/** Endings of files of weights, the fastest to read first. */
const ENDINGS = ["safetensors", "pt", "npz"];

/**
 * Finds the networks and their weights.
 *
 * @param weights A file, a folder of files named after presets (`params_model_1_ptm.npz`, `model_1_ptm.safetensors`), a
 * checkpoint or the folder of a run of `denofold train`, or `random:SEED`.
 * @param models Presets that were asked for. @default those of the folder; the one that the file fits; `model_1_ptm`
 * @param choices Other sizes than the presets' own.
 * @param options `complexes`: whether networks for complexes can be run too (@default false, they are refused).
 * @throws {InputError} If a file is missing, or fits none of the presets; the message says what it lacks.
 */
export async function planModels(
  weights: string,
  models: readonly AlphaFoldPreset[] | undefined,
  choices: AlphaFoldChoices = {},
  { complexes = false }: { readonly complexes?: boolean } = {},
): Promise<PlannedModel[]> {
  const planned = await plan(weights, models ?? (complexes ? PRESETS : ALPHAFOLD_PRESETS), models, choices);
  const refused = complexes ? undefined : planned.find(({ config }) => config.multimer);
  if (!refused) return planned;
  throw new InputError(`${refused.preset} is a network for complexes, which denofold predict alone runs`);
}

async function plan(
  weights: string,
  known: readonly AlphaFoldPreset[],
  models: readonly AlphaFoldPreset[] | undefined,
  choices: AlphaFoldChoices,
): Promise<PlannedModel[]> {
  const random = /^random:(\d+)$/.exec(weights);
  if (random) {
    const seed = Number(random[1]);
    return (models ?? ["model_1_ptm"]).map((preset) => {
      const config = asInputError(() => alphafoldConfig(preset, choices));
      const entries = randomWeights(namedShapes(config), seed);
      return {
        ...{ preset, config },
        weights: `RANDOM, seed ${seed}: nothing that is predicted means anything`,
        notice: "The weights are RANDOM: nothing that is predicted means anything",
        open: () => Promise.resolve({ entries, [Symbol.dispose]() {} }),
      };
    });
  }
  const { isDirectory } = await Deno.stat(weights).catch(() => {
    throw new InputError(`Cannot read the weights ${weights}: there is no such file or folder`);
  });
  const trained = await trainedModel(weights);
  if (trained) return [trained];
  if (!isDirectory) return await modelsOfFile(weights, models, choices);
  const found: PlannedModel[] = [];
  for (const preset of known) {
    const file = await fileOf(weights, preset);
    if (file) found.push(...await modelsOfFile(file, [preset], choices));
    else if (models) {
      throw new InputError(
        `${weights} has no weights for ${preset}: expected params_${preset}.npz or ${preset} with one of the endings ` +
          ENDINGS.map((ending) => `.${ending}`).join(" "),
      );
    }
  }
  if (found.length === 0) {
    throw new InputError(
      `${weights} has no weights named after a preset, such as params_model_1_ptm.npz or model_1_ptm.pt`,
    );
  }
  return found;
}

async function fileOf(folder: string, preset: string): Promise<string | undefined> {
  for (const name of [...ENDINGS.map((ending) => `${preset}.${ending}`), `params_${preset}.npz`]) {
    const path = join(folder, name);
    if (await Deno.stat(path).then(({ isFile }) => isFile, () => false)) return path;
  }
  return undefined;
}

/** The networks that a file's weights are for. */
async function modelsOfFile(
  path: string,
  models: readonly AlphaFoldPreset[] | undefined,
  choices: AlphaFoldChoices,
): Promise<PlannedModel[]> {
  using opened = await openWeights(path);
  const fitted = fittedModels(opened.file, path, models, choices);
  const sha256 = await sha256OfFile(path);
  return fitted.map(({ preset, config, naming }) => ({
    ...{ preset, config, weights: weightsText(path, naming, sha256), notice: null },
    async open() {
      const opened = await openWeights(path);
      return { entries: openfoldWeights(opened.file).entries, [Symbol.dispose]: () => opened[Symbol.dispose]() };
    },
  }));
}
