/** The page that predicts where it is open. */
import config from "../../deno.json" with { type: "json" };
import { htmlPage } from "../report/html_page.ts";
import { builtAssets, type PageAssets } from "../report/page_assets.ts";
import type { WebPageData } from "./messages.ts";

/** Set by the bundler of a single-file program; not there when run from source. */
declare const DENOFOLD_WEB_PAGE_ASSETS: PageAssets | undefined;

/**
 * Makes the page: one HTML file with the network's code, its kernels and the report, and with weights if there are any. It
 * computes by WebGPU in a worker and asks for nothing from the network, which its content security policy forbids.
 *
 * @param weights Weights that are part of the page.
 */
export async function renderWebPage(
  weights?: { readonly name: string; readonly bytes: Uint8Array },
): Promise<string> {
  const { worker, ...assets } = typeof DENOFOLD_WEB_PAGE_ASSETS === "undefined"
    ? await builtAssets("web")
    : DENOFOLD_WEB_PAGE_ASSETS;
  const data: WebPageData = {
    version: config.version,
    worker: worker!,
    ...(weights && { weights: { name: weights.name, bytes: weights.bytes.toBase64() } }),
  };
  return await htmlPage(assets, {
    id: "web",
    title: "AlphaFold 2 in this tab",
    description: "Predicts the structure of a protein by WebGPU, on the computer where this page is open.",
    withoutScript: "This page computes with JavaScript and WebGPU; JavaScript is switched off in this browser.",
    data: JSON.stringify(data),
    workers: true,
  });
}
