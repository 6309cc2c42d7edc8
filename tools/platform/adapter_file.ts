/** What was found out about an adapter, kept in the cache folder. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { AdapterTraits } from "../../core/mod.ts";
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
export function readAdapterFile(file: AdapterFile): unknown {
  try {
    return JSON.parse(Deno.readTextFileSync(pathOf(file)));
  } catch {
    return undefined; // found out again, and written anew
  }
}

/** Keeps a value; where the cache folder cannot be written, it is found out again the next time. */
export function writeAdapterFile(file: AdapterFile, value: Readonly<Record<string, unknown>>): void {
  const path = pathOf(file), temporary = `${path}.${Deno.pid}.tmp`;
  try {
    Deno.mkdirSync(cacheFolder(), { recursive: true });
    Deno.writeTextFileSync(temporary, `${JSON.stringify({ adapter: file.traits.description, ...value })}\n`);
    Deno.renameSync(temporary, path);
  } catch {
    // What was found out is good for this run all the same.
  }
}

function pathOf({ name, traits, valid }: AdapterFile): string {
  const { vendor, description, architecture, subgroupSize, needsEnableSubgroups, kernelFamilies, matrixUnits } = traits;
  const units = kernelFamilies.includes("matrix") ? [matrixUnits] : []; // what is fastest with them is not without
  const identity = JSON.stringify([
    ...[valid, vendor, description, architecture, subgroupSize, needsEnableSubgroups],
    ...units,
  ]);
  const digest = createHash("sha256").update(identity).digest("hex");
  return join(cacheFolder(), `${name}_${digest.slice(0, 16)}.json`);
}
