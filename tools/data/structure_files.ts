/** Finds the structures of folders. */
import { join } from "node:path";
import { InputError } from "../errors.ts";

/** Endings of structure files that are taken from a folder. */
const STRUCTURE_FILE = /\.(?:cif|mmcif|bcif|pdb|ent)(?:\.gz)?$/i;

/**
 * Replaces folders by the structure files in them, in the order of their names.
 *
 * @throws {InputError} If a folder has none.
 */
export async function structureFiles(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) {
    const isFolder = await Deno.stat(path).then((info) => info.isDirectory, () => false);
    if (!isFolder) {
      files.push(path);
      continue;
    }
    const found: string[] = [];
    for await (const { name, isDirectory } of Deno.readDir(path)) {
      if (!isDirectory && STRUCTURE_FILE.test(name)) found.push(join(path, name));
    }
    if (found.length === 0) {
      throw new InputError(
        `The folder ${path} has no structure: expected files named .cif, .bcif or .pdb, or the same with .gz`,
      );
    }
    files.push(...found.sort());
  }
  return files;
}
