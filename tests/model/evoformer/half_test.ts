import assert from "node:assert/strict";
import { Device, Key, leaves, type Tensor } from "../../../core/mod.ts";
import { evoformerConfig, evoformerStack, initEvoformer } from "../../../model/evoformer/mod.ts";
import { initNnxEvoformer, nnxEvoformerBlock, nnxEvoformerConfig } from "../../../model/nnx_evoformer/mod.ts";
import { ALL_FUSIONS, setFusions } from "../../../ops/mod.ts";
import { FAMILIES, gpuTest, ofFamily, randomArray } from "../../_gpu.ts";

/** Root mean square error of halves, relative to the root mean square of what they should be. */
function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let error = 0, size = 0;
  for (let i = 0; i < expected.length; i++) {
    error += (actual[i] - expected[i]) ** 2;
    size += expected[i] ** 2;
  }
  return Math.sqrt(error / size);
}

/** What a network makes with 32 and with 16 bits between its steps. */
async function both(device: Device, run: () => Record<string, Tensor>) {
  const read = async (x: Tensor) => {
    assert.equal(x.dtype, "f32");
    return Float32Array.from(await x.read());
  };
  const made = [];
  for (const dtype of ["f32", "f16"] as const) {
    device.intermediates = dtype;
    try {
      await device.finish();
      device.resetPeakMemory();
      const before = device.memory.liveBytes;
      using scope = device.scope(dtype);
      void scope;
      const out = run();
      const peak = device.memory.peakBytes - before;
      const numbers = await Promise.all(Object.values(out).map(read));
      made.push({ peak, numbers, names: Object.keys(out) });
    } finally {
      device.intermediates = "f32";
    }
  }
  return made;
}

function shaken<P>(device: Device, params: P): P {
  leaves<Tensor>(params as never).forEach((tensor, i) => {
    const centre = tensor.shape.length === 1 ? 0.5 : 0;
    device.write(tensor, randomArray(tensor.size, 100 + i).map((x) => centre + x / Math.sqrt(tensor.shape.at(-1)!)));
  });
  return params;
}

/** Eleven bits of a number are kept, and some of the errors cancel. */
const LEAST = 1e-6, MOST = 5e-4;

async function check(device: Device, label: string, run: () => Record<string, Tensor>): Promise<void> {
  const [whole, half] = await both(device, run);
  for (const [i, name] of whole.names.entries()) {
    const error = relativeError(half.numbers[i], whole.numbers[i]);
    assert.ok(error > LEAST && error < MOST, `${label}: ${name} differs by ${error}`);
  }
  assert.ok(half.peak < 0.8 * whole.peak, `${label}: ${half.peak} of ${whole.peak} bytes at the peak`);
}

for (const family of FAMILIES) {
  gpuTest(`AlphaFold 2's block with 16 bits between its steps, kernels of the family ${family}`, async (shared) => {
    const device = ofFamily(shared, family);
    using scope = device.scope("half");
    void scope;
    const config = evoformerConfig({ cM: 16, cZ: 16, nBlock: 1, nHeadMsa: 2, nHeadPair: 2, cHiddenMul: 20 });
    const m = device.tensor(randomArray(3 * 21 * 16, 1), [1, 3, 21, 16]);
    const z = device.tensor(randomArray(21 * 21 * 16, 2), [1, 21, 21, 16]);
    const pairMask = device.tensor(randomArray(21 * 21, 7).map((x) => (x > -0.5 ? 1 : 0)), [1, 21, 21]);
    const params = shaken(device, initEvoformer(device, config, Key.fromSeed(1)));
    await check(device, family, () => evoformerStack(params, { m, z, pairMask }, config));
  });
}

gpuTest("the notebook's block with 16 bits, channels that are no multiples of four too", async (device) => {
  const config = nnxEvoformerConfig({ cM: 12, cZ: 8, nHead: 2, headDim: 5, triangleDim: 9, outerProductDim: 6 });
  const msa = device.tensor(randomArray(4 * 14 * 12, 1), [1, 4, 14, 12]);
  const pairs = device.tensor(randomArray(14 * 14 * 8, 2), [1, 14, 14, 8]);
  const params = shaken(device, initNnxEvoformer(device, config, Key.fromSeed(1)));
  const [whole, half] = await both(device, () => nnxEvoformerBlock(params, { msa, pairs }, config));
  for (const i of [0, 1]) {
    const error = relativeError(half.numbers[i], whole.numbers[i]);
    assert.ok(error > LEAST && error < MOST, `${whole.names[i]} differs by ${error}`);
  }
});

