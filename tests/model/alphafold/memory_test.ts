/** Memory of the full-size network, by plan, and at a small size as measured. */
import assert from "node:assert/strict";
import { Device, Key, leaves, pullback, type Tensor } from "../../../core/mod.ts";
import {
  alphafold,
  alphafoldConfig,
  type AlphaFoldFeatures,
  type AlphaFoldOptions,
  type AlphaFoldParams,
  initAlphaFold,
  lossOutputs,
  recycledAlphaFold,
  recycledOf,
} from "../../../model/alphafold/mod.ts";
import { evoformerStack } from "../../../model/evoformer/mod.ts";
import { Optimizer } from "../../../finetune/mod.ts";
import { gpuTest, testDevice } from "../../_gpu.ts";
import { featureArrays, onDevice, randomParams, smallConfig } from "./_network.ts";

const MIB = 2 ** 20, GB = 1e9;

/** A device for plans with the kernels of real GPUs. */
async function dryDevice(): Promise<Device> {
  const { traits } = await testDevice();
  const bytes = 4 * 2 ** 30;
  const own = {
    kernelFamilies: ["workgroup"],
    loadPaths: ["buffers"],
    maxBindingBytes: bytes,
    maxBufferBytes: bytes,
  } as const;
  return Device.dry({ ...traits, ...own });
}

/** Features without numbers; with masks for rows where there are templates. */
function features(device: Device, nRes: number, nSeq: number, nExtra: number, T: number): AlphaFoldFeatures {
  const f32 = (...shape: number[]) => device.empty([1, ...shape]),
    i32 = (...shape: number[]) => device.empty([1, ...shape], "i32");
  return {
    aatype: i32(nRes),
    residueIndex: i32(nRes),
    targetFeat: f32(nRes, 22),
    msaFeat: f32(nSeq, nRes, 49),
    extraMsa: {
      extraMsa: i32(nExtra, nRes),
      extraHasDeletion: f32(nExtra, nRes),
      extraDeletionValue: f32(nExtra, nRes),
    },
    ...(T > 0 && {
      templates: {
        mask: f32(T),
        aatype: i32(T, nRes),
        allAtomPositions: f32(T, nRes, 37, 3),
        allAtomMask: f32(T, nRes, 37),
        pseudoBeta: f32(T, nRes, 3),
        pseudoBetaMask: f32(T, nRes),
        torsionAnglesSinCos: f32(T, nRes, 7, 2),
        altTorsionAnglesSinCos: f32(T, nRes, 7, 2),
        torsionAnglesMask: f32(T, nRes, 7),
      },
    }),
    residxAtom37ToAtom14: i32(nRes, 37),
    atom37AtomExists: f32(nRes, 37),
  };
}

const CONFIG = alphafoldConfig("model_1_ptm");
/** Every block takes what the one before it took. */
const SHORT = alphafoldConfig("model_1_ptm", { evoformer: { nBlock: 2 } });
const INFERENCE: AlphaFoldOptions = { msa: false, trajectory: false, consume: true };

/** Runs a first iteration and gives what it leaves to the next. */
function recycle(device: Device, params: AlphaFoldParams, given: AlphaFoldFeatures, config = CONFIG) {
  using scope = device.scope("first");
  const outputs = alphafold(params, given, undefined, config, INFERENCE);
  return scope.keep(recycledOf(outputs, given.aatype));
}

for (const [nRes, most] of [[128, 105], [384, 290], [512, 440]]) {
  for (const T of [0, 4]) {
    Deno.test(`an iteration takes little more than its Evoformer, by plan: ${nRes} residues, ${T} templates`, async () => {
      const device = await dryDevice();
      const params = initAlphaFold(device, SHORT, Key.fromSeed(0));
      const weights = device.memory.liveBytes;
      const peak = (run: () => void) => {
        device.resetPeakMemory();
        run();
        return (device.memory.peakBytes - weights) / MIB;
      };
      const stack = peak(() => {
        using _ = device.scope("stack");
        const m = device.empty([1, 256 + T, nRes, 256]), z = device.empty([1, nRes, nRes, 128]);
        evoformerStack(params.evoformer, { m, z }, SHORT.evoformer, { consume: true });
      });
      using _ = device.scope("network");
      const given = features(device, nRes, 256, 512, T);
      const recycled = recycle(device, params, given, SHORT);
      const whole = peak(() => void alphafold(params, given, recycled, SHORT, INFERENCE));
      assert.ok(whole <= Math.min(stack + 40, most), `${whole.toFixed(0)} MiB, its Evoformer ${stack.toFixed(0)}`);
    });
  }
}

Deno.test("a step of training plans at 16 GB at most: 256 residues, 128 rows, 1024 extra rows, 4 templates", async () => {
  const device = await dryDevice();
  const params = initAlphaFold(device, CONFIG, Key.fromSeed(0));
  new Optimizer(device, params); // its moments count
  using _ = device.scope("step");
  const given = features(device, 256, 128, 1024, 4);
  const recycled = recycle(device, params, given);
  const peaks = (["block", "nested"] as const).map((recompute) => {
    using _ = device.scope("step");
    device.resetPeakMemory();
    const back = pullback(device, (params: AlphaFoldParams) => {
      const outputs = alphafold(params, given, recycled, CONFIG, { key: Key.fromSeed(1), recompute });
      return lossOutputs(params.auxHeads, outputs);
    }, params);
    back.pullLeaves(leaves<Tensor>(back.output).map(({ shape }) => device.empty(shape)));
    return device.memory.peakBytes / GB;
  });
  const [block, nested] = peaks;
  assert.ok(block <= 16, `${block.toFixed(1)} GB`);
  assert.ok(nested < 0.9 * block, `${nested.toFixed(1)} GB nested, ${block.toFixed(1)} without`);
});

gpuTest("a plan of the network is what it takes", async (device) => {
  const config = smallConfig();
  const peak = async (device: Device) => {
    using _ = device.scope("run");
    const params = randomParams(device, config);
    const given = onDevice(device, featureArrays({ nRes: 24 }));
    device.resetPeakMemory();
    const before = device.memory.liveBytes;
    await recycledAlphaFold(params, () => given, config, { maxRecycles: 1 });
    return device.memory.peakBytes - before;
  };
  assert.equal(await peak(Device.dry(device.traits)), await peak(device));
});
