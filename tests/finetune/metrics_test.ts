import assert from "node:assert/strict";
import {
  accuracy,
  bootstrapIntervals,
  pearson,
  ranks,
  REGRESSION_METRICS,
  regressionMetrics,
  spearman,
} from "../../finetune/mod.ts";
import { Key } from "../../core/mod.ts";
import { assertClose } from "../_gpu.ts";

const CLOSE = { rtol: 1e-12, atol: 1e-12 };

Deno.test("metrics of four pairs, by hand", () => {
  const { n, pearson, spearman, rmse, mae, r2 } = regressionMetrics([1, 2, 3, 6], [1, 3, 2, 4]);
  // Means 3 and 2.5; sums of products 7, of squares 14 and 5; errors 0, -1, 1, 2.
  assert.equal(n, 4);
  assertClose([pearson], [7 / Math.sqrt(14 * 5)], CLOSE);
  assertClose([spearman], [0.8], CLOSE); // 1 - 6 Σd² / (n (n² - 1)), Σd² = 2
  assertClose([rmse, mae, r2], [Math.sqrt(6 / 4), 1, 1 - 6 / 5], CLOSE);
});

Deno.test("ties share the mean of their ranks, and the correlation is that of these", () => {
  assert.deepEqual([...ranks([3, 1, 3, 2, 3])], [4, 1, 4, 2, 4]);
  assert.deepEqual([...ranks([0, -0, 5])], [1.5, 1.5, 3]);
  // Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: products 4.5, squares 4.5 and 5.
  assertClose([spearman([1, 2, 2, 3], [10, 20, 30, 40])], [4.5 / Math.sqrt(4.5 * 5)], CLOSE);
  assertClose([spearman([1, 10, 100], [3, 2, 1])], [-1], CLOSE);
});

Deno.test("correlation does not change with origin and unit, far away either", () => {
  const x = [0.5, -1, 2, 0.25, 3], y = [1, 0, 2, 2, 5];
  const r = pearson(x, y);
  assertClose([pearson(x.map((v) => 1e6 + 1e-3 * v), y.map((v) => 7 - 40 * v))], [-r], { rtol: 1e-6 });
  assert.equal(pearson([1, 2, 3], [2, 4, 6]), 1);
});

Deno.test("what is not defined is NaN: no pair, one pair, constants", () => {
  const empty = regressionMetrics([], []);
  assert(REGRESSION_METRICS.every((name) => Number.isNaN(empty[name])));
  const one = regressionMetrics([2], [5]);
  assert(Number.isNaN(one.pearson) && Number.isNaN(one.spearman) && Number.isNaN(one.r2));
  assert.deepEqual([one.rmse, one.mae], [3, 3]);
  assert(Number.isNaN(pearson([0.1, 0.1, 0.1], [1, 2, 3])), "a constant whose mean is rounded");
  assert(Number.isNaN(regressionMetrics([1, 2], [0.1, 0.1]).r2));
  assert.throws(() => regressionMetrics([1, 2], [1]), /There are 2 predictions for 1 labels/);
  assert.throws(() => regressionMetrics([1, NaN], [1, 2]), /The pair 1 is NaN for 2/);
});

Deno.test("bootstrap: the interval of a mean error is that of theory, and the seed decides", () => {
  const n = 400;
  const errors = Key.fromSeed(3).normal(n), labels = Key.fromSeed(4).normal(n);
  const predictions = labels.map((x, i) => x + errors[i]);
  const intervals = bootstrapIntervals(predictions, labels, { seed: 1 });
  const { mae, rmse, pearson: r } = regressionMetrics(predictions, labels);
  const deviation = Math.sqrt(errors.reduce((a, e) => a + (Math.abs(e) - mae) ** 2, 0) / n / n);
  assertClose(intervals.mae, [mae - 1.96 * deviation, mae + 1.96 * deviation], { atol: 0.2 * deviation, rtol: 0 });
  assert(intervals.rmse[0] < rmse && rmse < intervals.rmse[1]);
  // Fisher's transformation of a correlation has a deviation of 1 / √(n - 3).
  const fisher = [-1, 1].map((sign) => Math.tanh(Math.atanh(r) + sign * 1.96 / Math.sqrt(n - 3)));
  assertClose(intervals.pearson, fisher, { atol: 0.02, rtol: 0 });
  assert.deepEqual(bootstrapIntervals(predictions, labels, { seed: 1 }), intervals);
  assert.notDeepEqual(bootstrapIntervals(predictions, labels, { seed: 2 }), intervals);
  const half = bootstrapIntervals(predictions, labels, { seed: 1, confidence: 0.5 });
  assert(half.mae[0] > intervals.mae[0] && half.mae[1] < intervals.mae[1]);
});

Deno.test("pairs of a group are drawn together: copies of a pair make no interval narrower", () => {
  const key = Key.fromSeed(4), labels = [...key.at(0).uniform(12)], noise = key.at(1).uniform(12);
  const predictions = labels.map((label, i) => label + noise[i]);
  const copied = (x: readonly number[]) => x.flatMap((one) => [one, one, one, one, one]);
  const single = bootstrapIntervals(predictions, labels, { seed: 1 });
  const groups = copied(labels.map((_, i) => i));
  const grouped = bootstrapIntervals(copied(predictions), copied(labels), { seed: 1, groups });
  for (const name of REGRESSION_METRICS) assertClose(grouped[name], single[name], { rtol: 1e-9, atol: 1e-9 });
  const apart = bootstrapIntervals(copied(predictions), copied(labels), { seed: 1 });
  assert(apart.mae[1] - apart.mae[0] < 0.7 * (single.mae[1] - single.mae[0]));
  assert.throws(() => bootstrapIntervals([1, 2], [1, 2], { groups: [1] }), /1 groups of 2 pairs/);
});

Deno.test("bootstrap of perfect predictions, of none, and with choices out of range", () => {
  const { pearson, rmse } = bootstrapIntervals([1, 2, 3, 4], [1, 2, 3, 4], { resamples: 200 });
  assertClose(pearson, [1, 1], CLOSE);
  assert.deepEqual(rmse, [0, 0]);
  assert(bootstrapIntervals([], []).mae.every(Number.isNaN));
  assert(bootstrapIntervals([1], [2]).pearson.every(Number.isNaN));
  assert.throws(() => bootstrapIntervals([1], [2], { resamples: 0 }), RangeError);
  assert.throws(() => bootstrapIntervals([1], [2], { confidence: 1 }), RangeError);
});

Deno.test("accuracy is the fraction that is right", () => {
  assert.equal(accuracy([0, 1, 2, 2], [0, 2, 2, 2]), 0.75);
  assert(Number.isNaN(accuracy([], [])));
  assert.throws(() => accuracy([1], []), TypeError);
});
