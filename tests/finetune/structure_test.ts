import assert from "node:assert/strict";
import { combine, type Device, entries, Key, leavesLike, pullback, type Tensor } from "../../core/mod.ts";
import {
  type FineTunedConfig,
  fineTunedOutputs,
  type FineTunedParams,
  FineTuner,
  fineTuningLoss,
  FIT_DEFAULTS,
  initTaskHeads,
  labelHeadConfig,
  type LabelledSample,
  strategyOf,
  type StrategyOptions,
  trainedPart,
} from "../../finetune/mod.ts";
import { alphafold, lossOutputs } from "../../model/alphafold/mod.ts";
import { alphafoldLoss, alphafoldLossConfig } from "../../model/alphafold/losses/mod.ts";
import { noiseTruth } from "../../tools/profile/workloads/alphafold_noise.ts";
import { assertClose, gpuTest } from "../_gpu.ts";
import { featureArrays, onDevice, randomParams, smallConfig } from "../model/alphafold/_network.ts";

const NETWORK = smallConfig();
const LOSS = alphafoldLossConfig("finetuning", { tm: true });
const HEADS = {
  affinity: { head: labelHeadConfig(NETWORK.cS, { hidden: 6, dropout: 0 }) },
  exposed: { head: labelHeadConfig(NETWORK.cS, { level: "residue", classes: 3, hidden: 5, dropout: 0 }), weight: 0.5 },
};

const configOf = (own: Partial<FineTunedConfig> = {}): FineTunedConfig => ({
  ...{ network: NETWORK, headInput: "evoformer", tasks: {}, structure: { loss: LOSS, weight: 2 } },
  ...own,
});

function paramsOf(device: Device, tasks: FineTunedConfig["tasks"] = {}): FineTunedParams {
  const heads = Object.keys(tasks).length ? initTaskHeads(device, tasks, Key.fromSeed(5)) : {};
  return { model: randomParams(device, NETWORK), heads };
}

/** A protein with a structure, a label, and a class a residue. */
function proteinOf(device: Device, nRes: number, seed: number, nSeq = 4): LabelledSample {
  const features = onDevice(device, featureArrays({ nRes, seed, nSeq, nExtra: 4 + seed }));
  const { trueMsa, bertMask, ...truth } = noiseTruth(
    device,
    { batch: 1, nRes, nSeq, nExtra: 4, nTemplates: 0 },
    Key.fromSeed(seed),
  );
  return {
    input: { features, hidden: { trueMsa, bertMask }, truth: { ...truth, aatype: features.aatype } },
    labels: { affinity: [seed], exposed: Array.from({ length: nRes }, (_, i) => (i + seed) % 3) },
    residues: nRes,
  };
}

type Network = Exclude<LabelledSample["input"], { readonly s: Tensor }>;

gpuTest("the loss of structures is AlphaFold's own, times its weight, beside that of labels", async (device) => {
  const tasks = { affinity: HEADS.affinity };
  const params = paramsOf(device, tasks);
  const sample = proteinOf(device, 7, 1);
  const { features, hidden, truth } = sample.input as Network;
  const outputs = alphafold(params.model, features, undefined, NETWORK);
  const own = alphafoldLoss(lossOutputs(params.model.auxHeads, outputs), { ...truth!, ...hidden! }, LOSS);
  const structure = await own.loss.item(), letters = await own.terms.maskedMsa!.item();
  const labels = await fineTuningLoss(params, [sample], configOf({ tasks, structure: undefined })).item();
  const loss = async (config: FineTunedConfig) => await fineTuningLoss(params, [sample], config).item();
  assertClose([await loss(configOf())], [2 * structure], { rtol: 1e-5 });
  assertClose([await loss(configOf({ tasks }))], [labels + 2 * structure], { rtol: 1e-5 });
  const auxiliary = configOf({ tasks, structure: undefined, maskedMsaWeight: 0.3 });
  assertClose([await loss(auxiliary)], [labels + 0.3 * letters], { rtol: 1e-5 });
  const unknown = { ...sample, input: { features } };
  await assert.rejects(
    async () => await fineTuningLoss(params, [unknown], auxiliary).item(),
    /which letters were hidden/,
  );
  await assert.rejects(async () => await fineTuningLoss(params, [unknown], configOf()).item(), /neither a label nor a/);
});

