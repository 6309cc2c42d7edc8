import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { findCases, formatReport, runCase } from "../../../tools/oracle/runner.ts";
import { gpuTest } from "../../_gpu.ts";
import { golden } from "../../_needs.ts";

const FIXTURES = fileURLToPath(new URL("../../fixtures/equivariant", import.meta.url));
const SHARED = golden("equivariant");

gpuTest("equivariant layers are as the originals compute them", async (device) => {
  for (const path of await findCases(FIXTURES)) {
    const report = await runCase(device, path);
    assert.equal(report.status, "passed", formatReport(report, 0));
  }
});

gpuTest("all golden cases of equivariant networks that lie beside the repository are passed", async (device) => {
  const paths = await findCases(SHARED.path);
  assert(paths.length >= 50, `${paths.length}`);
  for (const path of paths) {
    const report = await runCase(device, path);
    assert.equal(report.status, "passed", formatReport(report, 0));
  }
}, SHARED);
