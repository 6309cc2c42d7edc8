import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { InputError } from "../../../tools/errors.ts";
import { downloadWeights } from "../../../tools/weights/download.ts";
import { PUBLISHED, type PublishedWeights } from "../../../tools/weights/published.ts";

const CONTENT = Uint8Array.from({ length: 70_001 }, (_, i) => (i * 31 + (i >> 8)) & 255);
const SHA256 = createHash("sha256").update(CONTENT).digest("hex");

/** A tar archive of files. */
function tar(files: Record<string, Uint8Array>): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (const [name, bytes] of Object.entries(files)) {
    const header = new Uint8Array(512);
    const put = (text: string, at: number) => header.set(new TextEncoder().encode(text), at);
    put(`./${name}`, 0);
    put(bytes.length.toString(8).padStart(11, "0"), 124);
    put("0", 156);
    put("ustar", 257);
    const body = new Uint8Array(Math.ceil(bytes.length / 512) * 512);
    body.set(bytes);
    blocks.push(header, body);
  }
  blocks.push(new Uint8Array(1024));
  const out = new Uint8Array(blocks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const block of blocks) {
    out.set(block, at);
    at += block.length;
  }
  return out;
}

/** A server of one file, which notes the ranges asked for and may fail some requests. */
function serve(file: Uint8Array, fails: (n: number) => boolean = () => false) {
  const ranges: [number, number][] = [];
  const server = Deno.serve({ port: 0, onListen() {} }, (request) => {
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get("range") ?? "");
    if (!range) return new Response("ranges only", { status: 400 });
    const [from, to] = [Number(range[1]), Math.min(file.length - 1, Number(range[2]))];
    ranges.push([from, to]);
    if (fails(ranges.length)) return new Response("busy", { status: 503 });
    return new Response(file.slice(from, to + 1), {
      status: 206,
      headers: { "content-range": `bytes ${from}-${to}/${file.length}` },
    });
  });
  return {
    ranges,
    url: `http://localhost:${server.addr.port}/folder/weights.pt`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

const published = (url: string, more: Partial<PublishedWeights> = {}): PublishedWeights => ({
  name: "test/weights",
  use: "a test",
  url,
  licence: "CC0",
  source: "nobody",
  ...more,
});

async function temporary(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("downloadWeights() fetches a file, checks it, and does not fetch it twice", () =>
  temporary(async (folder) => {
    await using server = serve(CONTENT);
    const weights = published(server.url, { sha256: SHA256 });
    const seen: number[] = [];
    const got = await downloadWeights(weights, folder, { progress: (done) => seen.push(done) });
    assert.deepEqual(got, { path: join(folder, "weights.pt"), bytes: CONTENT.length, sha256: SHA256, wasThere: false });
    assert.deepEqual(await Deno.readFile(got.path), CONTENT);
    assert.deepEqual(seen, [0, CONTENT.length]);
    const before = server.ranges.length;
    assert.equal((await downloadWeights(weights, folder)).wasThere, true);
    assert.equal(server.ranges.length, before + 1); // its size alone
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["weights.pt"]);
  }));

Deno.test("downloadWeights() goes on from what an interrupted download left", () =>
  temporary(async (folder) => {
    await Deno.writeFile(join(folder, "weights.pt.part"), CONTENT.slice(0, 50_000));
    await using server = serve(CONTENT);
    const { path } = await downloadWeights(published(server.url, { sha256: SHA256 }), folder);
    assert.deepEqual(await Deno.readFile(path), CONTENT);
    assert.deepEqual(server.ranges.slice(1), [[50_000, CONTENT.length - 1]]);
  }));

Deno.test("downloadWeights() takes one file out of a tar archive, reading no other", () =>
  temporary(async (folder) => {
    const archive = tar({
      "LICENSE": new Uint8Array(2000),
      "params_a.npz": new Uint8Array(5_000_000),
      "params_b.npz": CONTENT,
    });
    await using server = serve(archive);
    const { path } = await downloadWeights(published(server.url, { member: "params_b.npz" }), folder);
    assert.equal(path, join(folder, "params_b.npz"));
    assert.deepEqual(await Deno.readFile(path), CONTENT);
    assert(server.ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0) < CONTENT.length + 10_000);
    await assert.rejects(
      downloadWeights(published(server.url, { member: "params_c.npz" }), folder),
      /has no file params_c\.npz; it has LICENSE, params_a\.npz, params_b\.npz/,
    );
  }));

Deno.test("downloadWeights() tries a busy server again, then gives up and keeps what came", () =>
  temporary(async (folder) => {
    {
      await using server = serve(CONTENT, (n) => n === 2 || n === 3);
      await downloadWeights(published(server.url), folder, { retrySeconds: 0.01 });
      assert.equal(server.ranges.length, 4);
    }
    await Deno.remove(join(folder, "weights.pt"));
    await using server = serve(CONTENT, (n) => n >= 2);
    await assert.rejects(
      downloadWeights(published(server.url), folder, { retrySeconds: 0.01 }),
      (error: Error) => error instanceof InputError && /ended early: .*503.* run it again to go on/.test(error.message),
    );
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["weights.pt.part"]);
  }));

Deno.test("downloadWeights() removes a file with another SHA-256 than the published one", () =>
  temporary(async (folder) => {
    await using server = serve(CONTENT);
    await assert.rejects(
      downloadWeights(published(server.url, { sha256: "00".repeat(32) }), folder),
      new RegExp(`came with the SHA-256 ${SHA256}, expected 0000.*removed`),
    );
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  }));

Deno.test("the published files have names, addresses and licences of their own", () => {
  for (const [name, { url, licence, source }] of PUBLISHED) {
    assert.equal(new URL(url).protocol, "https:");
    assert(licence && source, name);
  }
  assert.equal(new Set([...PUBLISHED.values()].map(({ url, member }) => `${url} ${member}`)).size, PUBLISHED.size);
});
