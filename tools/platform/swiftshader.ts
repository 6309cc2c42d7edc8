import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { readTar } from "../data/tar.ts";
import { InputError } from "../errors.ts";
import { cacheFolder } from "./cache.ts";
import { fetchNpmFiles, type NpmFiles } from "./npm_files.ts";

// The npm package carries Google's SwiftShader (Apache-2.0) beside a Chromium that is not used here.
const ARCHIVE = "bin/swiftshader.tar.br";
const PACKAGE: NpmFiles = {
  name: "@sparticuz/chromium",
  version: "153.0.0",
  files: { [ARCHIVE]: "b680e40a33235ecc6ad4c6897a168b70ce5164f0d62d2a64d675320d51614631" },
};
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
 * Fetches SwiftShader from the npm registry into the cache folder.
 *
 * @throws {InputError} If it cannot be fetched or is not the file that is expected.
 */
export async function fetchSwiftShader(): Promise<SwiftShader> {
  const folder = swiftShaderFolder();
  const icd = { file_format_version: "1.0.0", ICD: { library_path: join(folder, DRIVER), api_version: "1.1.0" } };
  await fetchNpmFiles(PACKAGE, {
    folder,
    *unpack([archive]) {
      for (const [name, bytes] of readTar(brotliDecompressSync(archive), ARCHIVE)) {
        if (name === DRIVER || name === LOADER) yield [name, bytes];
      }
      yield [ICD, new TextEncoder().encode(JSON.stringify(icd))];
    },
  });
  const fetched = cachedSwiftShader();
  if (!fetched) throw new InputError(`${PACKAGE.name} ${PACKAGE.version} does not hold ${DRIVER} and ${LOADER}`);
  return fetched;
}

function swiftShaderFolder(): string {
  return join(cacheFolder(), `swiftshader-${PACKAGE.version}`);
}
