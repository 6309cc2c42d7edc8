/// <reference lib="dom" />
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { renderProfile } from "../../../tools/profile/html.ts";
import { summarize } from "../../../tools/profile/summarize.ts";
import { assertNoSidewaysScroll, findChromium, lookAtPage, startChromium } from "../../_chromium.ts";
import { SAMPLE_FACTS, sampleProfile } from "./sample_profile.ts";
import { needing } from "../../_needs.ts";

const ARTIFACTS = fileURLToPath(new URL("../../artifacts/", import.meta.url));

/** What plotly keeps on the element of a plot. */
type PlotElement = HTMLElement & { data: { name?: string; x?: number[]; y?: (number | string)[]; base?: number[] }[] };

const found = await findChromium();
function plotData(page: Page, id: string): Promise<PlotElement["data"]> {
  return page.evaluate((id) => {
    const { data } = document.getElementById(id) as PlotElement;
    return data.map(({ name, x, y, base }) => ({ name, x, y, base }));
  }, id);
}

function rowsOf(page: Page, table: string): Promise<string[][]> {
  return page.locator(`[aria-label="${table}"] tr`).evaluateAll((rows) =>
    rows.map((row) => [...row.children].map((cell) => cell.textContent ?? ""))
  );
}

Deno.test(needing(found, {
  name: "the page of a profile shows its tables and plots",
  async fn() {
    const browser = await startChromium(found.path, {});
    const data = summarize(sampleProfile(), SAMPLE_FACTS);
    try {
      await lookAtPage(
        browser,
        renderProfile(data),
        { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
        async (page) => {
          assert.equal(await page.locator("h1").textContent(), "sample <b>");
          const kernels = await rowsOf(page, "Kernels");
          assert.deepEqual(kernels.slice(1).map(([name, count, total]) => [name, count, total]), [
            ["matmul", "10", "14.250"],
            ["adamw", "2", "1.000"],
          ]);
          await page.getByRole("button", { name: "Count" }).click();
          await page.getByRole("button", { name: "By module" }).click();
          const modules = await rowsOf(page, "Kernels");
          assert.deepEqual(modules.slice(1, 2).map((row) => row.slice(0, 2)), [
            ["forward evoformer/*/pairTransition/linear: matmul", "4"],
          ]);
          assert.deepEqual(await rowsOf(page, "Tensors at the peak"), [
            ["Place", "MiB", "Tensors"],
            ["evoformer/1/pairTransition/linear", "0.01", "1"],
            ["evoformer/0/pairTransition/linear", "0.00", "1"],
            ["before the profile began", "0.00", "–"],
          ]);
          const timeline = await plotData(page, "timeline-plot");
          assert.deepEqual(timeline.map(({ name, x }) => [name, x]), [
            ["forward", [1.25, 1]],
            ["recompute", [1]],
            ["backward", [2, 2]],
            ["outside", [0.5]],
          ]);
          const [roof, ...points] = await plotData(page, "roofline-plot");
          assert.deepEqual(roof.y!.slice(1), [16, 16]);
          assert.deepEqual(points.map(({ name, x, y }) => [name, x, y]), [
            ["forward", [2], [32 / 4.25]],
            ["recompute", [2], [8]],
            ["backward", [6, 6], [12, 12]],
          ]);
          const [live] = await plotData(page, "memory-plot");
          assert.equal(Math.max(...live.y as number[]), 13312 / 2 ** 20);
          await Deno.mkdir(ARTIFACTS, { recursive: true });
          await page.screenshot({ path: `${ARTIFACTS}/profile_laptop_light.png`, fullPage: true });
        },
      );
      await lookAtPage(
        browser,
        renderProfile(data),
        { viewport: { width: 390, height: 900 }, colorScheme: "dark" },
        async (page) => {
          await assertNoSidewaysScroll(page);
          await page.screenshot({ path: `${ARTIFACTS}/profile_phone_dark.png`, fullPage: true });
        },
      );
      const untimed = summarize({ ...sampleProfile(), clock: "none", memory: [], kernels: [] }, SAMPLE_FACTS);
      await lookAtPage(browser, renderProfile(untimed), {
        viewport: { width: 1280, height: 900 },
        colorScheme: "light",
      }, async (page) => {
        assert.match(
          await page.locator("header").textContent() ?? "",
          /has no timestamps: times of kernels are missing/,
        );
        assert.equal(await page.locator("#timeline, #roofline, #memory").count(), 0);
      });
      const facts = { ...SAMPLE_FACTS, parts: { kernels: false, memory: true }, roofs: null };
      const memoryOnly = summarize({ ...sampleProfile(), clock: "none" }, facts);
      await lookAtPage(
        browser,
        await renderProfile(memoryOnly),
        { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
        async (page) => {
          assert.doesNotMatch(await page.locator("header").textContent() ?? "", /timestamps/);
          assert.equal(await page.locator("#kernels, #timeline, #roofline, #compilations").count(), 0);
          assert.equal(await page.locator("#memory, #peak").count(), 2);
        },
      );
    } finally {
      await browser.close();
    }
  },
}));
