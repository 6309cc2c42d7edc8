/** What the commands that predict structures share. */
import { InvalidArgumentError } from "commander";
import type { Device } from "../../core/mod.ts";
import type { AlphaFoldChoices, AlphaFoldPreset } from "../../model/alphafold/mod.ts";
import type { WeightsDtype } from "../../model/weights/load_weights.ts";
import { InputError } from "../errors.ts";
import { fitMemory } from "../predict/fit_memory.ts";
import { PRESETS } from "../predict/fitted_models.ts";
import type { PlannedModel } from "../predict/planned_model.ts";
import { paddedSizes } from "../predict/network_inputs.ts";
import { nonNegativeInteger } from "./_shared.ts";

/** Residues between chains that are predicted as one. */
export const LINKER = 200;

/** Flags that say how much memory a prediction takes. */
interface MemoryFlags {
  readonly maxMsa?: number;
  readonly maxExtraMsa?: number;
  readonly weightsDtype: WeightsDtype;
}

/** Bytes that a prediction may take: as many GiB as were asked for, on software adapters what there is. */
export function memoryBytesOf(device: Device, gib: number | undefined): number | undefined {
  if (gib !== undefined) return gib * 2 ** 30;
  return device.traits.software ? Deno.systemMemoryInfo().available : undefined;
}

/** Plans each combination of padded sizes once. */
export function memoryCheck(device: Device, flags: MemoryFlags, memoryBytes: number | undefined) {
  const planned = new Map<string, InputError | Pick<typeof device, "partBytes">>();
  return ({ preset, config }: PlannedModel, { residues, sequences }: { residues: number; sequences: number }) => {
    const clusters = Math.min(sequences, flags.maxMsa ?? config.data.maxMsaClusters);
    const extra = Math.min(Math.max(0, sequences - clusters), flags.maxExtraMsa ?? config.data.maxExtraMsa);
    const sizes = paddedSizes({ residues, clusters, extra, templates: config.data.maxTemplates });
    const key = `${preset} ${JSON.stringify(sizes)}`;
    let known = planned.get(key);
    if (known === undefined) {
      try {
        fitMemory(device, config, sizes, memoryBytes, flags.weightsDtype);
        known = { partBytes: device.partBytes };
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        known = error;
      }
      planned.set(key, known);
    }
    if (known instanceof InputError) throw known;
    device.partBytes = known.partBytes;
  };
}

/** Sizes that a file gives; none where there is no file. */
export async function choicesOf(path: string | undefined): Promise<AlphaFoldChoices> {
  if (path === undefined) return {};
  const text = await Deno.readTextFile(path).catch(() => {
    throw new InputError(`Cannot read ${path}: there is no such file`);
  });
  try {
    const value = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // told below
  }
  throw new InputError(`Cannot read ${path}: expected a JSON object with sizes, such as {"evoformer": {"nBlock": 8}}`);
}

/** Parses a flag's value as presets. */
export function presets(value: string): AlphaFoldPreset[] {
  return value.split(",").map((name) => {
    const found = PRESETS.find((preset) => preset === name);
    if (found) return found;
    throw new InvalidArgumentError(`There is no preset ${name}; expected some of ${PRESETS.join(", ")}.`);
  });
}

/** Parses a flag's value as seeds. */
export function seedList(value: string): number[] {
  return value.split(",").map(nonNegativeInteger);
}
