import assert from "node:assert/strict";
import { Device, pullback, type Tensor } from "../../core/mod.ts";
import { softmaxExpectation } from "../../ops/mod.ts";
import { checkOp, FAMILIES, gpuTest, ofFamily, randomArray, reference } from "../_gpu.ts";

for (
  const [rows, c, groups] of [[[13], 7, 1], [[6, 5], 64, 3], [[1], 1, 1], [[2, 3, 5], 50, 2], [[], 4, 1]] as const
) {
  for (const family of FAMILIES) {
    gpuTest(
      `softmaxExpectation() of logits [${[...rows, c]}] with ${groups} groups matches float64, ${family} kernels`,
      (device) => {
        const own = ofFamily(device, family);
        using scope = own.scope("test");
        void scope;
        return checkOp(own, {
          inputs: { logits: [...rows, c], values: groups === 1 ? [c] : [groups, c] },
          constant: ["values"],
          fill: { logits: (i) => 10 * randomArray(1, i)[0] },
          gpu: ({ logits, values }) => softmaxExpectation(logits, values),
          reference: ({ logits, values }) => {
            const out = reference(rows);
            for (let row = 0; row < out.data.length; row++) {
              const x = logits.data.subarray(row * c, (row + 1) * c);
              const group = Math.floor(row * groups / out.data.length);
              const top = Math.max(...x);
              const weights = x.map((v) => Math.exp(v - top));
              const whole = weights.reduce((a, b) => a + b);
              out.data[row] = weights.reduce((sum, w, k) => sum + w / whole * values.data[group * c + k], 0);
            }
            return out;
          },
        });
      },
    );
  }
}

gpuTest("softmaxExpectation() goes through windows of rows to the same bits, groups too", async (device) => {
  const run = async (own: Device) => {
    using scope = own.scope("test");
    void scope;
    const logits = own.tensor(randomArray(90 * 12, 1), [3, 30, 12]);
    const values = own.tensor(randomArray(36, 2), [3, 12]);
    const back = pullback(own, (x: Tensor) => softmaxExpectation(x, values), logits);
    const [grad] = back.pullLeaves([own.tensor(randomArray(90, 3), [3, 30])]);
    return [await back.output.read(), await grad!.read()];
  };
  const whole = await run(device);
  assert.deepEqual(await run(new Device(device.gpu, { ...device.traits, maxBindingBytes: 2048 })), whole);
});

gpuTest("softmaxExpectation() refuses what does not fit", (device) => {
  const values = device.zeros([2, 4]);
  assert.throws(() => softmaxExpectation(device.zeros([3, 4]), values), { name: "TypeError" });
  assert.throws(() => softmaxExpectation(device.zeros([2, 3]), values), { name: "TypeError" });
  assert.throws(() => softmaxExpectation(device.zeros([2, 4], "i32"), values), { name: "TypeError" });
});
