import assert from "node:assert/strict";
import { Device, entries, Key, type Shape, sizeOf, type Tensor } from "../../core/mod.ts";
import {
  addLora,
  adviseStrategy,
  labelHeadConfig,
  labelHeadShapes,
  STRATEGIES,
  type Strategy,
  type StrategyName,
  strategyOf,
  type StrategyOptions,
} from "../../finetune/mod.ts";
import { alphafoldConfig, type AlphaFoldParams, alphafoldShapes, initParams, shapesByPath } from "../../model/mod.ts";
import { testDevice } from "../_gpu.ts";

const CONFIG = alphafoldConfig("model_1_ptm");
const HEAD = 49_409, NETWORK = 93_237_338;

/** Shapes of everything by path, with adapters where the strategy wants them. */
async function shapesFor({ lora }: Strategy): Promise<Map<string, Shape>> {
  const heads = shapesByPath({ heads: { affinity: labelHeadShapes(labelHeadConfig(384)) } });
  const model = alphafoldShapes(CONFIG);
  if (!lora) return new Map([...shapesByPath({ model }), ...heads]);
  const device = Device.dry((await testDevice()).traits);
  const params = addLora(initParams(device, model, Key.fromSeed(1)) as AlphaFoldParams, Key.fromSeed(2), lora);
  return new Map([...entries<Tensor>(params).map(([path, { shape }]) => [`model.${path}`, shape] as const), ...heads]);
}

/** Numbers of parameters by group; the frozen ones last. */
async function counts(name: StrategyName, options: StrategyOptions = {}): Promise<[string, number][]> {
  const strategy = strategyOf(name, CONFIG.evoformer.nBlock, options);
  const found = new Map([...strategy.groups.map((group) => group.name), "frozen"].map((name) => [name, 0]));
  for (const [path, shape] of await shapesFor(strategy)) {
    const fitting = strategy.groups.filter(({ has }) => has(path));
    assert(fitting.length <= 1, `${path} is in ${fitting.map(({ name }) => name)}`);
    const group = fitting[0]?.name ?? "frozen";
    found.set(group, found.get(group)! + sizeOf(shape));
  }
  return [...found];
}

Deno.test("head_only trains the head", async () => {
  assert.deepEqual(await counts("head_only"), [["head", HEAD], ["frozen", NETWORK]]);
});

Deno.test("lora trains head and adapters; at rank 8 98.70 % are frozen", async () => {
  const found = await counts("lora");
  assert.deepEqual(found, [["head", HEAD], ["lora", 1_179_648], ["frozen", NETWORK]]);
  assert.equal((100 * NETWORK / (NETWORK + HEAD + 1_179_648)).toFixed(2), "98.70");
  assert.deepEqual((await counts("lora", { lora: { rank: 4 } }))[1], ["lora", 589_824]);
});

Deno.test("partial trains the last 4 blocks, the structure module if asked, and the head", async () => {
  const trunk = async (options: StrategyOptions) => (await counts("partial", options))[0];
  assert.deepEqual((await counts("partial")).map(([name]) => name), ["trunk", "head", "frozen"]);
  assert.deepEqual(await trunk({}), ["trunk", 7_319_808]);
  assert.deepEqual(await trunk({ unfreezeStructureModule: true }), ["trunk", 9_338_924]);
  assert.deepEqual(await trunk({ unfreezeBlocks: 48 }), ["trunk", 48 * 1_829_952]);
  const last = strategyOf("partial", 48, { unfreezeBlocks: 1 }).groups[0];
  assert(last.has("model.evoformer.blocks.47.msaAttRow.mha.linearQ.weight"));
  assert(!last.has("model.evoformer.blocks.4.msaAttRow.mha.linearQ.weight"));
  assert(!last.has("model.extraMsaStack.blocks.47.msaAttRow.mha.linearQ.weight"));
});

