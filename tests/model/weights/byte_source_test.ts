import assert from "node:assert/strict";
import {
  blobSource,
  bufferedSource,
  type ByteSource,
  bytesSource,
  httpSource,
  readExactly,
} from "../../../model/weights/byte_source.ts";

const BYTES = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) & 255);

Deno.test("sources of bytes, blobs and files give the same ranges, and less at the end", async () => {
  for (
    const source of [bytesSource(BYTES, "b"), blobSource(new Blob([BYTES])), blobSource(new File([BYTES], "f.bin"))]
  ) {
    assert.equal(source.size, 1000);
    assert.deepEqual(await source.read(3, 5), BYTES.slice(3, 8));
    assert.deepEqual(await source.read(998, 5), BYTES.slice(998));
  }
  await assert.rejects(
    readExactly(bytesSource(BYTES, "b"), 998, 5, "the tail"),
    /b: the tail takes bytes 998 to 1003, but it has 1000: cut short/,
  );
});

Deno.test("bufferedSource() makes one read of many that follow each other, and leaves scattered ones alone", async () => {
  const reads: [number, number][] = [];
  const inner: ByteSource = {
    ...bytesSource(BYTES, "b"),
    read: (o, n) => (reads.push([o, n]), bytesSource(BYTES, "b").read(o, n)),
  };
  const source = bufferedSource(inner, 100);
  for (let at = 0; at < 100; at += 10) assert.deepEqual(await source.read(at, 10), BYTES.slice(at, at + 10));
  assert.deepEqual(reads, [[0, 100]]);
  reads.length = 0;
  const far = bufferedSource({ ...inner, size: 100_000 }, 100);
  await far.read(900, 4);
  await far.read(5, 4);
  assert.deepEqual(reads.at(-1), [5, 4]);
  assert.deepEqual(await source.read(500, 300), BYTES.slice(500, 800)); // larger than a piece
});

Deno.test("bufferedSource() uses the memory of a piece again, and gives bytes that stay what they were", async () => {
  let made = 0;
  const inner: ByteSource = {
    ...bytesSource(BYTES, "b"),
    read: (o, n) => (made += n, Promise.resolve(BYTES.slice(o, o + n))),
    async readInto(offset, target) {
      target.set(BYTES.subarray(offset, offset + target.length));
      await Promise.resolve(); // others may ask meanwhile
      return Math.min(target.length, BYTES.length - offset);
    },
  };
  const source = bufferedSource(inner, 100);
  const starts = Array.from({ length: 100 }, (_, i) => 10 * i);
  const parts = await Promise.all(starts.map((at) => source.read(at, 10)));
  starts.forEach((at, i) => assert.deepEqual(parts[i], BYTES.slice(at, at + 10), `bytes from ${at}`));
  assert.equal(made, 0);
  assert.deepEqual(await source.read(995, 10), BYTES.slice(995));
});

Deno.test("httpSource() reads by ranges, and says what a server without them answers", async () => {
  await using server = Deno.serve({ port: 0, onListen() {} }, (request) => {
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get("range") ?? "");
    const path = new URL(request.url).pathname;
    if (path === "/gone") return new Response("no", { status: 404 });
    if (path === "/whole" || !range) return new Response(BYTES);
    const [from, to] = [Number(range[1]), Math.min(999, Number(range[2]))];
    return new Response(BYTES.slice(from, to + 1), {
      status: 206,
      headers: { "content-range": `bytes ${from}-${to}/1000` },
    });
  });
  const url = (path: string) => `http://127.0.0.1:${server.addr.port}${path}`;
  const source = await httpSource(url("/weights"));
  assert.equal(source.size, 1000);
  assert.deepEqual(await source.read(10, 20), BYTES.slice(10, 30));
  assert.deepEqual(await source.read(990, 20), BYTES.slice(990));
  await assert.rejects(httpSource(url("/whole")), /the server answers 200, expected 206/);
  await assert.rejects(httpSource(url("/gone")), /the server answers 404/);
});
