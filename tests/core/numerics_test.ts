import assert from "node:assert/strict";
import { type Device, elementGrid, kernel, NumericsError, pullback, type Tensor } from "../../core/mod.ts";
import { add, concat, divide, layerNorm, linear, log, multiply, slice } from "../../ops/mod.ts";
import { gpuTest, randomArray } from "../_gpu.ts";

/** Runs work with the check on. */
async function checked(device: Device, run: () => void | Promise<void>): Promise<void> {
  device.checkNumerics(true);
  try {
    await run();
    await device.finish();
  } finally {
    device.checkNumerics(false);
  }
}

gpuTest("the first tensor with NaN or infinity is named, by scope, kernel and role", async (device) => {
  const numbers = (n: number) => randomArray(n, n);
  await assert.rejects(
    checked(device, () => {
      using _model = device.scope("model");
      const x = device.tensor(numbers(24), [4, 6]), y = device.zeros([4, 6]);
      let out: Tensor;
      {
        using scope = device.scope("block/1");
        out = scope.keep(divide(x, y)); // the first
      }
      log(multiply(out, out));
    }),
    {
      name: "NumericsError",
      message:
        "Scope test/model/block/1/divide: output result [4,6] of kernel divide is the first to hold NaN or infinity",
      finding: { path: "test/model/block/1/divide", kernel: "divide", tensor: "result", shape: [4, 6], role: "output" },
    },
  );
  for (const bad of [NaN, Infinity, -Infinity]) {
    const data = numbers(70_001);
    data[70_000] = bad;
    const x = device.tensor(data, [70_001]);
    await assert.rejects(checked(device, () => void add(x, x)), (error: unknown) => {
      assert.ok(error instanceof NumericsError);
      assert.deepEqual([error.finding.role, error.finding.tensor, error.finding.kernel], ["input", "x", "add"]);
      return true;
    });
  }
});

gpuTest("a step back is checked too, and a read tells what was found", async (device) => {
  const x = device.tensor([1, 0, 2], [3]);
  const back = pullback(device, ({ x }: { x: Tensor }) => log(add(x, x)), { x });
  device.checkNumerics(true);
  try {
    const [d] = back.pullLeaves([device.tensor([1, 1, 1], [3])]);
    await assert.rejects(d!.read(), (error: unknown) => {
      assert.ok(error instanceof NumericsError);
      assert.match(error.finding.path, /^test\/backward\/.*log\.vjp$/);
      return true;
    });
    await x.read(); // told once
  } finally {
    device.checkNumerics(false);
  }
});

gpuTest("finite numbers pass, whatever buffers held before and whole numbers hold", async (device) => {
  { // NaN in buffers that are used again
    using _ = device.scope("before");
    for (const n of [40, 60, 96]) device.tensor(new Float32Array(n).fill(NaN), [n]);
  }
  await device.finish();
  await checked(device, () => {
    using _ = device.scope("work");
    const x = device.tensor(randomArray(40, 1), [5, 8]);
    const whole = device.tensor([-1, -1, 0x7f800000, 3], [4], "i32"); // NaN if they were floats
    slice(whole, [1], [3]);
    const joined = concat([x, x], 0);
    linear(layerNorm(joined), { weight: device.tensor(randomArray(48, 2), [6, 8]) });
  });
});

gpuTest("tensors that kernels write in parts, or the CPU overwrites, are checked each time", async (device) => {
  const fill = kernel({
    name: "fill",
    bindings: { x: "write f32" },
    uniforms: { n: "u32", value: "f32" },
    body: "if (index < u.n) { x[index] = u.value; }",
  });
  const run = (x: Tensor, value: number) =>
    device.run(fill, { bindings: { x }, uniforms: { n: x.size, value }, grid: elementGrid(x.size, 64) });
  const whole = device.empty([256]);
  const part = device.window(whole, 128, [64]);
  await checked(device, () => run(part, 1));
  await assert.rejects(checked(device, () => run(part, 1e30 * 1e30)), NumericsError);
  await assert.rejects(
    checked(device, () => {
      device.write(whole, Float32Array.from({ length: 256 }, (_, i) => i ? 1 : NaN));
      add(part, part); // which says nothing of the rest
      add(whole, whole);
    }),
    /input x \[256\] of kernel add holds NaN/,
  );
  await assert.rejects(
    checked(device, () => {
      run(whole, 1);
      add(whole, whole);
      device.write(whole, new Float32Array(256).fill(NaN));
      add(whole, whole);
    }),
    /input x \[256\] of kernel add holds NaN/,
  );
});

gpuTest("numbers that 16 bits cannot hold are found", async (device) => {
  const fill = kernel({
    name: "fillHalf",
    bindings: { x: "store vec4f" },
    uniforms: { n: "u32", value: "f32" },
    body: "if (index < u.n) { x_put(index, vec4f(u.value)); }",
  });
  const run = (value: number) => {
    const x = device.empty([10], "f16");
    device.run(fill, { bindings: { x }, uniforms: { n: 3, value }, grid: elementGrid(3, 64) });
  };
  await checked(device, () => run(65_000));
  await assert.rejects(checked(device, () => run(1e6)), /output x \[10\] of kernel fillHalf is the first/);
});

gpuTest("a check that is switched off early leaves nothing behind", (device) => {
  device.checkNumerics(true);
  const x = device.tensor([NaN], [1]);
  add(x, x);
  device.checkNumerics(false); // the test fails if it leaks a tensor, or tells what was found
});

gpuTest("off, the check runs nothing", async (device) => {
  const run = async () => {
    const before = device.dispatches;
    using _ = device.scope("work");
    await add(device.zeros([3]), device.zeros([3])).read();
    return device.dispatches - before;
  };
  assert.equal(await run(), 1);
  await checked(device, async () => assert.equal(await run(), 2));
  assert.equal(await run(), 1);
});
