import { basename, join } from "node:path";
import { writeFileAtomic } from "../files.ts";
import { cacheFolder } from "../platform/cache.ts";

/** The parts of a report that are the same in every report. */
export type PageAssets = {
  /** JavaScript of the page, safe inside a `<script>` element; begins with the licences of what it contains. */
  script: string;
  /** CSS of the page. */
  style: string;
};

/** Set by the bundler of a single-file program (see {@link pageDefine}); not there when run from source. */
declare const DENOFOLD_PAGE_ASSETS: PageAssets | undefined;

let inMemory: Promise<PageAssets> | undefined;

/**
 * Gives the page's script and style: embedded ones in a single-file program; else those of denofold's cache folder
 * when they were made from the same sources; else built now and put there. Where the folder cannot be written they are
 * kept in memory alone.
 */
export function pageAssets(): Promise<PageAssets> {
  if (typeof DENOFOLD_PAGE_ASSETS !== "undefined") return Promise.resolve(DENOFOLD_PAGE_ASSETS);
  inMemory ??= cachedOrBuilt().catch((error) => {
    inMemory = undefined;
    throw error;
  });
  return inMemory;
}

/**
 * Builds the page and gives it as an option `define` of esbuild: a program bundled with it embeds the finished page and
 * needs neither esbuild (mark it external) nor the page's sources.
 */
export async function pageDefine(): Promise<{ DENOFOLD_PAGE_ASSETS: string }> {
  return { DENOFOLD_PAGE_ASSETS: JSON.stringify(await pageAssets()) };
}

async function cachedOrBuilt(): Promise<PageAssets> {
  const { buildPage, pageKey } = await import("./page_build.ts");
  const folder = cacheFolder();
  const file = join(folder, `report_page_${await pageKey()}.json`);
  const cached = await readCached(file);
  if (cached) return cached;
  const built = await buildPage();
  await writeCached(folder, file, built);
  return built;
}

/** A file that is missing, unreadable or damaged counts as not cached: the page is then built again. */
async function readCached(file: string): Promise<PageAssets | undefined> {
  try {
    const { script, style } = JSON.parse(await Deno.readTextFile(file));
    return typeof script === "string" && typeof style === "string" ? { script, style } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Puts the page in the cache in place of those of other versions. A cache that cannot be written only costs the next run
 * some seconds, so it is no error.
 */
async function writeCached(folder: string, file: string, assets: PageAssets): Promise<void> {
  try {
    await Deno.mkdir(folder, { recursive: true });
    await writeFileAtomic(file, JSON.stringify(assets));
    for await (const { name } of Deno.readDir(folder)) {
      if (/^report_page_[0-9a-f]+\.json$/.test(name) && name !== basename(file)) await Deno.remove(join(folder, name));
    }
  } catch {
    // Kept in memory alone.
  }
}
