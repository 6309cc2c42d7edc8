import assert from "node:assert/strict";
import { checkText } from "../../../tools/cli/_kernel_text.ts";
import type { Findings } from "../../../tools/platform/findings.ts";
import { everyOpHasOne, type KernelCheck } from "../../../tools/platform/kernel_check.ts";
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
  assert.deepEqual(adapter.kernels.wrong, []);
  assert.deepEqual(adapter.kernels.avoided, []);
  assert.ok(["textures", "buffers"].includes(adapter.kernels.tuning.loads));
  for (const [name, value] of Object.entries(adapter.limits)) assert.ok(value > 0, name);
  assert.equal(adapter.limits.maxComputeWorkgroupsPerDimension >= 65_535, true);
  assert.deepEqual(findings.programs.map(({ name }) => name), [
    "mafft",
    "clustalo",
    "TMalign",
    "hhblits",
    "hhsearch",
    "jackhmmer",
    "hmmsearch",
    "mmseqs",
    "chromium",
  ]);
});

Deno.test("denofold doctor prints a table that ends with Ready.", async () => {
  const { code, stdout } = await denofold("doctor");
  assert.equal(code, 0);
  assert.match(stdout, /^adapter +\S/m);
  assert.match(stdout, /^self test +passed: 1009 numbers/m);
  assert.match(stdout, /^kernels +matmul .+, attention \w+, triangle \w+, rows \w+; loads from \w+$/m);
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

Deno.test("denofold doctor --check runs every kernel of every op, and says which are right", async () => {
  const { code, stdout, stderr } = await denofold("doctor", "--check", "--json");
  assert.equal(code, 0, stderr);
  const { check, adapter }: Findings & { check: KernelCheck } = JSON.parse(stdout);
  assert.equal(check.ok, true);
  const text = checkText(check);
  const ops = [
    "matmul",
    "linear",
    "attention",
    "triangleProduct",
    "outerProductMean",
    "layerNorm",
    "softmax",
    "reduce",
  ];
  for (const op of [...ops, "elementwise", "embedding", "dropout", "copy", "losses", "optimizer"]) {
    assert.match(text, new RegExp(`^ *${op} +(forward|gradient) +\\w+ +\\d+ `, "m"));
  }
  for (const { op, pass, family, textures, buffers } of check.rows) {
    for (const path of [textures, buffers]) {
      const where = `${op}, ${pass}, ${family}: ${path.wrong}`;
      assert.ok(path.status === "ok" || path.status === "same" || path.status === "not offered", where);
      if (path.status === "ok") assert.ok(path.kernels > 0 && path.largestError < 2e-3, where);
    }
    assert.ok(buffers.status !== "same", op);
  }
  const families = new Set(check.rows.map(({ family }) => family));
  assert.deepEqual([...families].sort(), ["all", "matrix", "plain", "subgroup", "workgroup"]);
  const offered = check.rows.filter(({ op, pass }) => op === "attention" && pass === "gradient");
  assert.ok(offered.some(({ family }) => family === adapter!.kernels.tuning.attention));
});

Deno.test("the table of kernels names what is wrong, and an op without a right version fails", () => {
  const path = { status: "ok", kernels: 2, largestError: 2e-7, wrong: [] } as const;
  const wrong = { ...path, status: "wrong", wrong: ["matmul {}: c[3] is 0, expected 1"] } as const;
  const row = { op: "matmul", pass: "forward", family: "plain" } as const;
  const rows = [{ ...row, textures: wrong, buffers: path }, {
    ...row,
    op: "reduce",
    textures: { ...path, status: "same" as const },
    buffers: path,
  }];
  const text = checkText({ rows, ok: true, leftOut: 3, timeMs: 1234 });
  assert.match(text, /^matmul +forward +plain +2 +WRONG +ok 2e-7$/m);
  assert.match(text, /\n- matmul, from textures: matmul \{\}: c\[3\] is 0, expected 1$/);
  assert.match(text, /\n3 further ones would have taken longer than a minute and were left out\./);
  assert.equal(everyOpHasOne(rows), true);
  assert.equal(everyOpHasOne([{ ...row, textures: wrong, buffers: wrong }]), false);
  assert.equal(everyOpHasOne([...rows, { ...row, pass: "gradient", textures: wrong, buffers: wrong }]), false);
});
