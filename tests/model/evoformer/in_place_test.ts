import { type Device, Key, leaves, type Tensor, type Tree } from "../../../core/mod.ts";
import {
  evoformerConfig,
  evoformerStack,
  extraMsaConfig,
  extraMsaStack,
  initEvoformer,
  initExtraMsaStack,
} from "../../../model/evoformer/mod.ts";
import { assertClose, gpuTest, randomArray } from "../../_gpu.ts";

const SMALL = {
  ...{ cM: 16, cZ: 8, cS: 4, cHiddenMsaAtt: 8, cHiddenOpm: 4, cHiddenMul: 8, cHiddenPairAtt: 4 },
  ...{ nHeadMsa: 2, nHeadPair: 2, nBlock: 2, transitionN: 2 },
};

/** Fresh parameters leave everything as it is; these do not. */
function shaken<P extends Tree<Tensor>>(device: Device, params: P): P {
  leaves<Tensor>(params).forEach((tensor, i) => {
    const centre = tensor.shape.length === 1 ? 0.5 : 0;
    device.write(tensor, randomArray(tensor.size, 100 + i).map((x) => centre + x / Math.sqrt(tensor.shape.at(-1)!)));
  });
  return params;
}

const KINDS = {
  evoformer(device: Device) {
    const config = evoformerConfig(SMALL);
    const params = shaken(device, initEvoformer(device, config, Key.fromSeed(1)));
    return (inputs: { m: Tensor; z: Tensor }, consume: boolean): Tensor[] => {
      const { m, z } = evoformerStack(params, inputs, config, { consume });
      return [m, z];
    };
  },
  extraMsa(device: Device) {
    const config = extraMsaConfig(SMALL);
    const params = shaken(device, initExtraMsaStack(device, config, Key.fromSeed(1)));
    return (inputs: { m: Tensor; z: Tensor }, consume: boolean) => [extraMsaStack(params, inputs, config, { consume })];
  },
};

/** The second is of more rows than a panel of the triangle product, in blocks of which the last is shorter. */
const CASES = [
  { kind: "evoformer", sizes: [2, 5, 7], masked: true },
  { kind: "evoformer", sizes: [1, 3, 35], masked: false },
  { kind: "extraMsa", sizes: [1, 3, 35], masked: true },
] as const;

for (const { kind, sizes: [batch, nSeq, nRes], masked } of CASES) {
  gpuTest(`${kind} stack in place and in parts is the same, [${[batch, nSeq, nRes]}]`, async (device) => {
    const run = KINDS[kind](device);
    const tensor = (shape: number[], seed: number, of = (x: number) => x) =>
      device.tensor(randomArray(shape.reduce((a, b) => a * b), seed).map(of), shape);
    const kept = (x: number) => (x > -0.8 ? 1 : 0);
    const inputs = () => ({
      m: tensor([batch, nSeq, nRes, SMALL.cM], 1),
      z: tensor([batch, nRes, nRes, SMALL.cZ], 2),
      ...masked && { msaMask: tensor([batch, nSeq, nRes], 3, kept), pairMask: tensor([batch, nRes, nRes], 4, kept) },
    });
    const given = inputs();
    const expected = await Promise.all(run(given, false).map((x) => x.read()));
    for (const [i, x] of [given.m, given.z].entries()) { // what is not consumed stays as it was
      assertClose(await x.read(), randomArray(x.size, i + 1), { rtol: 0, atol: 0 });
    }
    const check = async (what: string, consume: boolean) => {
      for (const [i, x] of run(inputs(), consume).entries()) {
        assertClose(await x.read(), expected[i], { rtol: 1e-4, atol: 1e-4 }, `${what}, output ${i}`);
      }
    };
    await check("in place", true);
    device.partBytes = 4096;
    try {
      await check("in parts and in place", true);
      await check("in parts", false);
    } finally {
      device.partBytes = undefined;
    }
  });
}
