/** A fine-tuned network for other programs: merged weights, or adapters as PEFT keeps them. */
import { type Device, entries, type Tensor, type Tree } from "../../core/mod.ts";
import { adaptersOf, encodePeft, loadPeft, mergeLora, withAdapters, withoutStandards } from "../../finetune/mod.ts";
import type { AlphaFoldChoices, AlphaFoldParams, AlphaFoldPreset } from "../../model/alphafold/mod.ts";
import { snakeCase } from "../../model/weights/names.ts";
import { float32Array, type NamedArray } from "../../model/weights/safetensors.ts";
import type { WeightEntry } from "../../model/weights/weight_file.ts";
import { InputError, UsageError } from "../errors.ts";
import { writeTogether } from "../files.ts";
import { planModels } from "../predict/models.ts";
import type { PlannedModel } from "../predict/planned_model.ts";
import { loadNetwork } from "../predict/network.ts";
import { convertWeights, weightFormat } from "../weights/convert_weights.ts";
import { FineTuned, type FineTunedLoadOptions } from "./fine_tuned.ts";
import { HEADS, isPeftFolder, PEFT_FILES, readPeftFolder } from "./peft_folder.ts";

/** How a network is exported. */
export interface ExportOptions extends FineTunedLoadOptions {
  /** The parameters of the last step instead of their average. @default false */
  readonly live?: boolean;
  /** Preset of the base weights of adapters of a folder. @default the one that they fit */
  readonly preset?: AlphaFoldPreset;
  /** Other sizes than the preset's, of the same. @default none */
  readonly sizes?: AlphaFoldChoices;
  /** Heads of the template pointwise attention, for .npz of networks of other sizes. */
  readonly templateHeads?: number;
}

/** What was written. */
export interface Exported {
  readonly files: readonly string[];
  /** Tensors that are not those of the base weights, or adapters. */
  readonly changed: number;
}

/**
 * Exports a run, or adapters of a PEFT folder.
 *
 * @param path Folder of a run, file of a checkpoint, or a folder of adapters.
 * @param out A file of weights (`.safetensors`, `.pt`, `.npz`): the whole network with what was trained in its weights;
 * else a folder for the adapters and the heads.
 * @throws {InputError} If there is nothing to export, or base weights are others than those of training.
 */
export async function exportFineTuned(
  device: Device,
  path: string,
  out: string,
  options: ExportOptions = {},
): Promise<Exported> {
  const format = weightFormat(out);
  if (await isPeftFolder(path)) {
    if (!format) throw new UsageError(`${path} has adapters already: --out is a file of weights to merge them into`);
    return await mergeFolder(device, path, out, options);
  }
  using _ = device.scope("export");
  using tuned = await FineTuned.load(device, path, { ...options, exact: true });
  return await tuned.withParams(async ({ model, heads }) => {
    if (format) {
      const merged = mergeLora(model);
      return await writeMerged(merged, tuned.model, out, options, changedNames(merged, tuned.trainedPaths));
    }
    const { lora } = tuned.strategy;
    if (!lora) {
      throw new InputError(
        `${path} was trained by ${tuned.strategy.name}: it has no adapters; give --out a file of weights`,
      );
    }
    const adapters = adaptersOf(model);
    const others = new Map<string, NamedArray>();
    for (const [name, tensor] of entries<Tensor>(withoutStandards(heads) as Tree<Tensor>)) {
      others.set(`${HEADS}.${snakeCase(name)}`, float32Array(tensor.shape, await tensor.read() as Float32Array));
    }
    const files = await encodePeft(adapters, lora, { base: tuned.facts.options.weights, others });
    const written = new Map<string, string | Uint8Array>([
      [PEFT_FILES.config, files.config],
      [PEFT_FILES.model, files.model],
    ]);
    return { files: await writeTogether(out, written), changed: adapters.size };
  }, { live: options.live });
}

async function mergeFolder(device: Device, folder: string, out: string, options: ExportOptions): Promise<Exported> {
  const { weights, preset, sizes } = options;
  if (weights === undefined) {
    throw new UsageError(`--weights are missing: those that the adapters of ${folder} belong to`);
  }
  const adapters = await readPeftFolder(folder);
  const [model] = await planModels(weights, preset && [preset], sizes, { complexes: true });
  using _ = device.scope("export");
  using opened = await model.open();
  const { params } = await loadNetwork(device, model.config, opened.entries);
  try {
    const merged = mergeLora(withAdapters(params, loadPeft(device, adapters)));
    const names = new Set([...adapters.arrays.keys()].map((name) => `${name}.weight`));
    return await writeMerged(merged, model, out, options, names);
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) throw new InputError(`${folder}: ${error.message}`);
    throw error;
  }
}

/** Names of the weights that training changed. */
function changedNames(merged: AlphaFoldParams, trained: readonly string[]): Set<string> {
  const known = new Set(entries<Tensor>(merged).map(([path]) => path));
  const own = trained.flatMap((path) => {
    const inside = path.replace(/^model\./, "").replace(/\.adapter\.\w+$/, ".weight");
    return path.startsWith("model.") && known.has(inside) ? [snakeCase(inside)] : [];
  });
  return new Set(own);
}

/** Writes the base weights with those that changed in their places. */
async function writeMerged(
  merged: AlphaFoldParams,
  model: PlannedModel,
  out: string,
  { templateHeads }: ExportOptions,
  changed: ReadonlySet<string>,
): Promise<Exported> {
  const tensors = new Map(
    entries<Tensor>(merged).map(([path, tensor]) => [snakeCase(path), tensor]),
  );
  using opened = await model.open();
  const written = [...opened.entries].map(([name, entry]): [string, WeightEntry] => {
    const tensor = changed.has(name) ? tensors.get(name) : undefined;
    return [name, tensor ? entryOf(name, tensor) : entry];
  });
  const weights = { file: { source: model.weights }, unknown: [], entries: new Map(written) };
  await convertWeights(weights, out, weightFormat(out)!, { heads: { templatePointwise: templateHeads } });
  return { files: [out], changed: changed.size };
}

function entryOf(name: string, tensor: Tensor): WeightEntry {
  return {
    ...{ name, dtype: "F32", shape: tensor.shape },
    async read(rows) {
      const numbers = await tensor.read() as Float32Array;
      const [first = 1] = tensor.shape, size = tensor.size / first;
      if (!rows) return float32Array(tensor.shape, numbers);
      return float32Array(
        [rows.to - rows.from, ...tensor.shape.slice(1)],
        numbers.slice(rows.from * size, rows.to * size),
      );
    },
  };
}
