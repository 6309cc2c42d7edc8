/// <reference lib="dom" />
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { renderAttention } from "../../../tools/attention/html.ts";
import { packMaps } from "../../../tools/attention/pack_maps.ts";
import { dendrogramLines } from "../../../tools/attention/page/dendrogram.ts";
import { Maps } from "../../../tools/attention/page/maps.ts";
import { assertNoSidewaysScroll, findChromium, lookAtPage, startChromium } from "../../_chromium.ts";
import { assertClose } from "../../_gpu.ts";
import { MEAN, N_RES, N_SEQ, ROWS, sampleAttention, weightAt } from "./sample_attention.ts";
import { needing } from "../../_needs.ts";

const ARTIFACTS = fileURLToPath(new URL("../../artifacts/", import.meta.url));

const found = await findChromium();
/** What plotly keeps on the element of a plot. */
interface Drawn {
  readonly z: (number | null)[][];
  readonly text: string[][];
  readonly zmin: number;
  readonly zmax: number;
  readonly ticks: string[];
  readonly tree: { x: (number | null)[]; y: (number | null)[] } | null;
}

function drawn(page: Page, id: string): Promise<Drawn> {
  return page.evaluate((id) => {
    const { data, layout } = document.getElementById(id) as HTMLElement & {
      data: (Omit<Drawn, "ticks" | "tree"> & { x: (number | null)[]; y: (number | null)[] })[];
      layout: { yaxis: { ticktext: string[] } };
    };
    const [{ z, text, zmin, zmax }, tree] = data;
    return {
      ...{ z, text, zmin, zmax },
      ticks: layout.yaxis.ticktext,
      tree: tree ? { x: tree.x, y: tree.y } : null,
    };
  }, id);
}

const range = (n: number) => [...Array(n).keys()];
const square = (n: number, value: (i: number, j: number) => number) =>
  range(n).map((i) => range(n).map((j) => value(i, j)));
const near = (actual: (number | null)[][], expected: number[][], label: string) =>
  assertClose(actual.flat() as number[], expected.flat(), { rtol: 0, atol: 1e-5 }, label);

