import assert from "node:assert/strict";
import {
  combine,
  Device,
  entries,
  Key,
  leaves,
  mapLeaves,
  type Part,
  partition,
  pullback,
  type Tensor,
} from "../../core/mod.ts";
import { cast, mean, square } from "../../ops/mod.ts";
import {
  adaptersOf,
  addLora,
  decodePeft,
  encodePeft,
  isAdapter,
  linearLayers,
  loadPeft,
  loraConfig,
  loraLayers,
  loraParameterCount,
  mergeLora,
  parameterCountOf,
  Trainer,
  unmergeLora,
  withAdapterDropout,
  withAdapters,
  withoutAdapters,
} from "../../finetune/mod.ts";
import {
  alphafold,
  alphafoldConfig,
  alphafoldEntries,
  type AlphaFoldFeatures,
  type AlphaFoldParams,
  alphafoldShapes,
  evoformerConfig,
  evoformerShapes,
  evoformerStack,
  type EvoformerStackParams,
  halved,
  initParams,
  loadParams,
  packProjections,
  treeEntries,
} from "../../model/mod.ts";
import { assertClose, gpuTest, randomArray, testDevice } from "../_gpu.ts";
import { featureArrays, onDevice, randomParams, smallConfig } from "../model/alphafold/_network.ts";

const SHAPES = alphafoldShapes(alphafoldConfig("model_1_ptm"));

const COUNTS: [rank: number, targets: string[], adapters: number, parameters: number][] = [
  [4, ["linear_q"], 192, 294_912],
  [4, ["linear_q", "linear_v"], 384, 589_824],
  [4, ["linear_q", "linear_k", "linear_v", "linear_o"], 768, 1_179_648],
  [8, ["linear_q"], 192, 589_824],
  [8, ["linear_q", "linear_v"], 384, 1_179_648],
  [8, ["linear_{q,k,v,o}"], 768, 2_359_296],
  [16, ["linear_q"], 192, 1_179_648],
  [16, ["linear_q", "linear_v"], 384, 2_359_296],
  [16, ["evoformer.**.linear_{q,k,v,o}"], 768, 4_718_592],
];
for (const [rank, targets, adapters, parameters] of COUNTS) {
  Deno.test(`model_1_ptm has ${parameters} parameters in adapters of rank ${rank} on ${targets}`, () => {
    const layers = loraLayers(SHAPES, { rank, targets });
    assert.equal(layers.length, adapters);
    assert.equal(loraParameterCount(layers, { rank }), parameters);
  });
}

Deno.test("adapters of model_1_ptm on a device for plans: the default is rank 8 on linear_q and linear_v", async () => {
  const { traits } = await testDevice();
  const device = Device.dry(traits);
  const params = initParams(device, SHAPES, Key.fromSeed(1)) as AlphaFoldParams;
  const [trained, frozen] = partition<Tensor, AlphaFoldParams>(addLora(params, Key.fromSeed(2)), isAdapter);
  assert.equal(adaptersOf(addLora(params, Key.fromSeed(2))).size, 384);
  assert.equal(parameterCountOf(trained), 1_179_648);
  assert.equal(parameterCountOf(frozen), 93_237_338);
});

Deno.test("magnitudes count one a row", () => {
  const layers = loraLayers(SHAPES, { targets: ["evoformer.blocks.0.msa_att_row.mha.linear_q"] });
  assert.equal(loraParameterCount(layers, { magnitudes: true }), 8 * 512 + 256);
});

Deno.test("targets that fit nothing, ranks larger than a map and choices out of range are refused", () => {
  const layers = (options: Parameters<typeof loraLayers>[1]) => () => loraLayers(SHAPES, options);
  assert.throws(layers({ targets: ["linear_q", "linear_x"] }), {
    name: "RangeError",
    message: /^No linear map in evoformer\.\*\* fits the pattern linear_x; near: .*linear_q/,
  });
  assert.throws(
    layers({ targets: ["evoformer.blocks.{48..50}.**"] }),
    /fits the pattern evoformer\.blocks\.\{48\.\.50\}/,
  );
  assert.throws(layers({ within: "trunk.**" }), /No linear map is in trunk/);
  assert.throws(layers({ rank: 200, targets: ["linear_q"] }), /rank 200 is larger than the linear map .*\[128,128\]/);
  for (const bad of [{ rank: 0 }, { rank: 1.5 }, { alpha: 0 }, { alpha: NaN }, { dropout: 1 }, { targets: [] }]) {
    assert.throws(() => loraConfig(bad), RangeError);
  }
});

const CONFIG = evoformerConfig({
  ...{ cM: 16, cZ: 12, cS: 8, nBlock: 2, cHiddenMsaAtt: 4, cHiddenOpm: 4, cHiddenMul: 8, cHiddenPairAtt: 4 },
  ...{ nHeadMsa: 2, nHeadPair: 2, transitionN: 2 },
});

