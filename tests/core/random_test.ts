import assert from "node:assert/strict";
import { elementGrid, kernel, Key } from "../../core/mod.ts";
import { threefry2x32, THREEFRY_WGSL } from "../../core/random.ts";
import { gpuTest } from "../_gpu.ts";

/** Known answers of Threefry-2x32 with 20 rounds, from the file kat_vectors of Random123 1.14. */
const KNOWN: [number, number, number, number, number, number][] = [
  [0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x6b200159, 0x99ba4efe],
  [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x1cb996fc, 0xbb002be7],
  [0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3, 0xc4923a9c, 0x483df7a0],
];

Deno.test("threefry2x32() gives the known answers of Random123", () => {
  for (const [k0, k1, c0, c1, x0, x1] of KNOWN) assert.deepEqual(threefry2x32(k0, k1, c0, c1), [x0, x1]);
});

const THREEFRY = kernel({
  name: "threefry",
  bindings: { blocks: "read u32", words: "write u32" },
  uniforms: { n: "u32" },
  declarations: THREEFRY_WGSL,
  body: `
if (index < u.n) {
  let x = threefry(vec2u(blocks[4u * index], blocks[4u * index + 1u]), vec2u(blocks[4u * index + 2u], blocks[4u * index + 3u]));
  words[2u * index] = x.x;
  words[2u * index + 1u] = x.y;
}`,
});

gpuTest(
  "threefry() in WGSL gives the known answers, and the CPU's words for a thousand keys and counters",
  async (device) => {
    const blocks = KNOWN.map((known) => known.slice(0, 4));
    for (let i = 0; i < 1000; i++) {
      blocks.push([0, 1, 2, 3].map((j) => Math.imul(i + 1, [2654435761, 2246822519, 3266489917, 668265263][j]) >>> 0));
    }
    const n = blocks.length;
    const words = device.empty([n, 2], "u32");
    device.run(THREEFRY, {
      bindings: { blocks: device.tensor(blocks.flat(), [n, 4], "u32"), words },
      uniforms: { n },
      grid: elementGrid(n, 64),
    });
    const expected = blocks.flatMap(([k0, k1, c0, c1]) => threefry2x32(k0, k1, c0, c1));
    assert.deepEqual([...await words.read()], expected);
    assert.deepEqual(expected.slice(0, 6), KNOWN.flatMap((known) => known.slice(4)));
  },
);

Deno.test("a key works once, whatever for", () => {
  const uses: ((key: Key) => unknown)[] = [
    (key) => key.uniform(3),
    (key) => key.normal(3),
    (key) => key.permutation(3),
    (key) => key.split(2),
    (key) => key.consume(),
  ];
  for (const first of uses) {
    for (const second of uses) {
      const key = Key.fromSeed(5);
      first(key);
      assert.throws(() => second(key), { name: "RangeError", message: /used before/ });
    }
  }
});

Deno.test("Key.at() derives numbered keys without using the key up", () => {
  const key = Key.fromSeed(5);
  const a = key.at(0).consume(), b = key.at(1).consume();
  assert.notDeepEqual(a, b);
  assert.deepEqual(key.at(0).consume(), a);
  assert.deepEqual(a, threefry2x32(0, 5, 0, 0xfffffffe));
  key.consume();
});

Deno.test("split keys are distinct, and the same for the same seed", () => {
  const words = (seed: number) => Key.fromSeed(seed).split(50).map((key) => key.consume().join());
  assert.equal(new Set([...words(1), ...words(2), ...words(2 ** 32 + 1)]).size, 150);
  assert.deepEqual(words(7), words(7));
});

Deno.test("seeds are integers between 0 and 2^53 - 1, all their bits count", () => {
  for (const seed of [-1, 0.5, NaN, 2 ** 53]) assert.throws(() => Key.fromSeed(seed), RangeError);
  assert.deepEqual(Key.fromSeed(2 ** 53 - 1).consume(), [2 ** 21 - 1, 2 ** 32 - 1]);
});

Deno.test("uniform() takes the upper 24 bits of both words of counters 0, 1, …", () => {
  const [k0, k1] = [3, 4];
  const expected = [0, 1, 2].flatMap((i) => threefry2x32(k0, k1, i, 0)).slice(0, 5).map((w) => (w >>> 8) / 2 ** 24);
  assert.deepEqual([...new Key(k0, k1).uniform(5)], expected);
});

Deno.test("uniform() and normal() have the moments of their distributions", () => {
  const n = 100_000;
  const moments = (xs: Float32Array) => {
    const mean = xs.reduce((a, b) => a + b, 0) / n;
    return [mean, xs.reduce((a, b) => a + (b - mean) ** 2, 0) / n];
  };
  const uniform = Key.fromSeed(1).uniform(n);
  assert.ok(uniform.every((x) => x >= 0 && x < 1));
  const [uniformMean, uniformVariance] = moments(uniform);
  assert.ok(Math.abs(uniformMean - 0.5) < 0.004 && Math.abs(uniformVariance - 1 / 12) < 0.002);
  const normal = Key.fromSeed(1).normal(n);
  const [normalMean, normalVariance] = moments(normal);
  assert.ok(Math.abs(normalMean) < 0.015 && Math.abs(normalVariance - 1) < 0.02);
  const beyond2 = normal.filter((x) => Math.abs(x) > 2).length / n;
  assert.ok(Math.abs(beyond2 - 0.0455) < 0.003, `${beyond2}`);
});

Deno.test("permutation() holds every index once, and moves them evenly", () => {
  for (const n of [0, 1, 2, 17, 1000]) {
    const order = Key.fromSeed(n).permutation(n);
    assert.deepEqual([...order].sort((a, b) => a - b), [...Array(n).keys()]);
  }
  const counts = new Array(4).fill(0);
  for (let seed = 0; seed < 4000; seed++) counts[Key.fromSeed(seed).permutation(4)[0]]++;
  assert.ok(counts.every((count) => Math.abs(count - 1000) < 130), `${counts}`);
});
