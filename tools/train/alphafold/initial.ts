/** Parameters that a training of AlphaFold starts from. */
import type { Device } from "../../../core/mod.ts";
import { type AlphaFoldConfig, type AlphaFoldParams, loadAlphaFold } from "../../../model/alphafold/mod.ts";
import { fitOf, fits, fitText } from "../../../model/weights/load_weights.ts";
import { snakeCase } from "../../../model/weights/names.ts";
import { openfoldWeights } from "../../../model/weights/openfold_weights.ts";
import { toFloat32 } from "../../../model/weights/safetensors.ts";
import { asInputError, InputError } from "../../errors.ts";
import { readTrained } from "../../predict/trained_model.ts";
import { openWeights } from "../../weights/open_weights.ts";
import { namedShapes } from "../../weights/presets.ts";

/**
 * Reads a checkpoint of `denofold train` (its average), a run's folder, or weights of OpenFold or AlphaFold.
 *
 * @returns Makes the parameters, owned by the current scope.
 * @throws {InputError} If it cannot be read, or has parameters of other sizes.
 */
export async function readInitial(
  path: string,
  config: AlphaFoldConfig,
): Promise<(device: Device) => AlphaFoldParams> {
  if (!await Deno.stat(path).then(() => true, () => false)) {
    throw new InputError(`Cannot start from ${path}: there is no such file or folder`);
  }
  const numbers = await readNumbers(path, config);
  return (device) => loadAlphaFold(device, config, (path) => numbers.get(snakeCase(path))!);
}

async function readNumbers(path: string, config: AlphaFoldConfig): Promise<Map<string, Float32Array>> {
  const shapes = namedShapes(config);
  const trained = await readTrained(path);
  if (trained) {
    const entries = new Map([...trained.params].map(([name, { shape }]) => [name, { shape }]));
    checkFit(path, entries, shapes);
    return new Map([...trained.params].map(([name, array]) => [name, toFloat32(array)]));
  }
  using opened = await openWeights(path);
  const { entries } = asInputError(() => openfoldWeights(opened.file));
  checkFit(path, entries, shapes);
  const numbers = new Map<string, Float32Array>();
  for (const name of shapes.keys()) numbers.set(name, toFloat32(await entries.get(name)!.read()));
  return numbers;
}

function checkFit(path: string, entries: Parameters<typeof fitOf>[0], shapes: Parameters<typeof fitOf>[1]): void {
  const fit = fitOf(entries, shapes);
  if (fits(fit)) return;
  const surplus = fit.surplus.length > 0 ? `it has ${fit.surplus.length} more, such as ${fit.surplus[0]}` : "";
  const words = [fitText(fit.missing, fit.misshapen), surplus].filter((text) => text !== "").join("; ");
  throw new InputError(`Cannot start from ${path}: its parameters are of another configuration: ${words}`);
}
