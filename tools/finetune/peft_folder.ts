/** Folders of adapters as PEFT keeps them. */
import { join } from "node:path";
import type { Device, Tensor, Tree } from "../../core/mod.ts";
import { entries } from "../../core/mod.ts";
import { adaptersOf, decodePeft, type FineTunedParams, type PeftAdapters } from "../../finetune/mod.ts";
import { snakeCase } from "../../model/weights/names.ts";
import { toFloat32 } from "../../model/weights/safetensors.ts";
import { asInputError, InputError } from "../errors.ts";
import { decodeText, readFileBytes } from "../files.ts";

/** Names of the two files. */
export const PEFT_FILES = { config: "adapter_config.json", model: "adapter_model.safetensors" } as const;

/** Whether a folder has adapters in it. */
export async function isPeftFolder(folder: string): Promise<boolean> {
  return await Deno.stat(join(folder, PEFT_FILES.config)).then(({ isFile }) => isFile, () => false);
}

/**
 * Reads a folder of adapters.
 *
 * @throws {InputError} If a file is missing, damaged or of another method.
 */
export async function readPeftFolder(folder: string): Promise<PeftAdapters> {
  const [config, model] = [join(folder, PEFT_FILES.config), join(folder, PEFT_FILES.model)];
  const files = { config: decodeText(await readFileBytes(config), config), model: await readFileBytes(model) };
  return asInputError(() => decodePeft(files, folder));
}

/**
 * Writes the numbers of a folder's adapters, and of heads that it has, into parameters with adapters like them.
 *
 * @throws {InputError} If an adapter's shape does not fit.
 */
export function writePeft(
  device: Device,
  params: FineTunedParams,
  { arrays, others }: PeftAdapters,
  source: string,
): void {
  const put = (
    name: string,
    tensor: Tensor,
    array: { readonly shape: readonly number[] } & Parameters<typeof toFloat32>[0],
  ) => {
    const numbers = toFloat32(array);
    if (numbers.length !== tensor.size) {
      throw new InputError(`${source}: ${name} is [${array.shape}], this network needs [${tensor.shape}]`);
    }
    device.write(tensor, numbers);
  };
  for (const [name, { down, up, magnitude }] of adaptersOf(params.model)) {
    const given = arrays.get(name)!;
    put(`${name}.lora_A`, down, given.down);
    put(`${name}.lora_B`, up, given.up);
    if (magnitude && given.magnitude) put(`${name}.lora_magnitude_vector`, magnitude, given.magnitude);
  }
  for (const [path, tensor] of entries<Tensor>(params.heads as Tree<Tensor>)) {
    const name = `${HEADS}.${snakeCase(path)}`, array = others.get(name);
    if (array) put(name, tensor, array);
  }
}

/** What the names of heads begin with. */
export const HEADS = "heads";
