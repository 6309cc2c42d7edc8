import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { headsConfig, headsShapes } from "../../../model/alphafold/heads/mod.ts";
import { structureConfig, structureModuleShapes } from "../../../model/alphafold/structure/mod.ts";
import { shapesByPath } from "../../../model/layers/params.ts";
import { snakeCase } from "../../../model/weights/names.ts";
import { recordOf } from "../../../tools/oracle/golden.ts";
import { findCases, formatReport, runCase } from "../../../tools/oracle/runner.ts";
import { gpuTest } from "../../_gpu.ts";

const FIXTURES = fileURLToPath(new URL("../../fixtures/openfold", import.meta.url));
const SHARED = fileURLToPath(new URL("../../../../shared/oracle/openfold", import.meta.url));

const NAMES = [
  "between_residue_bond_loss",
  "fape_backbone",
  "find_structural_violations",
  "input_embedder",
  "recycling_embedder",
  "template_embedder_full",
  "invariant_point_attention",
  "structure_module",
  "supervised_chi_loss",
];

for (const name of NAMES) {
  gpuTest(`${name} is as OpenFold computes it`, async (device) => {
    const report = await runCase(device, `${FIXTURES}/${name}`);
    assert.equal(report.status, "passed", formatReport(report, 0));
  });
}

async function present(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

for (const group of ["embedders", "structure", "heads", "losses", "model", "inventory"]) {
  gpuTest(`all golden cases of ${group} that lie beside the repository are passed`, async (device) => {
    const folder = `${SHARED}/${group}`;
    if (!await present(folder)) return console.log(`skipped: there is no ${folder}`);
    for (const path of await findCases(folder)) {
      const report = await runCase(device, path);
      assert.equal(report.status, "passed", formatReport(report, 0));
    }
  });
}

Deno.test("names and shapes of structure module and heads are OpenFold's", async () => {
  const path = `${SHARED}/inventory/model_1_ptm.json`;
  if (!await present(path)) return console.log(`skipped: there is no ${path}`);
  const { openfold } = recordOf(JSON.parse(await Deno.readTextFile(path)));
  const listed = Object.entries(recordOf(openfold)).filter(([name]) => /^(structure_module|aux_heads)\./.test(name));
  const ours = [
    ...[...shapesByPath(structureModuleShapes(structureConfig()))].map((entry) => ["structure_module", entry] as const),
    ...[...shapesByPath(headsShapes(headsConfig({ tm: true })))].map((entry) => ["aux_heads", entry] as const),
  ].map(([module, [path, shape]]) => [`${module}.${snakeCase(path)}`, [...shape]]);
  assert.deepEqual(Object.fromEntries(ours), Object.fromEntries(listed));
});
