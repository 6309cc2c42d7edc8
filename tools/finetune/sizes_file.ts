/** Files with sizes of a network. */
import type { AlphaFoldChoices } from "../../model/alphafold/mod.ts";
import { InputError } from "../errors.ts";
import { decodeText, readFileBytes } from "../files.ts";

/**
 * Reads sizes other than a preset's.
 *
 * @param path JSON file. @default none differ
 * @throws {InputError} If it is no JSON object.
 */
export async function readSizes(path: string | undefined): Promise<AlphaFoldChoices> {
  if (path === undefined) return {};
  const text = decodeText(await readFileBytes(path), path);
  try {
    const value = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // told below
  }
  throw new InputError(`${path} is no JSON object with sizes of the network`);
}
