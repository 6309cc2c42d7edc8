import assert from "node:assert/strict";
import { parseFusions } from "../../../tools/cli/_fusion.ts";
import { ALL_FUSIONS } from "../../../ops/mod.ts";
import { denofold } from "../cli/_run.ts";

const SMALL = ["--n-seq", "3", "--n-res", "5", "--c-m", "32", "--c-z", "16", "--steps", "1", "--warmup", "1"];

Deno.test("a list of fusions is all, none, or names", () => {
  assert.deepEqual(parseFusions("all"), ALL_FUSIONS);
  assert.deepEqual(parseFusions("none"), []);
  assert.deepEqual(parseFusions("triangle, qkv"), ["triangle", "qkv"]);
  assert.throws(() => parseFusions("softmax"), /Expected all, none, or some of qkv, attention, triangle/);
});

Deno.test("denofold profile --ablation has rows for each fusion, and kernels differ", async () => {
  const { code, stdout, stderr } = await denofold(
    "profile",
    "evoformer",
    ...SMALL,
    "--backward",
    "--ablation",
    "--json",
  );
  assert.equal(code, 0, stderr);
  const { rows, settings } = JSON.parse(stdout);
  assert.equal(settings.backward, true);
  const names = ["all", ...ALL_FUSIONS.map((f) => `no-${f}`), ...ALL_FUSIONS.map((f) => `only-${f}`), "none"];
  assert.deepEqual(rows.map((row: { name: string }) => row.name), names);
  const [fused, ...others] = rows as { kernels: number; kernelMs: number; speedup: number; peakBytes: number }[];
  for (const row of rows) assert.ok(row.speedup > 0 && row.kernelMs > 0 && row.peakBytes > 0, JSON.stringify(row));
  const apart = others.at(-1)!;
  assert.equal(apart.speedup, 1);
  assert.ok(apart.kernels > 1.2 * fused.kernels, `${apart.kernels} and ${fused.kernels} kernels`);
});

Deno.test("denofold profile --fusion takes fusions apart, and says which are left", async () => {
  const command = ["profile", "evoformer", ...SMALL, "--no-files", "--json", "--fusion"];
  const kernels: string[][] = [];
  for (const fusion of ["all", "none"]) {
    const { code, stdout, stderr } = await denofold(...command, fusion);
    assert.equal(code, 0, stderr);
    const { settings, rows } = JSON.parse(stdout);
    assert.equal(settings.fusion, fusion);
    kernels.push(rows.kernel.map((row: { kernel: string }) => row.kernel));
  }
  assert.ok(kernels[0].includes("attention") && !kernels[0].includes("softmax"), `${kernels[0]}`);
  assert.ok(!kernels[1].includes("attention") && kernels[1].includes("softmax"), `${kernels[1]}`);
  const wrong = await denofold(...command, "softmax");
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /^denofold: .*'softmax' is invalid\. Expected all, none, or some of qkv, attention/);
});
