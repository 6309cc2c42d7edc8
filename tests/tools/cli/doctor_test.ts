import assert from "node:assert/strict";
import type { Findings } from "../../../tools/platform/findings.ts";
import config from "../../../deno.json" with { type: "json" };
import { denofold } from "./_run.ts";

Deno.test("denofold doctor --json describes the adapter, whose self test passes", async () => {
  const { code, stdout, stderr } = await denofold("doctor", "--json");
  assert.equal(code, 0, stderr);
  const findings: Findings = JSON.parse(stdout);
  assert.equal(findings.ok, true);
  assert.deepEqual(findings.problems, []);
  assert.equal(findings.versions.denofold, config.version);
  assert.equal(findings.versions.deno, Deno.version.deno);
  assert.equal(findings.selfTest?.ok, true);
  const { adapter } = findings;
  assert.ok(adapter && adapter.name.length > 0);
  assert.match(adapter.webgpu, /^(wgpu \(Deno|Dawn \(npm webgpu) [\d.]+\)$/);
  const [least, most] = adapter.subgroupSizes;
  assert.ok(least <= most);
  for (const [name, value] of Object.entries(adapter.limits)) assert.ok(value > 0, name);
  assert.equal(adapter.limits.maxComputeWorkgroupsPerDimension >= 65_535, true);
  assert.deepEqual(findings.programs.map(({ name }) => name), [
    "mafft",
    "clustalo",
    "TMscore",
    "hhblits",
    "mmseqs",
    "chromium",
  ]);
});

Deno.test("denofold doctor prints a table that ends with Ready.", async () => {
  const { code, stdout } = await denofold("doctor");
  assert.equal(code, 0);
  assert.match(stdout, /^adapter +\S/m);
  assert.match(stdout, /^self test +passed: 1009 numbers/m);
  assert.match(stdout, /\nReady\.\n$/);
});

Deno.test("denofold doctor says what is wrong and ends with code 1 where there is no such adapter", async () => {
  const [text, json] = await Promise.all([
    denofold("doctor", "--device", "no such adapter"),
    denofold("doctor", "--device", "no such adapter", "--json"),
  ]);
  assert.equal(text.code, 1);
  assert.match(text.stdout, /\nNot ready:\n- No adapter's name contains "no such adapter"; /);
  assert.equal(json.code, 1);
  const findings: Findings = JSON.parse(json.stdout);
  assert.equal(findings.ok, false);
  assert.equal(findings.problems.length, 1);
});
