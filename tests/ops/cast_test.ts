import assert from "node:assert/strict";
import { fromBfloat16, toBfloat16 } from "../../core/bfloat16.ts";
import { Device, pullback } from "../../core/mod.ts";
import { cast } from "../../ops/cast.ts";
import { linear } from "../../ops/linear.ts";
import { slice } from "../../ops/slice.ts";
import { outerProductMean } from "../../ops/outer_product_mean.ts";
import { assertClose, FAMILIES, gpuTest, ofFamily, randomArray } from "../_gpu.ts";

for (const shape of [[], [1], [5], [3, 7], [13, 8], [70_001, 3]]) {
  gpuTest(`cast() [${shape}] rounds every number to the nearest and back`, async (shared) => {
    const numbers = randomArray(shape.reduce((a, b) => a * b, 1), 3).map((x, i) => x * 10 ** (i % 7 - 3));
    const halves = Float16Array.from(numbers);
    for (const family of FAMILIES) {
      const device = ofFamily(shared, family);
      using _scope = device.scope("cast");
      const half = cast(device.tensor(numbers, shape), "f16");
      assert.deepEqual([half.dtype, half.shape], ["f16", shape]);
      assert.deepEqual(await half.read(), halves, family);
      const full = cast(half, "f32");
      assert.deepEqual(await full.read(), Float32Array.from(halves), family);
      assert.equal(cast(full, "f32"), full);
    }
  });
}

for (const shape of [[], [1], [5], [3, 7], [70_001, 3]]) {
  gpuTest(`cast() [${shape}] keeps numbers as bfloat16, of any size`, async (device) => {
    const numbers = randomArray(shape.reduce((a, b) => a * b, 1), 3).map((x, i) => x * 10 ** (i % 60 - 30));
    if (numbers.length > 6) numbers.set([NaN, Infinity, 1 + 2 ** -8, 1 + 3 * 2 ** -8]);
    const x = device.tensor(numbers, shape);
    const kept = cast(x, "bf16");
    assert.deepEqual([kept.dtype, kept.shape, kept.bytes], ["bf16", shape, 2 * numbers.length]);
    const rounded = fromBfloat16(toBfloat16(numbers));
    assert.deepEqual(await kept.read(), rounded);
    assert.deepEqual(await cast(kept, "f32").read(), rounded);
    assert.deepEqual(await device.tensor(numbers, shape, "bf16").read(), rounded);
  });
}

gpuTest("no other op takes bfloat16", (device) => {
  const x = device.zeros([4, 8]), kept = cast(x, "bf16");
  for (
    const run of [
      () => linear(kept, { weight: x }),
      () => linear(x, { weight: kept }),
      () => slice(kept, [0, 0], [1, 8]),
    ]
  ) {
    assert.throws(run, /TypeError: .*bf16/);
  }
});

gpuTest("bfloat16 is kept of tensors that a kernel does not see at once", async (device) => {
  const narrow = new Device(device.gpu, { ...device.traits, maxBindingBytes: 1024 });
  using _scope = narrow.scope("cast");
  const numbers = randomArray(1500, 3);
  const kept = cast(narrow.tensor(numbers, [1500]), "bf16");
  assert.deepEqual(await cast(kept, "f32").read(), fromBfloat16(toBfloat16(numbers)));
});

gpuTest("cast() gives the gradient on, and refuses integers", async (device) => {
  using _scope = device.scope("cast");
  const x = device.tensor(randomArray(12, 1), [3, 4]);
  const dOut = randomArray(12, 2);
  const back = pullback(device, (x) => cast(x, "f16"), x);
  const [dx] = back.pullLeaves([device.tensor(dOut, [3, 4])]);
  assert.deepEqual(await dx!.read(), Float32Array.from(dOut));
  dx!.dispose();
  assert.throws(() => cast(device.zeros([2], "i32"), "f16"), /Cannot cast i32 \[2\] to f16/);
});

gpuTest("matrices of 16-bit floats give what their rounded numbers give", async (device) => {
  using _scope = device.scope("weights");
  const weight = randomArray(12 * 20, 1), x = randomArray(7 * 20, 2);
  const rounded = device.tensor(Float32Array.from(Float16Array.from(weight)), [12, 20]);
  const half = device.tensor(weight, [12, 20], "f16");
  const input = device.tensor(x, [7, 20]);
  assertClose(await linear(input, { weight: half }).read(), await linear(input, { weight: rounded }).read());
  for (const nSeq of [3, 90]) { // either order of the sums
    const [a, b] = [4, 8].map((seed) => device.tensor(randomArray(nSeq * 5 * 4, seed), [1, nSeq, 5, 4]));
    const big = randomArray(12 * 16, 9);
    const own = device.tensor(big, [12, 16], "f16");
    const same = device.tensor(Float32Array.from(Float16Array.from(big)), [12, 16]);
    const run = (w: typeof half) => outerProductMean({ a, b, weight: w, bias: device.zeros([12]) });
    assertClose(await run(own).read(), await run(same).read());
  }
});
