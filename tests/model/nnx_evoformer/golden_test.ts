import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { findCases, formatReport, runCase } from "../../../tools/oracle/runner.ts";
import { gpuTest } from "../../_gpu.ts";
import { golden } from "../../_needs.ts";

const FIXTURES = fileURLToPath(new URL("../../fixtures/flax", import.meta.url));
const SHARED = golden("seeds");

const NAMES = ["nnx_gated_mha_masked", "nnx_msa_row_attention", "nnx_outer_product_mean", "nnx_triangle_attn_ending"];

for (const name of NAMES) {
  gpuTest(`${name} is as the notebook computes it`, async (device) => {
    const report = await runCase(device, `${FIXTURES}/${name}`);
    assert.equal(report.status, "passed", formatReport(report, 0));
  });
}

gpuTest("all golden cases of the notebook that lie beside the repository are passed, training too", async (device) => {
  const own = (await findCases(SHARED.path)).filter((path) => /[\\/]nnx_[^\\/]*$/.test(path));
  assert(own.length > 0);
  for (const path of own) {
    const report = await runCase(device, path);
    assert.equal(report.status, "passed", formatReport(report, 0));
  }
}, SHARED);
