/** What was measured on an adapter, kept in the cache folder. */
import { join } from "node:path";
import type { AdapterTraits } from "../../core/mod.ts";
import { writeFileAtomic } from "../files.ts";
import { cacheFolder } from "./cache.ts";

/** Which file: a name, and all that must be the same for its content to hold. */
export interface AdapterFile {
  /** Begin of the file's name. */
  readonly name: string;
  /** The adapter. */
  readonly traits: AdapterTraits;
  /** What else must be the same: versions, say. */
  readonly valid: string;
}

/** What was kept; undefined where nothing was, or where the file is damaged. */
export async function readAdapterFile(file: AdapterFile): Promise<unknown> {
  try {
    return JSON.parse(await Deno.readTextFile(await pathOf(file)));
  } catch {
    return undefined; // measured again, and written anew
  }
}

/** Keeps a value; where the cache folder cannot be written, it is measured again the next time. */
export async function writeAdapterFile(file: AdapterFile, value: Readonly<Record<string, unknown>>): Promise<void> {
  try {
    await Deno.mkdir(cacheFolder(), { recursive: true });
    const text = JSON.stringify({ adapter: file.traits.description, ...value });
    await writeFileAtomic(await pathOf(file), `${text}\n`);
  } catch {
    // What is measured is good for this run all the same.
  }
}

async function pathOf({ name, traits, valid }: AdapterFile): Promise<string> {
  const { vendor, description, architecture, subgroupSize } = traits;
  const identity = JSON.stringify([valid, vendor, description, architecture, subgroupSize]);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(identity));
  return join(cacheFolder(), `${name}_${new Uint8Array(digest).toHex().slice(0, 16)}.json`);
}
