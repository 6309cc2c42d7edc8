import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  evoformerBlock,
  type EvoformerBlockParams,
  evoformerBlockShapes,
  evoformerConfig,
} from "../../../model/evoformer/mod.ts";
import { loadParams } from "../../../model/layers/params.ts";
import { batched } from "../../../tools/oracle/cases/evoformer.ts";
import { compareSummaries } from "../../../tools/oracle/cases/evoformer_summaries.ts";
import { differentiate, parameter } from "../../../tools/oracle/cases/_differentiate.ts";
import { Golden, recordOf } from "../../../tools/oracle/golden.ts";
import { findCases, formatReport, runCase } from "../../../tools/oracle/runner.ts";
import { familyTest, gpuTest } from "../../_gpu.ts";
import { golden } from "../../_needs.ts";

const FIXTURES = fileURLToPath(new URL("../../fixtures/openfold", import.meta.url));
const SHARED = golden("openfold/evoformer");

const NAMES = [
  "attention_gated",
  "fully_masked_rows_f32",
  "msa_column_global_attention",
  "outer_product_mean",
  "triangle_attention_ending",
  "triangle_multiplication_incoming",
];

for (const name of NAMES) {
  familyTest(`${name} is as OpenFold computes it`, async (device) => {
    const report = await runCase(device, `${FIXTURES}/${name}`);
    assert.equal(report.status, "passed", formatReport(report, 0));
  });
}

familyTest("all golden cases of the Evoformer that lie beside the repository are passed", async (device) => {
  for (const path of await findCases(SHARED.path)) {
    const report = await runCase(device, path);
    assert.equal(report.status, "passed", formatReport(report, 0));
  }
}, SHARED);

gpuTest("gradients at AlphaFold 2's widths have the sums, norms and first numbers of OpenFold's", async (device) => {
  const path = `${SHARED.path}/evoformer_block_realwidth`;
  const text = await Deno.readTextFile(`${path}.json`);
  const whole = new Golden(text, await Deno.readFile(`${path}.safetensors`), path);
  const config = evoformerConfig(); // the case has AlphaFold 2's sizes
  const params = loadParams(device, evoformerBlockShapes(config), (name, shape) => parameter(whole, name, shape));
  const [m, z, msaMask, pairMask] = ["m", "z", "msa_mask", "pair_mask"].map((name) => batched(device, whole, name));
  const results = await differentiate(
    device,
    whole,
    { params, inputs: { m, z } },
    ({ params, inputs: { m, z } }) =>
      evoformerBlock(params as EvoformerBlockParams, { m, z, msaMask, pairMask }, config),
  );
  const summaries = recordOf(recordOf(JSON.parse(text)).grad_param_summaries);
  const comparisons = compareSummaries(summaries, results, whole.largestGradient);
  assert.ok(comparisons.length >= 60, `${comparisons.length} comparisons`);
  for (const { tensor, worst, detail } of comparisons) assert.ok(worst <= 1, `${tensor}: ${detail}`);
}, SHARED);
