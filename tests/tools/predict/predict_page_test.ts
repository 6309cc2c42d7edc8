/// <reference lib="dom" />
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { parseMmcif } from "../../../tools/data/mmcif.ts";
import { formatMmcif } from "../../../tools/data/write_mmcif.ts";
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
  name:
    "the report of a complex: chains apart and coloured, interfaces, contacts, blocks that a click chooses, a screen",
  async fn() {
    const sample = await samplePredictReport(), [target] = sample.targets;
    const { chains: [whole] } = await parseMmcif(target.predictions[0].cif, "sample.cif");
    const part = (id: string, from: number, to: number) => ({
      ...{ ...whole, id, labelId: id, sequence: whole.sequence.slice(from, to) },
      residueNumbers: whole.residueNumbers.slice(0, to - from),
      insertionCodes: whole.insertionCodes.slice(from, to),
      atomPositions: whole.atomPositions.slice(from * 111, to * 111),
      atomMask: whole.atomMask.slice(from * 37, to * 37),
      bFactors: whole.bFactors.slice(from * 37, to * 37),
    });
    const cifOfTwo = formatMmcif({ id: "two", source: "two", chains: [part("A", 0, 12), part("B", 12, 25)] });
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
    const experiment = {
      ...target.predictions[0].experiment!,
      chains: [{ chain: "A", truth: "B", lddt: 0.71, tmScore: 0.66 }, {
        chain: "B",
        truth: "A",
        lddt: null,
        tmScore: null,
      }],
      interfaces: [{ chains: ["A", "B"] as const, fnat: 0.5, iRmsd: 2, lRmsd: 4, dockq: 0.555, contacts: 9 }],
    };
    const pair = { bait: "bait", prey: "prey", href: "bait_and_prey/", residues: 25, reason: null };
    const scores = {
      score: 0.61,
      iptm: 0.612,
      ptm: 0.6,
      meanPlddt: 80,
      pae: 7,
      pdockq: 0.4,
      pdockq2: null,
      contacts: 14,
      clashes: 0,
    };
    const failed = { ...pair, prey: "odd", target: null, reason: "too long" };
    const html = await renderPredictReport({
      ...sample,
      screen: [{ ...pair, ...scores, target: 0 }, {
        ...failed,
        ...Object.fromEntries(Object.keys(scores).map((name) => [name, null])) as Record<keyof typeof scores, null>,
      }],
      targets: [{
        ...target,
        numbers: target.numbers.map((_, i) => String(i < 12 ? i + 1 : i - 11)),
        chains: [{ name: "A", start: 0, residues: 12 }, { name: "B", start: 12, residues: 13 }],
        predictions: target.predictions.map((prediction) => ({
          ...{ ...prediction, iptm: 0.612, interfaces, experiment, cif: cifOfTwo },
          contacts: [[3, 14], [4, 15], [7, 20], [8, 21]],
        })),
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
          await text("#interfaces .table-box:first-child tbody tr"),
          /A – B\s+0\.612\s+7\.\d\sÅ\s+14\s+11\s+81\.5\s+0\.431\s+\S+\s+2\s+0\.555$/,
        );
        await page.locator("#interfaces tbody button").click();
        assert.match(await text(".said"), /^A \w1–A \w12 .* and B \w1–B \w13 .*: mean predicted aligned error/);
        await page.locator("#residues").fill("A3-B2");
        await page.keyboard.press("Enter");
        assert.match(await text(".said"), /^A \w3–B \w2: mean pLDDT/);
        assert.match(await text("#interfaces"), /A\s+B\s+0\.710\s+0\.660/);
        // A click on the maps chooses the block of two chains.
        await page.locator("#pae").scrollIntoViewIfNeeded();
        const box = (await page.locator("#pae .nsewdrag").first().boundingBox())!;
        await page.mouse.click(box.x + 0.8 * box.width, box.y + 0.2 * box.height);
        assert.match(await text(".said"), /^A \w1–A \w12 .* and B \w1–B \w13 .*: mean/);
        await page.locator("#clear-selection").click();
        assert.match(await text("#pairs"), /Contacts between chains/);
        const drawn = await page.evaluate(() => {
          // What plotly keeps on the element.
          const { data } = document.querySelector("#contacts") as unknown as { data: { x: number[]; y: number[] }[] };
          return [data[0].x.length, data[0].x[0], data[0].y[0]];
        });
        assert.deepEqual(drawn, [8, 14, 3]);
        // The structure by confidence, and one chain alone: the picture changes each time, and comes back.
        const picture = async () => {
          await page.mouse.move(1, 1);
          await page.waitForTimeout(400);
          return (await page.locator("#stage canvas").screenshot()).toBase64();
        };
        await page.locator("#stage").scrollIntoViewIfNeeded();
        const byChain = await picture();
        await page.locator("#color-by").selectOption("confidence");
        const byConfidence = await picture();
        assert.notEqual(byConfidence, byChain);
        await page.locator("#color-by").selectOption("chain");
        await page.getByLabel("Chain B").uncheck();
        const alone = await picture();
        assert.ok(alone !== byChain && alone !== byConfidence);
        await page.getByLabel("Chain A").click(); // something is drawn
        assert.ok(await page.getByLabel("Chain A").isChecked());
        await page.locator("#all-chains").click();
        assert.ok(await page.locator("#all-chains").isDisabled());
        // The ranking of a screen.
        assert.match(await text("#screen tbody tr:nth-child(2)"), /2\s+bait – odd\s+failed: too long/);
        await page.locator("#screen tbody button").click();
        await page.screenshot({ path: `${ARTIFACTS}predict_complex.png`, fullPage: true });
        await page.setViewportSize({ width: 390, height: 844 });
        await page.emulateMedia({ colorScheme: "dark" });
        assert.equal(await assertNoSidewaysScroll(page), 390);
        await page.screenshot({ path: `${ARTIFACTS}predict_complex_phone.png`, fullPage: true });
      });
    } finally {
      await browser.close();
    }
  },
}));
