import assert from "node:assert/strict";
import { meanOf, quantile, sampleDeviation } from "../../core/statistics.ts";

Deno.test("mean, deviation and quantiles of a few numbers", () => {
  assert.equal(meanOf([1, 2, 6]), 3);
  assert.equal(sampleDeviation([1, 2, 6]), Math.sqrt((4 + 1 + 9) / 2));
  assert(Number.isNaN(sampleDeviation([1])) && Number.isNaN(meanOf([])));
  assert.deepEqual([0, 0.25, 0.5, 0.9, 1].map((q) => quantile([1, 2, 6], q)), [1, 1.5, 2, 5.2, 6]);
  assert.equal(quantile([7], 0.3), 7);
  assert(Number.isNaN(quantile([], 0.5)));
});
