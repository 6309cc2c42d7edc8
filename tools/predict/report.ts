/** The HTML report of predictions. */
import { htmlPage } from "../report/html_page.ts";
import { builtAssets, type PageAssets } from "../report/page_assets.ts";
import type { PredictReportData } from "./report_data.ts";

export * from "./report_data.ts";

/** Set by the bundler of a single-file program; not there when run from source. */
declare const DENOFOLD_PREDICT_PAGE_ASSETS: PageAssets | undefined;

/**
 * Makes the report of a run of predictions: one HTML page with its data, 3-D view and plots that asks for nothing from the
 * network.
 */
export async function renderPredictReport(data: PredictReportData): Promise<string> {
  const assets = typeof DENOFOLD_PREDICT_PAGE_ASSETS === "undefined"
    ? await builtAssets("predict")
    : DENOFOLD_PREDICT_PAGE_ASSETS;
  return await htmlPage(assets, {
    id: "prediction",
    title: data.title,
    description: data.summary,
    withoutScript: "This report draws its structure and plots with JavaScript, which is switched off in this browser.",
    data: JSON.stringify(data),
  });
}
