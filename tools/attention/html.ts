import { htmlPage } from "../report/html_page.ts";
import { builtAssets, type PageAssets } from "../report/page_assets.ts";
import type { AttentionData } from "./attention_data.ts";

/** Set by the bundler of a single-file program; not there when run from source. */
declare const DENOFOLD_ATTENTION_PAGE_ASSETS: PageAssets | undefined;

/** Makes the page of attention maps: one HTML file with its data and plots, that asks for nothing from the network. */
export async function renderAttention(data: AttentionData): Promise<string> {
  const assets = typeof DENOFOLD_ATTENTION_PAGE_ASSETS === "undefined"
    ? await builtAssets("attention")
    : DENOFOLD_ATTENTION_PAGE_ASSETS;
  return await htmlPage(assets, {
    id: "attention",
    title: data.title,
    description: data.summary,
    withoutScript: "This page draws its maps with JavaScript, which is switched off in this browser.",
    data: JSON.stringify(data),
  });
}
