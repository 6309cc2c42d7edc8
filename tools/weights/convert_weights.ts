/** Weights from one format to another. */
import { alphafoldEntries, type AlphafoldHeads } from "../../model/weights/to_alphafold.ts";
import type { OpenfoldWeights } from "../../model/weights/openfold_weights.ts";
import type { WeightEntry, WeightFormat } from "../../model/weights/weight_file.ts";
import { InputError } from "../errors.ts";
import { writeWeights, type WriteWeightsOptions } from "./write_weights.ts";

/** Formats by the endings of names. */
const ENDINGS: Readonly<Record<string, WeightFormat>> = {
  safetensors: "safetensors",
  pt: "torch",
  pth: "torch",
  npz: "npz",
};

/** The format that a file's name says; undefined where it says none. */
export function weightFormat(path: string): WeightFormat | undefined {
  return ENDINGS[/\.([^.]+)$/.exec(path.toLowerCase())?.[1] ?? ""];
}

/**
 * Writes weights in another format: OpenFold's current names in `.safetensors` and `.pt`, AlphaFold's arrays in `.npz`.
 * Numbers keep their type and their bits.
 *
 * @throws {InputError} If a parameter has no place in the format, or the file cannot be written.
 */
export async function convertWeights(
  weights: Pick<OpenfoldWeights, "entries" | "unknown"> & { readonly file: Pick<OpenfoldWeights["file"], "source"> },
  path: string,
  format: WeightFormat,
  options: WriteWeightsOptions & { readonly heads?: AlphafoldHeads } = {},
): Promise<readonly WeightEntry[]> {
  const { file, unknown, entries } = weights;
  if (unknown.length > 0) {
    throw new InputError(
      `${file.source} has arrays that no network has, such as ${unknown.slice(0, 3).join(", ")}`,
    );
  }
  try {
    const written = format === "npz" ? alphafoldEntries(entries, options.heads) : [...entries.values()];
    await writeWeights(path, format, written, options);
    return written;
  } catch (error) {
    if (error instanceof TypeError || error instanceof SyntaxError) {
      throw new InputError(`Cannot convert ${file.source}: ${error.message}`);
    }
    throw error;
  }
}
