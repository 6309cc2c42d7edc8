import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { findCases, formatReport, runCase } from "../../../tools/oracle/runner.ts";
import { gpuTest } from "../../_gpu.ts";
import { golden } from "../../_needs.ts";

const FIXTURES = fileURLToPath(new URL("../../fixtures/trunk2021", import.meta.url));
const SHARED = golden("seeds");

/** The trunk and its parts; what comes after it, distances and coordinates, is tested elsewhere. */
const TRUNK = /[\\/]luc_(attention|axial|feedforward|model|reversible|sparse|train)[^\\/]*$/;

gpuTest(
  "attention, axial, crossed and compressed, and feed-forward maps are as the original computes them",
  async (device) => {
    for (const path of await findCases(FIXTURES)) {
      const report = await runCase(device, path);
      assert.equal(report.status, "passed", formatReport(report, 0));
    }
  },
);

gpuTest("all golden cases of the trunk that lie beside the repository are passed, training too", async (device) => {
  const own = (await findCases(SHARED.path)).filter((path) => TRUNK.test(path));
  assert(own.length >= 18, `${own.length}`);
  for (const path of own) {
    const report = await runCase(device, path);
    assert.equal(report.status, "passed", formatReport(report, 0));
  }
}, SHARED);
