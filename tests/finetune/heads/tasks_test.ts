import assert from "node:assert/strict";
import { Key, pullback } from "../../../core/mod.ts";
import {
  checkTasks,
  initTaskHeads,
  labelHeadConfig,
  predictTasks,
  regressionLoss,
  type TaskHeads,
  taskLoss,
  type Tasks,
} from "../../../finetune/mod.ts";
import { assertClose, gpuTest, randomArray } from "../../_gpu.ts";

const TASKS: Tasks = {
  affinity: { head: labelHeadConfig(5, { hidden: 4 }), loss: "huber" },
  family: { head: labelHeadConfig(5, { hidden: 3, classes: 3 }), weight: 0.25 },
  burial: { head: labelHeadConfig(5, { level: "residue", hidden: 2 }), weight: 2 },
};

gpuTest("the loss of several tasks is the weighted sum of those with labels", async (device) => {
  const heads = initTaskHeads(device, TASKS, Key.fromSeed(1));
  const s = device.tensor(randomArray(2 * 3 * 5, 1), [2, 3, 5]);
  const predictions = predictTasks(heads, { s }, TASKS);
  assert.deepEqual(Object.values(predictions).map(({ shape }) => shape), [[2], [2, 3], [2, 3]]);
  const labels = { affinity: [6, 7], family: [2, NaN], burial: [0.1, 0.2, NaN, 0.5, 0.4, NaN] };
  const single = (name: string) => taskLoss(predictions, { [name]: labels[name as "affinity"] }, TASKS).item();
  const parts = [await single("affinity"), await single("family"), await single("burial")];
  assertClose([await taskLoss(predictions, labels, TASKS).item()], [parts[0] + parts[1] + parts[2]]);
  assertClose([parts[2]], [2 * await regressionLoss("mse", predictions.burial, labels.burial).item()]);

  const back = pullback(device, (heads: TaskHeads) => {
    return taskLoss(predictTasks(heads, { s }, TASKS), { affinity: [6, NaN], family: [NaN, NaN] }, TASKS);
  }, heads);
  const grads = back.pull([device.tensor([1], [])]) as unknown as Record<string, { linear_1: { weight: unknown } }>;
  assert(grads.affinity.linear_1.weight !== null);
  assert(grads.family.linear_1.weight === null && grads.burial.linear_1.weight === null);
  assert.throws(() => taskLoss(predictions, { family: [NaN, NaN] }, TASKS), /no label of affinity, family, burial/);
});

Deno.test("tasks that make no sense are refused", () => {
  const head = labelHeadConfig(5);
  assert.throws(() => checkTasks({}), /There is no head/);
  assert.throws(() => checkTasks({ "a.b": { head } }), /letters, digits and _, got "a.b"/);
  assert.throws(() => checkTasks({ a: { head, weight: 0 } }), /The weight of a is above 0, got 0/);
  assert.throws(() => checkTasks({ a: { head, loss: "cross_entropy" } }), /The loss of a is one of mse, mae, huber/);
  const classes = labelHeadConfig(5, { classes: 3 });
  assert.throws(() => checkTasks({ a: { head: classes, loss: "mse" } }), /one of cross_entropy, got mse/);
});
