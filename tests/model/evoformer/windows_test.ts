import assert from "node:assert/strict";
import { Device, entries, Key, leaves, pullback, type Tensor, type Tree } from "../../../core/mod.ts";
import {
  evoformerBlock,
  type EvoformerBlockParams,
  evoformerConfig,
  extraMsaBlock,
  type ExtraMsaBlockParams,
  extraMsaConfig,
  initEvoformer,
  initExtraMsaStack,
  type Representations,
} from "../../../model/evoformer/mod.ts";
import { assertClose, gpuTest, randomArray } from "../../_gpu.ts";

const SMALL = {
  cM: 64,
  cZ: 16,
  cHiddenMsaAtt: 8,
  cHiddenOpm: 8,
  cHiddenMul: 16,
  cHiddenPairAtt: 8,
  nHeadMsa: 4,
  nHeadPair: 2,
  nBlock: 1,
  transitionN: 2,
};

/** Fresh parameters leave everything as it is; these do not. */
function shaken<P extends Tree<Tensor>>(device: Device, params: P): P {
  leaves<Tensor>(params).forEach((tensor, i) => {
    const centre = tensor.shape.length === 1 ? 0.5 : 0;
    device.write(tensor, randomArray(tensor.size, 100 + i).map((x) => centre + x / Math.sqrt(tensor.shape.at(-1)!)));
  });
  return params;
}

/** A block with masks and dropout: both outputs, then the gradients of all parameters and of both inputs. */
async function runBlock(
  device: Device,
  kind: "evoformer" | "extraMsa",
  [batch, nSeq, nRes]: readonly [number, number, number],
): Promise<{ name: string; data: Float32Array }[]> {
  using scope = device.scope("block");
  void scope;
  const config = kind === "evoformer" ? evoformerConfig(SMALL) : extraMsaConfig(SMALL);
  const { cM, cZ } = config;
  const tensor = (shape: number[], seed: number, of = (x: number) => x) =>
    device.tensor(randomArray(shape.reduce((a, b) => a * b), seed).map(of), shape);
  const kept = (x: number) => (x > -0.8 ? 1 : 0);
  const given: Representations = {
    m: tensor([batch, nSeq, nRes, cM], 1),
    z: tensor([batch, nRes, nRes, cZ], 2),
    msaMask: tensor([batch, nSeq, nRes], 3, kept),
    pairMask: tensor([batch, nRes, nRes], 4, kept),
  };
  const params = kind === "evoformer"
    ? shaken(device, initEvoformer(device, config, Key.fromSeed(1)).blocks[0])
    : shaken(device, initExtraMsaStack(device, config, Key.fromSeed(1)).blocks[0]);
  const options = { key: Key.fromSeed(9) };
  const back = pullback(
    device,
    ({ params, m, z }) => {
      const inputs = { ...given, m, z };
      return kind === "extraMsa"
        ? extraMsaBlock(params as ExtraMsaBlockParams, inputs, config, options)
        : evoformerBlock(params as EvoformerBlockParams, inputs, config, options);
    },
    { params, m: given.m, z: given.z },
  );
  const grads = back.pullLeaves([tensor([batch, nSeq, nRes, cM], 5), tensor([batch, nRes, nRes, cZ], 6)]);
  const found = [{ name: "m", data: await back.output.m.read() }, { name: "z", data: await back.output.z.read() }];
  const names = [...entries<Tensor>(params)].map(([path]) => path).concat("m", "z");
  for (const [i, grad] of grads.entries()) found.push({ name: `gradient of ${names[i]}`, data: await grad!.read() });
  return found as { name: string; data: Float32Array }[];
}

// m, z and most of what is made of them take more than 192 KiB. With many sequences the outer product mean goes through
// chunks of rows that are shorter for such a device, and so are sums of gradients over rows.
gpuTest(
  "without gradients, large intermediate tensors are made in parts: the same numbers in less memory",
  async (device) => {
    const narrow = new Device(device.gpu, { ...device.traits, maxBindingBytes: 192 * 1024 });
    const config = evoformerConfig(SMALL);
    const found = [];
    for (const on of [device, narrow]) {
      using scope = on.scope("forward");
      void scope;
      const params = shaken(on, initEvoformer(on, config, Key.fromSeed(1)).blocks[0]);
      const given = {
        m: on.tensor(randomArray(16 * 61 * config.cM, 1), [1, 16, 61, config.cM]),
        z: on.tensor(randomArray(61 * 61 * config.cZ, 2), [1, 61, 61, config.cZ]),
        msaMask: on.tensor(randomArray(16 * 61, 3).map((x) => (x > -0.8 ? 1 : 0)), [1, 16, 61]),
        pairMask: on.tensor(randomArray(61 * 61, 4).map((x) => (x > -0.8 ? 1 : 0)), [1, 61, 61]),
      };
      on.resetPeakMemory();
      const before = on.memory.liveBytes;
      const { m, z } = evoformerBlock(params, given, config);
      found.push({ m: await m.read(), z: await z.read(), peak: on.memory.peakBytes - before });
    }
    const [whole, parts] = found;
    assert.deepEqual(parts.m, whole.m);
    assert.deepEqual(parts.z, whole.z);
    assert.ok(parts.peak < 0.75 * whole.peak, `${parts.peak} bytes instead of ${whole.peak}`);
  },
);

for (
  const [kind, sizes, exact] of [
    ["evoformer", [1, 16, 61], true],
    ["extraMsa", [2, 12, 45], true],
    ["extraMsa", [1, 40, 37], false],
  ] as const
) {
  gpuTest(
    `a block of the ${kind} stack on a device whose kernels see 192 KiB gives what it gives at once: ${sizes}`,
    async (device) => {
      const narrow = new Device(device.gpu, { ...device.traits, maxBindingBytes: 192 * 1024 });
      const [whole, inWindows] = [await runBlock(device, kind, sizes), await runBlock(narrow, kind, sizes)];
      for (const [i, { name, data }] of whole.entries()) {
        if (exact || i < 2) assert.deepEqual(inWindows[i].data, data, name);
        else {
          const largest = data.reduce((a, x) => Math.max(a, Math.abs(x)), 1);
          assertClose(inWindows[i].data, data, { rtol: 0, atol: 1e-5 * largest }, name);
        }
      }
      assert.equal(narrow.memory.liveTensors, 0);
    },
  );
}
