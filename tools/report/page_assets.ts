/** Script and style of the pages: embedded, made ahead, or built from their sources. */
import { basename, join } from "node:path";
import { writeFileAtomic } from "../files.ts";
import { readPackagePart } from "../package_part.ts";
import { cacheFolder } from "../platform/cache.ts";

/** A page of this project. */
export type PageName = "report" | "profile" | "attention" | "predict" | "finetune" | "web";

/** The parts of a page that are the same whatever data it shows. */
export type PageAssets = {
  /** JavaScript of the page, safe inside a `<script>` element; begins with the licences of what it contains. */
  script: string;
  /** CSS of the page. */
  style: string;
  /** JavaScript of the page's worker, of a page that has one. */
  worker?: string;
};

/** Set by the bundler of a single-file program (see {@link pageDefine}); not there when run from source. */
declare const DENOFOLD_PAGE_ASSETS: PageAssets | undefined;

const inMemory = new Map<PageName, Promise<PageAssets>>();

/**
 * Gives the report's script and style: embedded ones in a single-file program; else as {@linkcode builtAssets} does.
 */
export function pageAssets(): Promise<PageAssets> {
  if (typeof DENOFOLD_PAGE_ASSETS !== "undefined") return Promise.resolve(DENOFOLD_PAGE_ASSETS);
  return builtAssets("report");
}

/** Builds pages; only a checkout has it, with the sources of the pages. */
interface PageBuilder {
  buildPage(page: PageName): Promise<PageAssets>;
  pageKey(page: PageName): Promise<string>;
}

/** Its module. A published package is without it, so that it must not be found by whoever follows imports. */
const BUILDER: string = "./page_build.ts";

/**
 * Gives a page's script and style: those that a published package has; in a checkout those of denofold's cache folder
 * when they were made from the same sources, else built now and put there. Where the folder cannot be written they are kept
 * in memory alone.
 *
 * @throws {InputError} If this is neither a checkout nor a published package.
 */
export function builtAssets(page: PageName): Promise<PageAssets> {
  let assets = inMemory.get(page);
  if (!assets) {
    assets = madeOrBuilt(page).catch((error) => {
      inMemory.delete(page);
      throw error;
    });
    inMemory.set(page, assets);
  }
  return assets;
}

/**
 * Builds the pages and gives them as options `define` of esbuild: a program bundled with them embeds the finished pages
 * and needs neither esbuild (mark it external) nor the pages' sources.
 */
export async function pageDefine(): Promise<
  Record<
    | "DENOFOLD_PAGE_ASSETS"
    | "DENOFOLD_PROFILE_PAGE_ASSETS"
    | "DENOFOLD_ATTENTION_PAGE_ASSETS"
    | "DENOFOLD_PREDICT_PAGE_ASSETS"
    | "DENOFOLD_FINETUNE_PAGE_ASSETS"
    | "DENOFOLD_WEB_PAGE_ASSETS",
    string
  >
> {
  return {
    DENOFOLD_PAGE_ASSETS: JSON.stringify(await pageAssets()),
    DENOFOLD_PROFILE_PAGE_ASSETS: JSON.stringify(await builtAssets("profile")),
    DENOFOLD_ATTENTION_PAGE_ASSETS: JSON.stringify(await builtAssets("attention")),
    DENOFOLD_PREDICT_PAGE_ASSETS: JSON.stringify(await builtAssets("predict")),
    DENOFOLD_FINETUNE_PAGE_ASSETS: JSON.stringify(await builtAssets("finetune")),
    DENOFOLD_WEB_PAGE_ASSETS: JSON.stringify(await builtAssets("web")),
  };
}

async function madeOrBuilt(page: PageName): Promise<PageAssets> {
  if (await isCheckout()) return await cachedOrBuilt(page);
  return await readPackagePart(`${page}_page`) as PageAssets;
}

async function isCheckout(): Promise<boolean> {
  const builder = new URL(BUILDER, import.meta.url);
  return builder.protocol === "file:" && await Deno.stat(builder).then(() => true, () => false);
}

async function cachedOrBuilt(page: PageName): Promise<PageAssets> {
  const { buildPage, pageKey }: PageBuilder = await import(BUILDER);
  const folder = cacheFolder();
  const file = join(folder, `${page}_page_${await pageKey(page)}.json`);
  const cached = await readCached(file);
  if (cached) return cached;
  const built = await buildPage(page);
  await writeCached(folder, file, built, page);
  return built;
}

/** A file that is missing, unreadable or damaged counts as not cached: the page is then built again. */
async function readCached(file: string): Promise<PageAssets | undefined> {
  try {
    const { script, style, worker } = JSON.parse(await Deno.readTextFile(file));
    return typeof script === "string" && typeof style === "string"
      ? { script, style, ...(worker !== undefined && { worker }) }
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Puts the page in the cache in place of those of other versions. A cache that cannot be written only costs the next run
 * some seconds, so it is no error.
 */
async function writeCached(folder: string, file: string, assets: PageAssets, page: PageName): Promise<void> {
  try {
    await Deno.mkdir(folder, { recursive: true });
    await writeFileAtomic(file, JSON.stringify(assets));
    for await (const { name } of Deno.readDir(folder)) {
      const version = /^([a-z]+)_page_[0-9a-f]+\.json$/.exec(name);
      if (version?.[1] === page && name !== basename(file)) await Deno.remove(join(folder, name));
    }
  } catch {
    // Kept in memory alone.
  }
}
