import assert from "node:assert/strict";
import { compare } from "../../tools/oracle/compare.ts";
import { EXACT, parseTolerance } from "../../tools/oracle/tolerance.ts";

const READ: [string, ReturnType<typeof parseTolerance>][] = [
  ["rtol 1e-4, atol 1e-5 (float32 implementation)", { rtol: 1e-4, atol: 1e-5, atolOfMax: 0 }],
  ["rtol 1e-3, atol 1e-4*max|grad|", { rtol: 1e-3, atol: 0, atolOfMax: 1e-4 }],
  ["rtol=1e-3 atol <= 2E-4 * max(|grad|)", { rtol: 1e-3, atol: 0, atolOfMax: 2e-4 }],
  ["rtol 1e-5", { rtol: 1e-5, atol: 0, atolOfMax: 1e-6 }],
  ["rtol 1e-5; GDT exact unless a distance is within 1e-5 of a cutoff", { rtol: 1e-5, atol: 0, atolOfMax: 1e-6 }],
  ["abs 1e-3", { rtol: 0, atol: 1e-3, atolOfMax: 0 }],
  ["compare DISTANCES: abs 0.02", { rtol: 0, atol: 0.02, atolOfMax: 0 }],
  ["distances abs 0.05 and dist_rmse within 10 % or 1e-3", { rtol: 0, atol: 0.05, atolOfMax: 0 }],
  ["first 20 values rtol 1e-3", { rtol: 1e-3, atol: 0, atolOfMax: 1e-6, first: 20 }],
  ["exact", EXACT],
  ["bit exact if the numpy legacy generator is re-implemented, otherwise only distributional", EXACT],
  [
    "abs err < 2e-4 for >=99% of entries, and < 20*lr*1e-1 elsewhere: Adam divides by sqrt(v)",
    { rtol: 0, atol: 2e-4, atolOfMax: 0, share: 0.99, elsewhere: 20 * 3e-3 * 1e-1 },
  ],
];
for (const [text, expected] of READ) {
  Deno.test(`parseTolerance() reads "${text}"`, () => assert.deepEqual(parseTolerance(text, 3e-3), expected));
}

for (const text of ["", "see tof_train", "close", "rtol small", "abs err < 1e-4 for >=99% of entries"]) {
  Deno.test(`parseTolerance() refuses "${text}"`, () => assert.throws(() => parseTolerance(text), SyntaxError));
}

Deno.test("parseTolerance() refuses lr where the learning rate is not known", () => {
  const text = "abs err < 2e-4 for >=99% of entries, and < 2*lr elsewhere";
  assert.throws(() => parseTolerance(text), { name: "SyntaxError", message: /"lr"/ });
});

Deno.test("compare() gives the largest error as a fraction of its own tolerance", () => {
  const tolerance = { rtol: 0.1, atol: 1, atolOfMax: 0 };
  const { worst, detail } = compare("out/x", [0.5, 11, 100], [0, 10, 112], tolerance);
  assert.ok(Math.abs(worst - 12 / 12.2) < 1e-12);
  assert.equal(detail, "element 2 is 100, expected 112");
  assert.equal(compare("out/x", [1, 2], [1, 4], { rtol: 0, atol: 0, atolOfMax: 0.25 }).worst, 2);
  assert.equal(compare("out/x", [1e-9], [2e-9], { rtol: 0, atol: 0, atolOfMax: 0 }, { floor: 1e-8 }).worst, 0.1);
});

Deno.test("compare() takes NaN, infinities, missing numbers and missing tensors for wrong", () => {
  const loose = { rtol: 1, atol: 1e30, atolOfMax: 0 };
  for (const bad of [[1, NaN], [1, Infinity], [1], [], [1, 2, 3]]) {
    assert.equal(compare("out/x", bad, [1, 2], loose).worst, Infinity, `[${bad}]`);
  }
  assert.equal(compare("out/x", undefined, [1, 2], loose).worst, Infinity);
  assert.equal(compare("out/x", [1, 2], [1, NaN], loose).worst, Infinity);
  assert.equal(compare("out/x", [1, 3], [1, 2], EXACT).worst, Infinity);
  assert.equal(compare("out/x", [1, 2], [1, 2], EXACT).worst, 0);
});

Deno.test("compare() leaves out what is not valid, and what comes after the first numbers", () => {
  const tolerance = { rtol: 0, atol: 1, atolOfMax: 0 };
  assert.equal(compare("out/x", [1, NaN, 2], [1, 5, 2.5], tolerance, { valid: [1, 0, 1] }).worst, 0.5);
  assert.equal(compare("out/x", [1, 2, 9], [1, 2.5, 0], { ...tolerance, first: 2 }).worst, 0.5);
  assert.equal(compare("out/x", [1, 2], [1, 2.5, 0], { ...tolerance, first: 2 }).worst, 0.5);
  assert.equal(compare("out/x", [1], [1, 2.5, 0], { ...tolerance, first: 2 }).worst, Infinity);
});

Deno.test("compare() lets a share of the numbers be farther away", () => {
  const tolerance = { rtol: 0, atol: 1, atolOfMax: 0, share: 0.75, elsewhere: 10 };
  assert.equal(compare("out/x", [0, 0.5, 0, 5], [0, 0, 0, 0], tolerance).worst, 0.5);
  assert.equal(compare("out/x", [0, 2, 0, 5], [0, 0, 0, 0], tolerance).worst, 2);
  assert.equal(compare("out/x", [0, 0, 0, 30], [0, 0, 0, 0], tolerance).worst, 3);
  assert.equal(compare("out/x", [0, 0, 0, NaN], [0, 0, 0, 0], tolerance).worst, Infinity);
});