Deno.test("full trains everything, in order, and the learning rates of blocks rise strictly", async () => {
  const found = await counts("full");
  assert.deepEqual(found.map(([name]) => name), [
    "embedder",
    ...Array.from({ length: 48 }, (_, i) => `block_${i}`),
    ...["structure_module", "rest", "head", "frozen"],
  ]);
  const count = Object.fromEntries(found);
  assert.deepEqual([count.embedder, count.block_0, count.block_47], [33_024, 1_829_952, 1_829_952]);
  assert.deepEqual([count.structure_module, count.head, count.frozen], [2_019_116, HEAD, 0]);
  assert.equal(count.rest, 98_688 + 2_805_248 + 1_664 + 2_816 + 329_408 + 109_678);
  assert.equal(found.reduce((sum, [, n]) => sum + n, 0), NETWORK + HEAD);
  const rates = strategyOf("full", 48).groups.map(({ learningRate }) => learningRate);
  for (let i = 0; i < 48; i++) assert(rates[i] < rates[i + 1], `rates ${i} and ${i + 1}`);
  assert.deepEqual(rates.slice(-4), [1e-5, 1e-5, 1e-5, 1e-4]);
  assert.equal(rates[0], 1e-5 * 0.95 ** 48);
});

Deno.test("learning rates by default, and given ones", () => {
  const rates = (name: StrategyName, options: StrategyOptions = {}) =>
    strategyOf(name, 2, options).groups.map(({ name, learningRate }) => [name, learningRate]);
  assert.deepEqual(rates("head_only"), [["head", 1e-3]]);
  assert.deepEqual(rates("lora"), [["head", 1e-3], ["lora", 1e-4]]);
  assert.deepEqual(rates("lora", { learningRate: 3e-5 }), [["head", 3e-4], ["lora", 3e-5]]);
  assert.deepEqual(rates("partial", { unfreezeBlocks: 1 }), [["trunk", 1e-5], ["head", 1e-4]]);
  const own = { embedderLearningRate: 1e-7, structureLearningRate: 2e-5, headLearningRate: 5e-4, layerDecay: 0.5 };
  assert.deepEqual(rates("full", { learningRate: 1e-4, ...own }), [
    ...[["embedder", 1e-7], ["block_0", 5e-5], ["block_1", 1e-4], ["structure_module", 2e-5], ["rest", 1e-4]],
    ["head", 5e-4],
  ]);
});

Deno.test("what the heads read: the structure wherever its module is trained", () => {
  const input = (name: StrategyName, options: StrategyOptions = {}) => strategyOf(name, 48, options).headInput;
  assert.deepEqual(STRATEGIES.map((name) => input(name)), ["evoformer", "evoformer", "evoformer", "structure"]);
  assert.equal(input("partial", { unfreezeStructureModule: true }), "structure");
  assert.equal(input("lora", { headInput: "structure" }), "structure");
  const full = strategyOf("full", 2, { headInput: "evoformer" }).groups;
  assert(!full.some(({ has }) => has("model.structureModule.ipa.linearQ.weight")), "it does not count as trained");
});

Deno.test("strategies that there are not, and choices out of range, are refused", () => {
  const refused = (name: string, options: StrategyOptions, message: RegExp) =>
    assert.throws(() => strategyOf(name as StrategyName, 48, options), { name: "RangeError", message });
  refused("lara", {}, /no strategy lara: choose one of head_only, lora, partial, full \(lora\?\)/);
  refused("partial", { unfreezeBlocks: 49 }, /trains 1 to 48 blocks of this network's Evoformer, got 49/);
  refused("partial", { unfreezeBlocks: 0 }, /got 0/);
  refused("partial", { unfreezeStructureModule: true, headInput: "evoformer" }, /would get no gradient/);
  refused("lora", { learningRate: 0 }, /learning rate \(rate\) is above 0, got 0/);
  refused("full", { layerDecay: 1.1 }, /at most 1, got 1.1/);
  refused("lora", { lora: { rank: 0 } }, /rank of LoRA/);
});

Deno.test("advice by the number of samples", () => {
  const advice = (n: number) => {
    const { name, rank, reason } = adviseStrategy(n);
    assert(reason.startsWith(`${n.toLocaleString("en-US")} training sample`));
    return rank ? `${name} ${rank}` : name;
  };
  assert.deepEqual([1, 99, 100, 199, 200, 2000, 2001, 5000, 5001, 10_000, 10_001].map(advice), [
    ...["head_only", "head_only", "lora 4", "lora 4", "lora 8", "lora 8", "lora 16", "lora 16"],
    ...["partial", "partial", "full"],
  ]);
  assert.throws(() => adviseStrategy(0), /at least one sample, got 0/);
});