gpuTest("16 bits where kernels see only parts of tensors", async (shared) => {
  const device = new Device(shared.gpu, { ...shared.traits, maxBindingBytes: 40_960 });
  using scope = device.scope("small");
  void scope;
  const config = evoformerConfig({
    cM: 16,
    cZ: 16,
    nBlock: 1,
    nHeadMsa: 2,
    nHeadPair: 2,
    cHiddenMul: 20,
    cHiddenOpm: 4,
  });
  const m = device.tensor(randomArray(3 * 22 * 16, 1), [1, 3, 22, 16]);
  const z = device.tensor(randomArray(22 * 22 * 16, 2), [1, 22, 22, 16]);
  const params = shaken(device, initEvoformer(device, config, Key.fromSeed(1)));
  const [whole, half] = await both(device, () => evoformerStack(params, { m, z }, config));
  for (const i of [0, 1]) {
    const error = relativeError(half.numbers[i], whole.numbers[i]);
    assert.ok(error > LEAST && error < MOST, `${whole.names[i]} differs by ${error}`);
  }
});

gpuTest("fusions can be taken apart with 16 bits", async (device) => {
  const config = evoformerConfig({ cM: 16, cZ: 16, nBlock: 1, nHeadMsa: 2, nHeadPair: 2, cHiddenMul: 20 });
  const m = device.tensor(randomArray(3 * 7 * 16, 1), [1, 3, 7, 16]);
  const z = device.tensor(randomArray(7 * 7 * 16, 2), [1, 7, 7, 16]);
  const params = shaken(device, initEvoformer(device, config, Key.fromSeed(1)));
  try {
    for (const left of [...ALL_FUSIONS, undefined]) {
      setFusions(device, left ? ALL_FUSIONS.filter((name) => name !== left) : []);
      const [whole, half] = await both(device, () => evoformerStack(params, { m, z }, config));
      for (const i of [0, 1]) assert.ok(relativeError(half.numbers[i], whole.numbers[i]) < MOST, left);
    }
  } finally {
    setFusions(device, ALL_FUSIONS);
  }
});

gpuTest("a stack that keeps m and z in 16 bits, in place and in parts", async (device) => {
  const config = evoformerConfig({ cM: 16, cZ: 16, cS: 8, nBlock: 2, nHeadMsa: 2, nHeadPair: 2, cHiddenMul: 20 });
  const params = shaken(device, initEvoformer(device, config, Key.fromSeed(1)));
  const kept = (x: number) => (x > -0.5 ? 1 : 0);
  const numbers = { m: randomArray(3 * 35 * 16, 1), z: randomArray(35 * 35 * 16, 2) };
  const run = async () => {
    using scope = device.scope("run");
    void scope;
    const inputs = {
      ...{ m: device.tensor(numbers.m, [1, 3, 35, 16]), z: device.tensor(numbers.z, [1, 35, 35, 16]) },
      msaMask: device.tensor(randomArray(3 * 35, 6).map(kept), [1, 3, 35]),
      pairMask: device.tensor(randomArray(35 * 35, 7).map(kept), [1, 35, 35]),
    };
    const { m, z, s } = evoformerStack(params, inputs, config, { consume: true });
    assert.equal(z.dtype, device.representations);
    return { m: await m.read(), z: await z.read(), s: await s.read() };
  };
  const whole = await run();
  device.representations = device.intermediates = "f16";
  try {
    device.partBytes = 4096;
    const half = await run();
    for (const name of ["m", "z", "s"] as const) {
      const error = relativeError(half[name], whole[name]);
      assert.ok(error > LEAST && error < 2 * MOST, `${name} differs by ${error}`);
    }
  } finally {
    device.representations = device.intermediates = "f32";
    device.partBytes = undefined;
  }
});
