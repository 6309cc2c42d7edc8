import assert from "node:assert/strict";
import { geglu } from "../../ops/geglu.ts";
import { normalCdf } from "../../ops/_battery/functions.ts";
import { checkOp, gpuTest, type Reference, reference } from "../_gpu.ts";

function referenceOf({ x }: { x: Reference }): Reference {
  const width = x.shape.at(-1)! / 2;
  const out = Array.from({ length: x.data.length / 2 }, (_, i) => {
    const first = Math.floor(i / width) * 2 * width + i % width;
    const g = x.data[first + width];
    return x.data[first] * g * normalCdf(g);
  });
  return reference([...x.shape.slice(0, -1), width], out);
}

for (const shape of [[2], [3, 14], [5, 2, 24]]) {
  gpuTest(`geglu() matches float64 for [${shape}]`, async (device) => {
    await checkOp(device, { inputs: { x: shape }, gpu: ({ x }) => geglu(x), reference: referenceOf });
  });
}

gpuTest("geglu() refuses rows without two halves", (device) => {
  assert.throws(() => geglu(device.zeros([4, 3])), { name: "TypeError", message: /x is \[4,3\]/ });
  assert.throws(() => geglu(device.zeros([])), /x is \[\]/);
});
