/// <reference lib="dom" />
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { renderPredictReport } from "../../../tools/predict/report.ts";
import { assertNoSidewaysScroll, findChromium, LAPTOP, lookAtPage, PHONE, startChromium } from "../../_chromium.ts";
import { needing } from "../../_needs.ts";
import { samplePredictReport } from "./sample_predict_report.ts";

const ARTIFACTS = fileURLToPath(new URL("../../artifacts/", import.meta.url));

const found = await findChromium();

Deno.test(needing(found, {
  name:
    "the report of predictions: structure, linked plots, choice of prediction and of residues, on desktop and phone",
  async fn(context) {
    const html = await renderPredictReport(await samplePredictReport());
    const browser = await startChromium(found.path, { webgl: true });
    await Deno.mkdir(ARTIFACTS, { recursive: true });
    try {
      await context.step(
        "desktop",
        async () =>
          await lookAtPage(browser, html, LAPTOP, async (page) => {
            await assertNoSidewaysScroll(page);
            await page.screenshot({ path: `${ARTIFACTS}predict.png`, fullPage: true });
            const text = (selector: string) => page.locator(selector).innerText();
            assert.match(await text(".notice"), /made up/);
            assert.match(await text("#failed"), /long: 4,000 residues need 61 GB/);
            assert.match(await text("#ranking tbody tr:first-child"), /0\.710\s+0\.840\s+0\.660\s+1\.20\sÅ\s+2\.10\sÅ/);
            // A region of the aligned error is chosen: the structure, the plots and a sentence follow.
            await page.locator("#pae").scrollIntoViewIfNeeded();
            const box = (await page.locator("#pae .nsewdrag").first().boundingBox())!;
            await page.mouse.move(box.x + 0.2 * box.width, box.y + 0.5 * box.height);
            await page.mouse.down();
            await page.mouse.move(box.x + 0.5 * box.width, box.y + 0.8 * box.height, { steps: 4 });
            await page.mouse.up();
            await page.waitForFunction(() => document.querySelector(".said")!.textContent !== "");
            assert.match(await text(".said"), /^K13–Q20 .* and L5–K13 .*: mean predicted aligned error \d\.\d\sÅ$/);
            const shapes = (selector: string) =>
              page.evaluate((selector) => {
                const { layout } = document.querySelector(selector) as unknown as {
                  layout: { shapes: { x0: number; x1: number }[] };
                };
                return layout.shapes.map(({ x0, x1 }) => [x0, x1]);
              }, selector);
            assert.deepEqual((await shapes("#distances")).at(-1), [3.5, 12.5]);
            assert.deepEqual((await shapes(".plddt-plot")).slice(-2), [[11.5, 19.5], [3.5, 12.5]]);
            await page.locator("#clear-selection").click();
            assert.equal(await text(".said"), "");
            // The same by keyboard.
            await page.locator("#residues").fill("3-7");
            await page.keyboard.press("Enter");
            assert.match(await text(".said"), /^C3–C7: mean pLDDT|^\w3–\w7: mean pLDDT/);
            // Another prediction.
            await page.getByRole("button", { name: "model_2_ptm_pred_0" }).click();
            await page.waitForFunction(() =>
              document.querySelector('[data-rank="2"]')!.getAttribute("aria-pressed") === "true"
            );
            // The way to the structure, and back.
            await page.locator("#frame").fill("0");
            assert.equal(await text(".frames output"), "recycle 0");
            await page.locator("#frame").fill("3");
            assert.equal(await text(".frames output"), "final structure");
            await page.locator(".residues summary").click();
            await page.locator(".residues tbody tr").first().waitFor();
            assert.equal(await page.locator(".residues tbody tr").count(), 25);
          }),
      );
      await context.step("phone, dark", async () =>
        await lookAtPage(
          browser,
          html,
          { ...PHONE, colorScheme: "dark" },
          async (page) => {
            assert.equal(await assertNoSidewaysScroll(page), 390);
          },
        ));
    } finally {
      await browser.close();
    }
  },
}));

Deno.test(needing(found, {
  name: "the report of a complex: names of chains, interfaces, and a click on two chains chooses both",
  async fn() {
    const sample = await samplePredictReport(), [target] = sample.targets;
    const interfaces = [{
      chains: ["A", "B"] as const,
      ...{
        iptm: 0.612,
        meanPae: 7.25,
        contacts: 14,
        residues: 11,
        plddt: 81.5,
        pdockq: 0.431,
        pdockq2: null,
        clashes: 2,
      },
    }];
    const html = await renderPredictReport({
      ...sample,
      targets: [{
        ...target,
        numbers: target.numbers.map((_, i) => String(i < 12 ? i + 1 : i - 11)),
        chains: [{ name: "A", start: 0, residues: 12 }, { name: "B", start: 12, residues: 13 }],
        predictions: target.predictions.map((prediction) => ({ ...prediction, iptm: 0.612, interfaces })),
      }],
    });
    const browser = await startChromium(found.path, { webgl: true });
    await Deno.mkdir(ARTIFACTS, { recursive: true });
    try {
      await lookAtPage(browser, html, LAPTOP, async (page) => {
        await assertNoSidewaysScroll(page);
        const text = (selector: string) => page.locator(selector).innerText();
        assert.match(await text("#ranking tbody tr:first-child"), /0\.710\s+0\.612\s+0\.840/);
        assert.match(
          await text("#interfaces tbody tr"),
          /A – B\s+0\.612\s+7\.\d\sÅ\s+14\s+11\s+81\.5\s+0\.431\s+\S+\s+2$/,
        );
        await page.locator("#interfaces tbody button").click();
        assert.match(await text(".said"), /^A \w1–A \w12 .* and B \w1–B \w13 .*: mean predicted aligned error/);
        await page.locator("#residues").fill("A3-B2");
        await page.keyboard.press("Enter");
        assert.match(await text(".said"), /^A \w3–B \w2: mean pLDDT/);
        await page.screenshot({ path: `${ARTIFACTS}predict_complex.png`, fullPage: true });
      });
    } finally {
      await browser.close();
    }
  },
}));
