import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import config from "../../deno.json" with { type: "json" };
import { makeFolder, writeFileAtomic } from "../files.ts";
import { readPackagePart } from "../package_part.ts";
import { cacheFolder } from "./cache.ts";

/** Set by the bundler of a single-file program: the text of each example by its path; not there when run from source. */
declare const DENOFOLD_EXAMPLES: Record<string, string> | undefined;

/**
 * The folder of the examples that ship with denofold: `examples/` of the sources; of a single-file program or a published
 * package a copy in the cache folder, which is written when it is first asked for.
 *
 * @throws {InputError} If this program has neither, or the copy cannot be written.
 */
export async function examplesFolder(): Promise<string> {
  if (typeof DENOFOLD_EXAMPLES !== "undefined") return await unpack(DENOFOLD_EXAMPLES);
  const folder = sourceFolder();
  if (folder && await Deno.stat(folder).then(() => true, () => false)) return folder;
  return await unpack(await readPackagePart("examples") as Record<string, string>);
}

/** The text of every file in `examples/` of the sources, by its path in there with `/` between folders. */
export async function exampleTexts(): Promise<Record<string, string>> {
  const root = sourceFolder();
  const texts: Record<string, string> = {};
  if (root) await collect(root, "", texts);
  return texts;
}

async function collect(root: string, folder: string, texts: Record<string, string>): Promise<void> {
  const entries = await Array.fromAsync(Deno.readDir(join(root, folder)));
  for (const { name, isDirectory } of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (isDirectory) await collect(root, path, texts);
    else texts[path] = await Deno.readTextFile(join(root, path));
  }
}

function sourceFolder(): string | undefined {
  if (!import.meta.url.startsWith("file:")) return undefined;
  return join(dirname(fileURLToPath(import.meta.url)), "..", "..", "examples");
}

/** Writes the examples into a folder whose name changes with them, unless an earlier run has. */
async function unpack(texts: Record<string, string>): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(texts)));
  const key = new Uint8Array(digest).toHex().slice(0, 12);
  const folder = join(cacheFolder(), `examples-${config.version}-${key}`);
  for (const [path, text] of Object.entries(texts)) {
    const file = join(folder, path);
    if (await Deno.readTextFile(file).catch(() => undefined) === text) continue;
    await makeFolder(dirname(file));
    await writeFileAtomic(file, text);
  }
  return folder;
}