function trunk(device: Device): EvoformerStackParams {
  let seed = 0;
  return loadParams(device, evoformerShapes(CONFIG), (_, shape) => {
    const scale = shape.length > 1 ? 1 / Math.sqrt(shape[1]) : 0.2, shift = shape.length > 1 ? 0 : 0.5;
    return randomArray(shape.reduce((a, b) => a * b, 1), ++seed).map((x) => scale * x + shift);
  }) as EvoformerStackParams;
}

function inputs(device: Device) {
  return {
    m: device.tensor(randomArray(3 * 5 * 16, 1), [1, 3, 5, 16]),
    z: device.tensor(randomArray(25 * 12, 2), [1, 5, 5, 12]),
  };
}

const OPTIONS = { within: "blocks.**", rank: 3, alpha: 5 };

/** Fills the second matrices, which begin at zero, so that adapters count. */
function filled(params: EvoformerStackParams): EvoformerStackParams {
  let seed = 50;
  for (const [path, tensor] of entries<Tensor>(params)) {
    if (path.endsWith("adapter.up")) tensor.device.write(tensor, randomArray(tensor.size, ++seed).map((x) => 0.3 * x));
  }
  return params;
}

const numbersOf = (params: EvoformerStackParams) => Promise.all(leaves<Tensor>(params).map((leaf) => leaf.read()));

for (const magnitudes of [false, true]) {
  const kind = magnitudes ? "adapters with magnitudes" : "adapters";
  gpuTest(`fresh ${kind} change nothing; merged ones compute what they did; the base stays`, async (device) => {
    const base = trunk(device);
    const before = await numbersOf(base);
    const run = async (params: EvoformerStackParams) => {
      const { s, z } = evoformerStack(params, inputs(device), CONFIG);
      return [await s.read(), await z.read()] as const;
    };
    const plain = await run(base);
    const params = addLora(base, Key.fromSeed(3), { ...OPTIONS, magnitudes });
    assert.equal(adaptersOf(params).size, 16);
    for (const [i, out] of (await run(params)).entries()) assertClose(out, plain[i], { rtol: 1e-5, atol: 1e-5 });
    filled(params);
    const adapted = await run(params);
    assert.ok(adapted[0].some((x, i) => Math.abs(x - plain[0][i]) > 1e-3), "the adapters count");
    const merged = mergeLora(params);
    assert.equal(adaptersOf(merged).size, 0);
    const again = await run(merged);
    if (magnitudes) {
      for (const [i, out] of again.entries()) assertClose(out, adapted[i], { rtol: 1e-4, atol: 1e-4 });
    } else assert.deepEqual(again, adapted);
    assert.deepEqual(await numbersOf(base), before);
    assert.deepEqual(await numbersOf(withoutAdapters(params)), before);
    assert.throws(
      () => addLora(params, Key.fromSeed(3), OPTIONS),
      /blocks\.0\.msa_att_row\.mha\.linear_q has an adapter/,
    );
    if (magnitudes) {
      assert.throws(() => unmergeLora(merged, adaptersOf(params)), /magnitudes/);
      return;
    }
    for (const [i, numbers] of (await numbersOf(unmergeLora(merged, adaptersOf(params)))).entries()) {
      assertClose(numbers, before[i], { rtol: 1e-6, atol: 1e-6 });
    }
  });
}

gpuTest("an adapter on any linear map of AlphaFold counts as its merged weight does", async (device) => {
  const config = smallConfig();
  const base = randomParams(device, config);
  const layers = linearLayers(base);
  let seed = 0;
  const adapters = new Map(layers.map(({ name, shape: [n, k] }) => [name, {
    down: device.tensor(randomArray(k, ++seed), [1, k]),
    up: device.tensor(randomArray(n, ++seed), [n, 1]),
    scale: 0.3 / Math.sqrt(k),
  }]));
  const params = withAdapters(base, adapters);
  const features = onDevice(device, featureArrays({}));
  const run = async (params: AlphaFoldParams) => {
    const outputs = alphafold(params, features, undefined, config);
    const numbers = new Map<string, ArrayLike<number>>();
    for (const [path, tensor] of entries<Tensor>(outputs as never)) numbers.set(path, await tensor.read());
    return numbers;
  };
  const [adapted, merged, plain] = [await run(params), await run(mergeLora(params)), await run(base)];
  for (const [path, numbers] of merged) assertClose(adapted.get(path)!, numbers, { rtol: 1e-3, atol: 1e-3 }, path);
  assert.ok(Array.from(plain.get("s")!).some((x, i) => Math.abs(x - merged.get("s")![i]) > 0.05));
});

