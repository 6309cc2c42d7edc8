import assert from "node:assert/strict";
import { combine, type Device, entries, Key, leavesLike, pullback, type Tensor } from "../../core/mod.ts";
import {
  fineTuned,
  type FineTunedConfig,
  type FineTunedParams,
  fineTuningLoss,
  headInputsOf,
  initTaskHeads,
  labelHeadConfig,
  type LabelledSample,
  type StrategyName,
  strategyOf,
  type StrategyOptions,
  trainedPart,
  Trainer,
  withStrategy,
} from "../../finetune/mod.ts";
import { alphafold, recycledOf } from "../../model/alphafold/mod.ts";
import { snakeCase } from "../../model/weights/names.ts";
import { assertClose, gpuTest } from "../_gpu.ts";
import { featureArrays, onDevice, randomParams, smallConfig } from "../model/alphafold/_network.ts";

const NETWORK = smallConfig();

function configOf(headInput: FineTunedConfig["headInput"]): FineTunedConfig {
  const head = labelHeadConfig(NETWORK.cS, { cZ: NETWORK.cZ, hidden: 6, dropout: 0 });
  return { network: NETWORK, headInput, tasks: { affinity: { head } } };
}

function setUp(device: Device, name: StrategyName, options: StrategyOptions = {}) {
  const strategy = strategyOf(name, NETWORK.evoformer.nBlock, options);
  const config = configOf(strategy.headInput);
  const model = randomParams(device, NETWORK);
  const heads = initTaskHeads(device, config.tasks, Key.fromSeed(5));
  const params = withStrategy({ model, heads }, strategy, Key.fromSeed(6));
  const [trained, frozen] = trainedPart(params, strategy);
  return { strategy, config, params, trained, frozen };
}

function samplesOf(device: Device): LabelledSample[] {
  return [[7, 1], [5, 2]].map(([nRes, seed]) => ({
    input: { features: onDevice(device, featureArrays({ nRes, seed })) },
    labels: { affinity: [seed] },
  }));
}

/** Gradients of the loss by OpenFold's names; null where there is none. */
function gradients(device: Device, { config, trained, frozen }: ReturnType<typeof setUp>) {
  const back = pullback<typeof trained, Tensor>(
    device,
    (trained) => fineTuningLoss(combine<Tensor, FineTunedParams>(trained, frozen), samplesOf(device), config),
    trained,
  );
  const grads = leavesLike<Tensor>(trained as never, back.pull([device.tensor([1], [])]) as never);
  const names = entries<Tensor>(trained as never).map(([path]) => snakeCase(path));
  return new Map(names.map((name, i) => [name, grads[i]]));
}

/** What no affinity depends on: angles and the point representation's ends, and the heads of AlphaFold. */
const UNREACHED =
  /^model\.(structure_module\.angle_resnet|aux_heads|recycling_embedder\.(linear\.weight|layer_norm_[mz]\.weight))/;

gpuTest(
  "full: every block and the structure module get gradients, but for what affinity does not depend on",
  async (device) => {
    const all = setUp(device, "full");
    assert.equal(all.config.headInput, "structure");
    for (const [name, grad] of gradients(device, all)) {
      const numbers = grad && await grad.read();
      const reached = numbers !== null && numbers.some((x) => x !== 0);
      assert(numbers === null || numbers.every(Number.isFinite), name);
      if (UNREACHED.test(name)) assert(!reached, `${name} is reached`);
      // A constant added to a row of logits changes no softmax.
      else if (!/layer_norm_z\.bias$|ipa\.linear_b\.bias$/.test(name)) assert(reached, `${name} is not reached`);
    }
  },
);

gpuTest("partial with the structure module: it gets gradients, and nothing below does", async (device) => {
  const found = gradients(device, setUp(device, "partial", { unfreezeBlocks: 1, unfreezeStructureModule: true }));
  const names = [...found.keys()];
  assert(names.every((name) => /^(heads|model\.(evoformer\.blocks\.1|structure_module))\./.test(name)));
  const ipa = await found.get("model.structure_module.ipa.linear_q.weight")!.read();
  assert(ipa.some((x) => x !== 0));
});

gpuTest(
  "head_only: nothing of the network has a gradient, and known representations give the same loss",
  async (device) => {
    const all = setUp(device, "head_only");
    const found = gradients(device, all);
    assert.deepEqual([...found.keys()], [
      ...["linear_1.weight", "linear_1.bias", "linear_2.weight", "linear_2.bias"].map((end) => `heads.affinity.${end}`),
    ]);
    const samples = samplesOf(device);
    const known = samples.map(({ input, labels }) => ({
      input: headInputsOf(all.params.model, input as { features: ReturnType<typeof onDevice> }, all.config),
      labels,
    }));
    const whole = await fineTuningLoss(all.params, samples, all.config).item();
    assert.equal(await fineTuningLoss(all.params, known, all.config).item(), whole);
  },
);

