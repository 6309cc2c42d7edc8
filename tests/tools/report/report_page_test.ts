/// <reference lib="dom" />
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { renderReport, type ReportData } from "../../../tools/report/report.ts";
import { assertNoSidewaysScroll, findChromium, LAPTOP, lookAtPage, PHONE, startChromium } from "../../_chromium.ts";
import { sampleReport } from "./sample_report.ts";
import { needing } from "../../_needs.ts";

const ARTIFACTS = fileURLToPath(new URL("../../artifacts/", import.meta.url));

/** What plotly keeps on the element of a plot. */
type PlotElement = HTMLElement & {
  data: { type: string; name?: string; z?: number[][]; x?: number[]; y?: number[] }[];
};

const found = await findChromium();
type Step = (name: string, fn: () => Promise<void>) => Promise<void>;

/** A test in Chromium; skipped where that is not installed. */
function pageTest(
  name: string,
  options: { webgl: boolean },
  test: (browser: Browser, step: Step) => Promise<void>,
): void {
  Deno.test(needing(found, {
    name,
    async fn(context) {
      const browser = await startChromium(found.path, options);
      try {
        await test(browser, async (name, fn) => void await context.step(name, fn));
      } finally {
        await browser.close();
      }
    },
  }));
}

/** Share of the canvas's pixels nearest in hue to each trace's colour, read back from WebGL. */
function tracePixels(page: Page): Promise<{ orange: number; blue: number; colors: number }> {
  return page.evaluate(async () => {
    const canvas = document.querySelector<HTMLCanvasElement>("#stage canvas")!;
    const gl = canvas.getContext("webgl2")!;
    const pixels = new Uint8Array(4 * gl.drawingBufferWidth * gl.drawingBufferHeight);
    const read = () => {
      gl.bindFramebuffer(gl.READ_FRAMEBUFFER, null);
      gl.readPixels(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
      return new Uint32Array(pixels.buffer).reduce((hash, pixel) => Math.imul(hash ^ pixel, 16777619), 1);
    };
    // A changed scene is drawn in the frames that follow: wait until three frames look the same.
    let last: number | undefined;
    for (let same = 0, frame = 0; same < 3 && frame < 100; frame++) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
      await new Promise((resolve) => setTimeout(resolve, 40));
      const now = read();
      same = now === last ? same + 1 : 0;
      last = now;
    }
    const colors = new Set(new Uint32Array(pixels.buffer)).size;
    let [orange, blue] = [0, 0];
    for (let at = 0; at < pixels.length; at += 4) {
      if (pixels[at] > pixels[at + 2] + 60) orange++;
      if (pixels[at + 2] > pixels[at] + 60) blue++;
    }
    const all = pixels.length / 4;
    return { orange: orange / all, blue: blue / all, colors };
  });
}

/** A place on the canvas well inside a trace, in CSS pixels from its corner: the middle of the longest coloured run of a row. */
async function tracePoint(page: Page): Promise<{ x: number; y: number }> {
  await tracePixels(page); // until it is drawn
  return await page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>("#stage canvas")!;
    const gl = canvas.getContext("webgl2")!;
    const { drawingBufferWidth: columns, drawingBufferHeight: rows } = gl;
    const pixels = new Uint8Array(4 * columns * rows);
    gl.readPixels(0, 0, columns, rows, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    let best = { length: 0, column: 0, row: 0 };
    for (let row = 0; row < rows; row++) {
      for (let column = 0, length = 0; column < columns; column++) {
        const at = 4 * (row * columns + column);
        length = Math.abs(pixels[at] - pixels[at + 2]) > 60 ? length + 1 : 0;
        if (length > best.length) best = { length, column: column - length / 2, row };
      }
    }
    const scale = canvas.getBoundingClientRect().width / columns;
    return { x: scale * best.column, y: scale * (rows - 1 - best.row) };
  });
}

function plotData(page: Page, id: string): Promise<PlotElement["data"]> {
  return page.evaluate((id) => {
    const { data } = document.getElementById(id) as PlotElement;
    return data.map(({ type, name, z, x, y }) => ({ type, name, z, x, y }));
  }, id);
}

async function screenshot(page: Page, name: string): Promise<void> {
  await Deno.mkdir(ARTIFACTS, { recursive: true });
  await page.screenshot({ path: `${ARTIFACTS}/${name}.png`, fullPage: true });
}

