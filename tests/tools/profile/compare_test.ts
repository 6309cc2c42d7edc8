import assert from "node:assert/strict";
import { compare, comparisonText, readProfile } from "../../../tools/profile/compare.ts";
import { summarize } from "../../../tools/profile/summarize.ts";
import { SAMPLE_FACTS, sampleProfile } from "./sample_profile.ts";

function profiles() {
  const before = sampleProfile();
  const kernels = before.kernels.flatMap((run) => {
    if (run.kernel === "adamw") return [{ ...run, kernel: "adam" }];
    return [{ ...run, ms: run.path.includes("backward") ? run.ms / 2 : run.ms + 1 }];
  });
  return [summarize(before, SAMPLE_FACTS), summarize({ ...before, kernels }, SAMPLE_FACTS)] as const;
}

Deno.test("compare() lists what got faster and slower, a step, greatest first", () => {
  const [before, after] = profiles();
  const { warnings, totals, changes } = compare(before, after);
  assert.deepEqual(warnings, []);
  assert.deepEqual(
    changes.map(({ name, beforeMs, afterMs, differenceMs }) => [name, beforeMs, afterMs, differenceMs]),
    [
      ["forward evoformer/*/pairTransition/linear: matmul", 2.125, 4.125, 2],
      ["backward evoformer/*/block/pairTransition/linear: matmul", 2, 1, -1],
      ["backward evoformer/*/pairTransition/linear: matmul", 2, 1, -1],
      ["recompute evoformer/*/block/pairTransition/linear: matmul", 1, 0.5, -0.5],
      ["step/optimizer: adamw", 0.5, null, -0.5],
      ["step/optimizer: adam", null, 0.5, 0.5],
    ],
  );
  assert.deepEqual(totals[1], { name: "kernels", unit: "ms", before: 15.25 / 2, after: 14.25 / 2 });
  const text = comparisonText({ warnings, totals, changes }, 2);
  const [faster, slower] = [text.indexOf("\nfaster"), text.indexOf("\nslower")];
  assert.ok(faster > 0 && slower > faster, text);
  assert.match(text.slice(faster, slower), /block\/pairTransition\/linear: matmul +2\.000 +1\.000 +−1\.000 +× 0\.50/);
  assert.match(
    text.slice(slower),
    /forward .*matmul +2\.125 +4\.125 +\+2\.000 +× 1\.94\n.*adam +– +0\.500 +\+0\.500 +new/,
  );
  assert.equal(compare(before, before).changes.filter(({ differenceMs }) => differenceMs !== 0).length, 0);
});

Deno.test("compare() says what else differs", () => {
  const [before, after] = profiles();
  const other = { ...after, adapter: "another", settings: { nRes: 64 } };
  assert.deepEqual(compare(before, other).warnings, [
    "They differ in adapter: a made-up adapter, another.",
    "They differ in n-res: 32, 64.",
    "They differ in backward: true, not given.",
  ]);
  assert.deepEqual(compare(before, { ...other, adapter: before.adapter, workload: "another" }).warnings, [
    `They differ in workload: ${before.workload}, another.`,
  ]);
});

Deno.test("readProfile() reads what was written and refuses other files", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const [before] = profiles();
    await Deno.writeTextFile(`${folder}/profile.json`, JSON.stringify(before));
    assert.deepEqual(await readProfile(`${folder}/profile.json`), before);
    await Deno.writeTextFile(`${folder}/broken.json`, '{"format": ');
    await Deno.writeTextFile(`${folder}/other.json`, '{"format": "other"}');
    const refuse = (name: string, message: RegExp) =>
      assert.rejects(readProfile(`${folder}/${name}`), { name: "InputError", message });
    await refuse("broken.json", /broken\.json: it is not JSON/);
    await refuse("other.json", /other\.json: expected a profile\.json of denofold profile/);
    await refuse("missing.json", /missing\.json: there is no such file or folder/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
