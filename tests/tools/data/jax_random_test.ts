import assert from "node:assert/strict";
import { JaxKey } from "../../../tools/data/jax_random.ts";

Deno.test("normal() is standard normal, truncatedNormal() lies between -2 and 2", () => {
  const n = 40_000;
  const moments = (x: Float32Array) => {
    const mean = x.reduce((a, b) => a + b) / n;
    return { mean, deviation: Math.sqrt(x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n) };
  };
  const normal = JaxKey.fromSeed(7).normal(n), cut = JaxKey.fromSeed(8).truncatedNormal(n);
  const [a, b] = [moments(normal), moments(cut)];
  assert.ok(Math.abs(a.mean) < 0.02 && Math.abs(a.deviation - 1) < 0.02, JSON.stringify(a));
  assert.ok(Math.abs(b.mean) < 0.02 && Math.abs(b.deviation - 0.8796) < 0.02, JSON.stringify(b));
  assert.ok(normal.some((x) => x > 3) && normal.some((x) => x < -3));
  assert.ok(cut.every((x) => x >= -2 && x <= 2) && cut.some((x) => x > 1.9));
});

Deno.test("a key gives the same numbers each time, other keys give others", () => {
  const key = JaxKey.fromSeed(0);
  assert.deepEqual(key.normal(5), key.normal(5));
  assert.deepEqual(key.normal(9).subarray(0, 5), key.normal(5));
  const firsts = [key, key.foldIn(0), key.foldIn(1), key.foldIn(0).foldIn(1), JaxKey.fromSeed(1)];
  assert.equal(new Set(firsts.map((each) => each.normal(1)[0])).size, firsts.length);
});

Deno.test("a seed that JAX would not take is refused", () => {
  for (const seed of [-1, 0.5, 2 ** 32, NaN]) {
    assert.throws(() => JaxKey.fromSeed(seed), /^RangeError: Cannot seed JAX's/);
  }
});
