import assert from "node:assert/strict";
import { type AdapterTraits, Device, Key, Profiler, type Tensor } from "../../../core/mod.ts";
import { evoformerConfig, evoformerStack, initEvoformer, layOutProjections } from "../../../model/mod.ts";

const MIB = 2 ** 20;

/** A GPU that no driver here stands for. */
const GPU: AdapterTraits = {
  ...{ description: "a GPU for plans", vendor: "", architecture: "", software: false, subgroupSize: 32 },
  ...{ needsEnableSubgroups: false, shaderF16: false, timestamps: false },
  ...{
    kernelFamilies: ["workgroup", "plain"],
    loadPaths: ["buffers"],
    maxBindingBytes: 2 ** 31,
    maxBufferBytes: 2 ** 32,
  },
};

/** Two blocks of AlphaFold 2's width on a device that computes nothing: what they take beside their weights, and do. */
async function plan([nSeq, nRes]: readonly [number, number], dtype: "f32" | "f16" = "f32") {
  using device = Device.dry(GPU);
  device.intermediates = device.representations = dtype;
  using scope = device.scope("plan");
  void scope;
  const config = evoformerConfig({ nBlock: 2 });
  const params = initEvoformer(device, config, Key.fromSeed(1));
  layOutProjections(params);
  const weights = device.memory.liveBytes;
  const inputs: Record<"m" | "z" | "msaMask" | "pairMask", Tensor> = {
    m: device.empty([1, nSeq, nRes, 256], dtype),
    z: device.empty([1, nRes, nRes, 128], dtype),
    msaMask: device.empty([1, nSeq, nRes]),
    pairMask: device.empty([1, nRes, nRes]),
  };
  device.resetPeakMemory();
  let bytes = 0, copied = 0;
  const profiler = Profiler.start(device, {
    onKernel({ kernel, bytesRead, bytesWritten }) {
      bytes += bytesRead + bytesWritten;
      if (/copy/i.test(kernel)) copied += bytesRead + bytesWritten;
    },
  });
  const before = device.dispatches;
  evoformerStack(params, inputs, config, { consume: true, msa: false });
  const kernels = (device.dispatches - before - 2) / 2; // but the first row and its map
  const { copies } = await profiler.stop();
  return { peak: (device.memory.peakBytes - weights) / MIB, kernels, copied: (copied + 2 * copies.bytes) / bytes };
}

Deno.test("blocks take little beside m and z, and move nothing about", async () => {
  for (const [nRes, most, mostHalf] of [[128, 87, 60], [384, 265, 160], [512, 410, 240]]) {
    const { peak, copied } = await plan([256, nRes]);
    assert.ok(peak <= most, `${nRes} residues take ${peak} MiB, at most ${most}`);
    assert.ok(copied < 0.02, `${nRes} residues: ${copied} of the bytes are copied`);
    const half = await plan([256, nRes], "f16");
    assert.ok(half.peak <= mostHalf, `${nRes} residues in 16 bits take ${half.peak} MiB, at most ${mostHalf}`);
  }
  const { kernels } = await plan([32, 64]);
  assert.ok(kernels <= 60, `${kernels} kernels a block where nothing is cut`);
});
