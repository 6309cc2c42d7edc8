import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { dirname, join, resolve } from "node:path";
import { driverFiles } from "./vulkan.ts";

/** Mesa's software Vulkan driver as it is installed here, found without loading it. */
export interface Lavapipe {
  /** Eight hexadecimal digits that change whenever other files are installed. */
  readonly id: string;
  /** Its library, where that was found. */
  readonly library?: string;
}

/**
 * Looks for lavapipe among the drivers that the Vulkan loader would load. Nothing is loaded: what the driver reads from
 * the environment can still be set.
 *
 * @returns Undefined where it is not installed, and outside Linux.
 */
export function installedLavapipe(): Lavapipe | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const files: string[] = [];
  for (const file of driverFiles()) {
    const named = libraryNamed(file);
    if (!named?.includes("libvulkan_lvp")) continue;
    files.push(file, (named.includes("/") ? resolve(dirname(file), named) : findLibrary(named)) ?? "");
  }
  if (files.length === 0) return undefined;
  const id = createHash("sha256").update(JSON.stringify(files.map(stampOf))).digest("hex").slice(0, 8);
  return { id, library: files[1] || undefined };
}

/**
 * Whether this process has loaded lavapipe already: it has read its environment then, and what is set now would hold for
 * a part of it alone.
 */
export function lavapipeIsLoaded(): boolean {
  try {
    return Deno.readTextFileSync("/proc/self/maps").includes("libvulkan_lvp");
  } catch {
    return false; // not Linux, or not to be read
  }
}

/** What a file that announces a driver names as its library: a path, or a name that the dynamic linker looks up. */
function libraryNamed(file: string): string | undefined {
  try {
    const path: unknown = JSON.parse(Deno.readTextFileSync(file))?.ICD?.library_path;
    return typeof path === "string" ? path : undefined;
  } catch {
    return undefined; // the loader passes over it too
  }
}

/** Where the dynamic linker finds a library that is named without its folder. */
function findLibrary(name: string): string | undefined {
  const folders = (Deno.env.get("LD_LIBRARY_PATH") ?? "").split(":").filter((folder) => folder !== "");
  return [...folders.map((folder) => join(folder, name)), ...cachedPaths(name)].find(is64Bit);
}

/** Paths of a library in the dynamic linker's cache, whose strings end with a zero. */
function cachedPaths(name: string): string[] {
  try {
    const cache = Buffer.from(Deno.readFileSync("/etc/ld.so.cache").buffer).toString("latin1");
    return cache.split("\0").filter((path) => path.startsWith("/") && path.endsWith(`/${name}`));
  } catch {
    return [];
  }
}

/** Whether a file is a program or library of 64 bits, by the fifth byte of its header. */
function is64Bit(path: string): boolean {
  try {
    using file = Deno.openSync(path);
    const head = new Uint8Array(5);
    return file.readSync(head) === 5 && head[4] === 2;
  } catch {
    return false;
  }
}

/** What changes when a file is replaced. */
function stampOf(path: string): readonly unknown[] {
  try {
    const { size, mtime } = Deno.statSync(path);
    return [path, size, mtime?.getTime()];
  } catch {
    return [path];
  }
}

/**
 * The version of Mesa, such as `25.0.7`, that a library names in its own texts; undefined where it names none. Reads the
 * whole library: about 10 MB.
 */
export function mesaVersion(library: string): string | undefined {
  let text: Buffer;
  try {
    text = Buffer.from(Deno.readFileSync(library).buffer);
  } catch {
    return undefined;
  }
  for (let at = text.indexOf("Mesa "); at >= 0; at = text.indexOf("Mesa ", at + 1)) {
    const version = /^Mesa (\d+\.\d+\.\d+)/.exec(text.toString("latin1", at, at + 24));
    if (version) return version[1];
  }
  return undefined;
}
