/// <reference lib="dom" />
import assert from "node:assert/strict";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import type { Need } from "./_needs.ts";

/** Where Chromium is: the environment's `CHROMIUM`, else where Debian puts it. */
const EXECUTABLE = Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium";

/** Chromium (not Chrome, which calls itself so in its version line), with its path and version where it is there. */
export async function findChromium(): Promise<Need & { readonly path: string; readonly version: string }> {
  let version = "", missing: string | undefined;
  try {
    const { stdout } = await new Deno.Command(EXECUTABLE, { args: ["--version"], stderr: "null" }).output();
    version = new TextDecoder().decode(stdout).trim();
    if (!version.startsWith("Chromium ")) missing = `${EXECUTABLE} is not Chromium: it calls itself "${version}"`;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    missing = `Chromium is not installed: there is no ${EXECUTABLE} (install chromium, or set CHROMIUM)`;
  }
  return { kind: "chromium", missing, path: EXECUTABLE, version };
}

/** Windows of a laptop and of a phone. Half a pixel a CSS pixel each way: WebGL is drawn in software here. */
export const LAPTOP: BrowserContextOptions = { viewport: { width: 1280, height: 900 }, deviceScaleFactor: 0.5 };
export const PHONE: BrowserContextOptions = {
  ...{ viewport: { width: 390, height: 844 }, deviceScaleFactor: 0.5 },
  ...{ isMobile: true, hasTouch: true },
};

/** Starts Chromium without a window; WebGL and WebGPU are computed in software, where they are not switched off. */
export function startChromium(path: string, options: { webgl?: boolean; webgpu?: boolean }): Promise<Browser> {
  const graphics = [
    ...(options.webgl
      ? ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
      : []),
    ...(options.webgpu ? ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"] : []),
    ...(options.webgl || options.webgpu ? [] : ["--disable-gpu", "--disable-3d-apis", "--disable-software-rasterizer"]),
  ];
  return chromium.launch({ executablePath: path, headless: true, args: ["--no-sandbox", ...graphics] });
}

/** What a page asks the network for, and what it complains of on the console, from now on. */
export function watchPage(page: Page): { requests: string[]; complaints: string[] } {
  const requests: string[] = [], complaints: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  return { requests, complaints };
}

/**
 * Opens one of our pages from a file, waits until it is drawn, lets `look` see it, and checks that it asked for nothing
 * else and reported no error.
 */
export async function lookAtPage(
  browser: Browser,
  html: string | Promise<string>,
  options: BrowserContextOptions,
  look: (page: Page) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const context = await browser.newContext(options);
  try {
    const url = `file://${folder}/page.html`;
    await Deno.writeTextFile(`${folder}/page.html`, await html);
    const page = await context.newPage();
    const { requests, complaints } = watchPage(page);
    await page.route(/^(?!file:|data:|blob:)/, (route) => route.abort());
    await page.goto(url);
    await page.waitForFunction(() => document.documentElement.dataset.ready === "true", undefined, { timeout: 60_000 });
    await look(page);
    assert.deepEqual(requests.filter((request) => !/^(data|blob):/.test(request)), [url]);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * Fails if a page is wider than its window.
 *
 * @returns The window's width.
 */
export async function assertNoSidewaysScroll(page: Page): Promise<number> {
  const [inside, width] = await page.evaluate(() => [document.documentElement.scrollWidth, globalThis.innerWidth]);
  assert.equal(inside, width, "the page scrolls sideways");
  return width;
}
