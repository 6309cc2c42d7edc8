import assert from "node:assert/strict";
import { findCases, formatReport, runCase } from "../../../tools/oracle/runner.ts";
import { gpuTest } from "../../_gpu.ts";
import { golden } from "../../_needs.ts";

for (const group of ["embedders", "evoformer", "structure", "heads", "losses", "model", "inventory"]) {
  const folder = golden(`multimer/${group}`);
  gpuTest(`all golden cases of complexes' ${group} are passed`, async (device) => {
    for (const path of await findCases(folder.path)) {
      if (path.endsWith("_train_step")) continue;
      const report = await runCase(device, path);
      assert.equal(report.status, "passed", formatReport(report, 0));
    }
  }, folder);
}
