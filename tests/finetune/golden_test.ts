/** Adapters, whole runs of fine-tuning, schedules and averages as PyTorch has them; a step at full size is among the golden data. */
import assert from "node:assert/strict";
import { formatReport, runCase } from "../../tools/oracle/runner.ts";
import { gpuTest } from "../_gpu.ts";
import { golden } from "../_needs.ts";

const FOLDER = golden("finetuning");

const CASES = [
  "lora/lora_linear",
  "lora/evoformer_block_lora",
  "lora/finetune_lora",
  "lora/finetune_lora_structure_input",
  "lora/finetune_partial",
  "lora/finetune_full",
  "lora/finetune_full_structure_input",
  "finetune/schedules",
  "finetune/ema",
];
for (const name of CASES) {
  gpuTest(`${name} is as PyTorch computes it`, async (device) => {
    const report = await runCase(device, `${FOLDER.path}/${name}`);
    assert.equal(report.status, "passed", formatReport(report, 0));
  }, FOLDER);
}
