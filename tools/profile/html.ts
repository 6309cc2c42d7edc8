import { htmlPage } from "../report/html_page.ts";
import { builtAssets, type PageAssets } from "../report/page_assets.ts";
import { counted } from "../words.ts";
import type { ProfileData } from "./profile_data.ts";
import { mebibytes, median, milliseconds } from "./table.ts";

/** Set by the bundler of a single-file program; not there when run from source. */
declare const DENOFOLD_PROFILE_PAGE_ASSETS: PageAssets | undefined;

/** Makes the page of a profile: one HTML file with its data, tables and plots, that asks for nothing from the network. */
export async function renderProfile(data: ProfileData): Promise<string> {
  const assets = typeof DENOFOLD_PROFILE_PAGE_ASSETS === "undefined"
    ? await builtAssets("profile")
    : DENOFOLD_PROFILE_PAGE_ASSETS;
  return await htmlPage(assets, {
    id: "profile",
    title: `Profile of ${data.workload}`,
    description:
      `${counted(data.stepMs.length, "step")} of ${milliseconds(median(data.stepMs))} (median) on ${data.adapter}` +
      `${data.parts.memory ? `, ${mebibytes(data.memory.peakBytes)} in tensors at the peak` : ""}.`,
    withoutScript: "This page draws its tables and plots with JavaScript, which is switched off in this browser.",
    data: JSON.stringify(data),
  });
}
