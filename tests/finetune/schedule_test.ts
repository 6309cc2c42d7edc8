import assert from "node:assert/strict";
import { learningRateFactor, type ScheduleKind } from "../../finetune/mod.ts";
import fixture from "./fixtures/schedules.json" with { type: "json" };

for (const { kind, warmup, total, min, step, factor } of fixture.tables) {
  Deno.test(`learningRateFactor() of ${kind}, warm-up ${warmup} of ${total}, matches the table`, () => {
    step.forEach((k, i) => {
      const found = learningRateFactor(k, { kind: kind as ScheduleKind, warmup, total, min });
      assert.ok(Math.abs(found - factor[i]) <= 1e-12, `step ${k}: ${found}, expected ${factor[i]}`);
    });
  });
}

Deno.test("learningRateFactor() drops once, from a step on, whatever the form", () => {
  const drop = { step: 6, factor: 0.95 };
  const of = (step: number) => learningRateFactor(step, { warmup: 4, drop });
  assert.deepEqual([0, 3, 4, 5, 6, 7, 1e6].map(of), [0.25, 1, 1, 1, 0.95, 0.95, 0.95]);
  const linear = { kind: "linear", total: 10 } as const;
  assert.equal(learningRateFactor(8, { ...linear, drop }), 0.95 * learningRateFactor(8, linear));
});

Deno.test("learningRateFactor() is 1 without a schedule", () => {
  for (const step of [0, 1, 1e6]) assert.equal(learningRateFactor(step, {}), 1);
});
