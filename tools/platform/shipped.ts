import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import config from "../../deno.json" with { type: "json" };
import { makeFolder, writeFileAtomic } from "../files.ts";
import { readPackagePart } from "../package_part.ts";
import { cacheFolder } from "./cache.ts";

/** Folders of the sources that ship with denofold in all its forms: the examples, and trained networks. */
export type ShippedFolder = "examples" | "pretrained";

/** What is in a file: text, or bytes in base64. */
export type FileContents = string | { readonly base64: string };

/** Contents of files by their paths in a folder, with `/` between folders. */
export type FolderContents = Readonly<Record<string, FileContents>>;

/** Set by the bundler of a single-file program; not there when run from source. */
declare const DENOFOLD_SHIPPED: Readonly<Record<ShippedFolder, FolderContents>> | undefined;

/**
 * A folder that ships with denofold: that of the sources; of a single-file program or a published package a copy in the cache
 * folder, which is written when it is first asked for.
 *
 * @throws {InputError} If this program has neither, or the copy cannot be written.
 */
export async function shippedFolder(name: ShippedFolder): Promise<string> {
  if (typeof DENOFOLD_SHIPPED !== "undefined") return await unpack(name, DENOFOLD_SHIPPED[name]);
  const folder = sourceFolder(name);
  if (folder && await Deno.stat(folder).then(() => true, () => false)) return folder;
  return await unpack(name, await readPackagePart(name) as FolderContents);
}

/** Everything in a folder of the sources that ships. */
export async function shippedContents(name: ShippedFolder): Promise<FolderContents> {
  const root = sourceFolder(name);
  const contents: Record<string, FileContents> = {};
  if (root) await collect(root, "", contents);
  return contents;
}

async function collect(root: string, folder: string, contents: Record<string, FileContents>): Promise<void> {
  const entries = await Array.fromAsync(Deno.readDir(join(root, folder)));
  for (const { name, isDirectory } of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (isDirectory) await collect(root, path, contents);
    else if (!path.endsWith(".safetensors")) contents[path] = await Deno.readTextFile(join(root, path));
    else contents[path] = { base64: (await Deno.readFile(join(root, path))).toBase64() };
  }
}

function sourceFolder(name: ShippedFolder): string | undefined {
  if (!import.meta.url.startsWith("file:")) return undefined;
  return join(dirname(fileURLToPath(import.meta.url)), "..", "..", name);
}

/** Writes the files into a folder whose name changes with them, unless an earlier run has. */
async function unpack(name: ShippedFolder, contents: FolderContents): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(contents)));
  const key = new Uint8Array(digest).toHex().slice(0, 12);
  const folder = join(cacheFolder(), `${name}-${config.version}-${key}`);
  await makeFolder(folder);
  for (const [path, content] of Object.entries(contents)) {
    const file = join(folder, path);
    const bytes = typeof content === "string"
      ? new TextEncoder().encode(content)
      : Uint8Array.fromBase64(content.base64);
    if (sameBytes(await Deno.readFile(file).catch(() => undefined), bytes)) continue;
    await makeFolder(dirname(file));
    await writeFileAtomic(file, bytes);
  }
  return folder;
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a?.length === b.length && a.every((byte, i) => byte === b[i]);
}
