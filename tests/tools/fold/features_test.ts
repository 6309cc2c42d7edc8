import assert from "node:assert/strict";
import { RELATIVE_POSITION_CLASSES, relativePositionFeatures } from "../../../tools/fold/features.ts";

Deno.test("relativePositionFeatures() has one 1 a pair, at the clipped difference", () => {
  for (const n of [1, 2, 7, 71]) {
    const features = relativePositionFeatures(n);
    assert.equal(features.length, n * n * 65);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        const row = features.subarray((i * n + j) * 65, (i * n + j + 1) * 65);
        const expected = j - i < -32 ? 0 : j - i > 32 ? 64 : j - i + 32;
        row.forEach((value, c) => assert.equal(value, c === expected ? 1 : 0, `pair ${i}, ${j}, class ${c}`));
      }
    }
  }
  assert.equal(RELATIVE_POSITION_CLASSES, 65);
  assert.throws(() => relativePositionFeatures(0), RangeError);
  assert.throws(() => relativePositionFeatures(1.5), RangeError);
});