gpuTest("training adapters takes no gradient of a frozen weight, with and without checkpoints", (device) => {
  const params = filled(addLora(trunk(device), Key.fromSeed(3), OPTIONS));
  const [trained, frozen] = partition<Tensor, EvoformerStackParams>(params, isAdapter);
  const { m, z } = inputs(device);
  /** Products on the way back, by whether they are of a weight's gradient: long sums over all rows, of full width. */
  const count = <P>(primals: P, whole: (primals: P) => EvoformerStackParams, recompute: "nothing" | "block") => {
    const run = (primals: P) => {
      const { s, z: pairs } = evoformerStack(whole(primals), { m, z }, CONFIG, { recompute });
      return { s, pairs };
    };
    const back = pullback<P, ReturnType<typeof run>>(device, run, primals);
    const cotangents = [back.output.s, back.output.pairs].map(({ shape }) => device.zeros(shape));
    const before = device.dispatches;
    const grads = back.pullLeaves(cotangents);
    return { way: device.dispatches - before, held: back.heldBytes, gradients: grads.filter((d) => d).length };
  };
  const lora = (trained: Part<Tensor, EvoformerStackParams>) => combine<Tensor, EvoformerStackParams>(trained, frozen);
  const forward = (() => {
    const before = device.dispatches;
    evoformerStack(params, { m, z }, CONFIG);
    return device.dispatches - before;
  })();
  const [once, twice] = [count(trained, lora, "nothing"), count(trained, lora, "block")];
  const all = count(params, (params) => params, "nothing");
  assert.equal(once.gradients, 32);
  assert.equal(twice.gradients, 32);
  // The last projection reads the first row of what the blocks made and is not run again.
  assert.ok(Math.abs(twice.way - once.way - forward) <= 3, `${twice.way} against ${once.way} and ${forward}`);
  assert.ok(once.way < all.way * 0.85, `${once.way} of ${all.way}`);
  assert.ok(once.held < all.held, `${once.held} of ${all.held} bytes`);
  assert.ok(twice.held < once.held / 1.5, `${twice.held} of ${once.held} bytes`);
});

gpuTest("dropout of adapters is another each step and each adapter, and none without a key", async (device) => {
  const params = filled(addLora(trunk(device), Key.fromSeed(3), OPTIONS));
  const run = async (key?: Key) =>
    await evoformerStack(withAdapterDropout(params, 0.5, key), inputs(device), CONFIG).s.read();
  const keys = [...adaptersOf(withAdapterDropout(params, 0.5, Key.fromSeed(1))).values()].map(({ dropout }) =>
    dropout!.key
  );
  assert.equal(new Set(keys.map(String)).size, keys.length);
  const plain = await evoformerStack(params, inputs(device), CONFIG).s.read();
  const first = await run(Key.fromSeed(1));
  assert.deepEqual(await run(Key.fromSeed(1)), first);
  assert.notDeepEqual(await run(Key.fromSeed(2)), first);
  assert.notDeepEqual(first, plain);
  assert.deepEqual(await run(), plain);
});

for (const choices of [{}, { magnitudes: true, rankStabilized: true, dropout: 0.1 }]) {
  gpuTest(`adapters survive PEFT's files to the bit ${JSON.stringify(choices)}`, async (device) => {
    const base = trunk(device);
    const options = { ...OPTIONS, ...choices };
    const params = filled(addLora(base, Key.fromSeed(3), options));
    const head = { dtype: "F32", shape: [2], data: new Float32Array([1, 2]) } as const;
    const files = await encodePeft(adaptersOf(params), loraConfig(options), {
      base: "weights.pt",
      others: new Map([["head.linear.bias", head]]),
    });
    const json = JSON.parse(files.config);
    assert.equal(json.r, 3);
    assert.equal(json.lora_alpha, 5);
    assert.equal(json.use_dora, !!choices.magnitudes);
    assert.deepEqual(json.modules_to_save, ["head"]);
    const read = decodePeft(files, "adapters");
    assert.equal(read.base, "weights.pt");
    assert.deepEqual([...read.others.keys()], ["head.linear.bias"]);
    const again = withAdapters(base, loadPeft(device, read));
    assert.deepEqual(await numbersOf(again), await numbersOf(params));
    assert.deepEqual(
      [...adaptersOf(again).values()].map(({ scale }) => scale),
      [
        ...adaptersOf(params).values(),
      ].map(({ scale }) => scale),
    );
    const other = { ...json, peft_type: "IA3" };
    assert.throws(
      () => decodePeft({ ...files, config: JSON.stringify(other) }, "a"),
      /a\/adapter_config\.json: peft_type/,
    );
    assert.throws(() => decodePeft({ ...files, config: "{" }, "a"), /a\/adapter_config\.json is no JSON/);
    const rank = { ...json, r: 4 };
    assert.throws(
      () => decodePeft({ ...files, config: JSON.stringify(rank) }, "a"),
      /\[3,16\] and \[8,3\], the rank .* is 4/,
    );
    assert.throws(
      () =>
        withAdapters(base, new Map([["blocks.0.msa_att_row.mha.linear_p", adaptersOf(params).values().next().value!]])),
      /no linear map blocks\.0\.msa_att_row\.mha\.linear_p for the adapter; near: /,
    );
  });
}

