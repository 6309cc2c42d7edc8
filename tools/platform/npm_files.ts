import { basename, join } from "node:path";
import { InputError } from "../errors.ts";
import { cacheFolder } from "./cache.ts";

/** Files of a package in the npm registry. */
export interface NpmFiles {
  /** Name of the package. */
  readonly name: string;
  /** Its version. */
  readonly version: string;
  /** The wanted files by their paths in the package, with the SHA-256 that each must have. */
  readonly files: Readonly<Record<string, string>>;
}

/** How fetched files become those that are kept. */
export interface NpmFolder {
  /** The folder in the cache folder that receives them. */
  readonly folder: string;
  /**
   * Turns the fetched files, in the order they were named in, into those that are kept, by name.
   *
   * @default as they are, under their names without folders
   */
  readonly unpack?: (contents: readonly Uint8Array[]) => Iterable<readonly [name: string, bytes: Uint8Array]>;
}

/**
 * Fetches files of a package from the npm registry into a folder of the cache folder, by Deno's or npm's own client, so
 * that the user's registry settings hold. The folder appears with all files in it or not at all; one that is there already
 * stays.
 *
 * @throws {InputError} If they cannot be fetched or written, or are not the files that are expected.
 */
export async function fetchNpmFiles(wanted: NpmFiles, { folder, unpack }: NpmFolder): Promise<void> {
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
    const contents = await fetchContents(wanted, work);
    const files = join(work, "files");
    await Deno.mkdir(files);
    const kept = unpack?.(contents) ??
      Object.keys(wanted.files).map((path, i) => [basename(path), contents[i]] as const);
    for (const [name, bytes] of kept) await Deno.writeFile(join(files, name), bytes);
    try {
      await Deno.rename(files, folder);
    } catch (error) {
      if (!isFolder(folder)) throw error; // Otherwise another run of denofold was quicker.
    }
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Lets a package manager put the package into a folder of its own and reads the wanted files there. */
async function fetchContents({ name, version, files }: NpmFiles, work: string): Promise<Uint8Array[]> {
  const failures: string[] = [];
  for (const [program, args] of packageManagers()) {
    try {
      const cwd = await Deno.makeTempDir({ dir: work }); // one stumbles over what the other has left
      await Deno.writeTextFile(join(cwd, "package.json"), JSON.stringify({ dependencies: { [name]: version } }));
      const { code, stderr } = await new Deno.Command(program, {
        args,
        cwd,
        env: { DENO_DIR: join(cwd, "deno"), npm_config_cache: join(cwd, "npm"), NO_COLOR: "1" },
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      }).output();
      if (code !== 0) throw new InputError(lastLine(new TextDecoder().decode(stderr)) ?? `ended with code ${code}`);
      const contents: Uint8Array[] = [];
      for (const [path, expected] of Object.entries(files)) {
        const bytes = await Deno.readFile(join(cwd, "node_modules", name, path));
        const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
        if (digest !== expected) throw new InputError(`${path} has the SHA-256 ${digest}, expected ${expected}`);
        contents.push(bytes);
      }
      return contents;
    } catch (error) {
      failures.push(`${basename(program)}: ${text(error)}`);
    }
  }
  throw new InputError(`Cannot fetch ${name} ${version} from npm: ${failures.join("; ")}`);
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

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

function lastLine(output: string): string | undefined {
  return output.split("\n").map((line) => line.trim()).filter((line) => line !== "").at(-1);
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
