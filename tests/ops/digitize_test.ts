import assert from "node:assert/strict";
import { digitize } from "../../ops/mod.ts";
import { gpuTest, randomArray } from "../_gpu.ts";

gpuTest("digitize() counts the boundaries below each number", async (device) => {
  const edges = [-0.5, -0.25, 0.125, 0.75];
  for (const shape of [[1], [7, 11], [70_001]]) {
    const size = shape.reduce((a, b) => a * b);
    const x = randomArray(size, 3);
    x.set(edges.slice(0, Math.min(size, 4))); // a boundary is not below itself
    const bins = await digitize(device.tensor(x, shape), edges).read();
    const wrong = bins.findIndex((bin, i) => bin !== edges.filter((edge) => x[i] > edge).length);
    assert.equal(wrong, -1);
  }
});

gpuTest("digitize() refuses boundaries that do not ascend", (device) => {
  const x = device.zeros([3]);
  for (const edges of [[], [NaN], [1, 1], [2, 1]]) assert.throws(() => digitize(x, edges), { name: "RangeError" });
  assert.throws(() => digitize(device.zeros([3], "i32"), [1]), { name: "TypeError" });
});
