import assert from "node:assert/strict";
import { type Device, Key, type Tensor, valueAndGrad } from "../../../core/mod.ts";
import {
  flaxName,
  initNnxEvoformer,
  nnxEvoformerBlock,
  nnxEvoformerConfig,
  nnxEvoformerParameterCount,
  type NnxEvoformerParams,
  nnxEvoformerParamShapes,
  nnxLoss,
  transposed,
} from "../../../model/nnx_evoformer/mod.ts";
import { assertClose, gpuTest, randomArray } from "../../_gpu.ts";

const CONFIG = nnxEvoformerConfig({ cM: 12, cZ: 10, nHead: 2, headDim: 5, triangleDim: 9, outerProductDim: 6 });

function inputs(device: Device, batch: number, nSeq: number, nRes: number) {
  return {
    msa: device.tensor(randomArray(batch * nSeq * nRes * 12, 1), [batch, nSeq, nRes, 12]),
    pairs: device.tensor(randomArray(batch * nRes * nRes * 10, 2), [batch, nRes, nRes, 10]),
  };
}

Deno.test("the notebook's block has exactly 251,744 parameters", () => {
  assert.equal(nnxEvoformerParameterCount(nnxEvoformerConfig()), 251_744);
});

Deno.test("a configuration that cannot be is refused", () => {
  assert.throws(() => nnxEvoformerConfig({ nHead: 0 }), /nHead must be a positive integer, got 0/);
});

Deno.test("names and layouts become Flax's", () => {
  assert.equal(flaxName("msaTransition.linear1.weight", [48, 12]), "msa_transition.linear1.kernel");
  assert.equal(flaxName("msaTransition.linear1.bias", [48]), "msa_transition.linear1.bias");
  assert.equal(flaxName("msaTransition.layerNorm.weight", [12]), "msa_transition.layer_norm.scale");
  assert.deepEqual([...transposed([1, 2, 3, 4, 5, 6], [2, 3])], [1, 4, 2, 5, 3, 6]);
  const names = [...nnxEvoformerParamShapes(CONFIG)].map(([path, shape]) => flaxName(path, shape));
  assert.equal(new Set(names).size, names.length);
  assert.ok(names.includes("triangular_update_outgoing_edges.linear_a_gate.kernel"));
});

gpuTest("inputs that are all one come out as they were: layer normalization leaves nothing of them", async (device) => {
  const params = initNnxEvoformer(device, CONFIG, Key.fromSeed(1));
  const msa = device.tensor(new Float32Array(3 * 5 * 12).fill(1), [1, 3, 5, 12]);
  const pairs = device.tensor(new Float32Array(5 * 5 * 10).fill(1), [1, 5, 5, 10]);
  const out = nnxEvoformerBlock(params, { msa, pairs }, CONFIG);
  assertClose(await out.msa.read(), new Float32Array(msa.size).fill(1), { rtol: 0, atol: 1e-6 });
  assertClose(await out.pairs.read(), new Float32Array(pairs.size).fill(1), { rtol: 0, atol: 1e-6 });
});

gpuTest("the pair representation does not see what the block does to the MSA", async (device) => {
  const params = initNnxEvoformer(device, CONFIG, Key.fromSeed(2));
  const given = inputs(device, 1, 3, 5);
  const { linear1 } = params.msaTransition;
  const before = nnxEvoformerBlock(params, given, CONFIG);
  device.write(linear1.weight, randomArray(linear1.weight.size, 5).map((x) => 3 * x));
  const after = nnxEvoformerBlock(params, given, CONFIG);
  assert.deepEqual(await after.pairs.read(), await before.pairs.read());
  assert.notDeepEqual(await after.msa.read(), await before.msa.read());
});

gpuTest("a batch is its elements side by side, and its loss is their mean", async (device) => {
  const params = initNnxEvoformer(device, CONFIG, Key.fromSeed(3));
  const { msa, pairs } = inputs(device, 2, 3, 5);
  const both = nnxEvoformerBlock(params, { msa, pairs }, CONFIG);
  const [bothMsa, bothPairs] = [await both.msa.read(), await both.pairs.read()];
  const [m, z] = [await msa.read(), await pairs.read()];
  let loss = 0;
  for (const b of [0, 1]) {
    const part = (x: Float32Array) => x.slice(b * x.length / 2, (b + 1) * x.length / 2);
    const one = nnxEvoformerBlock(params, {
      msa: device.tensor(part(m as Float32Array), [1, 3, 5, 12]),
      pairs: device.tensor(part(z as Float32Array), [1, 5, 5, 10]),
    }, CONFIG);
    assertClose(await one.msa.read(), part(bothMsa as Float32Array), { rtol: 1e-5, atol: 1e-5 }, `msa of ${b}`);
    assertClose(await one.pairs.read(), part(bothPairs as Float32Array), { rtol: 1e-5, atol: 1e-5 }, `pairs of ${b}`);
    loss += await nnxLoss(one).item() / 2;
  }
  assertClose([await nnxLoss(both).item()], [loss], { rtol: 1e-5 });
});

gpuTest("every parameter has a gradient of the loss", (device) => {
  const params = initNnxEvoformer(device, CONFIG, Key.fromSeed(4));
  const given = inputs(device, 2, 3, 5);
  const { grads } = valueAndGrad(
    device,
    (p: NnxEvoformerParams) => nnxLoss(nnxEvoformerBlock(p, given, CONFIG)),
    params,
  );
  const missing: string[] = [];
  const walk = (node: unknown, path: string): void => {
    if (node === null) missing.push(path);
    else if (node && typeof node === "object" && Object.getPrototypeOf(node) === Object.prototype) {
      for (const [key, child] of Object.entries(node)) walk(child as Tensor, `${path}.${key}`);
    }
  };
  walk(grads, "");
  assert.deepEqual(missing, []);
});
