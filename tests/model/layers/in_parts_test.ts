import assert from "node:assert/strict";
import { Device, Key, leaves, pullback, type Tensor } from "../../../core/mod.ts";
import {
  evoformerConfig,
  evoformerStack,
  type EvoformerStackParams,
  initEvoformer,
} from "../../../model/evoformer/mod.ts";
import { inParts } from "../../../model/layers/in_parts.ts";
import { add, linear, multiply, square } from "../../../ops/mod.ts";
import { assertClose, gpuTest, randomArray } from "../../_gpu.ts";

/** Runs something on a device that makes no intermediate tensor larger than some bytes. */
async function withParts<T>(device: Device, bytes: number, run: () => Promise<T>): Promise<T> {
  device.partBytes = bytes;
  try {
    return await run();
  } finally {
    device.partBytes = undefined;
  }
}

gpuTest("inParts() gives the same numbers and gradients as all at once, whatever the parts", async (device) => {
  const arrays = { x: randomArray(2 * 7 * 6, 1), weight: randomArray(5 * 6, 2), whole: randomArray(5, 3) };
  const make = () => ({
    x: device.tensor(arrays.x, [2, 7, 6]),
    weight: device.tensor(arrays.weight, [5, 6]),
    whole: device.tensor(arrays.whole, [5]),
  });
  let calls = 0;
  const run = async () => {
    calls = 0;
    const back = pullback(device, ({ x, weight, whole }: ReturnType<typeof make>) =>
      inParts(
        device,
        { axis: 1, count: 7, size: 2 * 7 * 5 },
        { split: x, whole: { weight, whole } },
        ({ split, whole: { weight, whole } }) => {
          calls++;
          return add(square(linear(split, { weight })), whole);
        },
      ), make());
    const output = await back.output.read();
    const grads = back.pull([device.tensor(randomArray(70, 4), [2, 7, 5])]);
    const read: Record<string, Float32Array> = {};
    for (const [name, grad] of Object.entries(grads)) read[name] = Float32Array.from(await grad!.read());
    return { output: [...output], ...read };
  };
  const whole = await run();
  assert.equal(calls, 1);
  for (const [bytes, parts] of [[4 * 2 * 5 * 3, 3], [4 * 2 * 5, 7], [1, 7]]) {
    const inThem = await withParts(device, bytes, run);
    assert.equal(calls, 2 * parts, "each part is computed, and again on the way back");
    for (const name of Object.keys(whole) as (keyof typeof whole)[]) {
      assertClose(inThem[name], whole[name], { rtol: 1e-6, atol: 1e-6 }, `${name} in ${parts} parts`);
    }
  }
});

gpuTest("inParts() splits where a kernel could not see all, unless a gradient is asked for", (device) => {
  const narrow = new Device(device.gpu, { ...device.traits, maxBindingBytes: 1024 });
  const counted = (tracked: boolean) => {
    using scope = narrow.scope("counted");
    void scope;
    let calls = 0;
    const x = narrow.zeros([10, 4]), other = narrow.zeros([1]);
    pullback(narrow, ({ other }: { other: Tensor; x?: Tensor }) => {
      const y = inParts(narrow, { axis: 0, count: 10, size: 1000 }, { split: x, whole: null }, ({ split }) => {
        calls++;
        return square(split);
      });
      return multiply(y, other);
    }, tracked ? { other, x } : { other }).dispose();
    return calls;
  };
  assert.equal(counted(false), 4); // three rows a part
  assert.equal(counted(true), 1);
});

gpuTest(
  "an Evoformer in parts has the same outputs and gradients and takes less memory, with recomputation too",
  async (device) => {
    const config = evoformerConfig({ cM: 16, cZ: 16, cS: 8, nHeadMsa: 2, nHeadPair: 2, cHiddenMul: 16, nBlock: 2 });
    const params = initEvoformer(device, config, Key.fromSeed(3));
    for (const [i, tensor] of leaves<Tensor>(params).entries()) {
      device.write(tensor, randomArray(tensor.size, i).map((x) => x * 0.3));
    }
    const [nSeq, nRes] = [9, 37];
    const m = device.tensor(randomArray(nSeq * nRes * 16, 1), [1, nSeq, nRes, 16]);
    const z = device.tensor(randomArray(nRes * nRes * 16, 2), [1, nRes, nRes, 16]);
    const msaMask = device.tensor(randomArray(nSeq * nRes, 5).map((x) => (x > -0.8 ? 1 : 0)), [1, nSeq, nRes]);
    type Primals = { params: EvoformerStackParams; m: Tensor; z: Tensor };
    const run = async () => {
      device.resetPeakMemory();
      const before = device.memory.liveBytes;
      const back = pullback(
        device,
        ({ params, m, z }: Primals) => evoformerStack(params, { m, z, msaMask }, config, { recompute: "nested" }),
        { params, m, z },
      );
      const there = device.memory.peakBytes - before;
      const outputs = [back.output.m, back.output.z, back.output.s];
      const cotangents = outputs.map(({ size, shape }, i) => device.tensor(randomArray(size, 7 + i), shape));
      const grads = back.pullLeaves(cotangents);
      const peak = device.memory.peakBytes - before;
      const numbers: Float32Array[] = [];
      for (const tensor of [...outputs, ...grads]) numbers.push(Float32Array.from(await tensor!.read()));
      return { there, peak, numbers };
    };
    const whole = await run();
    const parts = await withParts(device, 2 ** 14, run);
    // Blocks of a triangle multiplication are of up to 32 rows, however small parts are to be.
    assert.ok(parts.there < 0.65 * whole.there, `${parts.there} bytes in parts, ${whole.there} at once`);
    assert.ok(parts.peak < 0.9 * whole.peak, `${parts.peak} bytes in parts on the way back, ${whole.peak} at once`);
    const largest = (numbers: Float32Array) => numbers.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const most = Math.max(...whole.numbers.map(largest)); // some gradients are zero but for rounding
    for (const [i, numbers] of whole.numbers.entries()) {
      const atol = 1e-5 * largest(numbers) + 1e-6 * most;
      assertClose(parts.numbers[i], numbers, { rtol: 1e-4, atol }, `tensor ${i}`);
    }
  },
);
