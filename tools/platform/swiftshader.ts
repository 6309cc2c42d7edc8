import { basename, join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { readTar } from "../data/tar.ts";
import { InputError } from "../errors.ts";
import { cacheFolder } from "./cache.ts";

// The npm package carries Google's SwiftShader (Apache-2.0) beside a Chromium that is not used here.
const PACKAGE = "@sparticuz/chromium";
const VERSION = "153.0.0";
const ARCHIVE = "bin/swiftshader.tar.br";
const ARCHIVE_SHA256 = "b680e40a33235ecc6ad4c6897a168b70ce5164f0d62d2a64d675320d51614631";
const DRIVER = "libvk_swiftshader.so";
const LOADER = "libvulkan.so.1";
const ICD = "denofold_swiftshader_icd.json";

/** Where the SwiftShader files lie. */
export interface SwiftShader {
  /** File that announces the driver to the Vulkan loader. */
  icd: string;
  /** A Vulkan loader for machines that have none. */
  loader: string;
}

/** True where SwiftShader's binaries run: Linux on x86-64 with glibc, the only Linux that Deno runs on. */
export function swiftShaderRunsHere(): boolean {
  return Deno.build.os === "linux" && Deno.build.arch === "x86_64";
}

/** SwiftShader if an earlier run has fetched it. */
export function cachedSwiftShader(): SwiftShader | undefined {
  const folder = swiftShaderFolder();
  const there = [ICD, DRIVER, LOADER].every((name) => {
    try {
      return Deno.statSync(join(folder, name)).isFile;
    } catch {
      return false;
    }
  });
  return there ? { icd: join(folder, ICD), loader: join(folder, LOADER) } : undefined;
}

/**
 * Fetches SwiftShader from the npm registry into the cache folder, by Deno's or npm's own client, so that the user's
 * registry settings hold.
 *
 * @throws {InputError} If it cannot be fetched or is not the file that is expected.
 */
export async function fetchSwiftShader(): Promise<SwiftShader> {
  const cache = cacheFolder();
  let work: string;
  try {
    await Deno.mkdir(cache, { recursive: true });
    work = await Deno.makeTempDir({ dir: cache, prefix: "fetch-" });
  } catch (error) {
    throw new InputError(
      `Cannot write to the cache folder ${cache} (${text(error)}); set DENOFOLD_CACHE to a folder that can be written`,
    );
  }
  try {
    const archive = await fetchArchive(work);
    const files = join(work, "files");
    await Deno.mkdir(files);
    for (const [name, bytes] of readTar(brotliDecompressSync(archive), ARCHIVE)) {
      if (name === DRIVER || name === LOADER) await Deno.writeFile(join(files, name), bytes);
    }
    const folder = swiftShaderFolder();
    const icd = { file_format_version: "1.0.0", ICD: { library_path: join(folder, DRIVER), api_version: "1.1.0" } };
    await Deno.writeTextFile(join(files, ICD), JSON.stringify(icd));
    try {
      await Deno.rename(files, folder);
    } catch (error) {
      if (!cachedSwiftShader()) throw error; // Otherwise another run of denofold was quicker.
    }
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  const fetched = cachedSwiftShader();
  if (!fetched) throw new InputError(`${PACKAGE} ${VERSION} does not hold ${DRIVER} and ${LOADER}`);
  return fetched;
}

function swiftShaderFolder(): string {
  return join(cacheFolder(), `swiftshader-${VERSION}`);
}

/** Lets a package manager put the package into a folder of its own and returns the one file that is wanted from it. */
async function fetchArchive(work: string): Promise<Uint8Array> {
  await Deno.writeTextFile(join(work, "package.json"), JSON.stringify({ dependencies: { [PACKAGE]: VERSION } }));
  const failures: string[] = [];
  for (const [program, args] of packageManagers()) {
    try {
      const { code, stderr } = await new Deno.Command(program, {
        args,
        cwd: work,
        env: { DENO_DIR: join(work, "deno"), npm_config_cache: join(work, "npm"), NO_COLOR: "1" },
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      }).output();
      if (code !== 0) throw new InputError(lastLine(new TextDecoder().decode(stderr)) ?? `ended with code ${code}`);
      const archive = await Deno.readFile(join(work, "node_modules", PACKAGE, ARCHIVE));
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", archive)).toHex();
      if (digest === ARCHIVE_SHA256) return archive;
      failures.push(`${ARCHIVE} has the SHA-256 ${digest}, expected ${ARCHIVE_SHA256}`);
    } catch (error) {
      failures.push(`${basename(program)}: ${text(error)}`);
    }
  }
  throw new InputError(`Cannot fetch ${PACKAGE} ${VERSION} from npm: ${failures.join("; ")}`);
}

function packageManagers(): [program: string, args: string[]][] {
  const deno = Deno.execPath();
  const npm: [string, string[]] = ["npm", [
    "install",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ]];
  // A compiled denofold is its own executable and cannot install packages: then only npm remains.
  return /^deno(\.exe)?$/.test(basename(deno))
    ? [[deno, ["install", "--node-modules-dir=auto", "--quiet"]], npm]
    : [npm];
}

function lastLine(output: string): string | undefined {
  return output.split("\n").map((line) => line.trim()).filter((line) => line !== "").at(-1);
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
