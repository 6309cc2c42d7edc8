import assert from "node:assert/strict";
import { predictProgress } from "../../../tools/cli/_predict_progress.ts";

Deno.test("progress tells recycle and block, and the time that is left for the target", () => {
  let time = 0;
  const lines: string[] = [];
  const { events } = predictProgress(false, 2, () => 3, {
    now: () => time,
    say: (line) => lines.push(line),
    start: ({ label, total }) => ({
      update: (done, text) => lines.push(`${label} ${done}/${total} ${text}`),
      log: (line) => lines.push(line),
      stop: () => lines.push("stop"),
    }),
  });
  events.target!("x", 0, 1, 30);
  events.model!("x", "model_1_ptm", 7, 2);
  for (const iteration of [0, 1]) {
    for (const block of [0, 1, 2]) {
      time += 10_000;
      events.block!(iteration, block);
    }
    time += 6000;
    events.recycle!(iteration, 81.25, iteration ? 0.5 : null, iteration ? 1.5 : null);
  }
  events.model!("x", "model_2_ptm", 7, 2);
  time += 1000;
  events.block!(0, 0);
  events.done!({
    ...{ id: "x", status: "done", folder: "f", residues: 30, seconds: 73 },
    best: { name: "model_1_ptm_pred_0", meanPlddt: 81.25, ptm: 0.5, experiment: null },
  });
  assert.deepEqual(lines, [
    "x (1 of 1): 30 residues",
    "Blocks 1/6 model_1_ptm seed 7 (1 of 2), recycle 0 of 1, block 1 of 3, 2 min left",
    "Blocks 2/6 model_1_ptm seed 7 (1 of 2), recycle 0 of 1, block 2 of 3, 2 min left",
    "Blocks 3/6 model_1_ptm seed 7 (1 of 2), recycle 0 of 1, block 3 of 3, 2 min left",
    "Blocks 3/6 model_1_ptm seed 7 (1 of 2), recycle 0 of 1, block 3 of 3, 2 min left",
    "  recycle 0: pLDDT 81.3",
    "Blocks 4/6 model_1_ptm seed 7 (1 of 2), recycle 1 of 1, block 1 of 3, 2 min left",
    "Blocks 5/6 model_1_ptm seed 7 (1 of 2), recycle 1 of 1, block 2 of 3, 79 s left",
    "Blocks 6/6 model_1_ptm seed 7 (1 of 2), recycle 1 of 1, block 3 of 3, 66 s left",
    "Blocks 6/6 model_1_ptm seed 7 (1 of 2), recycle 1 of 1, block 3 of 3, 72 s left",
    "  recycle 1: pLDDT 81.3, pTM 0.500, change 1.50 Å",
    "stop",
    "Blocks 1/6 model_2_ptm seed 7 (2 of 2), recycle 0 of 1, block 1 of 3, 5 s left",
    "stop",
    "x: 73 s, model_1_ptm_pred_0 pLDDT 81.3",
  ]);
});

Deno.test("quiet progress shows nothing", () => {
  assert.deepEqual(predictProgress(true, 1, () => 1).events, {});
});
