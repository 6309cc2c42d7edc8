/** Finds files in folders. */
import { join } from "node:path";
import { InputError } from "../errors.ts";

/** Folders deeper than this are taken for links in a circle. */
const MAX_DEPTH = 16;

/**
 * All files of a file or folder, in the order of their names; hidden ones are left out.
 *
 * @throws {InputError} If there is no such file or folder, or it cannot be read.
 */
export async function filesOf(path: string): Promise<string[]> {
  const files: string[] = [];
  await walk(path, files, 0);
  return files;
}

async function walk(path: string, files: string[], depth: number): Promise<void> {
  const info = await stat(path);
  if (info === undefined && depth === 0) throw new InputError(`Cannot read ${path}: there is no such file or folder`);
  if (!info?.isDirectory) {
    // A link that leads nowhere is told by whoever reads it; pipes and sockets in folders are none of our business.
    if (info === undefined || info.isFile || depth === 0) files.push(path);
    return;
  }
  if (depth > MAX_DEPTH) throw new InputError(`${path} lies more than ${MAX_DEPTH} folders deep, expected fewer`);
  const entries: Deno.DirEntry[] = [];
  for await (const entry of Deno.readDir(path)) if (!entry.name.startsWith(".")) entries.push(entry);
  entries.sort((a, b) => a.name < b.name ? -1 : 1);
  for (const { name, isFile } of entries) {
    const inside = join(path, name);
    if (isFile) files.push(inside);
    else await walk(inside, files, depth + 1);
  }
}

async function stat(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
