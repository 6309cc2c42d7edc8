/** Builds the pages of the reports from their sources. */
import * as esbuild from "esbuild";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PageAssets, PageName } from "./page_assets.ts";

/** Packages that the pages are made of, beside their own sources, and the one that builds them. */
const PACKAGES = ["@zip.js/zip.js", "esbuild", "molstar", "plotly.js-cartesian-dist-min"];

/** What a page is made of, from the folder of tools. */
interface PageSources {
  /** Folder of `main.ts`, `style.css` and, of a page with a worker, `worker.ts`. */
  readonly folder: string;
  /** Files and folders of which it is made besides. */
  readonly sources: readonly string[];
  /** Whether it has a worker. */
  readonly worker?: boolean;
}

const PAGES: Readonly<Record<PageName, PageSources>> = {
  report: { folder: "report/page", sources: ["report/report_data.ts"] },
  profile: { folder: "profile/page", sources: ["profile/profile_data.ts", "profile/table.ts", "report/page"] },
  predict: { folder: "predict/page", sources: ["predict/report_data.ts", "report/page"] },
  finetune: { folder: "finetune/page", sources: ["finetune/report_data.ts", "report/page"] },
  attention: { folder: "attention/page", sources: ["attention/attention_data.ts", "report/page"] },
  web: {
    folder: "web/page",
    sources: [
      ...["../core", "../finetune/checkpoint.ts", "../model", "../ops", "data", "errors.ts", "predict", "prep"],
      ...["report/page", "weights", "web/messages.ts", "words.ts"],
    ],
    worker: true,
  },
};

/** Folders of the project and of its tools; this module is part of checkouts alone. */
function places(): { root: string; tools: string } {
  const tools = join(dirname(fileURLToPath(import.meta.url)), "..");
  return { root: join(tools, ".."), tools };
}

/**
 * Bundles and minifies a page's sources with the parts of Mol* and plotly that they use.
 *
 * Stops esbuild's process when done, so nothing else may use esbuild meanwhile.
 *
 * @throws {Error} If esbuild finds an error in them (names file and line).
 */
export async function buildPage(name: PageName = "report"): Promise<PageAssets> {
  const { root, tools } = places();
  const page = join(tools, PAGES[name].folder);
  try {
    const { script, style } = await bundled(root, { script: join(page, "main.ts"), style: join(page, "style.css") });
    if (!PAGES[name].worker) return { script, style };
    const { script: worker } = await bundled(root, { script: join(page, "worker.ts") });
    return { script, style, worker };
  } finally {
    await esbuild.stop();
  }
}

/** Bundles a script, and a style where there is one. */
async function bundled(
  root: string,
  entryPoints: { readonly script: string; readonly style?: string },
): Promise<{ script: string; style: string }> {
  const result = await esbuild.build({
    absWorkingDir: root,
    entryPoints: Object.fromEntries(Object.entries(entryPoints)),
    outdir: join(root, "dist"),
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "iife",
    platform: "browser",
    charset: "ascii",
    target: ["chrome109", "firefox115", "safari16.4"],
    legalComments: "none",
    logLevel: "silent",
    define: { "process.env.NODE_ENV": '"production"', "process.env.DEBUG": '""' },
  });
  const text = (extension: string) =>
    result.outputFiles.find(({ path }) => path.endsWith(extension))?.text.trim() ?? "";
  const script = `${await licences(root, Object.keys(result.metafile.inputs))}\n${text(".js")}`;
  return { script: safeInScriptElement(script), style: text(".css") };
}

/** A key that changes with a page's sources, the way they are built and the versions of the packages in it. */
export async function pageKey(name: PageName = "report"): Promise<string> {
  const { root, tools } = places();
  const files = [join(tools, "report", "page_build.ts")];
  for (const source of [PAGES[name].folder, ...PAGES[name].sources]) {
    const path = join(tools, source);
    if (source.endsWith(".ts")) files.push(path);
    else files.push(...await filesBelow(path));
  }
  for (const name of PACKAGES) files.push(join(root, "node_modules", name, "package.json"));
  const texts = await Promise.all(files.sort().map((file) => Deno.readTextFile(file)));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(texts.join("\0")));
  return new Uint8Array(digest).toHex().slice(0, 20);
}

async function filesBelow(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) files.push(...await filesBelow(join(folder, name)));
    else files.push(join(folder, name));
  }
  return files;
}

/** A comment with the licence of every package that went into the bundle, as those licences ask. */
async function licences(root: string, inputs: string[]): Promise<string> {
  const folders = new Set(inputs.map((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]));
  const parts: string[] = [];
  for (const folder of folders) {
    if (folder === undefined) continue;
    const { name, version, license } = JSON.parse(await Deno.readTextFile(join(root, folder, "package.json")));
    let text = "";
    for await (const entry of Deno.readDir(join(root, folder))) {
      if (/^licen[cs]e/i.test(entry.name)) text = await Deno.readTextFile(join(root, folder, entry.name));
    }
    parts.push(`${name} ${version}, ${license}\n\n${text.trim()}`);
  }
  const body = ["This page contains the following packages.", ...parts.sort()].join("\n\n----\n\n");
  // deno-lint-ignore no-control-regex
  return `/*!\n${body.replaceAll("*/", "* /").replace(/\r/g, "").replace(/[^\x00-\x7f]/g, "?")}\n*/`;
}

/** In a script element `</script` would end the script and `<!--` would begin a comment; both occur in strings alone. */
function safeInScriptElement(script: string): string {
  return script.replace(/<(\/script|!--)/gi, "<\\$1");
}
