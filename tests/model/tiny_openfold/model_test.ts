import assert from "node:assert/strict";
import { checkpoint, type Device, Key, pullback, type Tensor } from "../../../core/mod.ts";
import {
  distanceLoss,
  documentedParameterCount,
  initTinyOpenFold,
  parameterCount,
  tinyEvoformerBlock,
  tinyOpenFold,
  tinyOpenFoldConfig,
} from "../../../model/tiny_openfold/mod.ts";
import { assertClose, gpuTest, randomArray } from "../../_gpu.ts";

const CONFIG = tinyOpenFoldConfig({ msaDim: 12, pairDim: 20, nBlocks: 2, nSeqs: 3, maxSeqLen: 7, outerProductDim: 5 });

function inputs(device: Device, batch: number, nSeq: number, nRes: number) {
  const tokens = randomArray(batch * nSeq * nRes, 1).map((x) => Math.floor((x + 1) / 2 * 21));
  return {
    msaTokens: device.tensor(tokens, [batch, nSeq, nRes], "i32"),
    pairFeatures: device.tensor(randomArray(batch * nRes * nRes * 65, 2), [batch, nRes, nRes, 65]),
  };
}

Deno.test("the default model has exactly 2,653,760 parameters, its documentation's formula gives 2,641,728", () => {
  const config = tinyOpenFoldConfig();
  assert.equal(parameterCount(config), 2_653_760);
  assert.equal(documentedParameterCount(config), 2_641_728);
  assert.equal(parameterCount(tinyOpenFoldConfig({ msaDim: 128, pairDim: 256, nBlocks: 8 })), 18_984_064);
});

Deno.test("a configuration that cannot be is refused", () => {
  assert.throws(() => tinyOpenFoldConfig({ msaDim: 30 }), /msaDim 30 into 4/);
  assert.throws(() => tinyOpenFoldConfig({ nBlocks: 0 }), /nBlocks must be a positive integer, got 0/);
});

gpuTest("distances lie between 0 and 20 Å, in the shape of the pairs", async (device) => {
  const params = initTinyOpenFold(device, CONFIG, Key.fromSeed(1));
  const { distances, msaRepr, pairRepr } = tinyOpenFold(params, inputs(device, 2, 3, 7), CONFIG);
  assert.deepEqual([...distances.shape], [2, 7, 7, 1]);
  assert.deepEqual([...msaRepr.shape], [2, 3, 7, 12]);
  assert.deepEqual([...pairRepr.shape], [2, 7, 7, 20]);
  for (const d of await distances.read()) assert.ok(d > 0 && d < 20);
});

gpuTest("the order of the other sequences of an alignment does not matter", async (device) => {
  const params = initTinyOpenFold(device, CONFIG, Key.fromSeed(2));
  const { msaTokens, pairFeatures } = inputs(device, 1, 3, 7);
  const tokens = await msaTokens.read();
  const swapped = Int32Array.from(tokens, (_, i) => tokens[i < 7 ? i : i < 14 ? i + 7 : i - 7]);
  const a = tinyOpenFold(params, { msaTokens, pairFeatures }, CONFIG).distances;
  const b =
    tinyOpenFold(params, { msaTokens: device.tensor(swapped, [1, 3, 7], "i32"), pairFeatures }, CONFIG).distances;
  assertClose(await a.read(), await b.read(), { rtol: 1e-5 });
});

gpuTest("padding behind a mask changes nothing for the residues that are there", async (device) => {
  const params = initTinyOpenFold(device, CONFIG, Key.fromSeed(3));
  const [nSeq, n, padded] = [3, 5, 7];
  const { msaTokens, pairFeatures } = inputs(device, 1, nSeq, n);
  const tokens = await msaTokens.read(), features = await pairFeatures.read();
  const wideTokens = new Int32Array(nSeq * padded).fill(13),
    wideFeatures = new Float32Array(padded * padded * 65).fill(3);
  const msaMask = new Float32Array(nSeq * padded), pairMask = new Float32Array(padded * padded);
  for (let s = 0; s < nSeq; s++) {
    for (let i = 0; i < n; i++) {
      wideTokens[s * padded + i] = tokens[s * n + i];
      msaMask[s * padded + i] = 1;
    }
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      pairMask[i * padded + j] = 1;
      for (let c = 0; c < 65; c++) wideFeatures[(i * padded + j) * 65 + c] = features[(i * n + j) * 65 + c];
    }
  }
  const alone = await tinyOpenFold(params, { msaTokens, pairFeatures }, CONFIG).distances.read();
  const masked = await tinyOpenFold(params, {
    msaTokens: device.tensor(wideTokens, [1, nSeq, padded], "i32"),
    pairFeatures: device.tensor(wideFeatures, [1, padded, padded, 65]),
    msaMask: device.tensor(msaMask, [1, nSeq, padded]),
    pairMask: device.tensor(pairMask, [1, padded, padded]),
  }, CONFIG).distances.read();
  const seen = Float32Array.from({ length: n * n }, (_, k) => masked[Math.floor(k / n) * padded + k % n]);
  assertClose(seen, alone, { rtol: 1e-5 });
});

