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

/**
 * Starts the program under the Deno that npm installed beside it, and ends as it ends. The program is the only child: the
 * script `deno/bin.cjs` would end at Ctrl-C, while Deno behind it is saving.
 */
const LAUNCHER = `#!/usr/bin/env node
const { spawn } = require("node:child_process");
const { join } = require("node:path");

const deno = require("deno/install_api.cjs").runInstall();
const flags = ["run", "-A", "--unstable-webgpu", "--no-config", "--no-lock", "--quiet"];
const child = spawn(deno, [...flags, join(__dirname, "denofold.js"), ...process.argv.slice(2)], { stdio: "inherit" });
// Ctrl-C reaches the program too, which ends when it has saved.
const signals = { SIGINT: () => {}, SIGTERM: () => child.kill("SIGTERM") };
for (const [signal, act] of Object.entries(signals)) process.on(signal, act);
child.on("error", (error) => {
  console.error("denofold: Cannot start Deno: " + error.message);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  if (!signal) process.exit(code ?? 1);
  for (const [name, act] of Object.entries(signals)) process.off(name, act);
  process.kill(process.pid, signal);
});
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