/** What must hold on every screen: traces and plots are there and nothing leaves the page sideways. */
async function checkDrawn(page: Page): Promise<void> {
  const { orange, blue, colors } = await tracePixels(page);
  assert.ok(orange > 0.003 && blue > 0.003 && colors > 50, `${orange} orange, ${blue} blue, ${colors} colours`);
  const width = await assertNoSidewaysScroll(page);
  for (const id of ["map-predicted", "map-true", "map-difference", "loss-plot", "leave-one-out-plot"]) {
    const box = await page.locator(`#${id} .plot-container`).boundingBox();
    assert.ok(box && box.width > 200 && box.height > 200, `${id}: ${JSON.stringify(box)}`);
    assert.ok(box.x >= 0 && box.x + box.width <= width, `${id} leaves the page: ${JSON.stringify(box)}`);
  }
}

/** The colours of canvas and plots must follow the page's when the reader's system changes its theme. */
async function changeTheme(page: Page, colorScheme: "light" | "dark"): Promise<void> {
  await page.emulateMedia({ colorScheme });
  await tracePixels(page);
  const surface = colorScheme === "light" ? [255, 255, 255] : [23, 29, 37];
  const corner = await page.evaluate(() => {
    const gl = document.querySelector<HTMLCanvasElement>("#stage canvas")!.getContext("webgl2")!;
    const pixel = new Uint8Array(4);
    gl.readPixels(2, 2, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
    return [...pixel.subarray(0, 3)];
  });
  assert.deepEqual(corner, surface, "corner of the canvas");
  const papers = page.locator(".js-plotly-plot .main-svg:first-child");
  const colors = await papers.evaluateAll((all) => all.map((svg) => getComputedStyle(svg).backgroundColor));
  assert.deepEqual(colors, Array(6).fill(`rgb(${surface.join(", ")})`), "paper of the plots");
}

pageTest("a report without targets shows the loss and the run", { webgl: false }, async (browser) => {
  const { targets: [{ loss }], ...rest } = sampleReport();
  const data: ReportData = { ...rest, targets: [], loss, leaveOneOut: undefined };
  await lookAtPage(browser, renderReport(data), LAPTOP, async (page) => {
    const box = await page.locator("#loss-plot .plot-container").boundingBox();
    assert.ok(box && box.width > 200 && box.height > 200, JSON.stringify(box));
    assert.equal(await page.locator("#structure").count(), 0);
    assert.equal(await page.locator("#run").count(), 1);
    await screenshot(page, "report_loss");
  });
});

const cap = (map: (number | null)[][]) => map.map((row) => row.map((d) => d === null ? null : Math.min(d, 20)));

async function checkNumbers(page: Page): Promise<void> {
  const [first] = sampleReport().targets;
  const [predicted, truth] = [cap(first.predictedDistances!), cap(first.trueDistances!)];
  assert.deepEqual((await plotData(page, "map-predicted"))[0].z, predicted);
  assert.deepEqual((await plotData(page, "map-true"))[0].z, truth);
  const difference = (await plotData(page, "map-difference"))[0].z!;
  predicted.forEach((row, i) =>
    row.forEach((d, j) => {
      const expected = truth[i][j] === null ? null : d! - truth[i][j];
      if (expected === null) assert.equal(difference[i][j], null);
      else assert.ok(Math.abs(difference[i][j] - expected) <= 0.0051, `difference ${i}, ${j}`);
    })
  );
  const loss = await plotData(page, "loss-plot");
  assert.deepEqual(loss.map(({ x, y }) => [x, y]), [
    [first.loss!.train.step, first.loss!.train.loss],
    [first.loss!.validation!.step, first.loss!.validation!.loss],
  ]);
  assert.deepEqual(await metricRow(page, "caRmsd"), ["1.62", "2.11", "2.59"]);
  assert.deepEqual(await metricRow(page, "lddt"), ["0.780", "0.600", "0.487"]);
  assert.deepEqual(await metricRow(page, "gdtHa"), ["0.550", "0.423", "–"]);
  assert.equal(await page.locator("#metrics td.best").count(), 7);
  assert.equal(
    await page.locator("#metrics .verdict").textContent(),
    "The prediction beats the naive answers (Mean map of the family and Copy of 1znm) in all 7 measures.",
  );
  const [errors] = await plotData(page, "error-plot");
  assert.deepEqual(errors.y, first.residueErrors);
  assert.deepEqual(await page.locator("#target .files a").allTextContents(), first.files);
  for (const map of ["map-predicted", "map-difference"]) {
    assert.equal(await page.locator(`#${map}`).getByText("Residue", { exact: true }).count(), 2);
  }
}

function metricRow(page: Page, name: string): Promise<string[]> {
  return page.locator(`#metrics tr[data-metric="${name}"] td`).allTextContents();
}

async function checkLeaveOneOut(page: Page): Promise<void> {
  const { rows } = sampleReport().leaveOneOut!;
  const cells = (selector: string) => page.locator(`#leave-one-out ${selector} td`).allTextContents();
  const statistics = (values: (number | null)[], digits: number) => {
    const known = values.filter((value) => value !== null);
    const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
    const variance = known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (known.length - 1);
    return [mean.toFixed(digits), Math.sqrt(variance).toFixed(digits)];
  };
  const byMethod = [0, 1, 2].map((k) => statistics(rows.map(({ values }) => values[k].caRmsd), 2));
  assert.equal(await page.locator("#leave-one-out tbody tr").count(), rows.length);
  assert.deepEqual(await cells("tr.mean"), ["", ...byMethod.map(([mean]) => mean)]);
  assert.deepEqual(await cells("tr.spread"), ["", ...byMethod.map(([, spread]) => spread)]);
  await page.selectOption("#leave-one-out-view", { label: "Nearest relative" });
  const names = ["caRmsd", "cbRmsd", "meanDistanceError", "lddt", "tmScore", "gdtTs", "gdtHa"];
  const byMetric = names.map((name, i) => statistics(rows.map(({ values }) => values[2][name]), i < 3 ? 2 : 3));
  assert.deepEqual(await cells("tr.mean"), ["", ...byMetric.map(([mean]) => mean)]);
  assert.deepEqual(await cells("tr.spread"), ["", ...byMetric.map(([, spread]) => spread)]);
  assert.equal(await page.locator("#leave-one-out-plot").isVisible(), false);
}

/** Drags on the canvas by mouse or by touch, expects another picture, and the first one after a reset. */
async function checkTurnAndReset(page: Page, kind: "mouse" | "touch"): Promise<void> {
  const stage = page.locator("#stage canvas");
  await stage.scrollIntoViewIfNeeded();
  const before = await tracePixels(page);
  const scrolled = await page.evaluate(() => globalThis.scrollY);
  const { x, y, width } = (await stage.boundingBox())!;
  const path = [0, 20, 40, 60, 80].map((move) => ({ x: x + width / 2 + move, y: y + 20 + move }));
  if (kind === "mouse") {
    await page.mouse.move(path[0].x, path[0].y);
    await page.mouse.down();
    for (const point of path) await page.mouse.move(point.x, point.y);
    await page.mouse.up();
  } else {
    const session = await page.context().newCDPSession(page);
    const send = (type: "touchStart" | "touchMove" | "touchEnd", touchPoints: { x: number; y: number }[]) =>
      session.send("Input.dispatchTouchEvent", { type, touchPoints });
    await send("touchStart", [path[0]]);
    for (const point of path) await send("touchMove", [point]);
    await send("touchEnd", []);
  }
  const turned = await tracePixels(page);
  assert.ok(turned.colors > 50, "the traces are still there");
  assert.notDeepEqual(turned, before);
  assert.equal(await page.evaluate(() => globalThis.scrollY), scrolled, "the page scrolled");
  await page.locator("#reset-view").click();
  await page.waitForTimeout(400);
  const { orange, blue } = await tracePixels(page);
  const same = (a: number, b: number) => Math.abs(a - b) < 0.02 * b;
  assert.ok(same(orange, before.orange) && same(blue, before.blue), JSON.stringify({ before, turned, orange, blue }));
}

pageTest(
  "the report on a laptop",
  { webgl: true },
  (browser, step) =>
    lookAtPage(browser, renderReport(sampleReport()), { ...LAPTOP, colorScheme: "light" }, async (page) => {
      await step("is drawn", async () => {
        await checkDrawn(page);
        await screenshot(page, "report_laptop_light");
      });
      await step("shows the numbers it was given", () => checkNumbers(page));
      await step("saves a plot as PNG", async () => {
        const plot = page.locator("#map-predicted");
        const download = page.waitForEvent("download");
        await page.locator("#map-predicted + .save").click();
        const file = await download;
        assert.match(file.suggestedFilename(), /_map-predicted\.png$/);
        const bytes = await Deno.readFile((await file.path())!);
        assert.deepEqual([...bytes.subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]);
        const { width } = (await plot.boundingBox())!;
        assert.equal(new DataView(bytes.buffer).getUint32(16), 2 * Math.round(width));
        assert(bytes.length > 5000);
      });
      await step("can hide a trace", async () => {
        const before = await tracePixels(page);
        await page.locator("#show-predicted").uncheck();
        const hidden = await tracePixels(page);
        assert.ok(hidden.orange === 0 && hidden.blue >= before.blue, JSON.stringify({ before, hidden }));
        await page.locator("#show-predicted").check();
        const again = await tracePixels(page);
        assert.deepEqual([again.orange, again.blue], [before.orange, before.blue]);
      });
      await step("names the residue under the pointer", async () => {
        const { x, y } = (await page.locator("#stage canvas").boundingBox())!;
        const at = await tracePoint(page);
        let name = "";
        for (let wait = 0; wait < 200 && name === ""; wait++) { // drawing takes its time where much else runs
          await page.mouse.move(x + at.x, y + at.y + wait % 2);
          await page.waitForTimeout(50);
          name = (await page.locator("#structure .hover").textContent())!;
        }
        assert.match(name, /^(Predicted|True): [A-Z]{3} ([1-9]|1[0-9]|2[0-5])$/);
      });
      await step("turns by mouse", () => checkTurnAndReset(page, "mouse"));
      await step("changes to the dark theme", async () => {
        await changeTheme(page, "dark");
        await checkDrawn(page);
        await screenshot(page, "report_laptop_dark");
      });
      await step("shows another target", async () => {
        const second = sampleReport().targets[1];
        await page.getByRole("button", { name: second.id }).click();
        await page.waitForSelector(`#structure[data-ready="${second.id}"]`);
        assert.deepEqual((await plotData(page, "map-predicted"))[0].z, cap(second.predictedDistances!));
        assert.deepEqual(await metricRow(page, "caRmsd"), ["2.27", "2.95", "3.63"]);
        assert.ok((await page.locator("#target").textContent())!.includes("29 residues"));
      });
      await step("ends the leave-one-out table with mean and spread", () => checkLeaveOneOut(page));
    }),
);

pageTest(
  "the report on a phone",
  { webgl: true },
  (browser, step) =>
    lookAtPage(browser, renderReport(sampleReport()), { ...PHONE, colorScheme: "dark" }, async (page) => {
      await step("is drawn", async () => {
        await checkDrawn(page);
        await screenshot(page, "report_phone_dark");
      });
      await step("turns by touch", () => checkTurnAndReset(page, "touch"));
      await step("changes to the light theme", async () => {
        await changeTheme(page, "light");
        await checkDrawn(page);
        await screenshot(page, "report_phone_light");
      });
    }),
);

pageTest(
  "without WebGL the traces are drawn flat and a sentence says so",
  { webgl: false },
  (browser) =>
    lookAtPage(browser, renderReport(sampleReport()), PHONE, async (page) => {
      assert.match((await page.locator(".message").textContent())!, /no WebGL, so the traces are drawn flat/);
      const [first] = sampleReport().targets;
      for (const kind of ["predicted", "true"]) {
        const circles = page.locator(`#stage svg .trace-${kind} circle`);
        assert.equal(await circles.count(), first.sequence.length);
      }
      await page.locator("#show-true").uncheck();
      assert.equal(await page.locator("#stage svg .trace-true").isVisible(), false);
      assert.equal(await page.locator("#stage svg .trace-predicted").isVisible(), true);
      await screenshot(page, "report_without_webgl");
    }),
);

pageTest("a report of a prediction alone, and of a structure that cannot be read", { webgl: true }, (browser) => {
  const data = sampleReport();
  const [{ sequence, predictedCif, predictedDistances }, second] = data.targets;
  const residueNumbers = [...sequence].map((_, i) => i + 101);
  const alone = { id: "alone", sequence, residueNumbers, predictedCif, predictedDistances, methods: [] };
  const damaged = { ...second, id: "damaged", trueCif: "data_empty\n#\n" };
  const short: ReportData = { ...data, targets: [alone, damaged], leaveOneOut: undefined, limits: [], run: [] };
  return lookAtPage(browser, renderReport(short), LAPTOP, async (page) => {
    const sections = await page.locator("section").evaluateAll((all) => all.map((element) => element.id));
    assert.deepEqual(sections, ["structure", "distances"]);
    assert.equal(await page.locator(".map").count(), 1);
    assert.ok((await page.locator("#map-predicted").textContent())!.includes("L105"));
    const { orange, blue } = await tracePixels(page);
    assert.ok(orange > 0.003 && blue === 0, `${orange} orange, ${blue} blue`);

    await page.getByRole("button", { name: "damaged" }).click();
    await page.waitForSelector('#structure[data-ready="damaged"]');
    const message = await page.locator(".message").textContent();
    assert.equal(message, "The true structure cannot be drawn: the mmCIF text holds no atoms.");
    assert.equal(await page.locator("#show-true").count(), 0);
    assert.ok((await tracePixels(page)).orange > 0.003);
    assert.equal((await plotData(page, "map-true"))[0].type, "heatmap");
  });
});