gpuTest("a merged tree goes to the writers of weights, one with adapters does not", async (device) => {
  const base = trunk(device);
  const params = addLora(base, Key.fromSeed(3), OPTIONS);
  assert.throws(() => treeEntries(params), /blocks\.0\.msa_att_row\.mha\.linear_q has an adapter: merge it/);
  const found = treeEntries(mergeLora(params));
  const name = "blocks.1.msa_att_row.mha.linear_q.weight";
  const whole = await found.get(name)!.read();
  assert.deepEqual(whole.data, await base.blocks[1].msaAttRow.mha.linearQ.weight.read());
  const rows = await found.get(name)!.read({ from: 2, to: 5 });
  assert.deepEqual(rows, { dtype: "F32", shape: [3, 16], data: (whole.data as Float32Array).slice(32, 80) });
  const prefixed = new Map([...found.values()].map((entry) => {
    const name = `evoformer.${entry.name}`;
    return [name, { ...entry, name }];
  }));
  assert.ok(alphafoldEntries(prefixed).length > 10);
});

gpuTest("frozen weights in 16 bits: adapters get the gradients of weights that are rounded so", async (device) => {
  const config = smallConfig();
  const half = halved(randomParams(device, config));
  const rounded = mapLeaves<Tensor, AlphaFoldParams>(half, (x) => cast(x, "f32"));
  assert.ok(leaves<Tensor>(half).filter(({ dtype }) => dtype === "f16").length > 100);
  const features = onDevice(device, featureArrays({}));
  const options = { rank: 2, targets: ["linear_q", "linear_v", "evoformer.**.linear_out"] };
  const run = async (base: AlphaFoldParams, packed: boolean) => {
    const params = addLora(packed ? packProjections(base) : base, Key.fromSeed(3), options);
    for (const [i, { up }] of [...adaptersOf(params).values()].entries()) device.write(up, randomArray(up.size, i + 1));
    const [trained, frozen] = partition<Tensor, AlphaFoldParams>(params, isAdapter);
    const forward = (trained: Part<Tensor, AlphaFoldParams>) => {
      const { s, structure } = alphafold(
        combine<Tensor, AlphaFoldParams>(trained, frozen),
        features,
        undefined,
        config,
      );
      return { s, single: structure.single };
    };
    const back = pullback<typeof trained, ReturnType<typeof forward>>(device, forward, trained);
    const { s, single } = back.output;
    const numbers = [await s.read(), await single.read()];
    const grads = back.pullLeaves([s, single]);
    for (const grad of grads) if (grad) numbers.push(await grad.read());
    return numbers;
  };
  const expected = await run(rounded, false);
  assert.ok(expected.length > 20);
  for (const packed of [false, true]) {
    for (const [i, numbers] of (await run(half, packed)).entries()) {
      const most = Math.max(...Array.from(expected[i], Math.abs));
      assertClose(numbers, expected[i], { rtol: 1e-3, atol: 1e-4 * most }, `${packed}, ${i}`);
    }
  }
});

Deno.test("a LoRA step of model_1_ptm at 32 residues and 8 rows needs less than 2.0 GB with checkpoints", async () => {
  const { traits } = await testDevice();
  const device = Device.dry(traits);
  using _ = device.scope("plan");
  const config = alphafoldConfig("model_1_ptm");
  const base = initParams(device, SHAPES, Key.fromSeed(1)) as AlphaFoldParams;
  const features = onDevice(device, featureArrays({ nRes: 32, nSeq: 8, nExtra: 16, T: 4 }));
  const [trained, frozen] = partition<Tensor, AlphaFoldParams>(addLora(base, Key.fromSeed(2)), isAdapter);
  using trainer = new Trainer<Part<Tensor, AlphaFoldParams>, AlphaFoldFeatures>(device, {
    params: trained,
    loss: (trained, features) => {
      const { s } = alphafold(combine<Tensor, AlphaFoldParams>(trained, frozen), features, undefined, config, {
        recompute: "block",
      });
      return mean(square(s));
    },
    emaDecay: 0.999,
  });
  await trainer.step(features);
  const { peakAllocatedBytes } = device.memory;
  assert.ok(peakAllocatedBytes > 4 * 93e6 && peakAllocatedBytes < 2.0e9, `${peakAllocatedBytes} bytes`);
});
