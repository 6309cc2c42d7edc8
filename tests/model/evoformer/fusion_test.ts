import assert from "node:assert/strict";
import { type Device, Key, leaves, Profiler, pullback, type Tensor, type Tree } from "../../../core/mod.ts";
import { evoformerConfig, evoformerStack, initEvoformer } from "../../../model/evoformer/mod.ts";
import { initNnxEvoformer, nnxEvoformerBlock, nnxEvoformerConfig } from "../../../model/nnx_evoformer/mod.ts";
import { ALL_FUSIONS, type Fusion, setFusions } from "../../../ops/mod.ts";
import { assertClose, gpuTest, randomArray } from "../../_gpu.ts";

const CHOICES: readonly (readonly Fusion[])[] = [
  ...ALL_FUSIONS.map((left) => ALL_FUSIONS.filter((name) => name !== left)),
  ...ALL_FUSIONS.map((one) => [one]),
  [],
];

/** Outputs, gradients and the kernels of a network, for random cotangents. */
async function results<P extends Tree<Tensor>>(
  device: Device,
  fusions: readonly Fusion[],
  params: P,
  run: (params: P) => Tree<Tensor>,
) {
  using scope = device.scope("results");
  void scope;
  setFusions(device, fusions);
  const profiler = Profiler.start(device);
  try {
    const { output, pullLeaves } = pullback(device, run, params);
    const outputs = leaves<Tensor>(output);
    const grads = pullLeaves(outputs.map((x, i) => device.tensor(randomArray(x.size, 50 + i), x.shape)));
    const read = async (x: Tensor | null) =>
      Float32Array.from(await (x ?? assert.fail("a gradient is missing")).read());
    const values = { outputs: await Promise.all(outputs.map(read)), grads: await Promise.all(grads.map(read)) };
    const { kernels } = await profiler.stop();
    return { ...values, kernels: kernels.map(({ kernel, grid }) => `${kernel} ${grid}`) };
  } finally {
    setFusions(device, ALL_FUSIONS);
  }
}

async function compare<P extends Tree<Tensor>>(
  device: Device,
  params: P,
  run: (params: P) => Tree<Tensor>,
  here: readonly Fusion[],
) {
  for (const [i, tensor] of leaves<Tensor>(params).entries()) {
    const centre = tensor.shape.length === 1 ? 0.5 : 0;
    device.write(tensor, randomArray(tensor.size, 100 + i).map((x) => centre + x / Math.sqrt(tensor.shape.at(-1)!)));
  }
  const fused = await results(device, ALL_FUSIONS, params, run);
  for (const fusions of CHOICES) {
    const label = fusions.join(", ") || "nothing fused";
    const apart = await results(device, fusions, params, run);
    if (here.some((name) => !fusions.includes(name))) assert.notDeepEqual(apart.kernels, fused.kernels, label);
    for (const [i, out] of fused.outputs.entries()) {
      assertClose(apart.outputs[i], out, { rtol: 2e-5, atol: 2e-5 }, `${label}: output ${i}`);
    }
    for (const [i, grad] of fused.grads.entries()) {
      const largest = grad.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
      assertClose(apart.grads[i], grad, { rtol: 2e-5, atol: 2e-5 * Math.max(1, largest) }, `${label}: gradient ${i}`);
    }
  }
}

gpuTest(
  "taken apart, every fusion gives the same numbers and gradients: AlphaFold 2's block with masks",
  async (device) => {
    const config = evoformerConfig({
      ...{ cM: 12, cZ: 10, cS: 7, cHiddenMsaAtt: 5, cHiddenOpm: 3, cHiddenMul: 6, cHiddenPairAtt: 4 },
      ...{ nHeadMsa: 3, nHeadPair: 2, nBlock: 1, transitionN: 2 },
    });
    const [batch, nSeq, nRes] = [2, 3, 5];
    const m = device.tensor(randomArray(batch * nSeq * nRes * 12, 1), [batch, nSeq, nRes, 12]);
    const z = device.tensor(randomArray(batch * nRes * nRes * 10, 2), [batch, nRes, nRes, 10]);
    const some = (shape: number[]) =>
      device.tensor(randomArray(shape.reduce((a, b) => a * b), 7).map((x) => (x > -0.5 ? 1 : 0)), shape);
    const msaMask = some([batch, nSeq, nRes]), pairMask = some([batch, nRes, nRes]);
    const params = { blocks: initEvoformer(device, config, Key.fromSeed(1)), m, z };
    await compare(
      device,
      params,
      ({ blocks, m, z }) => evoformerStack(blocks, { m, z, msaMask, pairMask }, config),
      ALL_FUSIONS,
    );
  },
);

gpuTest("taken apart, every fusion gives the same numbers and gradients: the notebook's block", async (device) => {
  const config = nnxEvoformerConfig({ cM: 12, cZ: 8, nHead: 2, headDim: 5, triangleDim: 9, outerProductDim: 6 });
  const msa = device.tensor(randomArray(4 * 6 * 12, 1), [1, 4, 6, 12]);
  const pairs = device.tensor(randomArray(6 * 6 * 8, 2), [1, 6, 6, 8]);
  const params = { block: initNnxEvoformer(device, config, Key.fromSeed(1)), msa, pairs };
  await compare(device, params, ({ block, msa, pairs }) => nnxEvoformerBlock(block, { msa, pairs }, config), [
    ...["attention", "triangle", "epilogue", "outer-product"] as const, // its queries, keys and values are one map
  ]);
});
