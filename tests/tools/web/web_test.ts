/// <reference lib="dom" />
import assert from "node:assert/strict";
import { join } from "node:path";
import { encodeParameters } from "../../../finetune/checkpoint.ts";
import { alphafoldConfig } from "../../../model/alphafold/mod.ts";
import { parsePdb } from "../../../tools/data/pdb.ts";
import { InputError } from "../../../tools/errors.ts";
import { randomWeights } from "../../../tools/predict/random_weights.ts";
import { namedShapes } from "../../../tools/weights/presets.ts";
import type { FoldRequest } from "../../../tools/web/messages.ts";
import { TabPredictor } from "../../../tools/web/page/fold.ts";
import { findChromium, LAPTOP, lookAtPage, startChromium } from "../../_chromium.ts";
import { gpuTest, testDevice } from "../../_gpu.ts";
import { needing } from "../../_needs.ts";
import { denofold } from "../cli/_run.ts";
import { SMALL } from "../predict/_small.ts";

const SEQUENCE = "MKTAYIAKQRG";
const A3M = `>query\n${SEQUENCE}\n>other\nMKTAYlIAKQ-G\n`;

/** A network of random numbers, as a page can bring it along. */
async function weights(): Promise<Uint8Array<ArrayBuffer>> {
  const config = alphafoldConfig("model_3_ptm", SMALL);
  const entries = randomWeights(namedShapes(config), 1);
  const params = await Promise.all(Array.from(entries, async ([name, entry]) => [name, await entry.read()] as const));
  return Uint8Array.from(encodeParameters(new Map(params), { model: "alphafold", config }));
}

const file = (name: string, content: string | Uint8Array<ArrayBuffer>) => ({ name, blob: new Blob([content]) });

const request = async (more: Partial<FoldRequest> = {}): Promise<FoldRequest> => ({
  sequence: "",
  alignments: [file("query.a3m", A3M)],
  weights: file("small.safetensors", await weights()),
  ...{ recycles: 0, seed: 0 },
  ...more,
});

gpuTest("TabPredictor tells what cannot be used", async (device) => {
  const predictor = new TabPredictor(device, "1.2.3");
  const refused = async (more: Partial<FoldRequest>, message: RegExp) =>
    await assert.rejects(
      async () => predictor.fold(await request(more), () => {}),
      (error) => error instanceof InputError && message.test(error.message),
    );
  await refused({ alignments: [] }, /^There is no sequence: type one, or choose an alignment/);
  await refused({ sequence: "MKTA:YIAK" }, /^The sequence has several chains, this page predicts one/);
  await refused({ sequence: "MKT4" }, /^The sequence line 2: .*"4"/);
  await refused(
    { sequence: "MKTAYIAKQRW" },
    /^The first row of query\.a3m, "query", is not the sequence of the target/,
  );
  await refused({ weights: file("notes.txt", "no weights at all") }, /^notes\.txt is no file of weights/);
  await refused(
    { alignments: [file("cut.a3m.gz", Uint8Array.of(0x1f, 0x8b, 8, 0, 1))] },
    /^cut\.a3m\.gz cannot be unpacked: it is damaged or cut short$/,
  );
});

const found = await findChromium();

Deno.test(needing(found, {
  name: "denofold web makes a page that predicts in a browser what is predicted here",
  async fn() {
    const folder = await Deno.makeTempDir();
    const browser = await startChromium(found.path, { webgl: true, webgpu: true });
    try {
      const network = join(folder, "small.safetensors"), page = join(folder, "page.html");
      const alignment = join(folder, "query.a3m");
      await Deno.writeFile(network, await weights());
      await Deno.writeTextFile(alignment, A3M);
      const made = await denofold("web", "--weights", network, "--out", page, "--json");
      assert.equal(made.code, 0, made.stderr);
      assert.deepEqual(JSON.parse(made.stdout), {
        ...{ page, weights: network },
        bytes: (await Deno.stat(page)).size,
      });
      let pdb = "";
      await lookAtPage(browser, await Deno.readTextFile(page), LAPTOP, async (page) => {
        await page.setInputFiles("#alignment", alignment);
        await page.click("summary");
        await page.fill("#recycles", "0");
        await page.click("#fold");
        await page.waitForFunction(
          () => document.querySelector("#downloads a") || !document.querySelector<HTMLElement>("#wrong")!.hidden,
          undefined,
          { timeout: 120_000 },
        );
        assert.equal(await page.textContent("#wrong"), "");
        const saved = page.waitForEvent("download");
        await page.click("#downloads a[download='query.pdb']");
        pdb = await Deno.readTextFile(await (await saved).path());
        await page.waitForSelector("#plddt .plot-container");
        assert.match(await page.textContent("#result h1") ?? "", /^Predicted structure of query$/);
        assert.deepEqual(await page.locator("#downloads a").allTextContents(), [
          "query.pdb",
          "query.cif",
          "query_pae.json",
        ]);
      });
      const here = await new TabPredictor(await testDevice(), "1.2.3").fold(await request(), () => {});
      const atoms = (text: string) => parsePdb(text, "query.pdb").chains[0].atomPositions;
      const [theirs, ours] = [pdb, here.files[0].text].map(atoms);
      assert.equal(theirs.length, ours.length);
      const farthest = Math.max(...theirs.map((x, i) => Math.abs(x - ours[i])));
      assert.ok(farthest <= 0.02, `atoms are ${farthest} Å apart`);
    } finally {
      await browser.close();
      await Deno.remove(folder, { recursive: true });
    }
  },
}));