Deno.test(needing(found, {
  name: "the page of attention shows the maps that are chosen",
  async fn() {
    const browser = await startChromium(found.path, {});
    const data = sampleAttention();
    try {
      await lookAtPage(
        browser,
        renderAttention(data),
        { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
        async (page) => {
          assert.equal(await page.locator("h1").textContent(), "Attention on target <b>");
          const triangle = page.locator("#triangle"), column = page.locator("#column");
          const first = await drawn(page, "triangle-mean");
          near(first.z, square(N_RES, (i, j) => weightAt(2, 0, MEAN, 0, i, j)), "starting node, mean, layer 1, head 0");
          assert.equal(first.text[0][5], "query j A1 (structure: 11)<br>key k G6 (structure: 16)<br>weight 0.130");
          assert.deepEqual(first.ticks, ["A1", "C2", "D3", "E4", "F5", "G6"]);
          const lowest = Math.min(...first.z.flat().map(Number)), highest = Math.max(...first.z.flat().map(Number));
          assert.deepEqual([first.zmin, first.zmax], [lowest, highest]);
          near(
            (await drawn(page, "triangle-slice")).z,
            square(N_RES, (i, j) => weightAt(2, 0, ROWS[1], 0, i, j)),
            "the middle residue that is kept",
          );
          const distances = await drawn(page, "triangle-distances");
          assert.deepEqual(distances.z, data.structure!.distances);
          assert.equal(distances.text[0][1], "A1 (structure: 11) – C2 (structure: 12)<br>3.80 Å");

          await triangle.getByRole("button", { name: "Around the ending node" }).click();
          await triangle.getByRole("combobox", { name: "Layer" }).selectOption({ label: "3" });
          await triangle.getByRole("combobox", { name: "Head" }).selectOption({ label: "mean" });
          await triangle.getByRole("slider").fill("2");
          assert.match(await triangle.textContent() ?? "", /Residue i = G6: pairs that end there/);
          near(
            (await drawn(page, "triangle-slice")).z,
            square(N_RES, (i, j) => (weightAt(3, 1, ROWS[2], 0, i, j) + weightAt(3, 1, ROWS[2], 1, i, j)) / 2),
            "ending node, residue 6, layer 3, mean of heads",
          );

          const { order } = data.tree!;
          await column.getByRole("button", { name: "layer 3, head 2" }).click();
          assert.equal(
            await column.getByRole("button", { name: "layer 3, head 2" }).getAttribute("aria-pressed"),
            "true",
          );
          assert.equal(await column.getByRole("combobox", { name: "Head" }).inputValue(), "1");
          const columns = await drawn(page, "column-slice");
          near(
            columns.z,
            square(N_SEQ, (i, j) => weightAt(1, 1, ROWS[1], 1, order[i], order[j])),
            "column attention of residue 3, sequences in the tree's order",
          );
          assert.deepEqual(columns.ticks, ["target <b>", "second", "a sequence wi…", "third"]);
          assert.match(columns.text[0][2], /^query target <b><br>key a sequence with a very long name<br>weight /);
          assert.deepEqual(columns.tree!.x, [
            0,
            0.17,
            0.17,
            0,
            null,
            0,
            0.33,
            0.33,
            0,
            null,
            0.17,
            0.8,
            0.8,
            0.33,
            null,
          ]);
          assert.deepEqual(columns.tree!.y, [0, 0, 1, 1, null, 3, 3, 2, 2, null, 0.5, 0.5, 2.5, 2.5, null]);
          const hamming = await drawn(page, "column-hamming");
          assert.deepEqual(hamming.z, order.map((i) => order.map((j) => data.hamming[i][j])));
          assert.equal(hamming.text[0][1], "target <b> – second<br>differ in 17.0 % of 6 columns");

          near(
            (await drawn(page, "row-slice")).z,
            square(N_RES, (i, j) => weightAt(0, 0, 0, 0, i, j)),
            "row attention of the target",
          );
          assert.equal(await page.locator("#row").getByRole("slider").count(), 0);
          await page.getByRole("button", { name: "0", exact: true }).click();
          assert.deepEqual((await drawn(page, "triangle-mean")).zmin, 0);
          await Deno.mkdir(ARTIFACTS, { recursive: true });
          await page.screenshot({ path: `${ARTIFACTS}/attention_laptop_light.png`, fullPage: true });
        },
      );
      await lookAtPage(
        browser,
        renderAttention(data),
        { viewport: { width: 390, height: 900 }, colorScheme: "dark" },
        async (page) => {
          await assertNoSidewaysScroll(page);
          await page.emulateMedia({ colorScheme: "light" });
          await page.waitForFunction(() => {
            const plot = document.getElementById("triangle-mean") as HTMLElement & {
              layout: { paper_bgcolor: string };
            };
            return plot.layout.paper_bgcolor === "#ffffff";
          });
          await page.emulateMedia({ colorScheme: "dark" });
          await page.screenshot({ path: `${ARTIFACTS}/attention_phone_dark.png`, fullPage: true });
        },
      );
      const bare = {
        ...{ ...data, structure: undefined, tree: undefined },
        kinds: data.kinds.filter(({ kind }) => kind === "msaColumnAttention"),
      };
      await lookAtPage(
        browser,
        renderAttention(bare),
        { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
        async (page) => {
          assert.equal(await page.locator("#triangle, #row").count(), 0);
          const columns = await drawn(page, "column-mean");
          near(columns.z, square(N_SEQ, (i, j) => weightAt(1, 0, MEAN, 0, i, j)), "in the order of the alignment");
          assert.equal(columns.tree, null);
          assert.match(await page.locator("#column").textContent() ?? "", /in the order of the alignment/);
        },
      );
    } finally {
      await browser.close();
    }
  },
}));

Deno.test("packed maps keep five digits of each map's largest weight", () => {
  const size = 3;
  const values = Float32Array.from(
    { length: 2 * 2 * 9 },
    (_, i) => (i % 9 === 4 ? 0 : (i + 1) / 37) * (i < 9 ? 1e-3 : 1),
  );
  const means = packMaps(values, size * size);
  const slices = packMaps(new Float32Array(0), size * size);
  const maps = new Maps({ kind: "msaRowAttention", heads: [4, 7], size, rows: [], means, slices });
  assert.deepEqual(maps.heads, [4, 7, "mean"]);
  const map = (n: number) => values.subarray(9 * n, 9 * n + 9);
  for (const block of [0, 1]) {
    for (const [h, head] of [4, 7].entries()) {
      const expected = map(2 * block + h);
      const tolerance = { rtol: 0, atol: 1e-5 * Math.max(...expected) };
      assertClose(maps.mean(block, head).flat(), expected, tolerance);
    }
    const mean = map(2 * block).map((x, i) => (x + map(2 * block + 1)[i]) / 2);
    assertClose(maps.mean(block, "mean").flat(), mean, { rtol: 0, atol: 1e-5 });
  }
  assert.deepEqual(packMaps(new Float32Array(4), 4).largest, [0], "a map of zeros");
});

Deno.test("a tree is drawn as brackets between its leaves' places", () => {
  const { height, place } = dendrogramLines({ order: [2, 0, 1], merges: [[0, 1, 1], [2, 3, 3]] });
  assert.deepEqual(height, [0, 1, 1, 0, null, 0, 3, 3, 1, null]);
  assert.deepEqual(place, [1, 1, 2, 2, null, 0, 0, 1.5, 1.5, null]);
  assert.deepEqual(dendrogramLines({ order: [0], merges: [] }), { height: [], place: [] });
});
