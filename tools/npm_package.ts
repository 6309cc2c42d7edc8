/**
 * Makes a package for npm, with the command line alone: `deno task npm [FOLDER]`, then `npm pack FOLDER`.
 *
 * It holds the single-file program, and depends on the npm package `deno`, which brings Deno itself: with Node and npm nothing
 * else has to be installed.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import config from "../deno.json" with { type: "json" };
import { bundle } from "./bundle.ts";
import { writeTogether } from "./files.ts";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");

/** The version of Deno that the package runs with. */
const DENO_VERSION = "2.9.6";

/** Starts the program under the Deno that npm installed beside it, and ends as it ends. */
const LAUNCHER = `#!/usr/bin/env node
const { spawn } = require("node:child_process");
const { join } = require("node:path");

const program = join(__dirname, "denofold.js");
const flags = ["run", "-A", "--unstable-webgpu", "--no-config", "--no-lock", "--quiet"];
const args = [require.resolve("deno/bin.cjs"), ...flags, program, ...process.argv.slice(2)];
const child = spawn(process.execPath, args, { stdio: "inherit" });
// Ctrl-C reaches the program too, which ends when it has saved.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => signal === "SIGTERM" && child.kill(signal));
child.on("exit", (code, signal) => signal ? process.kill(process.pid, signal) : process.exit(code ?? 1));
`;

/**
 * Makes the package's folder.
 *
 * @returns Paths of its files.
 */
export async function makeNpmPackage(folder: string): Promise<string[]> {
  const program = join(folder, "denofold.js");
  await bundle(program);
  const manifest = {
    name: "denofold",
    version: config.version,
    description: "Train, fine-tune and run protein folding networks on any GPU through WebGPU",
    license: config.license,
    bin: { denofold: "denofold.cjs" },
    files: ["denofold.cjs", "denofold.js"],
    dependencies: { deno: DENO_VERSION },
  };
  const files = new Map<string, string>([
    ["package.json", `${JSON.stringify(manifest, undefined, 2)}\n`],
    ["denofold.cjs", LAUNCHER],
    ["README.md", await Deno.readTextFile(join(ROOT, "README.md"))],
    ["LICENSE", await Deno.readTextFile(join(ROOT, "LICENSE"))],
  ]);
  return [program, ...await writeTogether(folder, files)];
}

if (import.meta.main) {
  const folder = Deno.args[0] ?? join(ROOT, "dist", "npm");
  for (const path of await makeNpmPackage(folder)) console.log(path);
}
