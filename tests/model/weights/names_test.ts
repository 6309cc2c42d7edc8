import assert from "node:assert/strict";
import { camelCase, snakeCase } from "../../../model/weights/names.ts";

const PAIRS = [
  ["evoformer_blocks.0.msa_row_attention.q_proj.weight", "evoformerBlocks.0.msaRowAttention.qProj.weight"],
  ["msa_transition.linear1.weight", "msaTransition.linear1.weight"],
  ["structure_module.angle_resnet.linear_1.bias", "structureModule.angleResnet.linear_1.bias"],
  ["bb_update.linear_q_points.bias", "bbUpdate.linearQPoints.bias"],
  ["layer2_norm.a", "layer2Norm.a"],
  ["bias", "bias"],
  ["", ""],
];
for (const [snake, camel] of PAIRS) {
  Deno.test(`snakeCase() and camelCase() undo each other for "${snake}"`, () => {
    assert.equal(camelCase(snake), camel);
    assert.equal(snakeCase(camel), snake);
  });
}
