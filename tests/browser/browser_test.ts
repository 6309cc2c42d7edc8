/** The library in a browser: the same kernels and gradients through Chromium's WebGPU. */
import assert from "node:assert/strict";
import * as esbuild from "esbuild";
import { findChromium, startChromium } from "../_chromium.ts";
import { assertClose } from "../_gpu.ts";
import { needing } from "../_needs.ts";

const PAGE = `
import { Device, Key } from "./mod.ts";
import { Optimizer, Trainer } from "./finetune/mod.ts";
import { distanceLoss, initTinyOpenFold, tinyOpenFold, tinyOpenFoldConfig } from "./model/tiny_openfold/mod.ts";
globalThis.train = async () => {
  const device = await Device.open(navigator.gpu);
  const config = tinyOpenFoldConfig({ msaDim: 16, pairDim: 24, nBlocks: 1, nSeqs: 3, maxSeqLen: 9, outerProductDim: 8 });
  const params = initTinyOpenFold(device, config, Key.fromSeed(1));
  const key = Key.fromSeed(2).split(3);
  const [n, s] = [9, 3];
  const batch = {
    msaTokens: device.tensor(Int32Array.from(key[0].uniform(s * n), (x) => 21 * x), [1, s, n], "i32"),
    pairFeatures: device.tensor(key[1].normal(n * n * 65), [1, n, n, 65]),
  };
  const target = device.tensor(key[2].uniform(n * n).map((x) => 20 * x), [1, n, n, 1]);
  using trainer = new Trainer(device, {
    params,
    loss: (p, b) => distanceLoss(tinyOpenFold(p, b, config).distances, target),
    optimizer: { learningRate: 1e-2 },
  });
  const losses = [];
  for (let step = 0; step < 5; step++) losses.push((await trainer.step(batch)).loss);
  return { losses, traits: device.traits };
};`;

/** The page's program, bundled for a browser: nothing of Deno may be needed. */
async function bundle(): Promise<string> {
  const { outputFiles } = await esbuild.build({
    stdin: { contents: PAGE, resolveDir: new URL("../..", import.meta.url).pathname, loader: "ts" },
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2022",
    logLevel: "silent",
  });
  await esbuild.stop();
  return outputFiles[0].text;
}

type Result = { losses: number[]; traits: { description: string; kernelFamilies: readonly string[] } };

const found = await findChromium();

Deno.test(needing(found, {
  name: "the small Evoformer trains in a browser, with the losses it has here",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const script = await bundle();
    const html = "<!doctype html><meta charset=utf-8><script type=module src=/page.js></script>";
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      (request) =>
        new URL(request.url).pathname === "/page.js"
          ? new Response(script, { headers: { "content-type": "text/javascript" } })
          : new Response(html, { headers: { "content-type": "text/html" } }),
    );
    const browser = await startChromium(found.path, { webgpu: true });
    try {
      const page = await browser.newPage();
      const failures: string[] = [];
      page.on("console", (message) => message.type() === "error" && failures.push(message.text()));
      page.on("pageerror", (error) => failures.push(String(error)));
      await page.goto(`http://127.0.0.1:${server.addr.port}/`);
      await page.waitForFunction("globalThis.train", undefined, { timeout: 30_000 });
      const inBrowser = await page.evaluate("globalThis.train()") as Result;
      assert.deepEqual(failures.filter((text) => !text.includes("favicon")), []);
      await import(`data:text/javascript;base64,${new TextEncoder().encode(script).toBase64()}`);
      const here: Result = await Reflect.get(globalThis, "train")();
      assertClose(inBrowser.losses, here.losses, { rtol: 1e-4 }, `losses on ${inBrowser.traits.description}`);
      assert.ok(here.losses[4] < here.losses[0], `the loss falls: ${here.losses}`);
    } finally {
      await browser.close();
    }
  },
}));
