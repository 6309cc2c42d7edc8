import assert from "node:assert/strict";
import { fnv1a } from "../../../core/fnv1a.ts";
import { agree, agreeGradients, checksum, hashed } from "../../../tools/bench/hashed.ts";

// Expected values: the benchmark kit's torch_peer.py with numpy 2 and PyTorch 2.13.0.

Deno.test("hashed() gives the peer's numbers to the bit", () => {
  const cases: [name: string, spread: { std?: number; mean?: number }, expected: number[]][] = [
    ["a", {}, [-1.4837523698806763, -1.210336446762085, 0.991512656211853, -1.5468320846557617, -1.4348136186599731]],
    ["pair_embedding.weight", { std: 1 / Math.sqrt(3) }, [
      0.2686895728111267,
      -0.1359502226114273,
      0.8900824189186096,
      0.49051281809806824,
      -0.9159321784973145,
      -0.5105515718460083,
    ]],
    ["blocks.0.norm.weight", { std: 0.1, mean: 1 }, [
      0.8851385116577148,
      0.9045063853263855,
      1.1491343975067139,
      1.0302214622497559,
    ]],
    ["ü", {}, [-0.11282003670930862, 0.2759597897529602, -0.9141014814376831]],
  ];
  for (const [name, spread, expected] of cases) {
    assert.deepEqual([...hashed(name, expected.length, spread)], expected, name);
  }
  assert.equal(hashed("a", 100_003).at(-1), 0.5105315446853638);
});

Deno.test("fnv1a() hashes the bytes of UTF-8", () => {
  assert.equal(fnv1a("a"), 3826002220);
  assert.equal(fnv1a("ü"), 295556170);
});

Deno.test("checksum() is the peer's", () => {
  assert.ok(agree(checksum(hashed("z", 7 * 11 * 3)), [0.9859304, -0.6455673], 2e-7));
  assert.ok(agree(checksum(hashed("a", 100_003)), [0.9979992, -0.8291999], 2e-7));
});

Deno.test("agree() is relative above 1, absolute below, and false for NaN and another number of values", () => {
  assert.ok(agree([1000.09, 0], [1000, 0.00009]));
  assert.ok(!agree([1000.2], [1000]));
  assert.ok(!agree([0.0002], [0]));
  assert.ok(!agree([NaN], [NaN]));
  assert.ok(!agree([1], [1, 2]));
});

Deno.test("agreeGradients() allows for jumps at relus in the projections alone", () => {
  const ours = [1.375374, 2.119105, 1.858364, -2.291912];
  assert.ok(agreeGradients(ours, [1.375375, 2.119205, 1.858364, -2.290996])); // PyTorch's, of an Evoformer block (32, 64)
  assert.ok(!agreeGradients(ours, [1.375374, 2.119105, 1.858664, -2.291912]));
  assert.ok(!agreeGradients(ours, [1.375374, 2.128, 1.858364, -2.291912]));
  assert.ok(!agreeGradients([NaN, 0], [NaN, 0]));
  assert.ok(!agreeGradients([1, 1], [1, 1, 1, 1]));
});
