/**
 * The environment in which denofold's kernels run: what drivers read from it when they are loaded. The command line, the
 * tests and the benchmarks prepare it by themselves; a script does with `import "@denofold/denofold/setup"`.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { cacheFolder } from "./cache.ts";
import { installedLavapipe, lavapipeIsLoaded } from "./lavapipe.ts";
import { chooseVectorWidth, type VectorWidth } from "./vector_width.ts";

/** What Mesa's disk cache may hold, in a driver's folder; the kernels of a whole test run are a tenth of it. */
const CACHE_LIMIT = "64M";
/** Folders of Mesa's disk cache that are kept when a new one is made. */
const KEPT_FOLDERS = 8;
/** Name of such a folder: version, identity and vector width of the driver. */
const FOLDER = /^lavapipe-[\w.]+-[0-9a-f]{8}-\w+$/;

let chosen: VectorWidth | undefined;
/** What this module has set, so that a second call does not take it for the user's. */
const ours = new Map<string, string>();

/**
 * Sets what drivers read from the environment, where the user has not set it. Must run before the first look for
 * adapters; where lavapipe is loaded already, what concerns it stays as it is.
 *
 * - `LP_NATIVE_VECTOR_WIDTH`: how wide lavapipe's vectors are, see {@linkcode vectorWidth}.
 * - `MESA_SHADER_CACHE_DIR`: a folder of its own for each driver and vector width, below the user's if there is one. Mesa
 *   25 keeps machine code under keys that do not tell the width, so that a program gets wrong numbers from what another
 *   has left in a shared folder (docs/mesa_25_texture_cache.md). `MESA_SHADER_CACHE_MAX_SIZE` bounds it.
 * - `XDG_RUNTIME_DIR`: without it Mesa prints an error that means nothing here.
 * - `DENO_WEBGPU_BACKEND=vulkan` on Linux: OpenGL adapters lack subgroups and half floats and are passed over.
 */
export function prepareEnvironment(): void {
  if (Deno.build.os !== "linux") return;
  if (!Deno.env.get("DENO_WEBGPU_BACKEND")) Deno.env.set("DENO_WEBGPU_BACKEND", "vulkan");
  if (!Deno.env.get("XDG_RUNTIME_DIR")) {
    const folder = join(cacheFolder(), "run");
    makeFolder(folder); // where that fails, the variable alone keeps Mesa quiet
    Deno.env.set("XDG_RUNTIME_DIR", folder);
  }
  prepareLavapipe();
}

function prepareLavapipe(): void {
  const lavapipe = installedLavapipe();
  if (!lavapipe || lavapipeIsLoaded()) return;
  chosen = chooseVectorWidth(lavapipe, usersOwn("LP_NATIVE_VECTOR_WIDTH"));
  if (chosen.bits !== undefined) set("LP_NATIVE_VECTOR_WIDTH", String(chosen.bits));
  const folder = ["lavapipe", chosen.mesa ?? "unknown", lavapipe.id, chosen.bits ?? "own"].join("-");
  const base = cacheBase();
  const path = join(base, folder);
  if (makeFolder(path)) removeOld(base);
  set("MESA_SHADER_CACHE_DIR", path);
  if (!Deno.env.get("MESA_SHADER_CACHE_MAX_SIZE")) Deno.env.set("MESA_SHADER_CACHE_MAX_SIZE", CACHE_LIMIT);
}

/**
 * How wide lavapipe's vectors are in this process, and why; undefined where {@linkcode prepareEnvironment} has not chosen,
 * because lavapipe is not installed or was loaded before.
 */
export function vectorWidth(): VectorWidth | undefined {
  return chosen;
}

/** Whether lavapipe keeps its code where no other program does: false if this process loaded it before it was told to. */
export function environmentIsPrepared(): boolean {
  return !lavapipeIsLoaded() || FOLDER.test(basename(Deno.env.get("MESA_SHADER_CACHE_DIR") ?? ""));
}

/** Where lavapipe's folders lie: below the user's own, or where a process that started this one has put them. */
function cacheBase(): string {
  const named = usersOwn("MESA_SHADER_CACHE_DIR");
  if (!named) return join(cacheFolder(), "mesa");
  return FOLDER.test(basename(named)) ? dirname(named) : named;
}

function usersOwn(name: string): string | undefined {
  const value = Deno.env.get(name);
  return value && value !== ours.get(name) ? value : undefined;
}

function set(name: string, value: string): void {
  if (Deno.env.get(name) === value) return;
  ours.set(name, value);
  Deno.env.set(name, value);
}

/** Makes a folder that others cannot read; true if it is new. */
function makeFolder(path: string): boolean {
  try {
    Deno.statSync(path);
    Deno.utimeSync(path, new Date(), new Date()); // so that the least used one is the oldest
    return false;
  } catch {
    try {
      Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
      return true;
    } catch {
      return false; // Mesa goes on without a cache
    }
  }
}

/** Removes the folders of drivers and widths that have not been used for longest. */
function removeOld(base: string): void {
  try {
    const folders = Array.from(Deno.readDirSync(base)).filter(({ name, isDirectory }) =>
      isDirectory && FOLDER.test(name)
    ).map(({ name }) => join(base, name));
    const used = (path: string) => Deno.statSync(path).mtime?.getTime() ?? 0;
    folders.sort((a, b) => used(b) - used(a));
    for (const path of folders.slice(KEPT_FOLDERS)) Deno.removeSync(path, { recursive: true });
  } catch {
    // Another process is removing them.
  }
}
