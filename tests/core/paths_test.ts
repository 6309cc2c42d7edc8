import assert from "node:assert/strict";
import { matchPaths, nearNames, pathMatcher } from "../../core/mod.ts";

const PATHS = [
  "evoformer.blocks.3.msa_att_row.mha.linear_q",
  "evoformer.blocks.44.msa_att_row.mha.linear_q",
  "evoformer.blocks.47.pair_stack.tri_att_start.mha.linear_v",
  "evoformer.linear",
  "structure_module.ipa.linear_q",
];

const CASES: [pattern: string, matches: number[]][] = [
  ["linear_q", [0, 1, 4]],
  ["linear_{q,v}", [0, 1, 2, 4]],
  ["linear*", [0, 1, 2, 3, 4]],
  ["linear", [3]],
  ["evoformer.**", [0, 1, 2, 3]],
  ["evoformer.**.linear_q", [0, 1]],
  ["**.linear_q", [0, 1, 4]],
  ["evoformer.blocks.{44..47}.**", [1, 2]],
  ["evoformer.blocks.{0..3,47}.**.linear_*", [0, 2]],
  ["evoformer.blocks.*.msa_att_row.mha.*", [0, 1]],
  ["evoformer.*", [3]],
  ["**", [0, 1, 2, 3, 4]],
  ["evoformer.**.linear", [3]],
];
for (const [pattern, matches] of CASES) {
  Deno.test(`the pattern ${pattern} fits the paths it should`, () => {
    const fits = pathMatcher(pattern);
    assert.deepEqual(PATHS.flatMap((path, i) => (fits(path) ? [i] : [])), matches);
  });
}

Deno.test("matchPaths() keeps the order and the paths once; dots of a pattern are dots", () => {
  assert.deepEqual(matchPaths(PATHS, ["linear_v", "linear_q"]), [PATHS[0], PATHS[1], PATHS[2], PATHS[4]]);
  assert.deepEqual(matchPaths(["a.b", "axb"], ["a.b"]), ["a.b"]);
});

Deno.test("a pattern that fits nothing is told, with near names", () => {
  assert.throws(() => matchPaths(PATHS, ["linear_q", "linear_w"], "layer"), {
    name: "RangeError",
    message: "No layer fits the pattern linear_w; near: linear_q, linear_v, linear",
  });
  assert.throws(() => matchPaths(PATHS, ["structure_module.ipa.linear_k"]), /near: structure_module\.ipa\.linear_q/);
  assert.throws(() => matchPaths(PATHS, ["something_else_altogether"]), { message: /altogether$/ });
  assert.deepEqual(nearNames("lora", ["full", "lore", "partial"]), ["lore"]);
});

Deno.test("patterns that are none are refused", () => {
  for (const pattern of ["", "a..b", "a.", "blocks.{1..3", "a}b", "a{b{c}}", "blocks.{5..2}"]) {
    assert.throws(() => pathMatcher(pattern), SyntaxError, pattern);
  }
});
