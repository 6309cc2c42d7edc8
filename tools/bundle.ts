/**
 * Makes the command line one JavaScript file that needs nothing beside it: `deno task bundle [FILE]`.
 *
 * The npm packages are in it as far as they are used, so are the finished pages of the reports, the examples and
 * the trained network.
 *
 * @module
 */
import * as esbuild from "esbuild";
import { builtinModules } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeFolder, writeFileAtomic } from "./files.ts";
import { shippedContents } from "./platform/shipped.ts";
import { pageDefine } from "./report/page_assets.ts";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");

/**
 * Bundles the command line.
 *
 * @param file Where to write it.
 * @returns Its size in bytes.
 * @throws {Error} If esbuild finds an error; names file and line.
 */
export async function bundle(file: string): Promise<number> {
  const shipped = { examples: await shippedContents("examples"), pretrained: await shippedContents("pretrained") };
  const define = { ...await pageDefine(), DENOFOLD_SHIPPED: JSON.stringify(shipped) };
  try {
    const result = await esbuild.build({
      absWorkingDir: ROOT,
      entryPoints: ["tools/cli/main.ts"],
      outfile: file,
      bundle: true,
      write: false,
      metafile: true,
      format: "esm",
      platform: "node",
      target: "esnext",
      treeShaking: true,
      minifySyntax: true,
      charset: "utf8",
      legalComments: "none",
      logLevel: "silent",
      define,
      plugins: [nodeBuiltins],
      // Packages in CommonJS ask for builtins by require(), which a module does not have by itself.
      banner: { js: `${SHEBANG}\n${REQUIRE}` },
    });
    const text = `${result.outputFiles[0].text}\n${await licences(Object.keys(result.metafile.inputs))}`;
    await makeFolder(dirname(file));
    await writeFileAtomic(file, text);
    if (Deno.build.os !== "windows") await Deno.chmod(file, 0o755);
    return new TextEncoder().encode(text).length;
  } finally {
    await esbuild.stop();
  }
}

const SHEBANG = "#!/usr/bin/env -S deno run -A --unstable-webgpu";
const REQUIRE = 'import { createRequire as denofoldCreateRequire } from "node:module";\n' +
  "const require = denofoldCreateRequire(import.meta.url);";

/** Leaves Node's builtins to Deno, which wants them with their prefix. */
const nodeBuiltins: esbuild.Plugin = {
  name: "node-builtins",
  setup(build) {
    const builtins = new Set(builtinModules);
    build.onResolve({ filter: /^[a-z]/ }, ({ path, kind }) => {
      if (!builtins.has(path) || kind === "require-call") return undefined;
      return { path: `node:${path}`, external: true };
    });
  },
};

/** A comment with the licence of every package that went in, as those licences ask. */
async function licences(inputs: string[]): Promise<string> {
  const folders = new Set(inputs.map((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]));
  const parts: string[] = [];
  for (const folder of [...folders].sort()) {
    if (folder === undefined) continue;
    const { name, version, license } = JSON.parse(await Deno.readTextFile(join(ROOT, folder, "package.json")));
    parts.push(`${name} ${version} (${license})\n\n${await licenceText(join(ROOT, folder))}`);
  }
  return `/*\n${parts.join("\n\n----\n\n").replaceAll("*/", "* /")}\n*/\n`;
}

async function licenceText(folder: string): Promise<string> {
  for await (const { name } of Deno.readDir(folder)) {
    if (/^licen[cs]e(\.\w+)?$/i.test(name)) return (await Deno.readTextFile(join(folder, name))).trim();
  }
  return "";
}

if (import.meta.main) {
  const file = Deno.args[0] ?? join(ROOT, "dist", "denofold.js");
  const size = await bundle(file);
  console.log(`${file}: ${(size / 2 ** 20).toFixed(1)} MiB`);
}