gpuTest(
  "what heads read is what the network gives: single and pair representation, after recycling too",
  async (device) => {
    const { params: { model } } = setUp(device, "head_only");
    const features = onDevice(device, featureArrays({ nRes: 7 }));
    const first = alphafold(model, features, undefined, NETWORK);
    const second = alphafold(model, features, recycledOf(first, features.aatype), NETWORK);
    for (const [before, outputs] of [[[], first], [[features], second]] as const) {
      const evoformer = headInputsOf(model, { features, before }, configOf("evoformer"));
      assertClose(await evoformer.s.read(), await outputs.s.read(), { rtol: 1e-5, atol: 1e-5 });
      assertClose(await evoformer.z!.read(), await outputs.z.read(), { rtol: 1e-5, atol: 1e-5 });
      const structure = headInputsOf(model, { features, before }, configOf("structure"));
      assertClose(await structure.s.read(), await outputs.structure.single.read(), { rtol: 1e-4, atol: 1e-4 });
    }
  },
);

gpuTest("lora: B moves at the first step, A at the second, and the frozen weights stay to the bit", async (device) => {
  const { strategy, config, trained, frozen } = setUp(device, "lora", { lora: { rank: 2 } });
  const before = await Promise.all(entries<Tensor>(frozen as never).map(([, tensor]) => tensor.read()));
  using trainer = new Trainer<typeof trained, readonly LabelledSample[]>(device, {
    params: trained,
    loss: (trained, batch) => fineTuningLoss(combine<Tensor, FineTunedParams>(trained, frozen), batch, config),
    optimizer: { groups: strategy.groups, maxNorm: 1, weightDecay: 0 },
  });
  const name = "model.evoformer.blocks.0.msaAttRow.mha.linearV.adapter";
  const adapter = () =>
    Promise.all(["down", "up"].map(async (part) => {
      const [, tensor] = entries<Tensor>(trained as never).find(([path]) => path === `${name}.${part}`)!;
      return (await tensor.read()).slice();
    }));
  const [a0, b0] = await adapter();
  assert(b0.every((x) => x === 0));
  const { losses } = await trainer.step(samplesOf(device));
  const [a1, b1] = await adapter();
  assert(b1.some((x) => x !== 0));
  assert.deepEqual(a1, a0);
  const { losses: later } = await trainer.step(samplesOf(device));
  const [a2] = await adapter();
  assert.notDeepEqual(a2, a1);
  assert(later[0] < losses[0]);
  for (const [i, [path, tensor]] of entries<Tensor>(frozen as never).entries()) {
    assert.deepEqual(await tensor.read(), before[i], path);
  }
});

gpuTest(
  "adapters' and heads' dropout are drawn from the key; predictions without one are the same twice",
  async (device) => {
    const { params, config } = setUp(device, "lora", { lora: { rank: 2 } });
    for (const [path, tensor] of entries<Tensor>(params)) {
      if (path.endsWith("adapter.up")) device.write(tensor, new Float32Array(tensor.size).fill(0.2));
    }
    const [{ input }] = samplesOf(device);
    const run = (options: Parameters<typeof fineTuned>[3]) => fineTuned(params, input, config, options).affinity.item();
    assert.equal(await run({}), await run({}));
    const dropped = { key: Key.fromSeed(1), adapterDropout: 0.5 };
    assert.equal(await run(dropped), await run(dropped));
    assert.notEqual(await run(dropped), await run({}));
    assert.notEqual(await run({ key: Key.fromSeed(2), adapterDropout: 0.5 }), await run(dropped));
    assert.notEqual(await run({ key: Key.fromSeed(1), networkDropout: true }), await run({}));
  },
);

gpuTest("labels that are not as many as predictions, and batches of nothing, are refused", (device) => {
  const { params, config } = setUp(device, "head_only");
  const input = { s: device.zeros([1, 3, NETWORK.cS]), z: device.zeros([1, 3, 3, NETWORK.cZ]) };
  const loss = (batch: LabelledSample[]) => () => fineTuningLoss(params, batch, config);
  assert.throws(loss([]), /There is no protein/);
  assert.throws(loss([{ input, labels: { affinity: [1, 2] } }]), /has 2 labels of affinity, its predictions are 1/);
  assert.throws(loss([{ input, labels: {} }]), /no label of affinity/);
});