for (
  const [name, options] of [
    ["full", {}],
    ["partial", { unfreezeBlocks: 1, unfreezeStructureModule: true }],
  ] as [("full" | "partial"), StrategyOptions][]
) {
  gpuTest(
    `${name} with the loss of structures: the structure module gets gradients whatever heads read`,
    async (device) => {
      const strategy = strategyOf(name, 2, { ...options, structureLoss: true });
      assert.equal(strategy.headInput, "evoformer");
      const config = configOf({ headInput: strategy.headInput });
      const [trained, frozen] = trainedPart(paramsOf(device), strategy);
      const sample = proteinOf(device, 7, 1);
      const back = pullback<typeof trained, Tensor>(
        device,
        (trained) =>
          fineTuningLoss(combine<Tensor, FineTunedParams>(trained, frozen), [sample], config, { recompute: "block" }),
        trained,
      );
      const grads = leavesLike<Tensor>(trained as never, back.pull([device.tensor([1], [])]) as never);
      let reached = 0;
      for (const [i, [path]] of entries<Tensor>(trained as never).entries()) {
        if (!/structureModule\.(angleResnet|bbUpdate|transition|ipa\.linearQ)/.test(path)) continue;
        const numbers = await grads[i]!.read();
        assert(numbers.some((x) => x !== 0) && numbers.every(Number.isFinite), path);
        reached++;
      }
      assert(reached > 10);
    },
  );
}

gpuTest(
  "stacked proteins of other lengths and depths have the loss of those run apart, and its gradients",
  async (device) => {
    const params = paramsOf(device, HEADS);
    const config = configOf({ tasks: HEADS, maskedMsaWeight: 0.3 });
    const batch = [proteinOf(device, 5, 2, 3), proteinOf(device, 7, 1)];
    const strategy = strategyOf("partial", 2, {
      unfreezeBlocks: 1,
      unfreezeStructureModule: true,
      structureLoss: true,
    });
    const [trained, frozen] = trainedPart(params, strategy);
    const run = async (stacked: boolean) => {
      const back = pullback<typeof trained, Tensor>(
        device,
        (trained) => fineTuningLoss(combine<Tensor, FineTunedParams>(trained, frozen), batch, config, { stacked }),
        trained,
      );
      const numbers = [await back.output.read()];
      const grads = leavesLike<Tensor>(trained as never, back.pull([device.tensor([1], [])]) as never);
      for (const grad of grads) numbers.push(grad ? await grad.read() : new Float32Array());
      return numbers;
    };
    const apart = await run(false), together = await run(true);
    assertClose(together[0], apart[0], { rtol: 1e-5 });
    const most = apart.map((numbers) => Math.max(...Array.from(numbers, Math.abs)));
    for (const [i, numbers] of together.entries()) {
      const atol = 2e-4 * most[i] + 1e-6 * Math.max(...most.slice(1)); // some gradients are 0 but for rounding
      assertClose(numbers, apart[i], { rtol: 1e-3, atol }, `${i}`);
    }
  },
);

gpuTest("a loop learns structures: loss falls, validation tells lDDT, heads alone cannot", async (device) => {
  const config = configOf();
  const sample = () => proteinOf(device, 7, 1);
  const set = { size: 1, load: sample };
  const settings = { ...FIT_DEFAULTS, epochs: 2, accumulate: 1, warmup: 0, emaDecay: 0 };
  const of = (name: "full" | "head_only") => {
    const strategy = strategyOf(name, 2, { learningRate: 1e-3, structureLoss: true });
    return new FineTuner(device, { params: paramsOf(device), strategy, config, settings, train: set, validation: set });
  };
  using tuner = of("full");
  const losses: number[] = [];
  await tuner.run({ step: ({ loss }) => void losses.push(loss) });
  assert(losses.at(-1)! < losses[0], `${losses}`);
  const { loss, lddt, predictions } = await tuner.evaluate(set);
  assert.deepEqual(predictions, {});
  assert(lddt!.length === 1 && lddt!.every((x) => x > 0 && x <= 1));
  const whole = { model: combineModel(tuner), heads: {} };
  const found = fineTunedOutputs(whole, sample().input, config).structure!;
  assertClose([loss], [2 * await found.loss.item()], { rtol: 1e-5 });
  assert.throws(() => of("head_only"), /nothing to train: head_only trains heads, and there is none/);
});

/** What is trained in full is the whole tree, though its type says a part. */
function combineModel(tuner: FineTuner): FineTunedParams["model"] {
  return (tuner.trained as unknown as FineTunedParams).model;
}
