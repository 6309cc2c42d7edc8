import assert from "node:assert/strict";
import { type Device, entries, Key, type Tensor, type Tree } from "../../core/mod.ts";
import {
  FineTuner,
  fineTuningLoss,
  FIT_DEFAULTS,
  type FitSettings,
  initTaskHeads,
  labelHeadConfig,
  type LabelledSample,
  packFrozen,
  type StrategyName,
  strategyOf,
  trainedPart,
  Trainer,
  withStrategy,
} from "../../finetune/mod.ts";
import { combine } from "../../core/mod.ts";
import type { FineTunedParams } from "../../finetune/mod.ts";
import { gpuTest } from "../_gpu.ts";
import { featureArrays, onDevice, randomParams, smallConfig } from "../model/alphafold/_network.ts";

const NETWORK = smallConfig();
const CONFIG = {
  network: NETWORK,
  headInput: "evoformer" as const,
  tasks: { affinity: { head: labelHeadConfig(NETWORK.cS, { hidden: 6, dropout: 0 }) } },
};

function setUp(device: Device, name: StrategyName) {
  const strategy = strategyOf(name, 2, { unfreezeBlocks: 1, lora: { rank: 2 } });
  const heads = initTaskHeads(device, CONFIG.tasks, Key.fromSeed(5));
  const params = withStrategy({ model: randomParams(device, NETWORK), heads }, strategy, Key.fromSeed(6));
  for (const [path, tensor] of entries<Tensor>(params)) {
    if (path.endsWith("adapter.up")) device.write(tensor, new Float32Array(tensor.size).fill(0.1));
  }
  return { strategy, params };
}

const sampleOf = (device: Device, seed: number): LabelledSample => ({
  input: { features: onDevice(device, featureArrays({ nRes: 7, seed })) },
  labels: { affinity: [seed] },
});

/** Distance of vectors in parts of the second one's length. */
function relative(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0, size = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    size += b[i] ** 2;
  }
  return Math.sqrt(difference / size);
}

for (const [name, half] of [["lora", "f16"], ["partial", "f16"], ["lora", "bf16"]] as const) {
  gpuTest(
    `${name} in mixed precision with ${half}: what is frozen and kept is rounded, sums and gradients are not`,
    async (device) => {
      const run = async (amp: boolean) => {
        const { strategy, params } = setUp(device, name);
        const [trained, whole] = trainedPart(params, strategy);
        const frozen = amp ? packFrozen(whole) : whole;
        const types = new Set(entries<Tensor>(frozen as Tree<Tensor>).map(([, { dtype }]) => dtype));
        assert.deepEqual([...types].sort(), amp ? ["f16", "f32"] : ["f32"]);
        const trainer = new Trainer<typeof trained, LabelledSample>(device, {
          params: trained,
          loss: (trained, sample) =>
            fineTuningLoss(combine<Tensor, FineTunedParams>(trained, frozen), [sample], CONFIG, { recompute: "block" }),
          activations: amp ? half : "f32",
          optimizer: { groups: strategy.groups },
        });
        await trainer.accumulate(sampleOf(device, 3));
        const gradients = (await trainer.gradients!.read() as Float32Array).slice();
        const { loss, savedBytes } = await trainer.apply();
        trainer[Symbol.dispose]();
        return { loss, gradients, savedBytes };
      };
      const mixed = await run(true), full = await run(false);
      const [loss, gradient] = [Math.abs(mixed.loss / full.loss - 1), relative(mixed.gradients, full.gradients)];
      assert(loss > 0 && loss < 1e-2, `the loss differs by ${loss}`);
      assert(gradient > 0 && gradient < (half === "f16" ? 2e-2 : 8e-2), `the gradients differ by ${gradient}`);
      const saved = full.savedBytes - mixed.savedBytes;
      const ofBlock = 2 * NETWORK.cM * 7 * 6 + 2 * NETWORK.cZ * 7 ** 2; // with two rows of templates
      assert(saved >= ofBlock, `${mixed.savedBytes} and ${full.savedBytes} bytes are kept`);
    },
  );
}

gpuTest(
  "a loop in mixed precision trains, validates with the same numbers, and leaves what was given",
  async (device) => {
    const { strategy, params } = setUp(device, "lora");
    const settings: FitSettings = { ...FIT_DEFAULTS, epochs: 2, accumulate: 1, warmup: 0, emaDecay: 0, amp: "f16" };
    const set = { size: 1, load: () => sampleOf(device, 3) };
    const frozen = () =>
      entries<Tensor>(trainedPart(params, strategy)[1] as Tree<Tensor>).map(([path, { dtype }]) => `${path} ${dtype}`);
    const before = frozen();
    using tuner = new FineTuner(device, { params, strategy, config: CONFIG, settings, train: set, validation: set });
    const losses: number[] = [];
    await tuner.run({ step: ({ loss }) => void losses.push(loss) });
    const { history } = tuner.progress;
    assert.equal(history[0].validationLoss, losses[1]);
    assert(losses[1] < losses[0]);
    assert.deepEqual(frozen(), before);
  },
);

gpuTest("representations beyond 16-bit floats: bf16 keeps them, a step with f16 is skipped", async (device) => {
  const run = async (amp: FitSettings["amp"]) => {
    const { strategy, params } = setUp(device, "lora");
    const { weight } = params.model.inputEmbedder.linearTfZI;
    device.write(weight, (await weight.read() as Float32Array).map((x) => 1e6 * x));
    const settings: FitSettings = { ...FIT_DEFAULTS, epochs: 1, accumulate: 1, warmup: 0, emaDecay: 0, amp };
    const set = { size: 1, load: () => sampleOf(device, 3) };
    using tuner = new FineTuner(device, { params, strategy, config: CONFIG, settings, train: set });
    const steps: (readonly [boolean, number])[] = [];
    await tuner.run({ step: ({ skipped, gradNorm }) => void steps.push([skipped, gradNorm]) });
    return steps[0];
  };
  const [[, norm], [skipped, mixed]] = [await run(false), await run("bf16")];
  assert.equal(skipped, false);
  assert(Math.abs(mixed / norm - 1) < 0.1, `${mixed} and ${norm}`);
  assert.equal((await run("f16"))[0], true);
});
