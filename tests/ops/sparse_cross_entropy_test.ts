import assert from "node:assert/strict";
import { Device, pullback, sizeOf, type Tensor } from "../../core/mod.ts";
import { sparseCrossEntropy } from "../../ops/mod.ts";
import { checkOp, FAMILIES, gpuTest, ofFamily, randomArray, reference } from "../_gpu.ts";

for (const [rows, c] of [[[13], 7], [[3, 5], 64], [[1], 1], [[2, 3, 5], 50], [[], 4], [[7], 132]] as const) {
  const size = sizeOf(rows);
  const classes = Int32Array.from({ length: size }, (_, i) => (7 * i + 3) % c);
  for (const family of FAMILIES) {
    gpuTest(`sparseCrossEntropy() of logits [${[...rows, c]}] matches float64, ${family} kernels`, (device) => {
      const own = ofFamily(device, family);
      using scope = own.scope("test");
      void scope;
      return checkOp(own, {
        inputs: { logits: [...rows, c] },
        fill: { logits: (i) => 30 * randomArray(1, i)[0] },
        gpu: ({ logits }) => sparseCrossEntropy(logits, own.tensor(classes, rows, "i32")),
        reference: ({ logits }) =>
          reference(
            rows,
            Array.from(classes, (k, row) => {
              const x = logits.data.subarray(row * c, (row + 1) * c);
              const top = Math.max(...x);
              return top + Math.log(x.reduce((sum, v) => sum + Math.exp(v - top), 0)) - x[k];
            }),
          ),
      });
    });
  }
}

gpuTest("sparseCrossEntropy() of 70,001 rows counts them all", async (device) => {
  const n = 70_001;
  const logits = Float32Array.from({ length: 3 * n }, (_, i) => (i % 3 === i % 7 ? 1000 : 0));
  const classes = Int32Array.from({ length: n }, (_, row) => row % 3);
  const loss = await sparseCrossEntropy(device.tensor(logits, [n, 3]), device.tensor(classes, [n], "i32")).read();
  const wrong = loss.findIndex((value, row) => {
    const x = [0, 1, 2].map((k) => logits[3 * row + k]);
    const top = Math.max(...x);
    const expected = top + Math.log(x.reduce((sum, v) => sum + Math.exp(v - top), 0)) - x[row % 3];
    return !(Math.abs(value - expected) <= 1e-6 + 1e-6 * expected);
  });
  assert.equal(wrong, -1);
});

gpuTest("sparseCrossEntropy() goes through windows of rows to the same bits", async (device) => {
  const run = async (own: Device) => {
    using scope = own.scope("test");
    void scope;
    const logits = own.tensor(randomArray(90 * 12, 1), [90, 12]);
    const classes = own.tensor(Int32Array.from({ length: 90 }, (_, i) => (5 * i) % 12), [90], "i32");
    const back = pullback(own, (x: Tensor) => sparseCrossEntropy(x, classes), logits);
    const [grad] = back.pullLeaves([own.tensor(randomArray(90, 3), [90])]);
    return [await back.output.read(), await grad!.read()];
  };
  const whole = await run(device);
  assert.deepEqual(await run(new Device(device.gpu, { ...device.traits, maxBindingBytes: 2048 })), whole);
});

gpuTest("sparseCrossEntropy() refuses what does not fit", (device) => {
  const classes = device.zeros([2], "i32");
  assert.throws(() => sparseCrossEntropy(device.zeros([3, 5]), classes), { name: "TypeError" });
  assert.throws(() => sparseCrossEntropy(device.zeros([2, 5]), device.zeros([2])), { name: "TypeError" });
  assert.throws(() => sparseCrossEntropy(device.zeros([2, 0]), classes), { name: "TypeError" });
});
