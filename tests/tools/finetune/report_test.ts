/// <reference lib="dom" />
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { renderRuns, reportData } from "../../../tools/finetune/report.ts";
import { assertNoSidewaysScroll, findChromium, LAPTOP, lookAtPage, PHONE, startChromium } from "../../_chromium.ts";
import { needing } from "../../_needs.ts";
import { sampleRun } from "./_sample_run.ts";

const found = await findChromium();

type PlotElement = HTMLElement & { data: { name?: string; x: number[]; y: number[]; error_y?: { array: number[] } }[] };

const plotData = (page: Page, id: string) =>
  page.evaluate((id) => {
    const { data } = document.getElementById(id) as PlotElement;
    return data.map(({ name, x, y, error_y }) => ({ name, x, y, bars: error_y?.array }));
  }, id);

Deno.test("the report's data: sets with baselines, unseen rows by length and family, an unfinished run", () => {
  const run = sampleRun("runs/lora", 1);
  const { runs: [data], differences } = reportData([run]);
  assert.deepEqual(data.sets.map(({ set, values }) => [set, values.n]), [["train", 40], ["validation", 10], [
    "test",
    10,
  ]]);
  assert.equal(data.best, 9);
  const [byLength, byFamily] = data.breakdown;
  assert.equal(byLength.groups.reduce((sum, { n }) => sum + n, 0), 20);
  assert.deepEqual(byFamily.groups.map(({ name, n }) => [name, n]), [["kinase", 14], ["protease", 6]]);
  assert.deepEqual([data.moved.length, data.movedCount, differences], [15, 30, []]);

  const begun = { ...run, rows: [], metrics: {}, moved: [], config: { ...run.config, strategy: "full" as const } };
  const both = reportData([run, begun]);
  assert.match(both.runs[1].notices.join(), /has not ended/);
  assert.deepEqual(both.differences, [{ choice: "strategy", values: ["lora", "full"] }]);
  const taskMetrics = { stability: { test: { n: 10, accuracy: 0.9, majority: NaN } } };
  const [{ tasks }] = reportData([{ ...run, taskMetrics }]).runs;
  const metrics = [{ name: "n", value: 10 }, { name: "accuracy", value: 0.9 }, { name: "majority", value: null }];
  assert.deepEqual(tasks, [{ task: "stability", set: "test", metrics }]);
  const { data: facts } = run.config;
  const otherData = { ...run, config: { ...run.config, data: { ...facts, fingerprint: "other" } } };
  assert.match(reportData([run, otherData]).notices.join(), /do not have the same sets/);
});

Deno.test(needing(found, {
  name: "the report of a run and that of several, on a desktop and a phone, light and dark",
  async fn() {
    const browser = await startChromium(found.path, {});
    const taskMetrics = { stability: { test: { n: 10, accuracy: 0.9 } } };
    const runs = [sampleRun("runs/lora", 1), { ...sampleRun("runs/a_run_of_a_long_name", 2), taskMetrics }];
    try {
      const html = await renderRuns(runs.slice(0, 1));
      await lookAtPage(browser, html, LAPTOP, async (page) => {
        const scatter = await plotData(page, "scatter-plot");
        const test = runs[0].rows.filter(({ set }) => set === "test");
        const drawn = scatter.find(({ name }) => name === "Test")!;
        assert.deepEqual(drawn.x, test.map(({ label }) => label));
        assert.deepEqual(drawn.y, test.map(({ prediction }) => prediction));
        assert.deepEqual(drawn.bars, test.map(({ uncertainty }) => uncertainty));
        await page.selectOption("#residuals-against", "length");
        const residuals = (await plotData(page, "residual-plot")).find(({ name }) => name === "Test")!;
        assert.deepEqual(residuals.x, test.map(({ length }) => length));
        assert.deepEqual(residuals.y, test.map(({ prediction, label }) => prediction - label));
        const [loss] = await plotData(page, "loss-plot");
        assert.deepEqual(loss.y, runs[0].history.map(({ train_loss }) => train_loss));
        assert.deepEqual((await plotData(page, "rate-plot")).map(({ name }) => name), ["head", "lora"]);
        const cells = await page.locator('#metrics tr[data-set="test"] td').allTextContents();
        const { pearson, intervals } = runs[0].metrics.test;
        assert.equal(cells[1], `${pearson.toFixed(3)}${intervals.pearson.map((x) => x.toFixed(3)).join(" to ")}`);
        assert.equal(await page.locator("#moved tbody tr").count(), 15);
        assert.equal(await page.locator("#breakdown tbody tr").count(), 5);
      });
      await lookAtPage(browser, html, { ...PHONE, colorScheme: "dark" }, checkScreen);
      const several = await renderRuns(runs);
      await lookAtPage(browser, several, { ...PHONE, colorScheme: "light" }, checkScreen);
      await lookAtPage(browser, several, LAPTOP, async (page) => {
        assert.equal(await page.locator("#comparison tbody tr").count(), 2);
        const cells = await page.locator("#tasks tbody tr").first().locator("td, th").allTextContents();
        assert.deepEqual(cells, ["a_run_of_a_long_name", "stability", "Test", "n 10, accuracy 0.900"]);
        await page.selectOption("#compared-metric", "rmse");
        await page.selectOption("#compared-set", "test");
        assert.deepEqual((await plotData(page, "metric-plot"))[0].x, runs.map(({ metrics }) => metrics.test.rmse));
      });
    } finally {
      await browser.close();
    }
  },
}));

/** Nothing is wider than the screen, plots are as wide as it and follow the theme. */
async function checkScreen(page: Page): Promise<void> {
  const width = await assertNoSidewaysScroll(page);
  for (const plot of await page.locator(".plot .plot-container").all()) {
    const box = await plot.boundingBox();
    assert(box && box.width > 200 && box.height > 100 && box.x >= 0 && box.x + box.width <= width, JSON.stringify(box));
  }
  const dark = await page.evaluate(() => matchMedia("(prefers-color-scheme: dark)").matches);
  const papers = page.locator(".js-plotly-plot .main-svg:first-child");
  const colors = await papers.evaluateAll((all) => all.map((svg) => getComputedStyle(svg).backgroundColor));
  assert.deepEqual([...new Set(colors)], [dark ? "rgb(23, 29, 37)" : "rgb(255, 255, 255)"]);
}