gpuTest("gradients agree with differences of the loss in a random direction", async (device) => {
  const params = initTinyOpenFold(device, CONFIG, Key.fromSeed(4));
  const { msaTokens, pairFeatures } = inputs(device, 2, 3, 6);
  const target = device.tensor(randomArray(2 * 36, 5).map((x) => 10 + 9 * x), [2, 6, 6, 1]);
  const weight = params.evoformerBlocks[0].triangleMultOutgoing.leftProj.weight;
  const start = Float32Array.from(await weight.read());
  const direction = randomArray(start.length, 6);
  const loss = (p: typeof params) =>
    distanceLoss(tinyOpenFold(p, { msaTokens, pairFeatures }, CONFIG).distances, target);
  // The loss hardly moves with the small initial weights of the blocks; larger ones give a slope that float32 can show.
  const at = async (h: number) => {
    device.write(weight, start.map((x, i) => 20 * x + h * direction[i]));
    using scope = device.scope("loss");
    void scope;
    return await loss(params).item();
  };
  const h = 0.05;
  const slope = (await at(h) - await at(-h)) / (2 * h);
  await at(0);
  const { pull } = pullback(device, loss, params);
  const { leftProj } = pull([device.tensor([1], [])]).evoformerBlocks[0].triangleMultOutgoing;
  const grad = Float32Array.from(await leftProj.weight!.read());
  const along = grad.reduce((sum, g, i) => sum + g * direction[i], 0);
  assert.ok(Math.abs(along - slope) <= 0.05 * Math.abs(slope) + 2e-5, `gradient ${along}, differences ${slope}`);
});

gpuTest("parameters the model never uses have no gradient; all others have one", (device) => {
  const params = initTinyOpenFold(device, CONFIG, Key.fromSeed(5));
  const { pull } = pullback(
    device,
    (p: typeof params) => tinyOpenFold(p, inputs(device, 1, 3, 6), CONFIG).distances,
    params,
  );
  const grads = pull([device.tensor(randomArray(36, 7), [1, 6, 6, 1])]);
  for (const block of grads.evoformerBlocks) {
    assert.equal(block.pairNormOuter.weight, null);
    assert.notEqual(block.pairNormTriOut.weight, null);
    assert.notEqual(block.msaRowAttention.pairBiasProj.weight, null);
  }
});

gpuTest("a block computed again on the way back has the same gradients to the bit, and holds less", async (device) => {
  const params = initTinyOpenFold(device, CONFIG, Key.fromSeed(6)).evoformerBlocks[0];
  const m = device.tensor(randomArray(2 * 3 * 6 * 12, 1), [2, 3, 6, 12]);
  const z = device.tensor(randomArray(2 * 36 * 20, 2), [2, 6, 6, 20]);
  const cotangents = [device.tensor(randomArray(m.size, 3), m.shape), device.tensor(randomArray(z.size, 4), z.shape)];
  type Primals = { params: typeof params; m: Tensor; z: Tensor };
  const block = (p: Primals) => tinyEvoformerBlock(p.params, p.m, p.z, CONFIG);
  const plain = pullback(device, block, { params, m, z });
  const again = pullback(device, (p: Primals) => checkpoint(device, "block", block, p), { params, m, z });
  assert.ok(again.heldBytes < 0.5 * plain.heldBytes, `${again.heldBytes} of ${plain.heldBytes} bytes`);
  const a = plain.pullLeaves(cotangents), b = again.pullLeaves(cotangents);
  for (const [i, grad] of a.entries()) {
    if (grad) assert.deepEqual(await b[i]!.read(), await grad.read());
    else assert.equal(b[i], null);
  }
});
